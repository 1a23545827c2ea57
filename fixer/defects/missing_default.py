"""A column has no default, where the contract has one.

Costs: 23502 at inserts that leave the column out, or NULL where code expects the default.
Cure: SET DEFAULT; rows that stand already keep what they hold.
"""

from __future__ import annotations

from collections.abc import Iterable

from fixer.model.contract import Contract
from fixer.model.finding import Finding, Specimen, Stage
from fixer.model.schema import Schema
from fixer.model.step import Repair
from fixer.repair.columns import columns_with_default, set_default

SLUG = "missing-default"
POINT = 4
STAGE = Stage.PARTS


def detect(actual: Schema, contract: Contract) -> Iterable[Finding]:
    """Yield the columns without the default that they should have."""
    for name, wanted, found in columns_with_default(actual, contract):
        if found.default is None and not found.generates:
            message = f"{name.name}.{wanted.name} should default to {wanted.default}, has no default"
            yield Finding(SLUG, POINT, f"{name}.{wanted.name}", message, name, wanted.name, part=wanted)


def repair(finding: Finding, actual: Schema, contract: Contract) -> Repair:
    """Set the default."""
    return Repair((set_default(finding.table, finding.part, actual),))


SPECIMENS = (Specimen("dropped", "ALTER TABLE authors ALTER COLUMN country DROP DEFAULT"),)
NEAR_MISSES = (Specimen("an extra default", "ALTER TABLE books ALTER COLUMN pages SET DEFAULT 1"),)
