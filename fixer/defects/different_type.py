"""A composite type or a range has other parts than in the contract, or a domain another default.

Costs: a row constructor, or code that reads the parts by name, fails with 42846 cannot cast type record, or 42703; or
new rows get values that nobody intended.
Cure: a person decides, because PostgreSQL changes no part of a type that columns hold, and a domain's default is that
of other columns too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from fixer.defects import _walk as walk
from fixer.defects._guarded import SENT, parcels, prices
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.expression import as_needed
from fixer.model.finding import Finding
from fixer.model.schema import Schema
from fixer.model.step import Repair, refuse
from fixer.model.subject import OfColumn, OfTable
from fixer.model.table import Table
from fixer.repair.columns import apart_from_multirange, named
from fixer.sql.compose import SQL, Composable

SLUG = "different-type"
POINT = 4
STAGE = Stage.PARTS
_DEFAULT = re.compile(r"^CREATE DOMAIN .* DEFAULT (.*?)(?= NOT NULL| CONSTRAINT |$)", re.DOTALL)
_PARTS = re.compile(r" AS ((?:RANGE )?\(.*)", re.DOTALL)


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[OfTable | OfColumn]]:
    """Yield the types that columns hold whose parts, or whose default, differ; what domains demand is another class."""
    for name, (wanted, *_) in contract.schema.types.items():
        found = actual.types.get(name, ("",))[0]
        should, has = (_PARTS.search(apart_from_multirange(each)) for each in (wanted, found))
        spelt = ".".join(map(as_needed, name))
        if should and has and should[1] != has[1]:
            yield Finding(SLUG, POINT, OfTable(name), f"{spelt} should be {should[1]}, is {has[1]}")
        default, given = (_DEFAULT.search(each) for each in (wanted, found))
        if found and default and default[1] != (given[1] if given else ""):
            message = f"{spelt} should default to {default[1]}, defaults to {given[1] if given else 'nothing'}"
            left = refuse(f"all columns of it get that default: ALTER DOMAIN {spelt} SET DEFAULT {default[1]}")
            yield Finding(SLUG, POINT, OfTable(name), message, repair=left)
    for table, meant, column in walk.columns(actual, contract):
        type_ = named(column.full_type)
        apart = column.base and meant.supplied and not column.supplied and not contract.schema.types
        if apart and type_ and column.default is None and meant.full_type == column.full_type:
            message = f"{table.name.name}.{column.name} should get the default of its domain, which has none"
            spelt = ".".join(map(as_needed, type_))
            left = refuse(f"all columns of it get that default: ALTER DOMAIN {spelt} SET DEFAULT …")
            yield Finding(SLUG, POINT, OfColumn(table.name, column.name), message, repair=left)


def repair(finding: Finding[OfTable | OfColumn], actual: Schema, contract: Contract) -> Repair:
    """Refuse, with the statement that adds a part."""
    spelt = ".".join(map(as_needed, finding.table))
    return refuse(
        f"columns hold values of it: add what is new at its end by ALTER TYPE {spelt} ADD ATTRIBUTE … CASCADE"
    )


SPECIMENS = (
    Specimen(
        "a composite one with a part less",
        "ALTER TABLE parcels DROP measured; ALTER TYPE size DROP ATTRIBUTE wide; ALTER TABLE parcels ADD measured size",
        manual=True,
        contract=parcels,
        setup=SENT,
    ),
    Specimen(
        "a domain of models without its default", 'ALTER DOMAIN "pri%ce" DROP DEFAULT', manual=True, contract=prices
    ),
)
NEAR_MISSES = (Specimen("with a comment", "COMMENT ON TYPE size IS 'in cm'", contract=parcels, setup=SENT),)


def mutate(table: Table) -> Iterator[Composable]:
    """Yield statements that plant it in a table: drop the default of a domain."""
    for column in table.columns.values():
        if column.base and column.supplied:
            yield SQL("ALTER DOMAIN {} DROP DEFAULT").format(SQL(column.full_type))
