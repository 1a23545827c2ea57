"""Two foreign keys use the same columns.

Costs: the outcome of a delete depends on the order in which they were created; every write is checked twice.
Cure: keep the one that comes closest to the contract, and drop the other.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from fixer.defects import _walk as walk
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.finding import Finding
from fixer.model.schema import Schema
from fixer.model.step import Hazard, Repair
from fixer.model.subject import OfForeignKey
from fixer.model.table import ForeignKey
from fixer.repair.foreign_keys import best, ends_at
from fixer.sql.alter import drop_foreign_key

SLUG = "duplicate-foreign-key"
POINT = 2
STAGE = Stage.PARTS


@dataclass(frozen=True)
class Extra(OfForeignKey):
    """A foreign key in addition to the wanted one."""

    found: ForeignKey

    @property
    def part(self) -> None:
        """None: it is not in the contract."""
        return None


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[Extra]]:
    """Yield the foreign keys on the same columns, except the one that comes closest to the wanted one."""
    for key, found in walk.foreign_keys(actual, contract):
        right = best(key, found)
        for extra in found if right else ():
            if extra is not right:
                message = (
                    f"{key.table.name}.{', '.join(key.columns)} should have one foreign key,"
                    f" has {extra.name} to {ends_at(extra)} as well"
                )
                yield Finding(SLUG, POINT, Extra(key, extra), message)


def repair(finding: Finding[Extra], actual: Schema, contract: Contract) -> Repair:
    """Drop the extra one."""
    extra = finding.about.found
    return Repair.of([drop_foreign_key(extra, "another one does its work", hazard=Hazard.REPLACES_CONSTRAINT)])


HAZARD = frozenset({"replaces-constraint"})
SPECIMENS = (
    Specimen(
        "twice the same",
        "ALTER TABLE reviews ADD FOREIGN KEY (book_id) REFERENCES books (id)",
        hazards=HAZARD,
    ),
    Specimen(
        "a second one to a backup",
        "CREATE TABLE books_backup (id integer PRIMARY KEY); INSERT INTO books_backup SELECT id FROM books;"
        "ALTER TABLE reviews ADD FOREIGN KEY (book_id) REFERENCES books_backup (id)",
        hazards=HAZARD,
    ),
)
NEAR_MISSES = (
    Specimen("two foreign keys to one table", "ALTER TABLE reviews ADD COLUMN sequel_id integer REFERENCES books"),
)
