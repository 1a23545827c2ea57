"""The sequence of a key starts over when it reaches its end (CYCLE).

Costs: inserts fail with 23505 duplicate key, or code that upserts overwrites old rows.
Cure: set the sequence to NO CYCLE.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fixer.defects import _planting as plant
from fixer.defects import _walk as walk
from fixer.defects._counters import BOXES, boxed
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.finding import Finding
from fixer.model.schema import Schema
from fixer.model.step import Phase, Repair, Step
from fixer.model.subject import OfSequence
from fixer.model.table import Table
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable

SLUG = "cycling-sequence"
POINT = 1
STAGE = Stage.PARTS


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[OfSequence]]:
    """Yield the columns whose sequence cycles and should not."""
    for table, column, sequence, model in walk.sequences(actual, contract):
        if sequence.cycle and not (model and model.cycle):
            message = f"{table.name.name}.{column.name} should never start over, {sequence.name.name} cycles"
            yield Finding(SLUG, POINT, OfSequence(table.name, column.name, sequence), message)


def repair(finding: Finding[OfSequence], actual: Schema, contract: Contract) -> Repair:
    """Stop the cycle."""
    name = finding.about.found.name
    stop = SQL("ALTER SEQUENCE {} NO CYCLE").format(q.name(name))
    return Repair.of([Step(Phase.GENERATORS, finding.table, f"keep {name.name} from starting over", stop)])


SPECIMENS = (
    Specimen("cycles", "ALTER SEQUENCE reviews_id_seq CYCLE"),
    Specimen("cycles within bounds", 'ALTER SEQUENCE "box.no" CYCLE', contract=boxed, setup=BOXES),
)
NEAR_MISSES = (Specimen("another sequence cycles", "CREATE SEQUENCE tickets CYCLE MAXVALUE 9"),)


def mutate(table: Table) -> Iterator[Composable]:
    """Yield statements that plant it in a table: let a sequence begin again."""
    for column in plant.writable(table):
        if column.sequence:
            yield SQL("ALTER SEQUENCE {} CYCLE").format(q.name(column.sequence))
