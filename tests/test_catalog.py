"""The catalogue reader: few questions whatever the size, no right but to read, nothing written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
from psycopg2.extensions import parse_dsn
from test_cli import HEALTHY, HOUSE, Database, fixer, lent, role

from fixer import catalog, servers
from fixer.schema import QName, Schema
from fixer.servers import Server

BUDGET = 15


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Give a server of our own, which logs every statement with its database."""
    with servers.embedded(18) as server:
        with closing(psycopg2.connect(server.dsn)) as connection:
            connection.autocommit = True
            connection.cursor().execute("ALTER SYSTEM SET log_line_prefix = '[%d] '")
            connection.cursor().execute("SELECT pg_reload_conf()")
        yield server


def sent(database: Database, *words: str, cwd: Path = HOUSE) -> list[str]:
    """Check a database in a process of its own, which has read no contract yet, and give what it was sent."""
    fixer("check", *words, "--dsn", f"{database.dsn}&options=-c%20log_statement%3Dall", cwd=cwd)
    log = Path(parse_dsn(database.server.dsn)["host"], "log").read_text()
    return re.findall(rf"^\[{database.name}\] LOG:  statement: (.*)", log, re.MULTILINE)


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
        return catalog.read(cursor, ["public"])


@pytest.mark.parametrize("words", [[], ["--deep"]], ids=["plain", "deep"])
def test_a_healthy_database_is_checked_in_a_few_round_trips(server: Server, words: list[str]) -> None:
    with lent(server, HEALTHY) as database:
        assert 0 < len(sent(database, *words)) <= BUDGET


def test_a_hundred_tables_ask_for_no_more_round_trips_than_five(server: Server, tmp_path: Path) -> None:
    counts = []
    for tables in (5, 100):
        (tmp_path / f"many{tables}.py").write_text(MANY.format(tables))
        name = ("--contract", f"many{tables}:metadata")
        with lent(server, None) as database:
            fixer("apply", "-q", "--yes", *name, "--dsn", database.dsn, cwd=tmp_path)
            counts.append(len(sent(database, *name, cwd=tmp_path)))

    assert counts[0] == counts[1] <= BUDGET


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
