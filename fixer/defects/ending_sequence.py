"""A sequence has given nine tenths of the numbers that its column takes.

Costs: nothing yet; once it has given the last one, inserts fail with 2200H nextval: reached maximum value of sequence.
Cure: a person gives the column a wider type, here and in the contract, while there is time (see sequence-behind for
one that has no number left).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fixer.defects import _planting as plant
from fixer.defects import _walk as walk
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.finding import Finding
from fixer.model.schema import Schema
from fixer.model.step import Repair, refuse
from fixer.model.subject import OfSequence
from fixer.model.table import Table
from fixer.repair.numbers import is_spent, last_number
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Literal
from fixer.sql.types import MAXIMA

SLUG = "ending-sequence"
POINT = 1
STAGE = Stage.CODE
_USED = 0.9  # of the numbers between the start of a sequence and its end


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[OfSequence]]:
    """Yield the columns whose sequence soon has no number left, once both are as wide as in the contract."""
    for table, column, sequence, model in walk.sequences(actual, contract, alike=True):
        largest, last = MAXIMA["bigint"], sequence.last_value
        top = max(MAXIMA.get(each.type, largest) for each in (column, table.columns[column.name]))
        end = last_number(sequence, model, top)
        if last is None or (model and model.cycle) or is_spent(sequence, end):
            continue
        left, all_ = abs(end - last), abs(end - sequence.start)
        if all_ and left < (1 - _USED) * all_:
            message = (
                f"{table.name.name}.{column.name} should have numbers to come, {sequence.name.name} has {left} left"
            )
            way = refuse("give the column and its sequence a wider type, here and in the contract")
            yield Finding(SLUG, POINT, OfSequence(table.name, column.name, sequence), message, "warning", repair=way)


def repair(finding: Finding[OfSequence], actual: Schema, contract: Contract) -> Repair:
    """Refuse, as `detect` says."""
    return finding.repair


SPECIMENS = (
    Specimen("few are left", "SELECT setval('reviews_id_seq', 2147483000)", manual=True),
    Specimen("one is left", "SELECT setval('reviews_id_seq', 2147483646)", manual=True),
)
NEAR_MISSES = (Specimen("half of them are", "SELECT setval('reviews_id_seq', 1073741824)"),)


def mutate(table: Table) -> Iterator[Composable]:
    """Yield statements that plant it in a table: let a sequence have given most numbers of its column."""
    for column in plant.writable(table):
        if column.sequence and column.type in MAXIMA and column.type != "bigint":
            moved = SQL("SELECT setval({}, {})")
            yield moved.format(Literal(q.quoted(column.sequence)), Literal(MAXIMA[column.type] // 20 * 19))
