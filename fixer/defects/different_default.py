"""A column has another default than the contract's.

Costs: new rows hold values that nobody decided.
Cure: SET DEFAULT; rows that stand already keep what they hold.
"""

from __future__ import annotations

from collections.abc import Iterable

from fixer.contract.build import Contract
from fixer.model.expression import canonical
from fixer.model.finding import Finding, Specimen, Stage
from fixer.model.schema import Schema
from fixer.model.step import Repair
from fixer.repair.columns import columns_with_default, set_default

SLUG = "different-default"
POINT = 4
STAGE = Stage.PARTS


def detect(actual: Schema, contract: Contract) -> Iterable[Finding]:
    """Yield the columns whose default means something else than the contract's."""
    for name, wanted, found in columns_with_default(actual, contract):
        if found.default not in (None, wanted.default) and canonical(found.default) != canonical(wanted.default or ""):
            message = f"{name.name}.{wanted.name} should default to {wanted.default}, defaults to {found.default}"
            yield Finding(SLUG, POINT, f"{name}.{wanted.name}", message, name, wanted.name, part=wanted)


def repair(finding: Finding, actual: Schema, contract: Contract) -> Repair:
    """Set the default."""
    return Repair((set_default(finding.table, finding.part, actual),))


SPECIMENS = (
    Specimen("another value", "ALTER TABLE authors ALTER COLUMN country SET DEFAULT 'YY'"),
    Specimen("the opposite", "ALTER TABLE authors ALTER COLUMN active SET DEFAULT false"),
)
NEAR_MISSES = (Specimen("spelt otherwise", "ALTER TABLE authors ALTER COLUMN country SET DEFAULT ('XX'::text)"),)
