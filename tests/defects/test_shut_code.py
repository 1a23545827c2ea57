"""Functions, sequences, types and schemas that a role may not use: the plan says so where its steps need them."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, text

import fixer
from lab.database import Database, lent, role
from lab.laboratory import VERSIONS, Laboratory

ANY = (
    "CREATE FUNCTION f() RETURNS integer LANGUAGE plpgsql AS 'BEGIN RETURN 3; END';"
    "REVOKE ALL ON FUNCTION f() FROM PUBLIC;"
)
SAME = (
    "CREATE FUNCTION same(integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN $1; END';"
    "REVOKE ALL ON FUNCTION same(integer) FROM PUBLIC;"
)
GOOD = (
    "CREATE FUNCTION good(integer) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN true; END';"
    "REVOKE ALL ON FUNCTION good(integer) FROM PUBLIC;"
)
LIKE = (
    "CREATE FUNCTION alike(integer, integer) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN true; END';"
    "CREATE OPERATOR === (LEFTARG = integer, RIGHTARG = integer, FUNCTION = alike);"
    "REVOKE ALL ON FUNCTION alike(integer, integer) FROM PUBLIC;"
)
TABLE = "CREATE TABLE t (id integer PRIMARY KEY, n integer);"
DOMAIN = f"{GOOD} CREATE DOMAIN d AS integer CHECK (good(value));"
SEQUENCE = "CREATE SEQUENCE q;"
TYPE = "CREATE TYPE e AS ENUM ('a'); REVOKE ALL ON TYPE e FROM PUBLIC;"
SCHEMA = "CREATE SCHEMA s; CREATE FUNCTION s.f() RETURNS integer LANGUAGE plpgsql AS 'BEGIN RETURN 3; END';"
FILLED = "ALTER TABLE t ALTER n SET DEFAULT 4, ALTER n SET NOT NULL"
# What both sides have; what the contract has beside it.
NEEDED = {
    "a column's default": (ANY + TABLE, "ALTER TABLE t ADD x integer DEFAULT f()"),
    "a required column's default": (ANY + TABLE, "ALTER TABLE t ADD x integer NOT NULL DEFAULT f()"),
    "a default that fills NULLs": (ANY + TABLE, "ALTER TABLE t ALTER n SET DEFAULT f(), ALTER n SET NOT NULL"),
    "a generated column": (SAME + TABLE, "ALTER TABLE t ADD x integer GENERATED ALWAYS AS (same(id)) STORED"),
    "a check": (GOOD + TABLE, "ALTER TABLE t ADD CHECK (good(n))"),
    "a domain's check": (DOMAIN + TABLE, "ALTER TABLE t ADD x d DEFAULT 3"),
    "an index": (SAME + TABLE, "CREATE INDEX i ON t (same(n))"),
    "the condition of an index": (GOOD + TABLE, "CREATE INDEX i ON t (n) WHERE good(n)"),
    "an operator": (LIKE + TABLE, "ALTER TABLE t ADD CHECK (n === 1)"),
    "a type": (TYPE + TABLE, "ALTER TABLE t ADD x e"),
    "a type in a new table": (TYPE + TABLE, "CREATE TABLE u (id integer PRIMARY KEY, x e)"),
    "a schema": (SCHEMA + TABLE, "ALTER TABLE t ALTER n SET DEFAULT s.f()"),
    "a sequence": (SEQUENCE + TABLE, "ALTER TABLE t ADD x integer DEFAULT nextval('q')"),
    "rows under a check": (GOOD + TABLE + "ALTER TABLE t ADD CHECK (good(id));", FILLED),
    "rows under a generated column": (
        f"{SAME}{TABLE} ALTER TABLE t ADD x integer GENERATED ALWAYS AS (same(id)) STORED;",
        FILLED,
    ),
    "rows under an index": (f"{SAME}{TABLE} CREATE INDEX i ON t (same(id));", FILLED),
    "rows of a domain": (f"{DOMAIN} CREATE TABLE t (id integer PRIMARY KEY, n d);", FILLED),
    "a table that is written anew": (
        f"{SAME}{TABLE} CREATE INDEX i ON t (same(n));",
        "ALTER TABLE t ALTER id TYPE bigint",
    ),
}
KEPT = {  # but called by no step
    "a default": (ANY + TABLE, "ALTER TABLE t ALTER n SET DEFAULT f()"),
    "a new table": (ANY + TABLE, "CREATE TABLE u (id integer PRIMARY KEY DEFAULT f())"),
    "a sequence of a new table": (SEQUENCE + TABLE, "CREATE TABLE u (id integer PRIMARY KEY DEFAULT nextval('q'))"),
    "a view": (ANY + TABLE, "CREATE VIEW v AS SELECT f() AS x FROM t"),
    "another table's": (
        f"{SAME}{TABLE} CREATE TABLE u (id integer PRIMARY KEY); CREATE INDEX i ON u (same(id));",
        FILLED,
    ),
}
ROWS = "INSERT INTO t SELECT g, NULL FROM generate_series(1, 3) AS g"


@pytest.fixture
def database(laboratory: Laboratory) -> Iterator[Database]:
    with lent(laboratory.server(max(VERSIONS)), None) as database:
        yield database


@pytest.fixture
def owner(database: Database) -> Iterator[str]:
    with role(database, "GRANT ALL ON SCHEMA public TO {}") as owner:
        database.run(f"GRANT CREATE ON DATABASE {database.name} TO {owner}")
        yield owner


def prepared(database: Database, owner: str, both: str, more: str) -> str:
    """Return a contract, and make a database that lacks what it has more."""
    other = database.server.create_database()
    Database(database.server, other).run(both + more)
    tables = (each for each in ("t", "u") if f"CREATE TABLE {each} " in both)
    owned = "; ".join(f"ALTER TABLE {each} OWNER TO {owner}" for each in tables)
    database.run(f"{both} {ROWS}; {owned}")
    return database.server.database_dsn(other)


@pytest.mark.parametrize("mode", ["atomic", "online"])
@pytest.mark.parametrize("case", NEEDED)
def test_what_a_step_needs_is_said_and_is_enough(database: Database, owner: str, case: str, mode: str) -> None:
    wanted = prepared(database, owner, *NEEDED[case])
    told = said(database, owner, wanted, mode)
    grants = re.findall(r"GRANT [^;]*", "; ".join(told))
    assert grants != []
    database.run("; ".join(grants))

    assert said(database, owner, wanted, mode) == []
    assert fixer.apply(database.seen_by(owner), wanted, mode=mode, allow_hazards="all").ok


@pytest.mark.parametrize("mode", ["atomic", "online"])
@pytest.mark.parametrize("case", KEPT)
def test_what_is_only_kept_is_not_asked_for(database: Database, owner: str, case: str, mode: str) -> None:
    wanted = prepared(database, owner, *KEPT[case])

    assert said(database, owner, wanted, mode) == []
    assert fixer.apply(database.seen_by(owner), wanted, mode=mode, allow_hazards="all").ok


def said(database: Database, owner: str, contract: str, mode: str) -> list[str]:
    plan = fixer.plan(database.seen_by(owner), contract, mode=mode)
    return [*plan.needs, *plan.refusals]


@pytest.mark.parametrize("there", ["", "CREATE TABLE t (id integer PRIMARY KEY, n integer DEFAULT f());"])
@pytest.mark.parametrize("mode", ["atomic", "online"])
def test_a_default_that_a_default_row_takes_is_said_and_is_enough(
    database: Database, owner: str, there: str, mode: str
) -> None:
    database.run(ANY + there + (f"ALTER TABLE t OWNER TO {owner}" if there else ""))
    metadata = MetaData()
    columns = Column("id", Integer, primary_key=True), Column("n", Integer, server_default=text("public.f()"))
    Table("t", metadata, *columns, info={"default_rows": [{"id": 1}]})
    told = [*fixer.plan(database.seen_by(owner), metadata, mode=mode).needs]
    grants = re.findall(r"GRANT [^;]*", "; ".join(told))
    assert grants != []
    database.run("; ".join(grants))

    assert fixer.apply(database.seen_by(owner), metadata, mode=mode, allow_hazards="all").ok
