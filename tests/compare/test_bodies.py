"""Bodies of functions are read, and nothing of them runs; what they name is sure to be gone where it is said to be."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing

import psycopg2
import pytest
from sqlalchemy import Column, Integer, MetaData, Table, text

import fixer
from fixer import check
from fixer.connect.servers import Server
from fixer.model.expression.bodies import read
from lab.database import Database, lent, role, session

SLUG = "broken-function"
TABLE = "CREATE TABLE t (id integer PRIMARY KEY, n integer);"
TRIGGER = (
    "CREATE FUNCTION act() RETURNS trigger LANGUAGE plpgsql AS $$ {} $$;"
    "CREATE TRIGGER act AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION act();"
)
NAMED = {  # a statement, and the relations that it names
    "SELECT 1 FROM a WHERE true;": {"a"},
    "DELETE FROM ONLY s.a USING b;": {"s.a"},
    "IF EXISTS (SELECT FROM a JOIN b ON true) THEN NULL; END IF;": {"a", "b"},
    "INSERT INTO a AS x (y) SELECT y FROM b;": {"a", "b"},
    "BEGIN UPDATE a AS x SET y = 1 FROM b; END;": {"a", "b"},
    "INSERT INTO a VALUES (1) ON CONFLICT (x) DO UPDATE SET y = 1;": {"a"},
    'SELECT 1 FROM "A""b";': {'A"b'},
    "x := substring(lower(y) FROM z);": set(),
    "x := extract(epoch FROM y) + (SELECT 1 FROM a);": {"a"},
    "x := y IS DISTINCT FROM z;": set(),
    "FETCH NEXT FROM c INTO x;": set(),
    "FOR x IN SELECT 1 FROM generate_series(1, 2) AS g LOOP NULL; END LOOP;": set(),
    "WITH RECURSIVE c (n) AS (SELECT 1 FROM a), d AS MATERIALIZED (SELECT 1) SELECT 1 FROM c, d;": {"a"},
    "-- FROM a\nEXECUTE 'SELECT 1 FROM a' || $x$ FROM b $x$ /* FROM c */;": set(),
    "SELECT 1 FROM pg_catalog.pg_class JOIN pg_stat_activity ON true;": None,
    "SELECT 1 FROM pg_settings;": set(),
    "CREATE TEMP TABLE a (); INSERT INTO a DEFAULT VALUES;": None,
    "IF TG_TABLE_NAME = 'x' THEN DELETE FROM a; END IF;": None,
}


@pytest.fixture
def database(server: Server) -> Iterator[Database]:
    with lent(server, None) as database:
        yield database


def found(database: Database) -> list[str]:
    with closing(psycopg2.connect(database.dsn)) as connection:
        return [each.message for each in check(connection, "self").findings if each.slug == SLUG]


@pytest.mark.parametrize("statement", NAMED)
def test_a_relation_is_read_where_nothing_else_can_stand(statement: str) -> None:
    body = read(f"BEGIN {statement} END")

    names = None if body is None else {".".join(filter(None, name)) for name in body.relations}
    assert names == NAMED[statement]


@pytest.mark.parametrize("given", ["new_rows", "New_Rows"])
def test_a_transition_table_is_none_that_can_go(given: str) -> None:
    body = read("BEGIN PERFORM 1 FROM new_rows; END", [given])
    assert body is not None
    assert body.relations == frozenset()


def test_nothing_of_a_body_runs(database: Database) -> None:
    database.run(
        f"CREATE SEQUENCE drawn; {TABLE}"
        "CREATE FUNCTION loud() RETURNS integer LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RAISE EXCEPTION $x$ran$x$; END';"
        "CREATE FUNCTION draws() RETURNS bigint LANGUAGE sql AS 'SELECT nextval($x$drawn$x$) + loud()';"
        "ALTER TABLE t ALTER n SET DEFAULT draws();"
    )

    assert found(database) == []
    assert database.ask("SELECT is_called FROM drawn") is False


def test_a_table_that_another_session_holds_is_not_waited_for(database: Database) -> None:
    database.run(f"{TABLE} CREATE TABLE u (n integer);")
    database.run("CREATE FUNCTION f() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM u'")
    database.run("ALTER TABLE t ALTER n SET DEFAULT f()")
    metadata = MetaData()
    Table("t", metadata, Column("id", Integer, primary_key=True), Column("n", Integer, server_default=text("f()")))
    with session(database, "BEGIN; LOCK TABLE u IN ACCESS EXCLUSIVE MODE"):
        with closing(psycopg2.connect(database.dsn)) as connection:
            begun = time.monotonic()
            assert [each.slug for each in check(connection, metadata).findings if each.slug == SLUG] == []
        assert time.monotonic() - begun < 2


@pytest.mark.parametrize("path", ["", "SET search_path = b", "SET search_path = a, b"])
def test_a_name_is_looked_for_where_the_function_finds_it(database: Database, path: str) -> None:
    database.run(f"CREATE SCHEMA a; CREATE SCHEMA b; CREATE TABLE b.u (n integer); {TABLE}")
    database.run(
        f"SET check_function_bodies = off; CREATE FUNCTION f() RETURNS bigint LANGUAGE sql {path}"
        " AS 'SELECT count(*) FROM u'; ALTER TABLE t ALTER n SET DEFAULT f()"
    )
    if not path:  # a schema of the contract
        database.run("CREATE TABLE b.k (id integer PRIMARY KEY)")

    assert found(database) == []
    database.run("DROP TABLE b.u")
    assert found(database) == [
        'public.f() should find what it names, relation "u" does not exist: the default of n of t calls it'
    ]


def test_a_path_of_its_own_leads_nowhere_else(database: Database) -> None:
    database.run(f"CREATE SCHEMA a; CREATE SCHEMA b; CREATE TABLE b.u (n integer); {TABLE}")
    database.run(
        "SET check_function_bodies = off; CREATE FUNCTION f() RETURNS bigint LANGUAGE sql SET search_path = a"
        " AS 'SELECT count(*) FROM u'; ALTER TABLE t ALTER n SET DEFAULT f()"
    )

    assert len(found(database)) == 1


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("BEGIN DELETE FROM gone; RETURN NEW; END", 'relation "gone" does not exist'),
        (
            "BEGIN INSERT INTO t (id, gone) VALUES (1, 2); RETURN NEW; END",
            'column "gone" of relation "t" does not exist',
        ),
        ("BEGIN UPDATE t SET gone = 1; RETURN NEW; END", 'column "gone" of relation "t" does not exist'),
        ("BEGIN IF NEW.gone THEN NULL; END IF; RETURN NEW; END", 'record "new" of t has no field "gone"'),
        ("BEGIN PERFORM public.gone(1); RETURN NEW; END", "function public.gone does not exist"),
        ("DECLARE x public.gone; BEGIN RETURN NEW; END", 'type "public.gone" does not exist'),
    ],
)
def test_what_is_gone_is_named(database: Database, body: str, said: str) -> None:
    database.run(f"SET check_function_bodies = off; {TABLE} {TRIGGER.format(body)}")

    assert found(database) == [f"public.act() should find what it names, {said}: the trigger act of t calls it"]


def test_a_role_that_may_not_call_a_function_is_told_nothing_of_it(database: Database) -> None:
    database.run(
        f"{TABLE} CREATE TABLE u (); CREATE FUNCTION f() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM u';"
    )
    database.run("ALTER TABLE t ALTER n SET DEFAULT f(); REVOKE ALL ON FUNCTION f() FROM PUBLIC; DROP TABLE u")
    grants = "GRANT SELECT ON ALL TABLES IN SCHEMA public TO {}"
    with role(database, grants) as reader, closing(psycopg2.connect(database.seen_by(reader))) as connection:
        assert [each.slug for each in check(connection, "self").findings if each.slug == SLUG] == []


def test_what_the_plan_creates_or_replaces_is_not_gone(database: Database) -> None:
    read = "CREATE FUNCTION f() RETURNS bigint LANGUAGE sql AS 'SELECT count({}) FROM u';"
    acts = TRIGGER.format("BEGIN {} RETURN NEW; END")
    other = database.server.create_database()
    Database(database.server, other).run(
        f"CREATE TABLE u (x integer PRIMARY KEY); {TABLE} {read.format('x')} {acts.format('')}"
        "ALTER TABLE t ALTER n SET DEFAULT f()"
    )
    database.run(
        f"SET check_function_bodies = off; {TABLE} {read.format('x')} {acts.format('DELETE FROM gone;')}"
        "ALTER TABLE t ALTER n SET DEFAULT f()"
    )
    wanted = database.server.database_dsn(other)

    assert SLUG not in {each.slug for each in fixer.plan(database.dsn, wanted).findings}
    assert fixer.apply(database.dsn, wanted, allow_hazards="all").ok
    assert fixer.check(database.dsn, wanted).ok
