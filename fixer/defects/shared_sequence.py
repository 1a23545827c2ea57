"""The key is numbered by a sequence that belongs to another column, or that others use as well.

Costs: it is dropped with the other table, and its position is judged by the wrong data.
Cure: a sequence of its own, ahead of the data; the shared one stays for the others.
"""

from __future__ import annotations

from collections.abc import Iterable

from fixer.model.contract import Contract
from fixer.model.finding import Finding, Specimen, Stage
from fixer.model.schema import Schema
from fixer.model.step import Repair
from fixer.repair.numbers import held
from fixer.repair.sequences import Users, generated_columns, give_generator

SLUG = "shared-sequence"
POINT = 1
STAGE = Stage.PARTS


def detect(actual: Schema, contract: Contract) -> Iterable[Finding]:
    """Yield the columns that count by a sequence which is not theirs alone."""
    users, meant = Users(actual), Users(contract.schema)
    for table, wanted, found in generated_columns(actual, contract.differing()):
        if found.sequence and users.share(table, found) and not meant.share(table, wanted):
            sequence = actual.sequences[found.sequence]
            others = sequence.owned_by or next(user for user in users.of(sequence) if user != (table, wanted.name))
            message = (
                f"{table.name}.{wanted.name} should have a sequence of its own,"
                f" counts by {sequence.name.name} of {others[0].name}.{others[1]}"
            )
            yield Finding(SLUG, POINT, f"{table}.{wanted.name}", message, table, wanted.name, part=wanted)


def repair(finding: Finding, actual: Schema, contract: Contract) -> Repair:
    """Give it a sequence of its own."""
    taken = held(finding.table, finding.part.name, actual, contract.schema)
    return Repair(tuple(give_generator(finding.table, finding.part, actual, taken)))


SPECIMENS = (
    Specimen(
        "the default points at another table's sequence",
        "ALTER TABLE reviews ALTER COLUMN id SET DEFAULT nextval('books_id_seq'); DROP SEQUENCE reviews_id_seq",
    ),
)
NEAR_MISSES = (
    Specimen(
        "a column that the contract does not know uses it too",
        "ALTER TABLE reviews ADD COLUMN n bigint DEFAULT nextval('reviews_id_seq')",
    ),
)
