"""A unique constraint or unique index of the contract is missing, or speaks later than it should.

Costs: duplicates; ON CONFLICT fails with 42P10 there is no unique or exclusion constraint matching the ON CONFLICT
specification. ON CONFLICT ON CONSTRAINT fails with 42704 where a unique index takes the place of the constraint.
Cure: add it, after duplicates have been moved (see duplicate-values). A unique index in its place is only a warning,
under a contract of SQL or another database, and becomes the constraint.
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
from fixer.model.table import Index, Table
from fixer.repair.constraints import conflicts
from fixer.repair.constraints.online import ready_index, unique, using
from fixer.sql import ddl
from fixer.sql.alter import alter, drop_constraint
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
        elif contract.metadata is None and (bare := _in_place_of(key, table)):
            message = f"{table.name.name} should have UNIQUE {key.what} as a constraint, has the index {bare}"
            yield Finding(SLUG, POINT, OfIndex(table.name, key), message, "warning", aspect="constraint")


def _in_place_of(key: Index, table: Table) -> str | None:
    """Return the unique index that stands in place of a wanted constraint, and can become one.

    One of a partitioned table cannot (PostgreSQL manual, ALTER TABLE), nor that of a partition, which is its root's.
    """
    if not key.constraint or key.overlaps_not or table.parted_by or table.part_of or table.inherits:
        return None
    if any(each.constraint and set(each.columns) == set(key.columns) for each in table.indexes):
        return None
    return ready_index(key, table)


def repair(finding: Finding[OfIndex], actual: Schema, contract: Contract) -> Repair:
    """Add the unique, or let the index in its place become one."""
    key = finding.about.wanted
    name, table = finding.table, actual.tables[finding.table]
    if bare := is_proved(key, table) and _in_place_of(key, table):
        title = f"make the index {bare} the constraint UNIQUE {key.what} of {name.name}"
        return Repair.of([alter(Phase.INDEXES, name, title, SQL("ADD {}").format(using(bare, key)))])
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


def _teams() -> str:
    """Return a contract in SQL of two uniques, one of which a foreign key points at."""
    return """
CREATE TABLE "te%ams" (id integer PRIMARY KEY, "na;me" text UNIQUE, a integer, CONSTRAINT te_pair UNIQUE (a, "na;me"));
CREATE TABLE fans (id integer PRIMARY KEY, team text REFERENCES "te%ams" ("na;me"));
"""


_TEAMS = """INSERT INTO "te%ams" VALUES (1, 'x', 2), (2, 'y', NULL); INSERT INTO fans VALUES (1, 'x')"""
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
    Specimen(
        "unique indexes in place of constraints that others reference and that have comments",
        'ALTER TABLE "te%ams" DROP CONSTRAINT "te%ams_na;me_key" CASCADE, DROP CONSTRAINT te_pair;'
        'CREATE UNIQUE INDEX "te%ams_na;me_key" ON "te%ams" ("na;me");'
        'CREATE UNIQUE INDEX odd ON "te%ams" (a, "na;me");'
        'ALTER TABLE fans ADD FOREIGN KEY (team) REFERENCES "te%ams" ("na;me");'
        """COMMENT ON INDEX odd IS 'x'; ALTER TABLE "te%ams" CLUSTER ON odd""",
        contract=_teams,
        setup=_TEAMS,
    ),
)
NEAR_MISSES = (
    Specimen(
        "a unique index over the columns in another order",
        'ALTER TABLE "te%ams" DROP CONSTRAINT te_pair; CREATE UNIQUE INDEX odd ON "te%ams" ("na;me", a)',
        contract=_teams,
        setup=_TEAMS,
    ),
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
