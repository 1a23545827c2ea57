"""The sequence gives numbers that stand in the table already, as after a restore of data alone.

Costs: 23505 duplicate key value violates unique constraint, once for every row that is ahead.
Cure: bring it ahead of the data, never back. Judged by its position, never by a trial insert: nextval
survives a rollback, and the trial would hide what it looks for.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from fixer.defects import _walk as walk
from fixer.model.contract import Contract
from fixer.model.finding import Finding, Probe, Specimen, Stage
from fixer.model.schema import Schema
from fixer.model.step import Repair
from fixer.model.subject import OfSequence
from fixer.model.table import QName, Sequence
from fixer.repair.numbers import advance, held
from fixer.repair.probe import rows_where
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Literal

SLUG = "sequence-behind"
POINT = 1
STAGE = Stage.PARTS


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[OfSequence]]:
    """Yield the columns that count by a sequence, with the probe for rows at or above its next value."""
    for table, column, sequence, _ in walk.sequences(actual, contract, alike=True):
        if sequence.increment < 0 or not (sequence.readable or sequence.last_value is not None):
            continue
        message = (
            f"{table.name.name}.{column.name} should be numbered from above its maximum,"
            f" {sequence.name.name} gives numbers that stand in the table"
        )
        yield Finding(
            SLUG,
            POINT,
            OfSequence(table.name, column.name, sequence),
            message,
            asks=partial(_ahead, actual, table.name, column.name, sequence),
            only_with_rows=True,
            of_rows=True,
        )


def _ahead(actual: Schema, table: QName, column: str, sequence: Sequence) -> Probe:
    return rows_where(actual, table, SQL("{} >= {}").format(q.column(column), _position(sequence)), own=True)


def _position(sequence: Sequence) -> Composable:
    """Return the number that nextval gives next, as the sequence itself knows it where it may be read."""
    if sequence.readable or sequence.last_value is None:
        return SQL("(SELECT s.last_value + s.is_called::integer FROM {} AS s)").format(q.name(sequence.name))
    return Literal(sequence.last_value + 1)


def repair(finding: Finding[OfSequence], actual: Schema, contract: Contract) -> Repair:
    """Bring the sequence ahead."""
    table, column = finding.table, finding.about.column
    return Repair.of([advance(table, column, finding.about.found.name, held(table, column, actual, contract.schema))])


SPECIMENS = (
    Specimen("behind", "SELECT setval('reviews_id_seq', 40)", rows=8),
    Specimen(
        "never called",
        "ALTER SEQUENCE reviews_id_seq RESTART; SELECT setval('reviews_id_seq', 1, false)",
        rows=48,
    ),
)
NEAR_MISSES = (
    Specimen("far ahead", "SELECT setval('reviews_id_seq', 4000)"),
    Specimen("just ahead", "SELECT setval('reviews_id_seq', 49, false)"),
)
