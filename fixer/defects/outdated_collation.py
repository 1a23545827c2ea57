"""Indexes were built by another version of the libraries that sort texts than the one of today.

Costs: where texts are sorted otherwise now, queries along these indexes miss rows, and uniques accept what repeats.
Cure: a person runs REINDEX, and then has PostgreSQL record today's version; the statements are given. A deep check
finds the uniques that are out of order (see failing-unique). PostgreSQL 15 does not say today's version of the
database's own collation, and earlier versions record none. No mutation plants it: a superuser would
have to write pg_database.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from fixer.defects import _walk as walk
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.expression import as_needed, names_column, tail_of
from fixer.model.finding import Finding
from fixer.model.schema import Schema
from fixer.model.step import Repair, refuse
from fixer.model.subject import OfTable
from fixer.model.table import Column as FoundColumn
from fixer.model.table import Table as FoundTable
from fixer.sql import compose as q

if TYPE_CHECKING:
    import sqlalchemy as sa

SLUG = "outdated-collation"
POINT = 5
STAGE = Stage.PARTS


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[OfTable]]:
    """Yield the tables of the contract with indexes over texts whose collation has another version by now."""
    for wanted, table in walk.tables(actual, contract, alike=True):
        aged = [column for column in table.columns.values() if column.aged and column.name in wanted.columns]
        if not aged:
            continue
        indexes = [each for column in aged for each in _indexes(table, column)]
        if not indexes:
            continue
        recorded, today = aged[0].aged
        state = f"{', '.join(dict.fromkeys(indexes))} by version {recorded}"
        message = f"{table.name.name} should have indexes sorted by today's collations, {today or 'none'}, has {state}"
        yield Finding(SLUG, POINT, OfTable(table.name), message, "warning", repair=_left(table, aged, actual))


def _indexes(table: FoundTable, column: FoundColumn) -> Iterable[str]:
    """Yield the names of the indexes that sort a column by its own collation."""
    for index in table.indexes:
        if any(names_column(each, column.name) and not _is_bytewise(each) for each in tail_of(index.tail).elements):
            yield index.name


def _is_bytewise(element: str) -> bool:
    """Return whether an element of an index is sorted by its bytes, which no version changes."""
    return 'COLLATE "C"' in element or "_pattern_ops" in element


def _left(table: FoundTable, aged: Iterable[FoundColumn], actual: Schema) -> Repair:
    """Return the refusal with the statements to run."""
    database = as_needed(actual.session.database) if actual.session else ""
    named = sorted({column.collation for column in aged if column.collation})
    refresh = [f"ALTER COLLATION {name} REFRESH VERSION" for name in named]
    if any(column.collation is None for column in aged):
        refresh.append(f"ALTER DATABASE {database} REFRESH COLLATION VERSION")
    reindex = f"REINDEX TABLE CONCURRENTLY {q.quoted(table.name)}"
    return refuse(f"run {reindex}, and once all such tables are done {'; '.join(refresh)}")


def repair(finding: Finding[OfTable], actual: Schema, contract: Contract) -> Repair:
    """Return the refusal that detect composed."""
    return finding.repair


def _people() -> sa.MetaData:
    """Return a contract with texts in an index and texts in none."""
    import sqlalchemy as sa

    metadata = sa.MetaData()
    email = sa.Column("email", sa.String(100), unique=True)
    sa.Table("people", metadata, sa.Column("id", sa.Integer, primary_key=True), email, sa.Column("notes", sa.Text))
    sa.Table("notes", metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("words", sa.Text))
    return metadata


ROWS = "INSERT INTO people (email) VALUES ('a'), ('B'); INSERT INTO notes (words) VALUES ('c')"
OLD = "UPDATE pg_database SET datcollversion = '2.31' WHERE datname = current_database()"
SPECIMENS = (
    Specimen(
        "the database's own",
        OLD,
        manual=True,
        contract=_people,
        setup=ROWS,
        superuser=True,
        minimum_version=16,
    ),
)
NEAR_MISSES = (
    Specimen(
        "over texts that are in no index, or sorted by their bytes",
        f"{OLD}; ALTER TABLE people DROP CONSTRAINT people_email_key;"
        'CREATE UNIQUE INDEX people_email_key ON people (email COLLATE "C")',
        contract=_people,
        setup=ROWS,
        superuser=True,
        minimum_version=16,
    ),
)
