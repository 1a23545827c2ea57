"""A foreign key references the right columns but behaves differently: ON DELETE, ON UPDATE, MATCH or deferral.

Costs: deletes fail, or take rows with them that should stay.
Cure: drop it and add it again in one transaction; online, the new one is validated before the old one is dropped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from fixer.defects import _planting as plant
from fixer.defects import _walk as walk
from fixer.defects._databases import LOAN_ROWS, loans
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.finding import Finding
from fixer.model.schema import Schema
from fixer.model.step import Repair
from fixer.model.subject import FoundForeignKey
from fixer.model.table import ForeignKey, Table
from fixer.repair.constraints.foreign_keys import arrow, best, exchange
from fixer.sql import ddl
from fixer.sql.compose import SQL, Composable

SLUG = "wrong-foreign-key-actions"
POINT = 2
STAGE = Stage.PARTS


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[FoundForeignKey]]:
    """Yield the foreign keys that reference the wanted columns but behave differently."""
    for key, found in walk.foreign_keys(actual, contract):
        right = best(key, found)
        if right and right.behaviour != key.behaviour:
            message = f"{arrow(key)} {_differs(key, right)}, has {_differs(right, key)}"
            yield Finding(SLUG, POINT, FoundForeignKey(key, right), message)


def _differs(key: ForeignKey, other: ForeignKey) -> str:
    """Describe how a foreign key behaves where it differs from the other."""
    words = []
    if (key.on_delete, set(key.emptied)) != (other.on_delete, set(other.emptied)):
        some = f" ({', '.join(key.emptied)})" if key.emptied else ""
        words.append(f"ON DELETE {ddl.ACTIONS[key.on_delete]}{some}")
    if key.on_update != other.on_update:
        words.append(f"ON UPDATE {ddl.ACTIONS[key.on_update]}")
    if key.match != other.match:
        words.append("MATCH FULL" if key.match == "f" else "MATCH SIMPLE")
    if (key.deferrable, key.deferred) != (other.deferrable, other.deferred):
        words.append("INITIALLY DEFERRED" if key.deferred else "DEFERRABLE" if key.deferrable else "NOT DEFERRABLE")
    return ", ".join(words)


def repair(finding: Finding[FoundForeignKey], actual: Schema, contract: Contract) -> Repair:
    """Replace it by the wanted foreign key."""
    return Repair.of(exchange(finding.about.wanted, (finding.about.found,), "it behaves otherwise", actual))


AGAIN = (
    "ALTER TABLE reviews DROP CONSTRAINT reviews_book_id_fkey;"
    "ALTER TABLE reviews ADD CONSTRAINT reviews_book_id_fkey FOREIGN KEY (book_id) REFERENCES books (id) "
)
HAZARD = frozenset({"replaces-constraint"})
SPECIMENS = (
    Specimen("the cascade is lost", AGAIN, hazards=HAZARD),
    Specimen("it cascades updates", f"{AGAIN} ON DELETE CASCADE ON UPDATE CASCADE", hazards=HAZARD),
    Specimen("it speaks late", f"{AGAIN} ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED", hazards=HAZARD),
    Specimen("it matches in full", f"{AGAIN} MATCH FULL ON DELETE CASCADE", hazards=HAZARD),
    Specimen(
        "one of several on one column",
        "ALTER TABLE loans DROP CONSTRAINT cascading, ADD CONSTRAINT cascading FOREIGN KEY (copy_id) REFERENCES copies"
        " ON UPDATE CASCADE",
        hazards=HAZARD,
        contract=loans,
        setup=LOAN_ROWS,
    ),
)
NEAR_MISSES = (
    Specimen(
        "another foreign key behaves so",
        "ALTER TABLE reviews ADD COLUMN a integer REFERENCES authors ON DELETE SET NULL",
    ),
)


def mutate(table: Table) -> Iterator[Composable]:
    """Yield statements that plant it in a table: add a foreign key again, with another action."""
    for key in table.foreign_keys:
        other = replace(key, on_delete="a" if key.on_delete != "a" else "c", emptied=())
        again = SQL("ADD {}").format(ddl.foreign_key_clause(key.name, other))
        yield plant.block(plant.without(table.name, key.name), ddl.altered(table.name, again))
