"""A column of the contract stands under one of the legacy names that the contract declares.

Costs: the code fails with 42703 undefined_column, while all its values are there.
Cure: rename it. Code that still uses the old name has to follow: the plan says which name is gone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from fixer.contract.build import Contract
from fixer.model.finding import Finding, Specimen, Stage
from fixer.model.schema import Column, Schema, Table
from fixer.model.step import Phase, Repair
from fixer.repair.alter import alter
from fixer.sql.compose import SQL, Identifier

SLUG = "legacy-column"
POINT = 4
STAGE = Stage.NAMES


def detect(actual: Schema, contract: Contract) -> Iterable[Finding]:
    """Yield the columns that stand under a legacy name only."""
    for name, wanted in contract.differing():
        table = actual.tables.get(name)
        if table is None or table.created:
            continue
        for column in wanted.columns:
            legacy = legacy_of(table, wanted, contract.hints[name].of(column).legacy_names)
            if column not in table.columns and legacy:
                message = f"{name.name}.{column} should be a column, stands under its legacy name {legacy.name}"
                yield Finding(SLUG, POINT, f"{name}.{column}", message, name, column, found=legacy)


def legacy_of(table: Table, wanted: Table, names: tuple[str, ...]) -> Column | None:
    """Return the first column under a legacy name that the contract does not want for itself."""
    return next((table.columns[n] for n in names if n in table.columns and n not in wanted.columns), None)


def repair(finding: Finding, actual: Schema, contract: Contract) -> Repair:
    """Rename the column."""
    old, new = finding.found.name, str(finding.column)
    title = f"rename {finding.table.name}.{old} to {new} (code that says {old} has to follow)"
    action = SQL("RENAME COLUMN {} TO {}").format(Identifier(old), Identifier(new))
    step = alter(Phase.NAMES, finding.table, title, action)
    return Repair((replace(step, shape=replace(step.shape, renames=((old, new),))),))


def foresee(finding: Finding, actual: Schema, contract: Contract) -> Schema:
    """Return the schema with the column under its new name, in its keys and references too."""
    return actual.with_renamed_column(finding.table, finding.found.name, str(finding.column))


SPECIMENS = (Specimen("renamed", "ALTER TABLE books RENAME COLUMN title TO heading"),)
NEAR_MISSES = (
    Specimen("another column has a similar name", "ALTER TABLE books ADD COLUMN headings text"),
    Specimen("an index is renamed", "ALTER INDEX ix_books_editor_id RENAME TO heading"),
)
