"""A column lacks the default that the contract gives it.

Costs: inserts that leave the column out fail with 23502, or store NULL where code expects the default.
Cure: SET DEFAULT; existing rows keep their values.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fixer.defects import _planting as plant
from fixer.defects import _walk as walk
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.finding import Finding
from fixer.model.schema import Schema
from fixer.model.step import Repair
from fixer.model.subject import WantedColumn
from fixer.model.table import Table
from fixer.repair.columns import set_default
from fixer.sql.compose import Composable

SLUG = "missing-default"
POINT = 4
STAGE = Stage.PARTS


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[WantedColumn]]:
    """Yield the columns without the default that they should have."""
    for table, wanted, found in walk.columns_with_default(actual, contract):
        if found.default is None and not found.generates:
            message = f"{table.name.name}.{wanted.name} should default to {wanted.default}, has no default"
            yield Finding(SLUG, POINT, WantedColumn(table.name, wanted), message)


def repair(finding: Finding[WantedColumn], actual: Schema, contract: Contract) -> Repair:
    """Set the default."""
    return Repair.of([set_default(finding.table, finding.about.wanted, actual, contract)])


SPECIMENS = (Specimen("dropped", "ALTER TABLE authors ALTER COLUMN country DROP DEFAULT"),)
NEAR_MISSES = (Specimen("an extra default", "ALTER TABLE books ALTER COLUMN pages SET DEFAULT 1"),)


def mutate(table: Table) -> Iterator[Composable]:
    """Yield statements that plant it in a table: drop a default."""
    for column in plant.writable(table):
        if column.default and not column.generates:
            yield plant.altered(table.name, "ALTER COLUMN {} DROP DEFAULT", column.name)
