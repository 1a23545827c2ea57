"""Rows hold NULL in a column that the contract wants NOT NULL.

Costs: NOT NULL cannot be set.
Cure: fill them with the contract's value: its backfill, else its default. If it has none, move them to quarantine.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from fixer.defects import _planting as plant
from fixer.defects import _walk as walk
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.expression import canonical, quoted
from fixer.model.finding import Finding
from fixer.model.schema import Schema
from fixer.model.step import Phase, Repair
from fixer.model.subject import OfColumn
from fixer.model.table import Table
from fixer.repair.probe import rows_where
from fixer.repair.quarantine import Mover, one_at_most
from fixer.repair.rows import counted, identity, rewrite
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable

SLUG = "null-rows"
POINT = 4
STAGE = Stage.PARTS


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[OfColumn]]:
    """Yield the nullable columns that should be NOT NULL, with the probe for NULLs; a valid check may rule them out."""
    for table, column in walk.open_columns(actual, contract):
        if not table.columns[column.name].not_null and column.name in _key(contract.tables[table.name]):
            continue  # null-key numbers these rows
        yield Finding(
            SLUG,
            POINT,
            OfColumn(table.name, column.name),
            f"{table.name.name}.{column.name} should hold a value, is NULL",
            asks=partial(rows_where, actual, table.name, _empty(table, column.name)),
            only_with_rows=True,
            vouched=_is_checked(table, column.name),
        )


def _key(wanted: Table) -> tuple[str, ...]:
    """Return the columns of the primary key."""
    return wanted.primary_key.columns if wanted.primary_key else ()


def _empty(table: Table, column: str) -> Composable:
    """Return the condition that a column is NULL.

    PostgreSQL 18 leaves out IS NULL where the NOT NULL of the whole is valid, even if that of a partition is not.
    """
    if column in table.unproved_below:
        return SQL("pg_catalog.num_nulls({}) > 0").format(q.column(column))
    return q.is_null(column)


def _is_checked(table: Table, column: str) -> bool:
    """Return whether a validated check already forbids NULL, as one does in online mode before SET NOT NULL."""
    wanted = canonical(f"({quoted(column)} IS NOT NULL)")
    return any(c.validated and c.columns == (column,) and canonical(c.expression) == wanted for c in table.checks)


def repair(finding: Finding[OfColumn], actual: Schema, contract: Contract) -> Repair:
    """Fill the rows, or quarantine them."""
    name, column = finding.table, finding.about.column
    value = contract.value_for(name, contract.tables[name].columns[column])
    empty = _empty(actual.tables[name], column)
    mover = Mover(actual, contract)
    if value is None:
        reason = f"its {column} is NULL, and the contract declares no value for it"
        return Repair.of(mover.quarantine(Phase.VALUES, name, empty, reason, rows=finding.rows))
    if not (isinstance(value, SQL) and "(" in value.string):  # a call may give each row its own value
        one_at_most((actual.tables[name], contract.tables[name]), [column], finding.rows)
    title = f"fill {column} of {counted(finding.rows)} of {name.name} with the contract's value"
    table = actual.tables[name]
    known_by = identity(table, contract.tables[name], Phase.VALUES)
    step = rewrite(Phase.VALUES, table, title, {column: value}, empty, rows=finding.rows, known_by=known_by)
    return Repair.of([step])


OPEN = "ALTER TABLE {0} ALTER COLUMN {1} DROP NOT NULL; UPDATE {0} SET {1} = NULL WHERE id IN (3, 4)"
ALSO = frozenset({"missing-not-null"})
SPECIMENS = (
    Specimen(
        "filled with the backfill",
        OPEN.format("authors", "active"),
        hazards=frozenset({"rewrites-values"}),
        rows=2,
        also=ALSO,
    ),
    Specimen(
        "quarantined with what hangs on them",
        OPEN.format("books", "title"),
        hazards=frozenset({"moves-rows"}),
        rows=2,
        quarantined=6,
        also=ALSO,
    ),
)
NEAR_MISSES = (Specimen("NULL where it may be", "UPDATE books SET pages = NULL"),)


def mutate(table: Table) -> Iterator[Composable]:
    """Yield statements that plant it in a table: allow NULL, and set it in two rows."""
    key = table.primary_key.columns if table.primary_key else ()
    for column in plant.writable(table):
        if column.not_null and column.name not in key:
            allow = plant.altered(table.name, "ALTER COLUMN {} DROP NOT NULL", column.name)
            yield plant.block(allow, plant.set_first(table.name, column.name, SQL("NULL"), 2))
