"""The key is numbered by a sequence that belongs to another column, or that other columns use as well.

Costs: it is dropped with the other table, and a reset to the highest id of that table breaks this one.
Cure: give the key a sequence of its own, set past its highest id; the shared one stays for the others.
"""

from __future__ import annotations

from collections.abc import Iterable

from fixer.defects import _walk as walk
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.finding import Finding
from fixer.model.schema import Schema
from fixer.model.step import Repair
from fixer.model.subject import WantedColumn
from fixer.repair.numbers import held
from fixer.repair.sequences import Users, give_generator

SLUG = "shared-sequence"
POINT = 1
STAGE = Stage.PARTS


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[WantedColumn]]:
    """Yield the columns numbered by a sequence that is not theirs alone, unless the contract shares it as well."""
    users, meant = Users(actual), Users(contract.schema)
    for table, wanted, found in walk.numbered_columns(actual, contract):
        name = table.name
        if found.sequence and users.share(name, found) and not meant.share(name, wanted):
            sequence = actual.sequences[found.sequence]
            others = sequence.owned_by or next(user for user in users.of(sequence) if user != (name, wanted.name))
            message = (
                f"{name.name}.{wanted.name} should have a sequence of its own,"
                f" counts by {sequence.name.name} of {others[0].name}.{others[1]}"
            )
            yield Finding(SLUG, POINT, WantedColumn(name, wanted), message)


def repair(finding: Finding[WantedColumn], actual: Schema, contract: Contract) -> Repair:
    """Give the column a sequence of its own."""
    table, column = finding.table, finding.about.wanted
    return Repair.of(give_generator(table, column, actual, held(table, column.name, actual, contract.schema)))


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
