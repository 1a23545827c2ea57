"""A foreign key was added NOT VALID and never validated.

Costs: its old rows were never checked, so some may have no parent.
Cure: VALIDATE CONSTRAINT, after the orphans under it have been repaired (see orphan-rows).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fixer.defects import _planting as plant
from fixer.defects import _walk as walk
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.finding import Finding
from fixer.model.schema import Schema
from fixer.model.step import Lock, Phase, Repair
from fixer.model.subject import FoundForeignKey
from fixer.model.table import Table
from fixer.repair.constraints import references
from fixer.repair.constraints.foreign_keys import arrow, best
from fixer.sql import ddl
from fixer.sql.alter import alter
from fixer.sql.compose import SQL, Composable, Identifier

SLUG = "unvalidated-foreign-key"
POINT = 2
STAGE = Stage.PARTS


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[FoundForeignKey]]:
    """Yield the foreign keys that are as wanted, except that they are NOT VALID."""
    for key, found in walk.foreign_keys(actual, contract):
        right = best(key, found)
        if not (right and right.behaviour == key.behaviour and right.enforced):
            continue
        if key.validated and not right.validated:
            message = f"{arrow(key)} for every row, {right.name} is NOT VALID"
            yield Finding(SLUG, POINT, FoundForeignKey(key, right), message)


def repair(finding: Finding[FoundForeignKey], actual: Schema, contract: Contract) -> Repair:
    """Validate it."""
    key = finding.about.found
    step = alter(
        Phase.FOREIGN_KEYS,
        key.table,
        f"validate the foreign key {key.name}",
        SQL("VALIDATE CONSTRAINT {}").format(Identifier(key.name)),
        lock=Lock.SHARE_ROW_EXCLUSIVE,
        touches=(key.target,),
        rows=actual.tables[key.table].estimated_rows,
    )
    lightly = references.proved(key.table, key.name, key.target, step.title, step.effect.rows)
    return Repair.of([step.online_as((lightly,))])


AGAIN = (
    "ALTER TABLE reviews DROP CONSTRAINT reviews_book_id_fkey; {} ALTER TABLE reviews ADD CONSTRAINT"
    " reviews_book_id_fkey FOREIGN KEY (book_id) REFERENCES books (id) ON DELETE CASCADE NOT VALID"
)
SPECIMENS = (
    Specimen("rows are clean", AGAIN.format("")),
    Specimen(
        "rows are not",
        AGAIN.format("UPDATE reviews SET book_id = 99 WHERE id < 4;"),
        hazards=frozenset({"moves-rows"}),
        quarantined=3,
        also=frozenset({"orphan-rows"}),
    ),
)
NEAR_MISSES = (
    Specimen(
        "another constraint is NOT VALID",
        "ALTER TABLE reviews ADD COLUMN author_id integer REFERENCES authors (id);"
        "ALTER TABLE reviews DROP CONSTRAINT reviews_author_id_fkey;"
        "ALTER TABLE reviews ADD FOREIGN KEY (author_id) REFERENCES authors (id) NOT VALID",
    ),
)


def mutate(table: Table) -> Iterator[Composable]:
    """Yield statements that plant it in a table: add a foreign key again, NOT VALID."""
    for key in table.foreign_keys:
        again = SQL("ADD {} NOT VALID").format(ddl.foreign_key_clause(key.name, key))
        yield plant.block(plant.without(table.name, key.name), ddl.altered(table.name, again))
