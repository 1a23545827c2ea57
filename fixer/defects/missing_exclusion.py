"""An exclusion constraint of the contract is missing.

Costs: rows are accepted that exclude each other, such as two bookings of a room for the same hour.
Cure: add it, if no rows conflict (see conflicting-rows). PostgreSQL builds it under ACCESS EXCLUSIVE, online as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fixer.defects import _planting as plant
from fixer.defects import _walk as walk
from fixer.defects._rooms import ROOM_ROWS, rooms
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.finding import Finding
from fixer.model.schema import Schema
from fixer.model.step import Repair, refuse
from fixer.model.subject import OfIndex
from fixer.model.table import Table
from fixer.repair.constraints import conflicts, exclusions
from fixer.sql import ddl
from fixer.sql.compose import Composable

SLUG = "missing-exclusion"
POINT = 4
STAGE = Stage.PARTS


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[OfIndex]]:
    """Yield the wanted exclusions that exist under no name, and whose own name no other exclusion has."""
    for wanted, table, key in walk.exclusions(actual, contract):
        if not exclusions.stands(key, table) and not exclusions.namesake(key, table, wanted):
            message = f"{table.name.name} should have {key.exclusion}, has none"
            yield Finding(SLUG, POINT, OfIndex(table.name, key), message)


def repair(finding: Finding[OfIndex], actual: Schema, contract: Contract) -> Repair:
    """Add it; refuse where there are too many rows to look for conflicts first."""
    key, table = finding.about.wanted, actual.tables[finding.table]
    if not table.created and not conflicts.can_compare(key, table):
        return refuse(conflicts.untold(key, table))
    name = ddl.free_constraint_name(table, actual, table.name, key.name, index=True)
    return Repair.of([exclusions.added(name, key, table, actual.version)])


GONE = "ALTER TABLE rooms DROP CONSTRAINT {}"
SPECIMENS = (
    Specimen("over ranges of some rows", GONE.format("rooms_free"), contract=rooms, setup=ROOM_ROWS),
    Specimen("over an expression", GONE.format("rooms_open"), contract=rooms, setup=ROOM_ROWS),
    Specimen("over two ranges", GONE.format("rooms_days"), contract=rooms, setup=ROOM_ROWS),
    Specimen("over numbers, deferrable", GONE.format("rooms_place"), contract=rooms, setup=ROOM_ROWS),
    Specimen(
        "an index has its name",
        f"{GONE.format('rooms_free')}; CREATE INDEX rooms_free ON rooms (place)",
        contract=rooms,
        setup=ROOM_ROWS,
    ),
    Specimen(
        "a weaker one has another name",
        f"{GONE.format('rooms_free')},"
        " ADD CONSTRAINT odd EXCLUDE USING gist (hours WITH &&) WHERE (NOT closed AND id < 3)",
        contract=rooms,
        setup=ROOM_ROWS,
    ),
    Specimen(
        "with the column that it is over",
        "ALTER TABLE rooms DROP COLUMN days",
        also=frozenset({"missing-column"}),
        contract=rooms,
        setup=ROOM_ROWS,
    ),
)
NEAR_MISSES = (
    Specimen(
        "it has another name",
        "ALTER TABLE rooms RENAME CONSTRAINT rooms_free TO odd",
        contract=rooms,
        setup=ROOM_ROWS,
    ),
    Specimen(
        "its index is filled otherwise",
        f"{GONE.format('rooms_free')},"
        " ADD EXCLUDE USING gist (hours WITH &&) WITH (fillfactor = 70) WHERE (NOT closed)",
        contract=rooms,
        setup=ROOM_ROWS,
    ),
)


def mutate(table: Table) -> Iterator[Composable]:
    """Yield statements that plant it in a table: drop an exclusion."""
    for index in table.indexes:
        if index.exclusion:
            yield plant.without(table.name, index.name)
