"""A unique constraint or unique index of the contract is missing.

Costs: duplicates; ON CONFLICT fails with 42P10 there is no unique or exclusion constraint matching the ON CONFLICT
specification.
Cure: add it, after duplicates have been moved (see duplicate-values).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from fixer.defects import _walk as walk
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.expression import canonical
from fixer.model.finding import Finding
from fixer.model.schema import Schema
from fixer.model.step import Hazard, Lock, Phase, Repair, Step
from fixer.model.subject import OfIndex
from fixer.model.table import Index, Table
from fixer.repair import constraints_online as online
from fixer.sql import ddl
from fixer.sql.alter import alter, drop_constraint
from fixer.sql.compose import SQL

SLUG = "missing-unique"
POINT = 4
STAGE = Stage.PARTS


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[OfIndex]]:
    """Yield the wanted uniques that no valid index proves; a unique index is as good as a constraint."""
    for _, table, key in walk.indexes(actual, contract):
        if key.unique and not _is_proved(key, table):
            message = f"{table.name.name} should have UNIQUE {_what(key)}, has none"
            yield Finding(SLUG, POINT, OfIndex(table.name, key), message)


def _what(key: Index) -> str:
    """Return what is unique, in words: columns, or what an index says of expressions and of the rows that it binds."""
    return key.tail.removeprefix("USING btree ") if key.partial or "" in key.columns else f"({', '.join(key.columns)})"


def _is_proved(key: Index, table: Table) -> bool:
    """Return whether an index of the table proves the same."""
    if key.is_plain_key:
        return table.tells_all_apart(key.columns) if key.nulls_not_distinct else table.has_key_on(key.columns)
    return any(
        i.unique and i.valid and canonical(i.tail) == canonical(key.tail) and (i.deferrable <= key.deferrable)
        for i in table.indexes
    )


def repair(finding: Finding[OfIndex], actual: Schema, contract: Contract) -> Repair:
    """Add the unique."""
    key = finding.about.wanted
    name, table = finding.table, actual.tables[finding.table]
    ddl.alone(table, key)
    ddl.whole(table, key.columns)
    free = ddl.free_constraint_name(table, actual, name, key.name, index=True)
    title = f"add UNIQUE {_what(key)} to {name.name}"
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
    if key.constraint:
        add = alter(Phase.INDEXES, name, title, SQL("ADD {}").format(ddl.key_clause(free, key)))
        return Repair.of((*late, add.online_as(online.key(free, table, key, actual, title))))
    create = Step(Phase.INDEXES, name, title, ddl.create_index(free, name, key), Lock.SHARE)
    return Repair.of((*late, create.online_as(online.index(free, table, key, title))))


SPECIMENS = (
    Specimen("dropped", "ALTER TABLE authors DROP CONSTRAINT authors_name_key"),
    Specimen("dropped over two columns", "ALTER TABLE books DROP CONSTRAINT books_author_id_title_key"),
    Specimen(
        "a partial one in its place",
        "ALTER TABLE authors DROP CONSTRAINT authors_name_key; CREATE UNIQUE INDEX odd ON authors (name) WHERE active",
    ),
    Specimen(
        "an expression in its place",
        "ALTER TABLE authors DROP CONSTRAINT authors_name_key; CREATE UNIQUE INDEX odd ON authors (lower(name))",
    ),
    Specimen(
        "a deferrable one in its place",
        "ALTER TABLE authors DROP CONSTRAINT authors_name_key, ADD CONSTRAINT odd UNIQUE (name) DEFERRABLE",
        hazards=frozenset({"replaces-constraint"}),
    ),
)
NEAR_MISSES = (
    Specimen(
        "a unique index in place of the constraint",
        "ALTER TABLE authors DROP CONSTRAINT authors_name_key; CREATE UNIQUE INDEX odd ON authors (name)",
    ),
    Specimen(
        "its columns stand in another order",
        "ALTER TABLE books DROP CONSTRAINT books_author_id_title_key; ALTER TABLE books ADD UNIQUE (title, author_id)",
    ),
)
