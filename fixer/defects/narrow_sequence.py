"""The sequence of a key has a lower maximum than in the contract.

Costs: inserts fail with 2200H nextval: reached maximum value of sequence, once it has counted that far.
Cure: ALTER SEQUENCE to the type and maximum of the contract.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from fixer.defects import _planting as plant
from fixer.defects import _walk as walk
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.finding import Finding
from fixer.model.schema import Schema
from fixer.model.step import Phase, Repair, Step
from fixer.model.subject import OfSequence
from fixer.model.table import Sequence, Table
from fixer.model.values import dataclass
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
        wanted = min(model.maximum, MAXIMA.get(column.type, model.maximum)) if model else sequence.maximum
        if model and sequence.increment > 0 and sequence.maximum < wanted:
            message = (
                f"{table.name.name}.{column.name} should count up to {model.maximum},"
                f" {sequence.name.name} ends at {sequence.maximum}"
            )
            yield Finding(SLUG, POINT, NarrowSequence(table.name, column.name, sequence, model), message)


def repair(finding: Finding[NarrowSequence], actual: Schema, contract: Contract) -> Repair:
    """Widen the sequence."""
    name, model = finding.about.found.name, finding.about.wanted
    widen = SQL("ALTER SEQUENCE {} AS {} MAXVALUE {}").format(q.name(name), SQL(model.type), Literal(model.maximum))
    return Repair.of(
        [Step(Phase.GENERATORS, finding.table, f"raise the maximum of {name.name} to {model.maximum}", widen)]
    )


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
