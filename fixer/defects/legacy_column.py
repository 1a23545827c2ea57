"""A column of the contract exists only under one of the legacy names that the contract declares.

Costs: the code fails with 42703 undefined_column, although the values exist.
Cure: rename it. Code that still uses the old name must change; the plan shows which name is gone.
Hint: `legacy_names` on the column names it; without that, see missing-column and renamed-column.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from fixer.defects import _planting as plant
from fixer.defects import _walk as walk
from fixer.model.contract import Contract, TableHints
from fixer.model.defect import Specimen, Stage
from fixer.model.finding import Finding
from fixer.model.schema import Schema
from fixer.model.step import Phase, Repair
from fixer.model.subject import FoundColumn
from fixer.model.table import Column, Table
from fixer.sql.alter import alter
from fixer.sql.compose import SQL, Composable, Identifier

SLUG = "legacy-column"
POINT = 4
STAGE = Stage.NAMES


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[FoundColumn]]:
    """Yield the columns that exist only under a legacy name."""
    for wanted, table, column in walk.missing_columns(actual, contract):
        legacy = _legacy_of(table, wanted, contract.hints[table.name].of(column.name).legacy_names)
        if legacy and not table.created:
            here = f"{table.name.name}.{column.name}"
            message = f"{here} should be a column, stands under its legacy name {legacy.name}"
            yield Finding(SLUG, POINT, FoundColumn(table.name, column.name, legacy), message)


def _legacy_of(table: Table, wanted: Table, names: tuple[str, ...]) -> Column | None:
    """Return the first column with a legacy name, other than columns that the contract itself wants."""
    return next((table.columns[n] for n in names if n in table.columns and n not in wanted.columns), None)


def repair(finding: Finding[FoundColumn], actual: Schema, contract: Contract) -> Repair:
    """Rename the column."""
    old, new = finding.about.found.name, finding.about.column
    title = f"rename {finding.table.name}.{old} to {new} (code that says {old} has to follow)"
    action = SQL("RENAME COLUMN {} TO {}").format(Identifier(old), Identifier(new))
    step = alter(Phase.NAMES, finding.table, title, action)
    return Repair.of([replace(step, shape=replace(step.shape, renames=((old, new),)))])


def foresee(finding: Finding[FoundColumn], actual: Schema, contract: Contract) -> Schema:
    """Return the schema with the column under its new name, in its keys and references too."""
    return actual.with_renamed_column(finding.table, finding.about.found.name, finding.about.column)


SPECIMENS = (Specimen("renamed", "ALTER TABLE books RENAME COLUMN title TO heading"),)
NEAR_MISSES = (
    Specimen("another column has a similar name", "ALTER TABLE books ADD COLUMN headings text"),
    Specimen("an index is renamed", "ALTER INDEX ix_books_editor_id RENAME TO heading"),
)


def mutate_hinted(table: Table, hints: TableHints) -> Iterator[Composable]:
    """Yield statements that plant it in a table: rename a column to its legacy name."""
    for column in table.columns.values():
        for legacy in hints.of(column.name).legacy_names:
            yield plant.altered(table.name, "RENAME COLUMN {} TO {}", column.name, legacy)
