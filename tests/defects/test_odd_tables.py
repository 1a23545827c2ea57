"""Columns, constraints and settings that are seldom met: mended and taken back whole, or refused before anything."""

from __future__ import annotations

from contextlib import closing

import psycopg2
import pytest
import sqlalchemy as sa
from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Enum,
    ForeignKey,
    Identity,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    Uuid,
    func,
)
from sqlalchemy.dialects.postgresql import INT4RANGE, ExcludeConstraint

import fixer
from fixer.model.plan import MODES
from lab.database import all_of, differences, lent
from lab.examples.models import contract, integer, key, once_called, text
from lab.laboratory import VERSIONS, Laboratory
from lab.outcomes import outcome

NULL_CODE = "CREATE TABLE users(id serial PRIMARY KEY, code text); INSERT INTO users(code) VALUES ('a'), (NULL);"
FIVE = "CREATE TABLE u(id serial PRIMARY KEY); INSERT INTO u SELECT FROM generate_series(1, 5)"
SET = "DO $$BEGIN EXECUTE format('ALTER DATABASE %I SET {}', current_database()); END$$"
ALIASES = ("t", "place", "part", "copy", "rival", "repeat", "keeper", "original", "first", "mark", "image", "row")


def with_constraint(wanted: MetaData, table: str, constraint: object) -> MetaData:
    wanted.tables[table].append_constraint(constraint)
    return wanted


def with_default_row(wanted: MetaData) -> MetaData:
    wanted.tables["u"].info["default_rows"] = [{"code": "d"}]
    return wanted


def in_bytes() -> MetaData:
    wanted = contract(u=(key(), Column("code", LargeBinary, unique=True)))
    wanted.tables["u"].info["default_rows"] = [{"code": sa.text("decode('0a', 'hex')")}]
    return wanted


def adopting(key_of_default: dict[str, object], *more: object) -> MetaData:
    """Return the contract of users, and of trades that the default user adopts."""
    metadata = MetaData()
    Table("users", metadata, key(), Column("code", String(20), unique=True), info={"default_rows": [key_of_default]})
    Table("trades", metadata, key(), integer("user_id", ForeignKey("users.id"), info={"orphans": "adopt"}), *more)
    return metadata


MENDED = {
    **{
        f"a column named {name}": (
            contract(m=(key(), text(name), text("uq", unique=True))),
            f'CREATE TABLE m(id serial, "{name}" text, uq text, secret text);'
            "INSERT INTO m VALUES (1, 'a', 'x', 's'), (1, 'a', 'x', 's'), (1, 'b', 'z', 's'), (7, 'c', 'x', 's');"
            "SELECT setval('m_id_seq', 7)",
        )
        for name in ALIASES
    },
    "a key that is NULL beside values of types without an order": (
        contract(m=(key(),)),
        "CREATE TYPE pair AS (a json, b integer); CREATE TABLE m(a json[], b pair, c box, id integer);"
        "INSERT INTO m VALUES (ARRAY['{}'::json], '({},1)', '(1,1),(0,0)', NULL), (NULL, NULL, NULL, 4)",
    ),
    "rows that share a code beside a key of such types": (
        contract(m=(text("code", unique=True),)),
        "CREATE TABLE m(a json, b polygon, code text); INSERT INTO m VALUES ('1', '((0,0))', 'x'), ('2', NULL, 'x')",
    ),
    "rows that share a code and reference their own table, under its legacy name": (
        once_called(contract(m=(key(), text("code", unique=True), integer("m", ForeignKey("m.id")))), "m", "old m"),
        'CREATE TABLE "old m"(id serial PRIMARY KEY, code text, m integer REFERENCES "old m");'
        "INSERT INTO \"old m\"(code, m) VALUES ('x', NULL), ('x', 2), ('x', 2)",
    ),
    "a conversion beside a column named t": (
        contract(m=(key(), integer("t"), Column("v", Boolean))),
        "CREATE TABLE m(id serial PRIMARY KEY, t integer, v text); INSERT INTO m(t, v) VALUES (5, 'yes')",
    ),
    "arrays with NULL where sessions read that as a text": (
        contract(users=(key(), text("code", nullable=False))),
        "CREATE TABLE users(id serial PRIMARY KEY, code text, a text[]);"
        "INSERT INTO users(code, a) VALUES (NULL, ARRAY[NULL, 'x']);" + SET.format("array_nulls = off"),
    ),
    "a table that counts by the sequence of another": (
        contract(b=(key(autoincrement=False), text("code", nullable=False))),
        "CREATE TABLE a(id serial PRIMARY KEY); CREATE TABLE b(id integer PRIMARY KEY DEFAULT nextval('a_id_seq'),"
        " code text); INSERT INTO b(code) VALUES (NULL)",
    ),
    "a column that is compressed its own way": (
        contract(a=(key(), integer("n"))),
        "CREATE TABLE a(id serial PRIMARY KEY, n text COMPRESSION pglz); INSERT INTO a(n) VALUES ('1')",
    ),
    "a column of its own collation that is widened": (
        contract(a=(key(), text("c"))),
        "CREATE TABLE a(id serial PRIMARY KEY, c varchar(3) COLLATE \"C\"); INSERT INTO a(c) VALUES ('1')",
    ),
    "a column of its own collation that is converted": (
        contract(a=(key(), integer("c"))),
        "CREATE TABLE a(id serial PRIMARY KEY, c text COLLATE \"C\"); INSERT INTO a(c) VALUES ('1')",
    ),
    "an identity that takes no number but its own": (
        contract(a=(Column("id", BigInteger, Identity(always=True), primary_key=True), text("c"))),
        "CREATE TABLE a(id bigint GENERATED ALWAYS AS IDENTITY, c text); INSERT INTO a(c) VALUES ('x');"
        "INSERT INTO a OVERRIDING SYSTEM VALUE VALUES (1, 'y'); SELECT setval('a_id_seq', 5)",
    ),
    "copies of a row in a table that others reference by another column": (
        contract(users=(key(), text("code", unique=True))),
        "CREATE TABLE users(id serial, code text UNIQUE); INSERT INTO users VALUES (1, NULL), (1, NULL);"
        "SELECT setval('users_id_seq', 5); CREATE TABLE k(code text REFERENCES users (code))",
    ),
    "rows that a publication is told as a whole": (
        contract(a=(key(), integer("n"))),
        "CREATE TABLE a(id serial, n integer); INSERT INTO a VALUES (1, 1), (1, 2); SELECT nextval('a_id_seq');"
        "ALTER TABLE a REPLICA IDENTITY FULL; CREATE PUBLICATION p FOR TABLE a",
    ),
    "an exclusion constraint by another operator": (
        with_constraint(contract(t=(key(), Column("r", INT4RANGE))), "t", ExcludeConstraint(("r", "&&"))),
        "CREATE TABLE t(id serial PRIMARY KEY, r int4range, EXCLUDE USING gist (r WITH =))",
    ),
    "a table that is missing, with what excludes its rows": (
        with_constraint(contract(t=(key(), Column("r", INT4RANGE))), "t", ExcludeConstraint(("r", "&&"))),
        "CREATE TABLE other(id integer)",
    ),
    "rows that would get a value each under a unique": (
        contract(u=(key(), Column("k", Uuid, unique=True, nullable=False, server_default=func.gen_random_uuid()))),
        "CREATE TABLE u(id serial PRIMARY KEY, k uuid UNIQUE DEFAULT gen_random_uuid());"
        "INSERT INTO u(k) VALUES (NULL), (NULL)",
    ),
    "a default row whose other value the database gives": (
        with_default_row(contract(u=(key(), text("code", unique=True), integer("n", nullable=False)))),
        "CREATE TABLE u(id serial PRIMARY KEY, code text UNIQUE, n integer NOT NULL DEFAULT 3)",
    ),
    "a row that breaks a check beside a column that is to be added": (
        contract(u=(key(), integer("a"), integer("b"), CheckConstraint("a > 0 AND (b IS NULL OR b > 0)", name="ab"))),
        "CREATE TABLE u(id serial PRIMARY KEY, a integer); INSERT INTO u(a) VALUES (1), (-1)",
    ),
    "a value of the contract that breaks nothing": (
        contract(p=(key(),), u=(key(), integer("p_id", ForeignKey("p.id"), nullable=False, info={"backfill": 5}))),
        f"CREATE TABLE p(id serial PRIMARY KEY); INSERT INTO p VALUES (5); {FIVE}",
    ),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("case", MENDED)
def test_what_is_seldom_met_is_mended(laboratory: Laboratory, case: str, mode: str) -> None:
    if "compressed" in case and max(VERSIONS) < 14:
        pytest.skip("SET COMPRESSION came with PostgreSQL 14")

    assert outcome(laboratory, *MENDED[case], mode) == "mended"


REFERENCED = (
    "CREATE TABLE p(id serial, n integer, UNIQUE (id, n)); INSERT INTO p VALUES (1, 1), (1, 2);"
    "SELECT nextval('p_id_seq'); CREATE TABLE k(i integer, n integer, FOREIGN KEY (i, n) REFERENCES p (id, n){});"
    "INSERT INTO k VALUES (1, 2)"
)
REFUSED = {
    **{
        f"a row that would get another number under a reference, on update {deed or 'nothing'}": (
            contract(p=(key(), integer("n"))),
            REFERENCED.format(f" ON UPDATE {deed}" if deed else ""),
            "public.k references public.p by id, which would be rewritten",
        )
        for deed in ("SET NULL", "SET DEFAULT", "CASCADE", "")
    },
    "an orphan that would be adopted under a reference from elsewhere": (
        adopting({"code": "d"}),
        "CREATE TABLE users(id serial PRIMARY KEY, code varchar(20) UNIQUE); INSERT INTO users(code) VALUES ('d');"
        "CREATE TABLE trades(id serial PRIMARY KEY, user_id integer, UNIQUE (id, user_id));"
        "INSERT INTO trades(user_id) VALUES (7); CREATE SCHEMA s2; CREATE TABLE s2.k(t integer, u integer,"
        " FOREIGN KEY (t, u) REFERENCES trades (id, user_id) ON UPDATE SET NULL); INSERT INTO s2.k VALUES (1, 7)",
        "s2.k references public.trades by user_id",
    ),
    "a default row in a column of texts, to which its bytes are not alike": (
        in_bytes(),
        r"CREATE TABLE u(id serial PRIMARY KEY, code text UNIQUE); INSERT INTO u(code) VALUES ('\x0a')",
        "This needs a human decision: u.code should be bytea, is text",
    ),
    "a default row whose number another row has": (
        adopting({"id": 1, "code": "d"}),
        "CREATE TABLE users(id serial PRIMARY KEY, code varchar(20) UNIQUE);"
        "INSERT INTO users VALUES (1, 'a'), (5, 'd'); SELECT setval('users_id_seq', 5);"
        "CREATE TABLE trades(id serial PRIMARY KEY, user_id integer); INSERT INTO trades(user_id) VALUES (77)",
        "another row has its unique values",
    ),
    "orphans that would share a value which stands once": (
        adopting({"code": "d"}, UniqueConstraint("user_id")),
        "CREATE TABLE users(id serial PRIMARY KEY, code varchar(20) UNIQUE); INSERT INTO users(code) VALUES ('d');"
        "CREATE TABLE trades(id serial PRIMARY KEY, user_id integer UNIQUE);"
        "INSERT INTO trades(user_id) VALUES (7), (8)",
        "UNIQUE (user_id) (trades_user_id_key) would refuse the default row instead",
    ),
    "rows whose NULL would become a value that stands once": (
        contract(u=(key(), Column("code", String(20), unique=True, nullable=False, info={"backfill": "none"}))),
        "CREATE TABLE u(id serial PRIMARY KEY, code varchar(20) UNIQUE); INSERT INTO u(code) VALUES (NULL), (NULL)",
        "UNIQUE (code) (u_code_key) would refuse the contract's value",
    ),
    "a default row without a value that it needs": (
        with_default_row(contract(u=(key(), text("code", unique=True), integer("n", nullable=False)))),
        "CREATE TABLE u(id serial PRIMARY KEY, code text UNIQUE, n integer NOT NULL)",
        "the contract gives it no value for n",
    ),
    "rows that a publication could not tell": (
        contract(a=(key(), integer("n"))),
        "CREATE TABLE a(id serial, n integer); INSERT INTO a VALUES (1, 1), (1, 2); SELECT nextval('a_id_seq');"
        "CREATE PUBLICATION p FOR TABLE a",
        "the publication p could not tell which rows of public.a were changed",
    ),
    "an exclusion constraint": (
        with_constraint(contract(t=(key(), Column("r", INT4RANGE))), "t", ExcludeConstraint(("r", "&&"))),
        "CREATE TABLE t(id serial PRIMARY KEY, r int4range); INSERT INTO t(r) VALUES ('[1,5)'), ('[2,6)')",
        "t should satisfy EXCLUDE USING gist (r WITH &&), rows conflict (each is shown with another): only a person can"
        " tell which row of a pair is wrong (2 and 1): change or remove it, and plan again",
    ),
    "an enum that lacks the label of a default": (
        contract(a=(key(), Column("e", Enum("x", "y", name="e"), server_default="y"))),
        "CREATE TYPE e AS ENUM ('x'); CREATE TABLE a(id serial PRIMARY KEY, e e)",
        "a.e should take 'y', e does not",
    ),
    "a generated column that is NULL": (
        contract(a=(key(), integer("g", nullable=False, info={"backfill": 1}))),
        "CREATE TABLE a(id serial PRIMARY KEY, n integer, g integer GENERATED ALWAYS AS (n * 2) STORED);"
        "INSERT INTO a(n) VALUES (NULL)",
        "a.g should be a plain integer, is integer generated as (n * 2)",
    ),
    "a generated column that is narrow": (
        contract(a=(key(), Column("g", BigInteger))),
        "CREATE TABLE a(id serial PRIMARY KEY, g integer GENERATED ALWAYS AS (1) STORED); INSERT INTO a DEFAULT VALUES",
        "a.g should be a plain bigint, is integer generated as 1",
    ),
    "a legacy name that is a view's": (
        once_called(contract(users=(key(),)), "users", "old_users"),
        "CREATE TABLE base(id serial PRIMARY KEY); CREATE VIEW old_users AS SELECT * FROM base",
        "old_users, its legacy name, is a view",
    ),
    "a value of the contract that breaks a check": (
        contract(u=(key(), integer("n", CheckConstraint("n > 0", name="np"), nullable=False, info={"backfill": 0}))),
        FIVE,
        "the value that the contract declares for n would break it",
    ),
    "a value of the contract that references nothing": (
        contract(p=(key(),), u=(key(), integer("p_id", ForeignKey("p.id"), nullable=False, info={"backfill": 5}))),
        f"CREATE TABLE p(id serial PRIMARY KEY); {FIVE}",
        "the value that the contract declares for p_id would break it",
    ),
    "a value of the contract that would stand five times": (
        contract(u=(key(), Column("code", String(20), unique=True, nullable=False, info={"backfill": "x"}))),
        FIVE,
        "the value that the contract declares for code would break it",
    ),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("case", REFUSED)
def test_what_nobody_has_asked_for_is_left_to_a_person(laboratory: Laboratory, case: str, mode: str) -> None:
    wanted, made, expected = REFUSED[case]

    assert expected in outcome(laboratory, wanted, made, mode)


@pytest.mark.skipif(max(VERSIONS) < 15, reason="NULLS NOT DISTINCT came with PostgreSQL 15")
def test_uniques_under_which_nulls_are_alike_are_told_from_others(laboratory: Laboratory) -> None:
    """A unique that lets NULLs repeat proves nothing of one that does not."""
    alike = UniqueConstraint("n", postgresql_nulls_not_distinct=True)
    wanted = with_constraint(contract(a=(key(), integer("n"))), "a", alike)
    made = "CREATE TABLE a(id serial PRIMARY KEY, n integer {}); INSERT INTO a(n) VALUES (NULL), ({})"

    assert outcome(laboratory, wanted, made.format("UNIQUE", "NULL"), "atomic") == "mended"
    assert outcome(laboratory, wanted, made.format("UNIQUE NULLS NOT DISTINCT", "1"), "atomic") == "sound"


@pytest.mark.skipif(max(VERSIONS) < 15, reason="NULLS NOT DISTINCT came with PostgreSQL 15")
@pytest.mark.parametrize("mode", MODES)
def test_rows_do_not_go_for_the_null_of_a_column_that_is_added(laboratory: Laboratory, mode: str) -> None:
    alike = UniqueConstraint("n", postgresql_nulls_not_distinct=True)
    wanted = with_constraint(contract(u=(key(), integer("n", info={"backfill": 1}))), "u", alike)

    assert "the NULL that all rows get in n would break it" in outcome(laboratory, wanted, FIVE, mode)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("link", ["", "REFERENCES n", "REFERENCES n ON DELETE CASCADE"])
def test_a_tree_whose_root_goes_stays_where_its_references_may_be_empty(
    laboratory: Laboratory, link: str, mode: str
) -> None:
    parent = integer("p", ForeignKey("n.id"), info={"orphans": "null"})
    wanted = contract(n=(key(), parent, integer("v", CheckConstraint("v > 0", name="v_is_more"))))
    with lent(laboratory.server(18), None) as database:
        database.run(f"CREATE TABLE n(id serial PRIMARY KEY, p integer {link}, v integer)")
        database.run("INSERT INTO n(p, v) VALUES (NULL, -1), (1, 1), (2, 1), (3, 1), (1, -2), (5, 3)")
        before = all_of(database)
        with closing(psycopg2.connect(database.dsn)) as connection:
            fixer.apply(connection, wanted, mode=mode, allow_hazards="all")

            assert database.run("SELECT id, p FROM n ORDER BY id") == [(2, None), (3, 2), (4, 3), (6, None)]
            fixer.undo(connection, 1)
        assert differences(before, database) == []
