"""An exclusion constraint has the name of one in the contract, but demands something else.

Costs: the right one seems to exist, so migrations that look for its name skip it, and rows that it would refuse go in;
or rows are refused that the contract allows.
Cure: replace it, if no rows conflict under the right one (see conflicting-rows). PostgreSQL builds that under
ACCESS EXCLUSIVE, online as well.
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
from fixer.model.subject import FoundIndex
from fixer.model.table import Table
from fixer.repair.constraints import conflicts, exclusions
from fixer.sql import ddl
from fixer.sql.compose import SQL, Composable, Identifier
from fixer.sql.uniques import removal

SLUG = "different-exclusion"
POINT = 4
STAGE = Stage.PARTS


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[FoundIndex]]:
    """Yield the wanted exclusions that do not exist while another exclusion has their name."""
    for wanted, table, key in walk.exclusions(actual, contract):
        found = exclusions.namesake(key, table, wanted)
        if found and not exclusions.stands(key, table):
            message = f"{table.name.name} should have {key.exclusion}, {key.name} says {found.exclusion}"
            yield Finding(SLUG, POINT, FoundIndex(table.name, key, found), message)


def repair(finding: Finding[FoundIndex], actual: Schema, contract: Contract) -> Repair:
    """Replace it in one statement; refuse where there are too many rows to look for conflicts first."""
    key, found, table = finding.about.wanted, finding.about.found, actual.tables[finding.table]
    if not conflicts.can_compare(key, table):
        return refuse(conflicts.untold(key, table, removal(found, table.name)))
    return Repair.of([exclusions.added(key.name, key, table, actual.version, instead_of=found)])


BREAK = "ALTER TABLE rooms DROP CONSTRAINT rooms_free; ALTER TABLE rooms ADD CONSTRAINT rooms_free EXCLUDE {}"
HAZARD = frozenset({"replaces-constraint"})
SPECIMENS = (
    Specimen(
        "over more rows",
        BREAK.format("USING gist (hours WITH &&)"),
        hazards=HAZARD,
        contract=rooms,
        setup=ROOM_ROWS,
    ),
    Specimen(
        "over fewer rows",
        BREAK.format("USING gist (hours WITH &&) WHERE (NOT closed AND place > 2)"),
        hazards=HAZARD,
        contract=rooms,
        setup=ROOM_ROWS,
    ),
    Specimen(
        "by another operator",
        BREAK.format("USING gist (hours WITH =) WHERE (NOT closed)"),
        hazards=HAZARD,
        contract=rooms,
        setup=ROOM_ROWS,
    ),
    Specimen(
        "it speaks late",
        BREAK.format("USING gist (hours WITH &&) WHERE (NOT closed) DEFERRABLE"),
        hazards=HAZARD,
        contract=rooms,
        setup=ROOM_ROWS,
    ),
    Specimen(
        "it speaks at once",
        "ALTER TABLE rooms DROP CONSTRAINT rooms_place;"
        "ALTER TABLE rooms ADD CONSTRAINT rooms_place EXCLUDE USING btree (place WITH =)",
        hazards=HAZARD,
        contract=rooms,
        setup=ROOM_ROWS,
    ),
)
NEAR_MISSES = (
    Specimen(
        "its order is another",
        "ALTER TABLE rooms DROP CONSTRAINT rooms_days; ALTER TABLE rooms"
        " ADD CONSTRAINT rooms_days EXCLUDE USING gist (int4range(opens, shuts) WITH &&, days WITH &&)",
        contract=rooms,
        setup=ROOM_ROWS,
    ),
)


def mutate(table: Table) -> Iterator[Composable]:
    """Yield statements that plant it in a table: let an exclusion that speaks at once speak late."""
    for index in table.indexes:
        if index.exclusion and not index.deferrable:
            late = SQL("ADD CONSTRAINT {} {} DEFERRABLE").format(Identifier(index.name), SQL(index.exclusion))
            yield plant.block(plant.without(table.name, index.name), ddl.altered(table.name, late))
