"""Rows hold another value in a stored generated column than its expression gives today.

It was computed by a function that says something else now, or the row came in past it, as by a restore of files.

Costs: queries and indexes find rows by a value that is not true any more; each UPDATE of a row changes it unasked.
Cure: a person decides whether the function or the values are right; UPDATE … SET column = DEFAULT computes them anew.
No mutation plants it: it takes a function that lies about being IMMUTABLE.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from fixer.defects import _walk as walk
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.expression import as_needed
from fixer.model.finding import Finding, Probe
from fixer.model.schema import Schema
from fixer.model.step import Repair, refuse
from fixer.model.subject import OfColumn
from fixer.model.table import Column, QName, Table
from fixer.repair.probe import rows_where
from fixer.sql import compose as q
from fixer.sql.compose import SQL

SLUG = "stale-generation"
POINT = 4
STAGE = Stage.PARTS
_STORED = "s"


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[OfColumn]]:
    """Yield the stored generated columns, with the probe for rows that hold something else."""
    for wanted, table in walk.tables(actual, contract, alike=True):
        stored = [column for column in table.columns.values() if column.generated == _STORED]
        for column in stored if stored and _stays(table) else ():
            if column.default and column.name in wanted.columns:
                yield _finding(actual, table, column)


def _stays(table: Table) -> bool:
    """Return whether the plan leaves the values of a table alone."""
    return not table.created and all(each.now is None and not each.mapped for each in table.columns.values())


def _finding(actual: Schema, table: Table, column: Column) -> Finding[OfColumn]:
    here, name = q.quoted(table.name), as_needed(column.name)
    message = f"{table.name.name}.{column.name} should hold {column.default}, rows hold something else"
    way = f"UPDATE {here} SET {name} = DEFAULT WHERE {name} IS DISTINCT FROM ({column.default})::{column.full_type};"
    return Finding(
        SLUG,
        POINT,
        OfColumn(table.name, column.name),
        message,
        asks=partial(_stale, actual, table.name, column),
        only_with_rows=True,
        of_rows=True,
        vouched=True,
        repair=refuse(f"if the expression is right, run {way}"),
    )


def _stale(actual: Schema, table: QName, column: Column) -> Probe:
    computed = SQL("({})::{}").format(SQL(column.default or ""), SQL(column.full_type))
    stale = SQL("({})::text IS DISTINCT FROM ({})::text").format(q.column(column.name), computed)
    return rows_where(actual, table, stale)


def repair(finding: Finding[OfColumn], actual: Schema, contract: Contract) -> Repair:
    """Refuse, as `detect` says."""
    return finding.repair


def _prices() -> str:
    """Return a contract of prices, with tax by a function."""
    return """
CREATE FUNCTION taxed(integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT $1 * 2';
CREATE TABLE prices (
    id serial PRIMARY KEY, net integer NOT NULL, gross integer GENERATED ALWAYS AS (taxed(net)) STORED,
    told numeric(9, 2) GENERATED ALWAYS AS (net / 3.0) STORED
);
"""


_TAXED = "CREATE OR REPLACE FUNCTION taxed(integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT $1 * {}';"
_ROWS = "INSERT INTO prices (net) VALUES (1), (2), (3)"
SPECIMENS = (
    Specimen(
        "its function said something else meanwhile",
        f"{_TAXED.format(3)} UPDATE prices SET net = net WHERE id < 3; {_TAXED.format(2)}",
        contract=_prices,
        setup=_ROWS,
        rows=2,
        manual=True,
    ),
)
NEAR_MISSES = (Specimen("computed anew", "UPDATE prices SET gross = DEFAULT", contract=_prices, setup=_ROWS),)
