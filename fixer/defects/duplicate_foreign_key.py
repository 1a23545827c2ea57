"""More foreign keys use the same columns than the contract has on them.

Costs: the outcome of a delete depends on the order in which they were created; every write is checked twice.
Cure: keep those that come closest to the contract's, and drop the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from fixer.defects import _walk as walk
from fixer.defects._databases import LOAN_ROWS, loans
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.finding import Finding
from fixer.model.schema import Schema
from fixer.model.step import Hazard, Repair
from fixer.model.subject import OfForeignKey
from fixer.model.table import ForeignKey, Table
from fixer.model.values import dataclass
from fixer.repair.constraints.foreign_keys import best, ends_at
from fixer.sql import ddl
from fixer.sql.alter import drop_foreign_key
from fixer.sql.compose import SQL, Composable

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
    """Yield the foreign keys on the same columns, except the one that comes closest to each wanted one."""
    for key, found in walk.foreign_keys(actual, contract):
        right = best(key, found)
        for extra in found if right else ():
            if extra is not right:
                wanted = sum(set(k.columns) == set(key.columns) for k in contract.tables[key.table].foreign_keys)
                message = (
                    f"{key.table.name}.{', '.join(key.columns)} should have"
                    f" {'one foreign key' if wanted == 1 else f'{wanted} foreign keys'},"
                    f" has {extra.name} to {ends_at(extra)} as well"
                )
                yield Finding(SLUG, POINT, Extra(key, extra), message, aspect=extra.name)


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
    Specimen(
        "a fourth one beside three of the contract",
        "ALTER TABLE loans ADD CONSTRAINT late FOREIGN KEY (copy_id) REFERENCES copies DEFERRABLE",
        hazards=HAZARD,
        contract=loans,
        setup=LOAN_ROWS,
    ),
)
NEAR_MISSES = (
    Specimen("the contract has several on one column", "SELECT", contract=loans, setup=LOAN_ROWS),
    Specimen(
        "one of two equal ones of the contract is gone",
        "ALTER TABLE loans DROP CONSTRAINT plain",
        contract=loans,
        setup=LOAN_ROWS,
    ),
    Specimen("two foreign keys to one table", "ALTER TABLE reviews ADD COLUMN sequel_id integer REFERENCES books"),
)


def mutate(table: Table) -> Iterator[Composable]:
    """Yield statements that plant it in a table: add a second foreign key beside one."""
    for key in table.foreign_keys:
        other = replace(key, on_update="c" if key.on_update != "c" else "a")
        yield ddl.altered(table.name, SQL("ADD {}").format(ddl.foreign_key_clause("pgmend_second", other)))
