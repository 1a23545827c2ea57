"""What PostgreSQL refuses of a contract: one finding each, and the rest is judged and repaired."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
import sqlalchemy as sa
from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Index, Integer, MetaData, Table, Text, text

import fixer as library
from fixer.contract.pieces import taken_apart
from fixer.defects import refused_definition
from fixer.model.contract import Contract, Hints, Refused
from fixer.model.schema import Schema
from fixer.model.table import QName
from lab.database import Database, lent_copy, role
from lab.laboratory import Laboratory
from lab.process import fixer
from lab.proof import Proof, place_of

# All that the contract says, in a database that has what the contract's own place lacks: norm(), code, a second unique.
THERE = """
CREATE SCHEMA own;
CREATE FUNCTION own.norm(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT lower($1)';
CREATE DOMAIN own.code AS text;
CREATE TABLE users (id bigint PRIMARY KEY, mail text NOT NULL, code own.code NOT NULL, m integer CONSTRAINT by_m UNIQUE,
                    CONSTRAINT normal CHECK (own.norm(mail) <> ''));
CREATE UNIQUE INDEX users_mail ON users (own.norm(mail));
CREATE TABLE orders (id bigint PRIMARY KEY, user_id bigint NOT NULL REFERENCES users,
                     m integer CONSTRAINT to_m REFERENCES users (m));
CREATE INDEX orders_m ON orders (m);
INSERT INTO users VALUES (1, 'A', 'x', 7); INSERT INTO orders VALUES (1, 1, 7);
"""
SCRIPT = """
CREATE TABLE users (id bigint PRIMARY KEY, mail text NOT NULL, code code NOT NULL, m integer,
                    CONSTRAINT normal CHECK (norm(mail) <> ''));
CREATE UNIQUE INDEX users_mail ON users (norm(mail));
CREATE TABLE orders (id bigint PRIMARY KEY, user_id bigint NOT NULL REFERENCES users (id),
                     m integer CONSTRAINT to_m REFERENCES users (m));
CREATE INDEX orders_m ON orders (m);
CREATE TABLE public.nowhere (id integer) INHERITS (others);
ALTER TABLE nowhere ADD PRIMARY KEY (id);
COMMENT ON TABLE nowhere IS 'gone';
"""
REFUSED = {
    "public.orders.to_m": 'there is no unique constraint matching given keys for referenced table "users" (42830)',
    "public.users.code": 'type "code" does not exist (42704)',
    "public.users.normal": "function norm(text) does not exist (42883)",
    "public.users.users_mail": "function norm(text) does not exist (42883)",
}
LOST = {"public.nowhere": 'relation "others" does not exist (42P01)'}


class Code(sa.types.UserDefinedType[str]):
    """A type that nobody has made."""

    cache_ok = True

    def get_col_spec(self) -> str:
        return "code"


def models() -> MetaData:
    made = MetaData()
    users = Table(
        "users",
        made,
        Column("id", BigInteger, primary_key=True, autoincrement=False),
        Column("mail", Text, nullable=False),
        Column("code", Code, nullable=False),
        Column("m", Integer),
        CheckConstraint("norm(mail) <> ''", name="normal"),
        info={"default_rows": [{"id": 1, "mail": "A", "code": "x"}]},
    )
    Index("users_mail", text("norm(mail)"), unique=True, _table=users)
    Table(
        "orders",
        made,
        Column("id", BigInteger, primary_key=True, autoincrement=False),
        Column("user_id", ForeignKey("users.id"), nullable=False),
        Column("m", ForeignKey("users.m", name="to_m"), index=True),
    )
    return made


def listening() -> MetaData:
    """Return the same models with a listener that asks its connection."""
    made = models()

    @sa.event.listens_for(made, "before_create")
    def listens(target: MetaData, connection: sa.Connection, **_: object) -> None:
        assert connection.scalar(text("SELECT 1")) == 1

    return made


@pytest.fixture
def made(laboratory: Laboratory) -> Iterator[Database]:
    with lent_copy(laboratory, 18, "refused", lambda database: database.run(THERE)) as database:
        yield database


def found_in(report: library.Report) -> dict[str, str]:
    """Give what was refused by object, and all else by slug."""
    return {
        finding.object if finding.slug == "refused-definition" else finding.slug: finding.message.partition(": ")[2]
        for finding in report.findings
        if finding.severity != "info"
    }


MISSING = {
    "a schema alone": ("CREATE TABLE billing.a ()", "say CREATE SCHEMA billing; before it"),
    "a schema": ("CREATE VIEW billing.v AS SELECT 1", "let the contract say CREATE SCHEMA billing;"),
    "an extension": ("CREATE INDEX ON t USING gin (x gin_trgm_ops)", "run CREATE EXTENSION pg_trgm;"),
    "a library": (
        "CREATE COLLATION c (provider = icu, locale = 'de')",
        "The throw-away server was built without it: name a server that is like the target: --scratch",
    ),
}


@pytest.mark.parametrize("missing", MISSING)
def test_what_is_missing_comes_with_the_statement_to_paste(empty: Database, tmp_path: Path, missing: str) -> None:
    statement, words = MISSING[missing]
    beside = "" if missing == "a schema alone" else "CREATE TABLE t (x text); "
    (tmp_path / "schema.sql").write_text(beside + statement)
    ended = fixer("check", "--contract", "schema.sql", "--dsn", empty.dsn, cwd=tmp_path)

    assert words in " ".join((ended.stdout + ended.stderr).split())


def test_what_is_refused_of_sql_is_one_finding_each_and_the_rest_is_mended(made: Database, tmp_path: Path) -> None:
    (tmp_path / "schema.sql").write_text(SCRIPT)
    words = ("--contract", "schema.sql", "--dsn", made.dsn)
    sound = fixer("check", "--format", "json", *words, cwd=tmp_path)
    found = json.loads(sound.stdout)["findings"]
    made.run("ALTER TABLE orders DROP CONSTRAINT orders_user_id_fkey; DROP INDEX orders_m; ALTER TABLE orders DROP m")
    wounded = made.dump()
    stopped = fixer("apply", "--yes", "--allow-hazards", "all", *words, cwd=tmp_path)
    untouched = made.dump() == wounded
    mended = fixer("apply", "--yes", "-q", "--skip", "refused-definition", *words, cwd=tmp_path)
    keys = made.ask(
        "SELECT string_agg(conname, ',') FROM pg_constraint WHERE conrelid = 'orders'::regclass AND contype = 'f'"
    )

    assert {f["object"]: f["message"].partition("refuses: ")[2] for f in found} == REFUSED | LOST
    assert {(f["slug"], f["severity"], f["repair"]) for f in found} == {("refused-definition", "error", "manual")}
    assert {f["object"] for f in found if f["point"] != 4} == {"public.orders.to_m"}  # without which point 2 is open
    assert (sound.returncode, stopped.returncode, untouched, mended.returncode) == (1, 1, True, 1)
    told = " ".join(stopped.stdout.split())
    assert "correct it in the contract (schema.sql, line 8): CREATE TABLE public.nowhere (id integer)" in told
    assert made.ask("SELECT count(*) FROM information_schema.columns WHERE table_name = 'orders'") == 2
    assert keys == "orders_user_id_fkey"  # and the column m, with its index, waits for the key that is refused


def test_comments_are_no_part_of_what_is_refused(empty: Database, tmp_path: Path) -> None:
    """As in the tables of MusicBrainz, whose every column has a comment behind it."""
    table = "CREATE TABLE /* all */ a (-- 'who\n  code gone NOT NULL, -- it's (why\n  id integer -- REFERENCES b\n)"
    (tmp_path / "schema.sql").write_text(f"{table};\nALTER TABLE a -- later\n  ADD far nowhere;")
    empty.run("CREATE TABLE a (id integer, code text NOT NULL, far text)")
    with closing(psycopg2.connect(empty.dsn)) as connection:
        report = library.check(connection, str(tmp_path / "schema.sql"))

    assert found_in(report) == {
        "public.a.code": 'type "gone" does not exist (42704)',
        "public.a.far": 'type "nowhere" does not exist (42704)',
    }
    assert {finding.message.partition(",")[0] for finding in report.findings} == {
        "a should have the column code",
        "a should have the column far",
    }


@pytest.mark.parametrize("make", [models, listening])
def test_what_is_refused_of_models_is_one_finding_each(made: Database, make: type[MetaData]) -> None:
    with closing(psycopg2.connect(made.dsn)) as connection:
        assert found_in(library.check(connection, make())) == REFUSED


def test_what_is_refused_is_found_by_a_role_that_may_create_nothing(made: Database) -> None:
    made.run(f'REVOKE TEMP ON DATABASE "{made.name}" FROM PUBLIC; REVOKE USAGE ON SCHEMA own FROM PUBLIC')
    with (
        role(made, "ALTER TABLE users OWNER TO {}", "ALTER TABLE orders OWNER TO {}") as name,
        closing(psycopg2.connect(made.seen_by(name))) as connection,
    ):
        assert found_in(library.check(connection, models())) == REFUSED


def test_a_column_whose_type_sqlalchemy_does_not_know_is_refused_alone(empty: Database) -> None:
    """So reflection leaves the columns of types that it does not know."""
    empty.run("CREATE TABLE a (id bigserial PRIMARY KEY, place point NOT NULL); CREATE INDEX a_n ON a (id)")
    made = MetaData()
    table = Table("a", made, Column("id", BigInteger, primary_key=True), Column("place"), Column("n", Text))
    with closing(psycopg2.connect(empty.dsn)) as connection:
        found = found_in(library.check(connection, made))

    refused = 'type "unknown to SQLAlchemy" does not exist (42704)'
    assert found == {"public.a.place": refused, "missing-column": ""}
    assert isinstance(table.c.place.type, sa.types.NullType)


def test_the_suite_is_red_for_what_is_refused_and_green_for_the_rest(made: Database, tmp_path: Path) -> None:
    (tmp_path / "schema.sql").write_text(SCRIPT)
    with place_of(made.dsn, str(tmp_path / "schema.sql"), tmp_path) as place:
        proof = Proof(place, "wrong|holds|good_rows")
    said = "\n".join(proof.red.values())

    assert {words for words in (*REFUSED.values(), *LOST.values()) if words not in said} == set()
    assert {item.partition("[")[0] for item in proof.red} == {"nothing_else_is_wrong", "structure_holds"}
    assert set(proof.untried.values()) == {"PostgreSQL refuses a part of users [refused-definition]"}


@pytest.mark.parametrize(
    ("statement", "what", "pieces"),
    [
        (
            'CREATE TABLE IF NOT EXISTS "A.b"."c ""d" ("x;1" int DEFAULT (1, 2) NOT NULL CHECK (f(",")),'
            " UNIQUE (a, b))",
            ("A.b", 'c "d'),
            [('"x;1" int NOT NULL', ['ALTER COLUMN "x;1" SET DEFAULT (1, 2)', 'ADD CHECK (f(","))']), ("", [])],
        ),
        (
            "CREATE UNLOGGED TABLE t (a int CONSTRAINT k REFERENCES u ON DELETE SET DEFAULT NOT DEFERRABLE UNIQUE,\n"
            " b int GENERATED BY DEFAULT AS IDENTITY, c text DEFAULT NULL NULL, LIKE u) PARTITION BY RANGE (a)",
            ("t",),
            [
                (
                    "a int UNIQUE",
                    ["ADD CONSTRAINT k FOREIGN KEY (a) REFERENCES u ON DELETE SET DEFAULT NOT DEFERRABLE"],
                ),
                ("b int GENERATED BY DEFAULT AS IDENTITY", []),
                ("c text NULL", ["ALTER COLUMN c SET DEFAULT NULL"]),
                ("", []),
            ],
        ),
        (
            "ALTER TABLE ONLY t ADD COLUMN a numeric(10, 2) CHECK (a > 0), ADD CONSTRAINT b UNIQUE (a),"
            " ALTER a SET NOT NULL",
            ("t",),
            [("ADD COLUMN a numeric(10, 2)", ["ADD CHECK (a > 0)"]), ("", []), ("", [])],
        ),
        ("CREATE UNIQUE INDEX CONCURRENTLY ON s.t USING gin (a)", ("s", "t"), []),
        ("CREATE TRIGGER x AFTER INSERT OR UPDATE OF a ON s.t EXECUTE FUNCTION f()", ("s", "t"), []),
        ("CREATE OR REPLACE FUNCTION f(a text) RETURNS text LANGUAGE x AS ''", ("f",), []),
    ],
)
def test_a_statement_is_taken_apart(statement: str, what: tuple[str, ...], pieces: list[tuple[str, list[str]]]) -> None:
    apart = taken_apart(statement)

    assert apart is not None
    assert apart.named == what
    assert [(each.bare, [after.text for after in each.after]) for each in apart.pieces] == pieces


@pytest.mark.parametrize("statement", ["SELECT 1", "DROP TABLE t", "INSERT INTO t VALUES (1)", "DO $$ BEGIN END $$"])
def test_what_makes_no_part_of_a_table_is_not_taken_apart(statement: str) -> None:
    assert taken_apart(statement) is None


def test_an_extension_that_the_target_has_is_not_what_it_lacks() -> None:
    lacks = "The throw-away database cannot have what the target has of cube: name a server that is like the target"
    said = f'collation "c" does not exist (42704). {lacks}'
    column = Refused(QName("public", "a"), "the column b", "b", said, 'b text COLLATE "c"')
    found = refused_definition.detect(Schema(), Contract("schema.sql", Schema(), Hints(), refused=(column,)))

    assert [each.repair.refusal for each in found] == [
        "let the contract make what is missing, or install the extension in the database that has it, or correct it in"
        ' the contract: b text COLLATE "c"'
    ]
