"""The column of the primary key, which the database should number, is not there.

Costs: no row can be named, nothing can reference one.
Cure: add it with its generator, which numbers the rows in the order in which they lie.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from fixer import ddl
from fixer.contract import Contract
from fixer.findings import Finding, Specimen, Stage
from fixer.schema import Schema
from fixer.sqltext import SQL
from fixer.steps import Hazard, Phase, Repair, alter

SLUG = "missing-key-column"
POINT = 1
STAGE = Stage.KEYS


def detect(actual: Schema, contract: Contract) -> Iterable[Finding]:
    """Yield the generated key columns that are missing."""
    for name, wanted in contract.tables.items():
        table = actual.tables.get(name)
        for column in wanted.primary_key.columns if wanted.primary_key and table else ():
            if table and column not in table.columns and wanted.columns[column].generates:
                message = f"{name.name} should have the key column {column} {wanted.columns[column].type}, has none"
                yield Finding(SLUG, POINT, f"{name}.{column}", message, name, column)


def repair(finding: Finding, actual: Schema, contract: Contract) -> Repair:
    """Add the column and number the rows."""
    column = contract.tables[finding.table].columns[str(finding.column)]
    rows = actual.tables[finding.table].estimated_rows
    title = f"add {finding.column} to {finding.table.name} and number its rows"
    action = SQL("ADD COLUMN {}").format(ddl.column_definition(column))
    return Repair(
        (
            alter(
                Phase.CONVERT,
                finding.table,
                title,
                action,
                hazard=Hazard.REWRITES_TABLE,
                rows=rows,
                merge=True,
            ),
        )
    )


def foresee(finding: Finding, actual: Schema, contract: Contract) -> Schema:
    """Return the schema with the column."""
    column = contract.tables[finding.table].columns[str(finding.column)]
    numbered = replace(column, now=SQL("row_number() OVER ()"))
    return actual.with_table(actual.tables[finding.table].with_column(numbered))


SPECIMENS = (
    Specimen(
        "dropped",
        "ALTER TABLE reviews DROP COLUMN id",
        hazards=frozenset({"rewrites-table"}),
        also=frozenset({"missing-primary-key"}),
    ),
    Specimen(
        "dropped under its references",
        "ALTER TABLE books DROP COLUMN id CASCADE; UPDATE reviews SET book_id = 1",
        hazards=frozenset({"rewrites-table"}),
        also=frozenset({"missing-primary-key", "missing-foreign-key"}),
    ),
)
NEAR_MISSES = (Specimen("another column is added", "ALTER TABLE reviews ADD COLUMN number serial"),)
