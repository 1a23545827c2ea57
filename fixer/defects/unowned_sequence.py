"""No column owns the sequence that numbers a key.

Costs: it is left behind when the table is dropped, copied or restored, and pg_get_serial_sequence returns NULL.
Cure: ALTER SEQUENCE … OWNED BY.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fixer.defects import _planting as plant
from fixer.defects import _walk as walk
from fixer.defects._counters import SEATED, seats
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.finding import Finding
from fixer.model.schema import Schema
from fixer.model.step import Repair, refuse
from fixer.model.subject import OfSequence
from fixer.model.table import Table
from fixer.repair.counting.attaching import own
from fixer.repair.sequences import declared
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable

SLUG = "unowned-sequence"
POINT = 1
STAGE = Stage.PARTS


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[OfSequence]]:
    """Yield the columns whose sequence numbers nothing else and is owned by no column."""
    for table, column, sequence, model in walk.sequences(actual, contract):
        if sequence.owned_by or (model and model.owned_by is None) or sequence.name.schema != table.name.schema:
            continue  # PostgreSQL lets no column own a sequence of another schema
        if not declared(sequence.name, table.name, column, contract):
            message = f"{table.name.name}.{column.name} should own its sequence {sequence.name.name}, nothing owns it"
            yield Finding(SLUG, POINT, OfSequence(table.name, column.name, sequence), message)


def repair(finding: Finding[OfSequence], actual: Schema, contract: Contract) -> Repair:
    """Make the column own the sequence; refuse if their owners differ."""
    sequence, table = finding.about.found, actual.tables[finding.table]
    if sequence.owner != table.owner:
        return refuse(f"{sequence.name} is owned by the role {sequence.owner}, {finding.table} by {table.owner}")
    return Repair.of([own(sequence.name, finding.table, finding.about.column)])


SPECIMENS = (
    Specimen("owned by none", "ALTER SEQUENCE reviews_id_seq OWNED BY NONE"),
    Specimen("heirs count by it", 'ALTER SEQUENCE "se%ats_id_seq" OWNED BY NONE', contract=seats, setup=SEATED),
)
NEAR_MISSES = (
    Specimen(
        "a foreign sequence of no contract column",
        "CREATE SEQUENCE numbers; ALTER TABLE reviews ADD COLUMN n bigint DEFAULT nextval('numbers')",
    ),
)


def mutate(table: Table) -> Iterator[Composable]:
    """Yield statements that plant it in a table: let no column own a sequence."""
    for column in plant.writable(table):
        if column.sequence and not column.identity:
            yield SQL("ALTER SEQUENCE {} OWNED BY NONE").format(q.name(column.sequence))
