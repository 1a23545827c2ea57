"""A unique constraint or unique index of the contract is missing, or speaks later than it should.

Costs: duplicates; ON CONFLICT fails with 42P10 there is no unique or exclusion constraint matching the ON CONFLICT
specification.
Cure: add it, after duplicates have been moved (see duplicate-values).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from fixer.defects import _planting as plant
from fixer.defects import _walk as walk
from fixer.defects._rooms import STAYING, stays
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.finding import Finding
from fixer.model.schema import Schema
from fixer.model.step import Hazard, Phase, Repair
from fixer.model.subject import OfIndex
from fixer.model.table import Table
from fixer.repair.constraints import conflicts
from fixer.repair.constraints.online import unique
from fixer.sql import ddl
from fixer.sql.alter import drop_constraint
from fixer.sql.compose import SQL, Composable
from fixer.sql.uniques import is_proved

SLUG = "missing-unique"
POINT = 4
STAGE = Stage.PARTS


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[OfIndex]]:
    """Yield the wanted uniques that no valid index proves; a unique index is as good as a constraint."""
    for _, table, key in walk.indexes(actual, contract):
        if key.unique and not is_proved(key, table):
            message = f"{table.name.name} should have UNIQUE {key.what}, has none"
            yield Finding(SLUG, POINT, OfIndex(table.name, key), message)


def repair(finding: Finding[OfIndex], actual: Schema, contract: Contract) -> Repair:
    """Add the unique."""
    key = finding.about.wanted
    name, table = finding.table, actual.tables[finding.table]
    ddl.alone(table, key)
    ddl.whole(table, key.columns)
    conflicts.see_that_periods_compare(key, table)
    dropped = tuple(
        drop_constraint(
            name,
            other.name,
            f"drop the unique {other.name}, which speaks late and forbids ON CONFLICT",
            hazard=Hazard.REPLACES_CONSTRAINT,
        )
        for other in table.indexes
        if other.deferrable and other.constraint and not other.primary and set(other.columns) == set(key.columns)
    )
    # Online, the deferrable one is dropped once the new one exists.
    late = [step.online_as((replace(step, phase=Phase.REPLACED),)) for step in dropped]
    return Repair.of((*late, unique(key, name, actual)))


SPECIMENS = (
    Specimen("dropped", "ALTER TABLE authors DROP CONSTRAINT authors_name_key"),
    Specimen("dropped over two columns", "ALTER TABLE books DROP CONSTRAINT books_author_id_title_key"),
    Specimen(
        "a partial one in its place",
        "ALTER TABLE authors DROP CONSTRAINT authors_name_key; CREATE UNIQUE INDEX odd ON authors (name) WHERE active",
    ),
    Specimen(
        "an expression in its place",
        "ALTER TABLE authors DROP CONSTRAINT authors_name_key; CREATE UNIQUE INDEX odd ON authors (lower(name), id)",
    ),
    Specimen(
        "a deferrable one in its place",
        "ALTER TABLE authors DROP CONSTRAINT authors_name_key, ADD CONSTRAINT odd UNIQUE (name) DEFERRABLE",
        hazards=frozenset({"replaces-constraint"}),
    ),
    Specimen(
        "one that waits longer in its place",
        "ALTER TABLE ranks DROP CONSTRAINT ranks_place_key, ADD UNIQUE (place) DEFERRABLE INITIALLY DEFERRED",
        hazards=frozenset({"replaces-constraint"}),
        contract=lambda: "CREATE TABLE ranks (id integer PRIMARY KEY, place integer UNIQUE DEFERRABLE);",
        setup="INSERT INTO ranks VALUES (1, 1), (2, 2)",
    ),
    Specimen(
        "dropped WITHOUT OVERLAPS",
        "ALTER TABLE prices DROP CONSTRAINT prices_room",
        contract=stays,
        setup=STAYING,
        minimum_version=18,
    ),
    Specimen(
        "one that lets periods overlap in its place",
        "ALTER TABLE prices DROP CONSTRAINT prices_room, ADD UNIQUE (room, valid)",
        contract=stays,
        setup=STAYING,
        minimum_version=18,
    ),
)
NEAR_MISSES = (
    Specimen(
        "WITHOUT OVERLAPS, under another name",
        "ALTER TABLE prices RENAME CONSTRAINT prices_room TO odd",
        contract=stays,
        setup=STAYING,
        minimum_version=18,
    ),
    Specimen(
        "a unique index in place of the constraint",
        "ALTER TABLE authors DROP CONSTRAINT authors_name_key; CREATE UNIQUE INDEX odd ON authors (name)",
    ),
    Specimen(
        "its columns stand in another order",
        "ALTER TABLE books DROP CONSTRAINT books_author_id_title_key; ALTER TABLE books ADD UNIQUE (title, author_id)",
    ),
)


def mutate(table: Table) -> Iterator[Composable]:
    """Yield statements that plant it in a table: drop a unique, or let it wait longer."""
    for index in table.indexes:
        if index.unique and not index.primary:
            yield plant.without_index(table.name, index)
            if index.constraint and index.deferrable and not index.deferred and not index.overlaps_not:
                later = ddl.key_clause(index.name, replace(index, deferred=True))
                again = ddl.altered(table.name, SQL("ADD {}").format(later))
                yield plant.block(plant.without(table.name, index.name), again)
