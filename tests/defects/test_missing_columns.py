"""A table may lack any column that keys, checks, indexes or hints of the contract name: it is found and planned for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
from sqlalchemy import (
    ARRAY,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    create_engine,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import DOMAIN, INT4RANGE, ExcludeConstraint

import fixer
from fixer.connect.target import resolve
from fixer.model.defect import Specimen
from fixer.model.plan import MODES
from lab.database import Database, copied, lent, role
from lab.examples.models import contract, integer, key
from lab.laboratory import Laboratory
from lab.mixing import mixed

WANTED = MetaData()


def table(name: str, *parts: object, **words: object) -> Table:
    return Table(name, WANTED, Column("id", Integer, primary_key=True), *parts, **words)


table("p", Column("code", Text, nullable=False), Column("region", Text, nullable=False), Column("u", Text, unique=True),
      UniqueConstraint("code", "region"))  # fmt: skip
table("c", Column("p_id", ForeignKey("p.id", ondelete="SET NULL")), Column("u_ref", ForeignKey("p.u")),
      Column("code", Text), Column("region", Text),
      ForeignKeyConstraint(["code", "region"], ["p.code", "p.region"], name="pair"))  # fmt: skip
Table("k", WANTED, Column("a", Integer, primary_key=True, autoincrement=False), Column("b", Text, primary_key=True),
      Column("p_id", ForeignKey("p.id"), nullable=False, unique=True))  # fmt: skip
table("n", Column("v", Text), Column("w", Text), Column("x", Integer, nullable=False),
      UniqueConstraint("v", postgresql_nulls_not_distinct=True),
      UniqueConstraint("w", "x", name="wx", postgresql_nulls_not_distinct=True),
      UniqueConstraint("x", name="xd", deferrable=True, initially="DEFERRED"))  # fmt: skip
of_indexes = table("i", Column("a", Text), Column("b", Integer), Column("c", Boolean), Column("d", DateTime),
                   Column("e", Integer), CheckConstraint("b > 0"), CheckConstraint("b < e OR a IS NULL")).c  # fmt: skip
Index("i1", of_indexes.a, of_indexes.b)
Index("i2", of_indexes.a, unique=True, postgresql_where=of_indexes.c)
Index("i3", func.lower(of_indexes.a), of_indexes.b, unique=True, postgresql_nulls_not_distinct=True)
Index("i4", of_indexes.d.desc(), postgresql_include=["e"])
Index("i5", of_indexes.e, unique=True, postgresql_nulls_not_distinct=True)
table("x", Column("during", INT4RANGE), Column("room", Integer), ExcludeConstraint(("during", "&&"), name="apart"),
      ExcludeConstraint(("room", "="), where=text("room > 0"), using="btree", name="alone"))  # fmt: skip
table("g", Column("n", Integer), Column("m", Integer, Computed("n * 2", persisted=True)), CheckConstraint("m > 0"),
      UniqueConstraint("m"))  # fmt: skip
table("self", Column("parent", ForeignKey("self.id")), Column("number", Integer, Identity(always=True)))
table("r", Column("name", Text, nullable=False, unique=True), Column("extra", Text),
      info={"default_rows": [{"name": "root", "extra": "e"}]})  # fmt: skip
table("l", Column("new", Text, nullable=False, unique=True, info={"legacy_names": ["old"], "backfill": "f"}),
      Column("r_name", ForeignKey("r.name"), info={"orphans": "null"}))  # fmt: skip

ROWS = """
INSERT INTO p (code, region, u) VALUES ('a', 'a', 'a'), ('b', 'b', 'b');
INSERT INTO c (p_id, u_ref, code, region) SELECT id, u, code, region FROM p; INSERT INTO k SELECT id, code, id FROM p;
INSERT INTO n (v, w, x) VALUES ('a', 'a', 1), ('b', 'b', 2);
INSERT INTO i (a, b, c, d, e) VALUES ('a', 1, true, now(), 2), ('b', 2, true, now(), 3);
INSERT INTO x (during, room) VALUES ('[1,2)', 1), ('[2,3)', 2); INSERT INTO g (n) VALUES (1), (2);
INSERT INTO self (parent) VALUES (NULL), (1); INSERT INTO r (name) VALUES ('root'), ('b');
INSERT INTO l (new, r_name) VALUES ('a', 'root'), ('b', 'b');
"""
_made: dict[str, str] = {}


@pytest.fixture
def whole(laboratory: Laboratory) -> Iterator[Database]:
    server = laboratory.server(18)
    if server.dsn not in _made:
        _made[server.dsn] = server.create_database()
        made = Database(server, _made[server.dsn])
        engine = create_engine(made.dsn.replace("postgresql:", "postgresql+psycopg2:"))
        WANTED.create_all(engine)
        engine.dispose()
        made.run(ROWS)
    with copied(server, _made[server.dsn]) as database:
        yield database


@pytest.mark.parametrize("missing", [str(column) for each in WANTED.sorted_tables for column in each.columns])
def test_a_column_that_is_missing_is_found_and_planned_for(whole: Database, missing: str) -> None:
    name, _, column = missing.partition(".")
    whole.run(f"ALTER TABLE {name} DROP COLUMN {column} CASCADE")
    with closing(psycopg2.connect(whole.dsn)) as connection:
        reports = [fixer.check(connection, WANTED, deep=deep) for deep in (False, True)]
        plans = [fixer.plan(connection, WANTED, mode=mode) for mode in ("atomic", "online")]

    assert [report.ok for report in reports] == [False, False]
    assert [bool(plan.steps or plan.refusals) for plan in plans] == [True, True]


@pytest.mark.parametrize("mode", ["atomic", "online"])
def test_an_identity_is_added_that_counts_as_the_contract_says(empty: Database, mode: str) -> None:
    wanted = MetaData()
    Table("t", wanted, Column("id", Integer, primary_key=True),
          Column("n", Integer, Identity(always=True, start=100, increment=5, minvalue=50, cycle=True)))  # fmt: skip
    empty.run("CREATE TABLE t (id serial PRIMARY KEY); INSERT INTO t DEFAULT VALUES; INSERT INTO t DEFAULT VALUES")
    with closing(psycopg2.connect(empty.dsn)) as connection:
        fixer.apply(connection, wanted, mode=mode, allow_hazards=["rewrites-table"])

    empty.run("INSERT INTO t DEFAULT VALUES")
    assert empty.ask("SELECT array_agg(n ORDER BY id) FROM t") == [100, 105, 110]
    assert empty.ask("SELECT concat_ws(' ', min_value, cycle) FROM pg_sequences WHERE min_value > 1") == "50 t"


@pytest.mark.parametrize("mode", ["atomic", "online"])
def test_a_column_under_unique_nulls_not_distinct_is_added(empty: Database, mode: str) -> None:
    wanted = MetaData()
    Table("t", wanted, Column("id", Integer, primary_key=True), Column("v", Text),
          UniqueConstraint("v", postgresql_nulls_not_distinct=True))  # fmt: skip
    empty.run("CREATE TABLE t (id serial PRIMARY KEY); INSERT INTO t DEFAULT VALUES")
    with closing(psycopg2.connect(empty.dsn)) as connection:
        slugs = {finding.slug for finding in fixer.check(connection, wanted).findings}
        run = fixer.apply(connection, wanted, mode=mode)
        held = fixer.check(connection, wanted, deep=True).ok

    assert run.ok
    assert held
    assert slugs == {"missing-column", "missing-unique"}


MADE = "CREATE DOMAIN {} AS character varying(9) NOT NULL CHECK (((VALUE)::text <> '50%'::text)); then plan again"
TYPES = {
    "a domain": ('"public".em', None, False, MADE),
    "a domain of another schema": ('app."E.m"', "app", False, MADE),
    "an array of a domain": ('"public".em[]', None, True, "create it, then plan again"),
}
STANDS = {
    "column": "CREATE TABLE k (id serial PRIMARY KEY, x integer)",
    "table": "",
    "other type": "CREATE TABLE k (id serial PRIMARY KEY, m text DEFAULT 'a', x integer)",
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("missing", STANDS)
@pytest.mark.parametrize("kind", TYPES)
def test_a_type_that_does_not_exist_is_for_a_person_who_gets_its_statement(
    laboratory: Laboratory, kind: str, missing: str, mode: str
) -> None:
    type_, schema, many, way = TYPES[kind]
    domain = DOMAIN("E.m" if schema else "em", String(9), check="VALUE <> '50%'", not_null=True, schema=schema)
    wanted = contract(
        k=(key(), Column("m", ARRAY(domain) if many else domain, server_default="{}" if many else "a"), integer("x")),
        p=(key(),),
    )
    with lent(laboratory.server(18), None) as database:
        database.run(f"CREATE SCHEMA app; {STANDS[missing]}")
        found = fixer.check(resolve(database.dsn), wanted).findings
        refusals = {each.slug: each.repair.refusal for each in found if each.repair.refusal}
        what = "type" if many else "domain"

        assert len(refusals) == 1
        assert f"m is of the {what} {type_}, which does not exist: {way.format(type_)}" in refusals.popitem()[1]
        if not many:
            database.run(way.format(type_).partition(";")[0])
            if missing != "other type":
                fixer.apply(resolve(database.dsn), wanted, mode=mode, allow_hazards="all")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("generated", [True, False])
@pytest.mark.parametrize("there", ["once integer", '"of" text', "once text"])
def test_a_column_is_computed_from_one_that_the_plan_renames_or_converts(
    empty: Database, there: str, generated: bool, mode: str
) -> None:
    base, value = integer("of", info={"legacy_names": ["once"]}), '"of" * 2'
    twice = (
        Column("twice", Integer, Computed(value), nullable=False)
        if generated
        else integer("twice", nullable=False, info={"backfill": text(value)})
    )
    type_ = there.split()[1]
    empty.run(f"CREATE TABLE t (id serial PRIMARY KEY, {there}); INSERT INTO t VALUES (1, ' 21'::text::{type_})")

    assert fixer.apply(resolve(empty.dsn), contract(t=(key(), base, twice)), mode=mode, allow_hazards="all").ok
    assert empty.run('SELECT "of", twice FROM t') == [(21, 42)]


def test_a_column_is_filled_from_another_that_is_missing_while_others_write(empty: Database) -> None:
    code = Column("code", Text, nullable=False, server_default=text("gen_random_uuid()::text"))
    start = Column("start", Text, nullable=False, info={"backfill": text('left("code", 2)')})
    empty.run("CREATE TABLE t (id serial PRIMARY KEY); INSERT INTO t VALUES (1), (2)")

    assert fixer.apply(resolve(empty.dsn), contract(t=(key(), code, start)), mode="online", allow_hazards="all").ok
    assert empty.run("SELECT DISTINCT left(code, 2) = start FROM t") == [(True,)]


@pytest.mark.parametrize("type_", ["json", "xml", "point", "plain"])
def test_rows_that_lack_a_value_are_counted_whatever_their_first_column_holds(empty: Database, type_: str) -> None:
    empty.run(
        f"CREATE DOMAIN plain AS json; CREATE TABLE t (a {type_}, id serial PRIMARY KEY);"
        "INSERT INTO t VALUES (NULL), (NULL)"
    )
    wanted = contract(t=(key(), Column("n", Integer, nullable=False)))
    with closing(psycopg2.connect(empty.dsn)) as connection:
        found = fixer.check(connection, wanted).findings

    assert [(each.slug, each.rows) for each in found] == [("missing-column", 2)]


@pytest.mark.parametrize("mode", MODES)
def test_roles_that_may_insert_count_by_a_column_that_is_added(empty: Database, mode: str, tmp_path: Path) -> None:
    wanted = tmp_path / "wanted.sql"
    wanted.write_text(
        "CREATE SEQUENCE own START 9 CACHE 2; CREATE SEQUENCE lent;"
        "CREATE TABLE t (id serial PRIMARY KEY, a serial, b bigint NOT NULL DEFAULT nextval('own'),"
        " c bigint NOT NULL DEFAULT nextval('lent')); ALTER SEQUENCE own OWNED BY t.b"
    )
    empty.run("CREATE TABLE t (id integer PRIMARY KEY)")
    with role(empty, "GRANT INSERT ON t TO {}") as inserter:
        assert fixer.apply(resolve(empty.dsn), str(wanted), mode=mode, allow_hazards="all").ok
        empty.run(f"SET ROLE {inserter}; INSERT INTO t SELECT; RESET ROLE")
        assert empty.run("SELECT * FROM t") == [(1, 1, 9, 1)]


CODED = """
CREATE SEQUENCE counted; CREATE TABLE p (id serial PRIMARY KEY, code text DEFAULT 'N-' || nextval('counted'));
CREATE TYPE size AS ENUM ('s', 'm'); CREATE TABLE h (n size NOT NULL) INHERITS (p);
"""


@pytest.mark.parametrize("mode", MODES)
def test_a_row_of_an_heir_that_goes_keeps_its_value_of_a_column_that_came(laboratory: Laboratory, mode: str) -> None:
    filled = "INSERT INTO p DEFAULT VALUES; INSERT INTO h (n) VALUES ('s'), ('m')"
    gone = "ALTER TABLE p DROP code CASCADE; ALTER TABLE h ALTER n DROP NOT NULL; UPDATE h SET n = NULL WHERE n = 's'"
    with laboratory.database(18, Specimen("heirs", "", contract=lambda: CODED, setup=filled)) as case:
        assert mixed(case, [gone], mode=mode) == []
