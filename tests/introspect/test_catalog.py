"""The catalogue reader: few questions whatever the size, no right but to read, nothing written."""

from __future__ import annotations

import gc
import re
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import CancelledError
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
from psycopg2.extensions import TRANSACTION_STATUS_ACTIVE, TRANSACTION_STATUS_IDLE, parse_dsn
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer import check, introspect
from fixer.connect import servers
from fixer.connect.memory import undisturbed
from fixer.connect.servers import Server
from fixer.connect.settings import OUR_PATH
from fixer.introspect.declared import read_model
from fixer.introspect.questions import Answer, Ask, asking, query
from fixer.model.schema import Given, Schema
from fixer.model.table import QName
from lab.database import HEALTHY, Database, lent, role
from lab.process import HOUSE, fixer

BUDGET, FRESH = 15, 31  # round trips with a contract that is kept, and with one that is yet to be read
DEEPER = 6  # more of them, which count rows and keys each for itself


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Give a server of our own, which logs every statement with its database."""
    with servers.embedded(18) as server:
        with closing(psycopg2.connect(server.dsn)) as connection:
            connection.autocommit = True
            connection.cursor().execute("ALTER SYSTEM SET log_line_prefix = '[%d] '")
            connection.cursor().execute("SELECT pg_reload_conf()")
        yield server


def sent(database: Database, *words: str, cwd: Path = HOUSE, env: Mapping[str, str] | None = None) -> list[str]:
    """Check a database in a process of its own, and give what it was sent."""
    log = Path(parse_dsn(database.server.dsn)["host"], "log")
    before = len(log.read_text())
    fixer("check", *words, "--dsn", f"{database.dsn}&options=-c%20log_statement%3Dall", cwd=cwd, env=env)
    return re.findall(rf"^\[{database.name}\] LOG:  statement: (.*)", log.read_text()[before:], re.MULTILINE)


MANY = """
from sqlalchemy import Column, ForeignKey, Integer, MetaData, String, Table
metadata = MetaData()
for number in range({}):
    parent = [ForeignKey(f"t{{number - 1}}.id")] if number else []
    columns = [Column("parent", Integer, *parent), Column("name", String(20), unique=True)]
    Table(f"t{{number}}", metadata, Column("id", Integer, primary_key=True), *columns)
"""


def read(database: Database, user: str | None = None) -> Schema:
    dsn = database.seen_by(user) if user else database.dsn
    with closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
        return introspect.read(cursor, ["public"])


@pytest.mark.parametrize("words", [[], ["--deep"]], ids=["plain", "deep"])
def test_a_healthy_database_is_checked_in_a_few_round_trips(server: Server, tmp_path: Path, words: list[str]) -> None:
    env = {"XDG_CACHE_HOME": str(tmp_path)}
    with lent(server, HEALTHY) as database:
        first, second = (len(sent(database, *words, env=env)) for _ in range(2))

    more = DEEPER if words else 0
    assert 0 < second <= BUDGET + more < first <= FRESH + more


def test_a_hundred_tables_ask_for_no_more_round_trips_than_five(server: Server, tmp_path: Path) -> None:
    counts = []
    for tables in (5, 100):
        (tmp_path / f"many{tables}.py").write_text(MANY.format(tables))
        name = ("--contract", f"many{tables}:metadata")
        with lent(server, None) as database:
            fixer("apply", "-q", "--yes", *name, "--dsn", database.dsn, cwd=tmp_path)
            counts.append(len(sent(database, *name, cwd=tmp_path)))

    assert counts[0] == counts[1] <= BUDGET


def test_where_all_tables_stand_nothing_is_asked_of_what_stands_elsewhere(server: Server, tmp_path: Path) -> None:
    with lent(server, HEALTHY) as database:
        database.run("CREATE SCHEMA shop; CREATE TABLE shop.users AS TABLE users")
        sound = sent(database, env={"XDG_CACHE_HOME": str(tmp_path)})
        database.run("DROP TABLE paper_trades")
        lacking = sent(database, env={"XDG_CACHE_HOME": str(tmp_path)})

    assert tuple(any("pgmend.missing" in each for each in log) for log in (sound, lacking)) == (False, True)


CALLING = """
CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
CREATE TRIGGER stamp BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION stamp();
ALTER TABLE users ALTER last_login DROP NOT NULL, ADD CONSTRAINT open NOT NULL last_login NOT VALID;
"""
RARE = ("-- The functions in SQL and PL/pgSQL", "-- NOT NULL constraints that no version before 18 has")


def test_what_is_called_or_open_is_asked_for_where_anything_is(server: Server, tmp_path: Path) -> None:
    with lent(server, HEALTHY) as database:
        plain = sent(database, env={"XDG_CACHE_HOME": str(tmp_path)})
        database.run(CALLING)
        calling = sent(database, env={"XDG_CACHE_HOME": str(tmp_path)})

    asked = [[any(each.startswith(rare) for each in log) for rare in RARE] for log in (plain, calling)]
    assert asked == [[False, False], [True, True]]


def test_what_the_role_may_do_is_asked_once_something_is_found(server: Server) -> None:
    with lent(server, HEALTHY) as database:
        sound = check(database.dsn, "contracts.trading:metadata")
        database.run("DROP TABLE paper_trades")
        broken = check(database.dsn, "contracts.trading:metadata")

    asked = [each.comparison.actual.session and each.comparison.actual.session.rights for each in (sound, broken)]
    assert [rights is not None for rights in asked] == [False, True]


def test_what_the_files_of_the_server_say_is_read(server: Server) -> None:
    with lent(server, HEALTHY) as database:
        try:
            for statement in ("ALTER SYSTEM SET zero_damaged_pages = on", "SELECT pg_reload_conf(), pg_sleep(1)"):
                database.run(statement)
            found = read(database)
        finally:
            for statement in ("ALTER SYSTEM RESET zero_damaged_pages", "SELECT pg_reload_conf(), pg_sleep(1)"):
                database.run(statement)
        after = read(database)

    given = [each.session.given if each.session else None for each in (found, after)]
    assert given == [(Given("zero_damaged_pages", "on", by_server=True),), ()]


def test_check_leaves_no_trace_in_the_catalogue(server: Server) -> None:
    query = (
        "SELECT (SELECT count(*) FROM pg_class), (SELECT count(*) FROM pg_type), (SELECT count(*) FROM pg_namespace)"
    )
    with lent(server, HEALTHY) as database:
        before = database.run(query)
        sent(database, "--deep")

        assert before == database.run(query)


def test_a_reader_sees_what_the_superuser_sees(server: Server) -> None:
    grants = ["GRANT USAGE ON SCHEMA public TO {}", "GRANT SELECT ON ALL TABLES IN SCHEMA public TO {}"]
    with lent(server, HEALTHY) as database, role(database, *grants) as reader:
        seen, wanted = read(database, reader), read(database)

        assert (wanted.fingerprint, seen.tables.keys()) == (seen.fingerprint, wanted.tables.keys())


def test_a_role_without_any_right_sees_the_schema_all_the_same(server: Server) -> None:
    with lent(server, HEALTHY) as database, role(database) as stranger:
        assert list(read(database).foreign_keys()) == list(read(database, stranger).foreign_keys())


def test_dropped_columns_are_not_seen(server: Server) -> None:
    with lent(server, None) as database:
        database.run("CREATE TABLE t (a int, b int, c int); ALTER TABLE t DROP b; CREATE UNIQUE INDEX ON t (c)")
        table = read(database).tables[QName("public", "t")]

        assert (list(table.columns), [index.columns for index in table.indexes]) == (["a", "c"], [("c",)])


def test_other_schemas_are_not_read(server: Server) -> None:
    with lent(server, None) as database:
        database.run("CREATE SCHEMA other; CREATE TABLE other.t (); CREATE TABLE t ()")

        assert {QName("public", "t")} == read(database).tables.keys()


ODD_INDEXES = [
    "(a)",
    "(a, b)",
    "(b, a)",
    "(a DESC)",
    "(a NULLS FIRST, b)",
    "(d text_pattern_ops)",
    "(d bpchar_ops)",
    '(d COLLATE "C")',
    "(a) INCLUDE (b)",
    "(a) WHERE b > 0",
    "(lower(d))",
    "(a, (b + 1))",
    "(a) WITH (fillfactor = 50)",
    '("select")',
    '("User Name", a)',
    '("a""b")',
    '("user", year)',
    "USING hash (a)",
    "USING brin (a, b)",
]


def test_indexes_and_checks_are_spelt_as_postgresql_spells_them(server: Server) -> None:
    columns = 'a int, b int, d text, "select" int, "User Name" text, "a""b" int, "user" text, year int'
    with lent(server, None) as database:
        database.run(f"CREATE TABLE t ({columns}, CHECK (a > 0), CHECK (lower(d) <> ''), CHECK (t IS NOT NULL))")
        database.run(f"CREATE TABLE same ({columns}, CHECK (a > 0), CONSTRAINT two CHECK (b > 0 AND same IS NOT NULL))")
        database.run(";".join(f"CREATE INDEX ON {t} {tail}" for t in ("t", "same") for tail in ODD_INDEXES))
        database.run("CREATE UNIQUE INDEX ON t (a) NULLS NOT DISTINCT; CREATE UNIQUE INDEX ON t (b)")
        wanted = database.run(
            "SELECT c.relname, substring(pg_get_indexdef(i.oid) FROM 'USING .*') FROM pg_index x"
            " JOIN pg_class i ON i.oid = indexrelid JOIN pg_class c ON c.oid = indrelid"
            " WHERE c.relname IN ('t', 'same') UNION ALL SELECT relname, pg_get_expr(conbin, conrelid)"
            " FROM pg_constraint JOIN pg_class c ON c.oid = conrelid WHERE contype = 'c' AND relname IN ('t', 'same')"
        )
        tables = read(database).tables.values()
        found = [(t.name.name, i.tail) for t in tables for i in t.indexes]
        found += [(t.name.name, check.expression) for t in tables for check in t.checks]

    assert sorted(wanted) == sorted(found)


def test_a_check_may_be_of_no_column_or_of_one_of_postgresqls_own(server: Server) -> None:
    with lent(server, None) as database:
        database.run("CREATE TABLE t (a int, CONSTRAINT c1 CHECK (true), CONSTRAINT c2 CHECK (tableoid > 0 AND a > 0))")
        database.run("ALTER TABLE t ADD CONSTRAINT c3 CHECK (t IS NOT NULL)")
        checks = read(database).tables[QName("public", "t")].checks

    assert [set(check.columns) for check in checks] == [set(), {"tableoid", "a"}, set()]


def test_what_is_known_of_another_database_misleads_no_reading(server: Server) -> None:
    """The trees of these checks agree with what is known, or would if columns and functions were not looked at."""
    make = "CREATE FUNCTION f(int) RETURNS bool IMMUTABLE LANGUAGE sql AS 'SELECT true'; CREATE TABLE {} CHECK {})"
    with lent(server, None) as first, lent(server, None) as second:
        first.run(make.format("t (a int", "(a > 0)") + "; CREATE TABLE u (a int CHECK (f(a)), CHECK (u IS NOT NULL))")
        with closing(psycopg2.connect(first.dsn)) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT set_config('pgmend.schemas', '{public}', false)")
            known = read_model(cursor, ["public"]).spellings
        second.run(make.format("x (b int", "(b > 0)") + "; CREATE TABLE y (a int CHECK (a > 0), CHECK (y IS NOT NULL))")
        with closing(psycopg2.connect(second.dsn)) as connection, connection.cursor() as cursor:
            seen = introspect.read(cursor, ["public"], "", known)

        assert (list(known.values()), seen.tables) == (["(a > 0)"], read(second).tables)


def test_defaults_that_may_give_each_row_another_value_are_known(server: Server) -> None:
    """By the functions that they and their operators call, whatever their arguments are called."""
    with lent(server, None) as database:
        database.run(
            "CREATE FUNCTION dice(funcid int) RETURNS int VOLATILE LANGUAGE sql AS 'SELECT 1';"
            "CREATE FUNCTION same(funcid int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 1';"
            "CREATE FUNCTION sum2(int, int) RETURNS int VOLATILE LANGUAGE sql AS 'SELECT 1';"
            "CREATE OPERATOR |#| (FUNCTION = sum2, LEFTARG = int, RIGHTARG = int);"
            "CREATE TABLE t (id serial, own int DEFAULT dice(funcid => 1), odd int DEFAULT 2 |#| 3,"
            " deep text DEFAULT upper(left(md5(random()::text), 3)), said text DEFAULT ':funcid 1598 ',"
            " five int DEFAULT 5, kept int DEFAULT same(funcid => 1), moment timestamptz DEFAULT now())"
        )
        with closing(psycopg2.connect(database.dsn)) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT set_config('pgmend.schemas', '{public}', false)")
            (table,) = read_model(cursor, ["public"]).tables.values()

        assert {name for name, each in table.columns.items() if each.volatile} == {"id", "own", "odd", "deep"}


def test_a_declared_key_forbids_null_even_where_the_catalogue_lacks_the_mark_of_that(server: Server) -> None:
    with lent(server, None) as database:
        database.run("CREATE TABLE t (n int, id int PRIMARY KEY)")
        database.run("UPDATE pg_attribute SET attnotnull = false WHERE attrelid = 't'::regclass AND attname = 'id'")
        with closing(psycopg2.connect(database.dsn)) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT set_config('pgmend.schemas', '{public}', false)")
            (table,) = read_model(cursor, ["public"]).tables.values()

        assert [(name, each.not_null) for name, each in table.columns.items()] == [("n", False), ("id", True)]


def test_a_known_spelling_is_not_asked_for_again(server: Server) -> None:
    with lent(server, None) as database:
        database.run("CREATE TABLE t (a int CHECK (a > 0))")
        with closing(psycopg2.connect(database.dsn)) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT set_config('pgmend.schemas', '{public}', false)")
            known = dict.fromkeys(read_model(cursor, ["public"]).spellings, "as it is known")
            (check,) = introspect.read(cursor, ["public"], "", known).tables[QName("public", "t")].checks

    assert check.expression == "as it is known"


def test_tables_are_measured_as_they_are_today(server: Server) -> None:
    name = QName("public", "t")
    with lent(server, None) as database:
        database.run("CREATE TABLE t (a int); INSERT INTO t SELECT generate_series(1, 1000)")
        with closing(psycopg2.connect(database.dsn)) as connection, connection.cursor() as cursor:
            found = introspect.read(cursor, ["public"]).tables[name].bytes, introspect.sizes(cursor, [name])

        assert (0, {name: database.ask("SELECT pg_relation_size('t')")}) == found


CHANGES = {
    "a column": "ALTER TABLE users ADD nickname text",
    "a dropped column": "ALTER TABLE users DROP full_name",
    "a type": "ALTER TABLE users ALTER full_name TYPE text",
    "a default": "ALTER TABLE users ALTER role SET DEFAULT 'other'",
    "a NOT NULL": "ALTER TABLE users ALTER username DROP NOT NULL",
    "an index": "CREATE INDEX ON users (role)",
    "a partial index": "CREATE INDEX ON users (role) WHERE is_active",
    "a check": "ALTER TABLE users ADD CHECK (id > 0)",
    "a check NOT VALID": "ALTER TABLE users ADD CHECK (id > 0) NOT VALID",
    "a key gone": "ALTER TABLE paper_trades DROP CONSTRAINT paper_trades_user_id_fkey",
    "a foreign key disabled": "ALTER TABLE paper_trades DISABLE TRIGGER ALL",
    "a trigger": "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
    " CREATE TRIGGER t BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION f()",
    "a view": "CREATE VIEW v AS SELECT id FROM users",
    "a policy": "CREATE POLICY p ON users",
    "a table": "CREATE TABLE another ()",
    "an owner": "ALTER TABLE users OWNER TO pg_monitor",
    "a sequence": "ALTER SEQUENCE users_id_seq CYCLE",
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_the_fingerprint_tells_a_changed_schema(server: Server, change: str) -> None:
    with lent(server, HEALTHY) as database:
        before = read(database).fingerprint
        database.run(change)

        assert before != read(database).fingerprint


def test_rows_do_not_change_the_fingerprint(server: Server) -> None:
    with lent(server, HEALTHY) as database:
        before = read(database).fingerprint
        database.run("DELETE FROM paper_trades; SELECT nextval('users_id_seq')")

        assert before == read(database).fingerprint


def test_a_question_that_fails_fails_those_behind_it_alike(server: Server) -> None:
    with lent(server, HEALTHY) as database, closing(psycopg2.connect(database.dsn)) as connection:
        with connection.cursor() as cursor, asking(cursor) as ask:
            answers = [ask("session", "SELECT 1 / 0;"), ask("session")]
            said = []
            for answer in answers:
                with pytest.raises(psycopg2.Error) as caught:
                    answer()
                said.append(type(caught.value))

        assert said == [psycopg2.errors.DivisionByZero] * 2


def test_ctrl_c_cancels_the_question_under_way_and_those_behind_it(server: Server) -> None:
    answers: list[Answer] = []

    def interrupted(ask: Ask, cursor: Cursor) -> None:
        answers.extend([ask("session", "SELECT pg_sleep(30);"), ask("session")])
        while cursor.connection.info.transaction_status != TRANSACTION_STATUS_ACTIVE:
            time.sleep(0.01)
        raise KeyboardInterrupt

    with lent(server, HEALTHY) as database, closing(psycopg2.connect(database.dsn)) as connection:
        before = time.monotonic()
        with connection.cursor() as cursor, pytest.raises(KeyboardInterrupt), asking(cursor) as ask:
            interrupted(ask, cursor)

        assert time.monotonic() - before < 10
        with pytest.raises(psycopg2.errors.QueryCanceled):
            answers[0]()
        with pytest.raises(CancelledError):
            answers[1]()
        connection.rollback()  # nothing is under way any more
        assert connection.info.transaction_status == TRANSACTION_STATUS_IDLE


def test_values_that_stay_are_old_at_once() -> None:
    with undisturbed():
        made = [[] for _ in range(10_000)]

    assert gc.isenabled()
    assert len(gc.get_objects(generation=0)) + len(gc.get_objects(generation=1)) < len(made)
    assert not gc.get_freeze_count()


HINDRANCES = {
    "a trigger": "CREATE TRIGGER note BEFORE UPDATE ON books FOR EACH ROW"
    " EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "a foreign key that sleeps": "ALTER TABLE reviews DISABLE TRIGGER ALL",
    "a rule": "CREATE RULE mute AS ON DELETE TO books DO INSTEAD NOTHING",
    "a policy": "CREATE POLICY own ON books USING (true)",
    "a view": "CREATE VIEW list AS SELECT title FROM books",
    "a view that needs a key": "CREATE VIEW list AS SELECT title FROM books GROUP BY id",
    "statistics": "CREATE STATISTICS pair ON id, title FROM books",
    "a function": "CREATE FUNCTION first() RETURNS text BEGIN ATOMIC SELECT min(title) FROM books; END",
    "a partitioned table": "CREATE TABLE parted (id integer) PARTITION BY LIST (id)",
    "a publication that cannot tell rows": "CREATE PUBLICATION pub FOR TABLE loose",
    "a publication that lacks the key": "CREATE PUBLICATION pub FOR TABLE books (title)",
    "a row as a value": "CREATE TABLE shelf (content books)",
    "rows as a value": "CREATE TABLE shelf (content books[])",
    "a comment on a key": "COMMENT ON CONSTRAINT books_pkey ON books IS 'kept'",
    "a comment on an index": "COMMENT ON INDEX books_title IS 'kept'",
    "an index that tells rows": "ALTER TABLE books REPLICA IDENTITY USING INDEX books_pkey",
    "an index in whose order rows lie": "ALTER TABLE books CLUSTER ON books_title",
}


def test_whatever_may_be_an_obstacle_is_asked_for(server: Server) -> None:
    with lent(server, None) as database, closing(psycopg2.connect(database.dsn)) as connection:
        cursor = connection.cursor()
        cursor.execute(
            "CREATE TABLE loose (id integer); CREATE TABLE books (id integer PRIMARY KEY, title text);"
            "CREATE INDEX books_title ON books (title); CREATE TABLE reviews (book integer REFERENCES books);"
            + OUR_PATH
            + "SELECT set_config('pgmend.schemas', '{public}', true)"
        )

        assert _hindered(cursor) == (False, False)
        for hindrance, statement in HINDRANCES.items():
            cursor.execute(f"SAVEPOINT before; SET LOCAL search_path = public; {statement}; {OUR_PATH}")
            assert _hindered(cursor) == (True, True), hindrance
            cursor.execute("ROLLBACK TO SAVEPOINT before")


def _hindered(cursor: Cursor) -> tuple[bool, bool]:
    """Tell whether there are obstacles, and whether they are asked for."""
    cursor.execute(query("obstacles"))
    found = bool(cursor.fetchall())
    cursor.execute(query("relations"))
    return found, {row[-1] for row in cursor.fetchall()} == {True}
