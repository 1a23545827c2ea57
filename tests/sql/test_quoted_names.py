"""Names that SQL has to quote are known wherever they stand: with a quotation mark, with a dot, in capitals."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial

import psycopg2
import pytest
import sqlalchemy as sa
from psycopg2 import sql
from psycopg2.extensions import connection as Connection  # noqa: N812

import fixer
from fixer.connect.servers import Server
from fixer.model.contract import Contract, TableHints
from fixer.model.schema import Schema, Twin
from fixer.model.step.progress import SILENT, Progress
from fixer.model.table import QName, Table
from fixer.repair.twins import way_out
from lab.laboratory import OWNER, VERSIONS, Laboratory

NAMES = ('We"i.rd', "a, (b) WHERE c")
NAMED = pytest.mark.parametrize("name", NAMES)
ROWS = """
INSERT INTO {parent} ({name}, {code}) SELECT n, 'c' || n FROM generate_series(1, 5) AS n;
INSERT INTO {child} (id, {name}, {size}, {title}, {reference})
SELECT n, n, 7 * n, 'T' || n, 1 + n % 5 FROM generate_series(1, 40) AS n;
SELECT setval(oid::regclass, 1000) FROM pg_class WHERE relkind = 'S';
"""
# What is broken, by what the column does in the end.
BREAKS = {
    "nothing": "SELECT 1",
    "a value is converted": "ALTER TABLE {child} DROP CONSTRAINT {check}, ALTER COLUMN {name} TYPE text",
    "a value is narrow": "ALTER TABLE {child} ALTER COLUMN {name} TYPE smallint",
    "a key is narrow": "ALTER TABLE {parent} ALTER COLUMN {name} TYPE integer;"
    "ALTER TABLE {child} ALTER COLUMN {reference} TYPE integer",
    "an expression is narrow": "ALTER TABLE {child} ALTER COLUMN {size} TYPE smallint",
    "an index is missing": "DROP INDEX {place}.{lower}",
    "a foreign key is missing": "ALTER TABLE {child} DROP CONSTRAINT {key}",
    "a reference is a text": "ALTER TABLE {child} DROP CONSTRAINT {key};"
    "ALTER TABLE {child} ALTER COLUMN {reference} TYPE text USING 'c' || {reference}",
    "a key is a text": "ALTER TABLE {child} DROP CONSTRAINT {key}; ALTER TABLE {parent} DROP CONSTRAINT {primary};"
    "ALTER TABLE {child} ALTER COLUMN {reference} TYPE text USING 'c' || {reference};"
    "ALTER TABLE {parent} DROP COLUMN {name}; ALTER TABLE {parent} RENAME COLUMN {code} TO {name};"
    "ALTER TABLE {parent} ADD PRIMARY KEY ({name})",
}


def shelf(name: str) -> sa.MetaData:
    """Return two tables of which the key, columns, expression, index, check and foreign key bear the name."""
    metadata = sa.MetaData()
    number = sa.Column(name, sa.BigInteger, primary_key=True, info={"legacy_keys": [f"{name} O"]})
    parent = sa.Table(f"{name} P", metadata, number, sa.Column(f"{name} O", sa.Text))
    pages, size, title = (
        sa.Column(name, sa.Integer),
        sa.Column(f"{name} S", sa.Integer),
        sa.Column(f"{name} T", sa.Text),
    )
    reference = sa.Column(f"{name} R", sa.BigInteger)
    sa.Table(
        f"{name} C",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        pages,
        size,
        title,
        reference,
        sa.CheckConstraint(pages > 0, name=f"{name} K"),
        sa.ForeignKeyConstraint([reference], [parent.c[name]], name=f"{name} F"),
    )
    sa.Index(f"{name} I", pages.desc(), title)
    sa.Index(f"{name} E", sa.func.lower(title))
    sa.Index(f"{name} A", sa.func.abs(size))
    return metadata


@dataclass
class Shelf:
    """A database with these tables, and the names of what stands there."""

    server: Server
    database: str
    connection: Connection
    name: str
    schema: str

    @property
    def names(self) -> Mapping[str, sql.Identifier]:
        parts = {
            "code": "O", "size": "S", "title": "T", "reference": "R",
            "check": "K", "lower": "E", "key": "F", "primary": "P_pkey",
        }  # fmt: skip
        alone = {key: sql.Identifier(f"{self.name} {last}") for key, last in parts.items()}
        tables = {key: sql.Identifier(self.schema, f"{self.name} {key[0].upper()}") for key in ("parent", "child")}
        return {**alone, **tables, "name": sql.Identifier(self.name), "place": sql.Identifier(self.schema)}

    def run(self, statements: str) -> list[tuple[object, ...]]:
        with self.connection.cursor() as cursor:
            cursor.execute(sql.SQL(statements).format(**self.names))
            return cursor.fetchall() if cursor.description else []

    def rows(self) -> list[tuple[object, ...]]:
        """Return what each child says of itself and of its parent."""
        return self.run(
            "SELECT c.id, c.{name}::text, c.{size}::text, c.{title}::text, p.{name} IS NOT NULL"
            " FROM {child} c LEFT JOIN {parent} p ON p.{name}::text = c.{reference}::text"
            " OR p.{name}::text = 'c' || c.{reference}::text OR 'c' || p.{name} = c.{reference}::text ORDER BY c.id"
        )

    def repaired(self, progress: Progress = SILENT) -> tuple[fixer.Run, list[str]]:
        """Repair it online; return the run, and what breaks the contract or is planned after it."""
        contract, schema = shelf(self.name), self.schema
        with self.another() as connection:
            run = fixer.apply(
                connection, contract, schema=schema, mode="online", allow_hazards="all", progress=progress
            )
            report = fixer.check(connection, contract, schema=schema, deep=True)
            left = fixer.plan(connection, contract, schema=schema, mode="online")
            return run, [*(f.message for f in report.findings if f.breaks), *(step.title for step in left.steps)]

    def another(self, user: str = "postgres") -> closing[Connection]:
        return closing(psycopg2.connect(self.server.database_dsn(self.database, user)))


@contextmanager
def standing(laboratory: Laboratory, version: int, name: str, schema: str = "public") -> Iterator[Shelf]:
    """Lend a sound shelf with rows."""
    server = laboratory.server(version)
    database = server.create_database()
    connect = partial(psycopg2.connect, server.database_dsn(database))
    try:
        with closing(connect()) as connection:
            connection.autocommit = True
            there = Shelf(server, database, connection, name, schema)
            there.run("CREATE SCHEMA IF NOT EXISTS {place}")
            creator = sa.create_engine("postgresql+psycopg2://", creator=connect, poolclass=sa.NullPool)
            shelf(name).create_all(creator.execution_options(schema_translate_map={None: schema}))
            there.run(ROWS)
            yield there
    finally:
        server.drop_database(database)


@NAMED
@pytest.mark.parametrize("broken", BREAKS)
def test_an_online_repair_knows_the_name(laboratory: Laboratory, name: str, broken: str) -> None:
    with standing(laboratory, max(VERSIONS), name) as there:
        before = there.rows()
        there.run(BREAKS[broken])
        run, left = there.repaired()

        assert left == []
        assert (broken != "nothing", before) == (bool(run.plan.steps), there.rows())


@NAMED
def test_an_online_run_in_a_schema_of_that_name_ends(laboratory: Laboratory, name: str) -> None:
    with standing(laboratory, max(VERSIONS), name, schema=name) as there:
        before = there.rows()
        there.run(BREAKS["a foreign key is missing"])
        run, left = there.repaired()

        assert left == []
        assert before == there.rows()
        assert {entry.table.schema for entry in run.ledger} == {name}


class Releasing(Progress):
    """Lets go of a lock as soon as somebody is heard to wait for it."""

    def __init__(self, holder: Connection) -> None:
        self.holder, self.heard = holder, list[str]()

    def waits(self, reason: str) -> None:
        self.heard.append(reason)
        self.holder.rollback()


@NAMED
@pytest.mark.parametrize("version", [min(VERSIONS)])
def test_whoever_holds_a_lock_is_named(laboratory: Laboratory, version: int, name: str) -> None:
    with standing(laboratory, version, name) as there, there.another() as holder:
        there.run(BREAKS["a foreign key is missing"])
        holder.cursor().execute(sql.SQL("LOCK TABLE {parent} IN ROW EXCLUSIVE MODE").format(**there.names))
        progress = Releasing(holder)
        _, left = there.repaired(progress)

        assert left == []
        assert f"held by {holder.info.backend_pid} (postgres, idle in transaction" in progress.heard[0]


@NAMED
def test_a_schema_of_that_name_is_read_without_the_right_to_temporary_tables(laboratory: Laboratory, name: str) -> None:
    with standing(laboratory, max(VERSIONS), name, schema=name) as there:
        there.run(
            f"REVOKE TEMPORARY ON DATABASE {there.database} FROM PUBLIC;"
            f"GRANT USAGE ON SCHEMA {{place}} TO {OWNER};"
            f"GRANT SELECT ON ALL TABLES IN SCHEMA {{place}} TO {OWNER};"
            f"GRANT SELECT ON ALL SEQUENCES IN SCHEMA {{place}} TO {OWNER}"
        )
        with there.another(OWNER) as connection:
            report = fixer.check(connection, shelf(name), schema=name, deep=True)

        assert [finding.message for finding in report.findings] == []


@NAMED
def test_what_a_message_says_of_a_twin_can_be_pasted(name: str) -> None:
    wanted = QName("public", "users")
    contract = Contract("models", Schema(tables={wanted: Table(wanted)}), {wanted: TableHints()}, sa.MetaData())
    said = way_out(wanted, [Twin(wanted, QName("public", name), "r")], contract)

    assert name in ast.literal_eval(said[said.index('{"legacy') : said.index("}") + 1])["legacy_names"]
