"""Contracts: any MetaData, from anywhere, with names as odd as they come; and no trace in the target."""

from __future__ import annotations

import enum
import json
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import psycopg2
import pytest
from sqlalchemy import (
    CHAR,
    DDL,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    DateTime,
    Enum,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    MetaData,
    Numeric,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    create_engine,
    event,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, ENUM, JSONB, UUID
from sqlalchemy.engine import Dialect
from sqlalchemy.pool import NullPool
from sqlalchemy.types import TypeEngine

from fixer import api
from fixer.contract import files
from fixer.contract.models import build as contract
from fixer.errors import PgmendError
from fixer.model.contract import Contract
from fixer.model.table import QName
from lab.database import Database, lent
from lab.evidence.facts import TableFacts, facts
from lab.laboratory import Laboratory
from lab.process import fixer, started

# ---- where they come from

MODELS = """
from sqlalchemy import Column, Integer, MetaData, Table
from sqlalchemy.orm import declarative_base

metadata = MetaData()
Table("things", metadata, Column("id", Integer, primary_key=True))
Base = declarative_base(metadata=metadata)
def make(): return metadata
def make_base(): return Base
class Holder:
    class Inner:
        metadata = metadata
"""


@pytest.mark.parametrize(
    "attribute", ["metadata", "Base", "make", "make_base", "Holder.Inner", "Holder.Inner.metadata"]
)
@pytest.mark.parametrize("module", ["models", "package.models"])
def test_a_contract_is_found_from_the_current_directory(
    empty: Database, tmp_path: Path, module: str, attribute: str
) -> None:
    file = tmp_path / f"{module.replace('.', '/')}.py"
    file.parent.mkdir(exist_ok=True)
    file.write_text(MODELS)
    ended = fixer("check", "--format", "json", "--contract", f"{module}:{attribute}", "--dsn", empty.dsn, cwd=tmp_path)

    assert [finding["slug"] for finding in json.loads(ended.stdout)["findings"]] == ["missing-table"]


def test_what_a_contract_prints_while_it_is_imported_does_not_spoil_the_json(empty: Database, tmp_path: Path) -> None:
    (tmp_path / "loud.py").write_text(f"print('hello from the models')\n{MODELS}")
    ended = fixer("check", "--format", "json", "--contract", "loud:metadata", "--dsn", empty.dsn, cwd=tmp_path)

    assert ended.stdout.startswith("{")


# ---- what they may hold


class Mood(enum.Enum):
    CALM = "calm"
    CROSS = "it's"


def odd_names(*names: str) -> MetaData:
    made = MetaData()
    for name in names:
        table, key, other = f"{name}", f"{name} key", f"{name} other"
        Table(
            table,
            made,
            Column(key, Integer, primary_key=True),
            Column(other, Integer, ForeignKey(f"{table}.{key}") if "." not in name else None, index=True),
            Column("value", Text, unique=True),
            CheckConstraint(
                f'"{other.replace(chr(34), chr(34) * 2)}" > 0' if "%" not in name and ":" not in name else "value <> ''"
            ),
        )
    return made


def serials() -> MetaData:
    made = MetaData()
    Table("p", made, Column("id", BigInteger, primary_key=True), Column("n", Numeric(10, 2), server_default=text("0")))
    Table(
        "c",
        made,
        Column("id", Integer, Identity(always=True), primary_key=True),
        Column("p", ForeignKey("p.id", ondelete="SET NULL"), index=True),
    )
    Table("d", made, Column("id", Integer, Identity(start=100, increment=5), primary_key=True))
    return made


class Padded(TypeDecorator[str]):
    """A type that asks the dialect, as recipes for texts of a fixed length do."""

    impl = CHAR
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[str]:
        return dialect.type_descriptor(CHAR(9))


def kinds() -> MetaData:
    made = MetaData()
    Table(
        "k",
        made,
        Column("id", UUID, primary_key=True, server_default=text("gen_random_uuid()")),
        Column("tags", ARRAY(Text), server_default=text("'{}'")),
        Column("data", JSONB(), server_default=text("'{}'")),
        Column("at", DateTime(timezone=True), server_default=text("now()")),
        Column("on", Boolean, server_default=text("true")),
        Column("double", Integer, Computed('length("data"::text) * 2')),
        Column("padded", Padded),
        Column("half", String(20), server_default="it's :x"),
        Index("k_partial", "at", postgresql_where=text('"on"')),
        Index("k_expression", text("lower(half)")),
        Index("k_gin", "data", postgresql_using="gin"),
    )
    return made


def enums() -> MetaData:
    made = MetaData()
    Table(
        "e",
        made,
        Column("id", Integer, primary_key=True),
        Column("mood", Enum(Mood, name="Mood"), nullable=False, server_default="CALM"),
    )
    return made


def percents() -> MetaData:
    made = MetaData()
    email = Column("email", Text, CheckConstraint("email LIKE '%@%'"))
    Table(
        "p",
        made,
        Column("id", Integer, primary_key=True),
        email,
        Column("off", Text, server_default="50%"),
        Column("on", Text, server_default=text("'7%'")),
    )
    return made


def composites() -> MetaData:
    made = MetaData()
    Table(
        "parent",
        made,
        Column("b", Integer, primary_key=True),
        Column("a", String(5), primary_key=True),
        Column("x", Integer),
        UniqueConstraint("x", "b"),
    )
    Table(
        "child",
        made,
        Column("id", Integer, primary_key=True),
        Column("pa", String(5)),
        Column("pb", Integer),
        ForeignKeyConstraint(
            ["pb", "pa"], ["parent.b", "parent.a"], onupdate="CASCADE", deferrable=True, initially="DEFERRED"
        ),
    )
    return made


def circles() -> MetaData:
    made = MetaData()
    Table(
        "tree",
        made,
        Column("id", Integer, primary_key=True),
        Column("up", Integer, ForeignKey("tree.id", ondelete="CASCADE")),
    )
    Table(
        "hen",
        made,
        Column("id", Integer, primary_key=True),
        Column("egg", Integer, ForeignKey("egg.id", name="hen_egg", use_alter=True)),
    )
    Table(
        "egg",
        made,
        Column("id", Integer, primary_key=True),
        Column("hen", Integer, ForeignKey("hen.id", name="egg_hen")),
    )
    return made


def schemas() -> MetaData:
    made = MetaData()
    Table("users", made, Column("id", Integer, primary_key=True))
    Table(
        "log",
        made,
        Column("id", Integer, primary_key=True),
        Column("user", Integer, ForeignKey("users.id")),
        schema="audit",
    )
    return made


SHAPES = {
    "mixed case": lambda: odd_names("MixedCase"),
    "reserved words": lambda: odd_names("select", "user", "order"),
    "quotes and blanks": lambda: odd_names('a "b" c'),
    "percent": lambda: odd_names("50% s", "%s"),
    "percent and bracket": lambda: odd_names("%(x)s"),
    "colon": lambda: odd_names("a:b", ":x"),
    "other letters": lambda: odd_names("gebräuche", "таблица", "表"),
    "long": lambda: odd_names("x" * 55),
    "identities and serials": serials,
    "types and defaults": kinds,
    "enums": enums,
    "percents in checks and defaults": percents,
    "composite keys": composites,
    "references in a circle": circles,
    "two schemas": schemas,
}


def created_whole(database: Database, made: MetaData) -> dict[str, TableFacts]:
    engine = create_engine("postgresql+psycopg2://", creator=lambda: psycopg2.connect(database.dsn), poolclass=NullPool)
    made.create_all(engine)
    engine.dispose()
    return facts(database.dump())


def contract_facts(database: Database) -> dict[str, TableFacts]:
    return {name: found for name, found in facts(database.dump()).items() if not name.startswith("fixer_")}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_an_empty_database_is_made_as_create_all_makes_it(
    laboratory: Laboratory, empty: Database, shape: type[MetaData]
) -> None:
    with lent(laboratory.server(18), None) as fresh:
        for database in (empty, fresh):
            database.run("CREATE SCHEMA audit")
        wanted = created_whole(fresh, shape())
        with closing(psycopg2.connect(empty.dsn)) as connection:
            api.apply(connection, shape())

        assert wanted == contract_facts(empty)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_what_create_all_makes_holds(empty: Database, shape: type[MetaData]) -> None:
    empty.run("CREATE SCHEMA audit")
    created_whole(empty, shape())
    with closing(psycopg2.connect(empty.dsn)) as connection:
        found = api.check(connection, shape(), deep=True).findings

        assert [finding.message for finding in found if finding.severity != "info"] == []


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_a_contract_leaves_no_trace_in_the_target(empty: Database, shape: type[MetaData]) -> None:
    empty.run("CREATE SCHEMA audit")
    count = (
        "SELECT (SELECT count(*) FROM pg_class), (SELECT count(*) FROM pg_type), (SELECT count(*) FROM pg_attribute)"
    )
    before, made = empty.run(count), shape()
    Table(f"new_{uuid4().hex}", made, Column("id", Integer, primary_key=True))  # so that nobody has read it yet
    with closing(psycopg2.connect(empty.dsn)) as connection:
        contract.prepare(made, connection)
        after = empty.run(count)

    assert before == after


def test_a_percent_in_a_hint_is_one_percent(empty: Database) -> None:
    made = MetaData()
    row = {"key": "a%", "note": text("'100%'")}
    Table("t", made, Column("key", Text, primary_key=True), Column("note", Text), info={"default_rows": [row]})
    with closing(psycopg2.connect(empty.dsn)) as connection:
        api.apply(connection, made)

    assert empty.run("SELECT * FROM t") == [("a%", "100%")]


def test_a_default_row_that_brings_its_number_leaves_the_sequence_ahead(empty: Database) -> None:
    made = MetaData()
    Table("t", made, Column("id", Integer, primary_key=True), Column("x", Text), info={"default_rows": [{"id": 7}]})
    with closing(psycopg2.connect(empty.dsn)) as connection:
        api.apply(connection, made)

    assert empty.ask("INSERT INTO t (x) VALUES ('next') RETURNING id") > 7


def test_a_missing_schema_is_named_and_one_that_tables_do_not_name_is_refused(empty: Database) -> None:
    with closing(psycopg2.connect(empty.dsn)) as connection:
        assert "missing-schema:audit" in {f"{f.slug}:{f.object}" for f in api.check(connection, schemas()).findings}
        with pytest.raises(PgmendError, match="no schema nowhere"):
            api.check(connection, schemas(), schema="nowhere")


def test_another_schema_may_be_the_home_of_tables_without_one(empty: Database) -> None:
    empty.run('CREATE SCHEMA "My Home"')
    with closing(psycopg2.connect(empty.dsn)) as connection:
        api.apply(connection, composites(), schema="My Home")

    assert {("My Home",)} == set(
        empty.run("SELECT schemaname FROM pg_tables WHERE schemaname !~ '^(pg_|information|fixer)'")
    )


def test_a_table_of_the_users_does_not_stand_in_for_one_of_the_contract(empty: Database) -> None:
    """The scratch place may not see what the target has under the same names."""
    empty.run("CREATE TABLE parent (x text); CREATE TABLE child (y text)")
    with closing(psycopg2.connect(empty.dsn)) as connection:
        prepared = contract.prepare(composites(), connection)

    assert [list(prepared.schema.tables[name].columns) for name in sorted(prepared.schema.tables, reverse=True)] == [
        ["b", "a", "x"],
        ["id", "pa", "pb"],
    ]


@pytest.mark.parametrize("there", ["", "CREATE TABLE p (x int PRIMARY KEY); CREATE TABLE c (x int REFERENCES p)"])
def test_a_foreign_key_that_references_no_key_of_the_contract_is_refused(empty: Database, there: str) -> None:
    """A key that only the target has does not help; what stands there is not called rogue."""
    empty.run(there or "SELECT")
    made = MetaData()
    Table("p", made, Column("x", Integer))
    Table("c", made, Column("x", Integer, ForeignKey("p.x")))
    with closing(psycopg2.connect(empty.dsn)) as connection:
        found = {(f.slug, f.object) for f in api.check(connection, made).findings if f.severity != "info"}

    refused = ("refused-definition", "public.c.x")
    assert found == ({refused} if there else {refused, ("missing-table", "public.c"), ("missing-table", "public.p")})


def test_preparing_a_contract_spends_no_sequence_and_writes_no_row(empty: Database) -> None:
    created_whole(empty, serials())
    before = empty.dump()
    with closing(psycopg2.connect(empty.dsn)) as connection:
        contract.prepare(serials(), connection)

    assert before == empty.dump()


# ---- what is kept


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "pgmend"


def prepared(database: Database, made: MetaData) -> Contract:
    with closing(psycopg2.connect(database.dsn)) as connection:
        return contract.prepare(made, connection)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_a_kept_contract_equals_a_fresh_one(
    empty: Database, cache: Path, monkeypatch: pytest.MonkeyPatch, shape: type[MetaData]
) -> None:
    made = shape()
    fresh = prepared(empty, made)
    monkeypatch.setattr("fixer.contract.models.scratch.read", None)
    kept = prepared(empty, made)

    assert (kept.schema, len(list(cache.iterdir()))) == (fresh.schema, 1)


IN_SQL = {
    "code": """
        CREATE TABLE t (id integer PRIMARY KEY, n text DEFAULT 'a b');
        CREATE FUNCTION f(n integer) RETURNS integer LANGUAGE sql AS 'SELECT n';
        CREATE VIEW v AS SELECT f(id) FROM t; GRANT SELECT ON v TO PUBLIC;
        CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
        CREATE TRIGGER keep BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION keep();
        ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON t USING (id > 1)""",
    "partitions": """
        CREATE TABLE t (id integer PRIMARY KEY) PARTITION BY RANGE (id);
        CREATE TABLE a PARTITION OF t FOR VALUES FROM (1) TO (9) PARTITION BY LIST (id);
        CREATE TABLE b PARTITION OF t DEFAULT; CREATE TABLE c PARTITION OF a FOR VALUES IN (1)""",
    "heirs": "CREATE TABLE t (id integer PRIMARY KEY, n text NOT NULL); CREATE TABLE a () INHERITS (t)",
}


@pytest.mark.parametrize("statements", IN_SQL.values(), ids=IN_SQL.keys())
def test_a_kept_contract_of_sql_equals_a_fresh_one_and_starts_no_server(
    empty: Database, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, statements: str
) -> None:
    (tmp_path / "schema.sql").write_text(statements)
    with closing(psycopg2.connect(empty.dsn)) as connection:
        fresh = files.prepare(tmp_path / "schema.sql", connection, "public")
        monkeypatch.setattr("fixer.connect.servers.embedded", None)
        kept = files.prepare(tmp_path / "schema.sql", connection, "public")

    assert (kept.schema, len(list(cache.iterdir()))) == (fresh.schema, 1)


@pytest.mark.parametrize("spec", ["contracts.trading:metadata", "fixer.defects._databases:company"])
def test_a_contract_that_one_process_has_kept_is_found_by_the_next(empty: Database, cache: Path, spec: str) -> None:
    """Processes of their own, since those that are forked have all addresses alike."""
    for seed in ("1", "2"):
        env = {"XDG_CACHE_HOME": str(cache.parent), "PYTHONHASHSEED": seed}
        started("check", "-q", "--contract", spec, "--dsn", empty.dsn, env=env).communicate(timeout=60)

    assert len(list(cache.iterdir())) == 1


def test_no_more_contracts_are_kept_than_are_of_use(
    empty: Database, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fixer.contract.cache._AT_MOST", 2)
    for name in ("a", "b", "a", "c"):  # which leaves b unused for longest
        prepared(empty, orders(name=name))

    assert len(list(cache.iterdir())) == 2
    monkeypatch.setattr("fixer.contract.models.scratch.read", None)
    assert [*prepared(empty, orders(name="a")).tables, *prepared(empty, orders(name="c")).tables]


@pytest.mark.parametrize("spoilt", ["", "{", "[]", "{}", '{"columns": [], "value": [[[]]]}'])
def test_a_kept_contract_that_cannot_be_read_is_prepared_anew(empty: Database, cache: Path, spoilt: str) -> None:
    fresh = prepared(empty, serials())
    (file,) = cache.iterdir()
    file.write_text(spoilt)

    assert fresh.schema == prepared(empty, serials()).schema


def orders(**changes: object) -> MetaData:
    facts = {
        "type": Integer(),
        "nullable": False,
        "default": "1",
        "unique": False,
        "index": False,
        "check": "amount > 0",
        "ondelete": None,
        "name": "orders",
    } | changes
    made = MetaData()
    Table("users", made, Column("id", Integer, primary_key=True))
    Table(
        facts["name"],
        made,
        Column("id", Integer, primary_key=True),
        Column("user", Integer, ForeignKey("users.id", ondelete=facts["ondelete"])),
        Column(
            "amount",
            facts["type"],
            CheckConstraint(facts["check"]),
            nullable=facts["nullable"],
            server_default=text(facts["default"]),
            unique=facts["unique"],
            index=facts["index"],
        ),
    )
    return made


@pytest.mark.parametrize(
    "change",
    [
        {"type": BigInteger()},
        {"type": Numeric(10, 2)},
        {"nullable": True},
        {"default": "2"},
        {"unique": True},
        {"index": True},
        {"check": "amount >= 0"},
        {"ondelete": "CASCADE"},
        {"name": "Orders"},
    ],
    ids=str,
)
def test_a_changed_metadata_is_another_contract(empty: Database, cache: Path, change: dict[str, object]) -> None:
    prepared(empty, orders())
    changed = prepared(empty, orders(**change))
    for file in cache.iterdir():
        file.unlink()

    assert changed.schema == prepared(empty, orders(**change)).schema != prepared(empty, orders()).schema


def test_another_schema_makes_another_contract(empty: Database, cache: Path) -> None:
    def things(schema: str) -> MetaData:
        made = MetaData(schema=schema)
        Table("things", made, Column("id", Integer, primary_key=True))
        return made

    first = prepared(empty, things("one"))

    assert [*first.tables] != [*prepared(empty, things("two")).tables] == [QName("two", "things")]


def test_an_event_that_adds_ddl_makes_another_contract(empty: Database, cache: Path) -> None:
    made = serials()
    before = prepared(empty, made)
    event.listen(made.tables["p"], "after_create", DDL("ALTER TABLE p ADD CHECK (n > 7)"))

    assert before.schema != prepared(empty, made).schema


SHOP_FUNCTIONS = """
CREATE SCHEMA shop; CREATE SCHEMA kinds;
CREATE FUNCTION shop.low(text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT lower($1)';
"""


@pytest.mark.parametrize("home", ["shop", "kinds"])
def test_types_and_functions_of_the_contracts_own_schemas_may_be_spelt_in_full(empty: Database, home: str) -> None:
    metadata = MetaData(schema="shop")
    Table(
        "t",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("v", String(9), CheckConstraint("shop.low(v) <> ''"), server_default=text("shop.low('A')")),
        Column("k", Enum("a", "b", name="kind", schema=home), server_default=text(f"'a'::{home}.kind")),
        CheckConstraint(f"k <> 'b'::{home}.kind", name="ck"),
        Index("ix", text("shop.low(v)")),
    )
    empty.run(SHOP_FUNCTIONS)
    creator = lambda: psycopg2.connect(empty.dsn)  # noqa: E731
    engine = create_engine("postgresql+psycopg2://", creator=creator, poolclass=NullPool)
    metadata.create_all(engine)
    engine.dispose()

    with closing(psycopg2.connect(empty.dsn)) as connection:
        assert api.check(connection, metadata).findings == ()


@pytest.mark.parametrize("home", [None, "kinds", "Odd.%"])
def test_types_that_models_do_not_make_are_the_targets(empty: Database, home: str | None) -> None:
    """Whatever it makes of them since."""
    metadata, place = MetaData(), f'"{home or "public"}"'
    kind = ENUM("a", "b", name="Kind.%", schema=home, create_type=False)
    Table("t", metadata, Column("id", Integer, primary_key=True), Column("k", kind), Column("ks", ARRAY(kind)))
    Table("u", metadata, Column("id", Integer, ForeignKey("t.id"), primary_key=True, autoincrement=False),
          Column("k", kind, CheckConstraint("id <> 7 OR k::text <> 'pg_temp.\"Kind.%\"'")))  # fmt: skip
    empty.run(f"""CREATE SCHEMA IF NOT EXISTS {place}; CREATE TYPE {place}."Kind.%" AS ENUM ('a', 'b')""")
    engine = create_engine("postgresql+psycopg2://", creator=lambda: psycopg2.connect(empty.dsn), poolclass=NullPool)
    metadata.create_all(engine)
    with closing(psycopg2.connect(empty.dsn)) as connection:
        made = api.check(connection, metadata).findings
        empty.run(f"""ALTER TYPE {place}."Kind.%" RENAME VALUE 'a' TO 'c'""")
        renamed = api.check(connection, metadata).findings

    assert (made, renamed) == ((), ())


@pytest.mark.parametrize("when", ["ddl_command_start", "ddl_command_end"])
def test_an_event_trigger_that_refuses_tables_stops_no_check(empty: Database, when: str) -> None:
    metadata, name = MetaData(), f"t{uuid4().hex}"  # a contract that nothing remembers
    Table(name, metadata, Column("id", Integer, primary_key=True, autoincrement=False))
    empty.run(
        f"CREATE TABLE {name} (id integer PRIMARY KEY); CREATE FUNCTION no() RETURNS event_trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN RAISE 'not today'; END $$; CREATE EVENT TRIGGER no ON {when} EXECUTE FUNCTION no()"
    )
    with closing(psycopg2.connect(empty.dsn)) as connection:
        assert api.check(connection, metadata).findings == ()
        Table("more", metadata, Column("id", Integer, CheckConstraint("nothing(id)")))
        found = {each.slug for each in api.check(connection, metadata).findings}

    assert found == {"missing-table", "refused-definition"}


@pytest.mark.parametrize(
    ("named", "told"),
    [
        ("nme", "The hint oldest_by of t should name a column of it, not 'nme'."),
        (3, "The hint oldest_by of t should name a column of it, not 3."),
        ("name", "The hint oldest_by of t names name, which is text: it should be a date, a timestamp or a number."),
    ],
)
def test_a_hint_for_the_oldest_names_a_column_that_tells_it(empty: Database, named: object, told: str) -> None:
    models = MetaData()
    Table("t", models, Column("id", Integer, primary_key=True), Column("name", Text), info={"oldest_by": named})

    with closing(psycopg2.connect(empty.dsn)) as connection, pytest.raises(PgmendError) as refused:
        api.check(connection, models)

    assert str(refused.value) == told
