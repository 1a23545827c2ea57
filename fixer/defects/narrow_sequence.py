"""The sequence of a key ends before that of the contract: at a lower maximum, or at a higher minimum if it descends.

Costs: inserts fail with 2200H nextval: reached maximum value of sequence, once it has counted that far.
Cure: ALTER SEQUENCE to the type and maximum of the contract.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from fixer.defects import _planting as plant
from fixer.defects import _walk as walk
from fixer.defects._counters import BOXES, boxed
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.finding import Finding
from fixer.model.schema import Schema
from fixer.model.step import Phase, Repair, Step
from fixer.model.subject import OfSequence
from fixer.model.table import Sequence, Table
from fixer.model.values import dataclass
from fixer.repair.counting.options import ends_early
from fixer.repair.sequences import ask_for
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Literal
from fixer.sql.types import MAXIMA

if TYPE_CHECKING:
    import sqlalchemy as sa

SLUG = "narrow-sequence"
POINT = 1
STAGE = Stage.PARTS


@dataclass(frozen=True)
class NarrowSequence(OfSequence):
    """A sequence, with the one that the contract wants in its place."""

    wanted: Sequence


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[NarrowSequence]]:
    """Yield the columns whose sequence ends before the contract's, and before the numbers that the column may hold."""
    for table, column, sequence, model in walk.sequences(actual, contract):
        if model and ends_early(sequence, model, column.type):
            way, (wanted, end) = ("up", "down")[model.increment < 0], (_end(each) for each in (model, sequence))
            message = (
                f"{table.name.name}.{column.name} should count {way} to {wanted}, {sequence.name.name} ends at {end}"
            )
            yield Finding(SLUG, POINT, NarrowSequence(table.name, column.name, sequence, model), message)


def _end(sequence: Sequence) -> int:
    return sequence.maximum if sequence.increment > 0 else sequence.minimum


def repair(finding: Finding[NarrowSequence], actual: Schema, contract: Contract) -> Repair:
    """Widen the sequence."""
    found, model = finding.about.found, finding.about.wanted
    ask_for(found, finding.table, actual)
    type_ = max(found.type, model.type, key=MAXIMA.__getitem__)
    bound = "MAXVALUE" if model.increment > 0 else "MINVALUE"
    widen = SQL("ALTER SEQUENCE {} AS {} {} {}").format(
        q.name(found.name), SQL(type_), SQL(bound), Literal(_end(model))
    )
    action = "raise the maximum" if model.increment > 0 else "lower the minimum"
    title = f"{action} of {found.name.name} to {_end(model)}"
    return Repair.of([Step(Phase.GENERATORS, finding.table, title, widen)])


def _tickets() -> sa.MetaData:
    """Return a contract with a sequence that counts further than its column."""
    import sqlalchemy as sa

    metadata = sa.MetaData()
    numbers = sa.Sequence("ticket_numbers", metadata=metadata)
    key = sa.Column("id", sa.Integer, numbers, server_default=numbers.next_value(), primary_key=True)
    sa.Table("tickets", metadata, key, sa.Column("name", sa.Text))
    return metadata


SPECIMENS = (
    Specimen("smallint", "ALTER SEQUENCE reviews_id_seq AS smallint"),
    Specimen("integer, under what became bigint", "ALTER SEQUENCE boxes_weight_seq AS integer", contract=boxed),
    Specimen("a high minimum", "ALTER SEQUENCE falling_id_seq MINVALUE -50", contract=boxed, setup=BOXES),
    Specimen("an end before the declared one", 'ALTER SEQUENCE "box.no" MAXVALUE 1000', contract=boxed, setup=BOXES),
    Specimen("a low maximum", "ALTER SEQUENCE reviews_id_seq MAXVALUE 1000"),
)
NEAR_MISSES = (
    Specimen("bigint", "ALTER SEQUENCE reviews_id_seq AS bigint"),
    Specimen("as far as its column", "ALTER SEQUENCE ticket_numbers AS integer", contract=_tickets),
)


def mutate(table: Table) -> Iterator[Composable]:
    """Yield statements that plant it in a table: let a sequence end early."""
    for column in plant.writable(table):
        if column.sequence:
            yield SQL("ALTER SEQUENCE {} MAXVALUE 1000").format(q.name(column.sequence))
