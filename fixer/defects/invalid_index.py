"""An index is invalid: a failed CREATE INDEX CONCURRENTLY left it behind.

Costs: it is maintained at every write and never used; CREATE INDEX IF NOT EXISTS takes it for the real one.
Cure: drop it; an index that the contract wants is then built anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from fixer.defects import _walk as walk
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.finding import Finding
from fixer.model.schema import Schema
from fixer.model.step import Lock, Phase, Repair, Step
from fixer.model.subject import StrayIndex
from fixer.model.table import QName, Table
from fixer.sql import compose as q
from fixer.sql.alter import drop_constraint
from fixer.sql.compose import SQL, Composable, Literal

SLUG = "invalid-index"
POINT = 4
STAGE = Stage.COLUMNS


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[StrayIndex]]:
    """Yield the invalid indexes of the contract's tables."""
    for _, table in walk.tables(actual, contract):
        for index in table.indexes:
            if not index.valid and not table.inherits:
                message = f"{table.name.name} should have no invalid index, {index.name} is left of a failed build"
                yield Finding(SLUG, POINT, StrayIndex(table.name, index), message)


def repair(finding: Finding[StrayIndex], actual: Schema, contract: Contract) -> Repair:
    """Drop the index."""
    index = finding.about.found
    if index.constraint:
        return Repair.of([drop_constraint(finding.table, index.name, f"drop the invalid constraint {index.name}")])
    drop = SQL("DROP INDEX {}").format(q.name(QName(finding.table.schema, index.name)))
    step = Step(Phase.RELEASE, finding.table, f"drop the invalid index {index.name}", drop)
    lightly = SQL("DROP INDEX CONCURRENTLY {}").format(q.name(QName(finding.table.schema, index.name)))
    lock = Lock.SHARE_UPDATE_EXCLUSIVE
    return Repair.of([step.online_as((replace(step, sql=lightly, lock=lock, concurrent=True),))])


def foresee(finding: Finding[StrayIndex], actual: Schema, contract: Contract) -> Schema:
    """Return the schema without the index."""
    table, index = actual.tables[finding.table], finding.about.found
    kept = tuple(other for other in table.indexes if other is not index)
    names = actual.names - {QName(finding.table.schema, index.name)}
    return replace(actual.with_table(replace(table, indexes=kept)), names=names)


BREAK = "UPDATE pg_index SET indisvalid = false WHERE indexrelid = '{}'::regclass"
SPECIMENS = (
    Specimen(
        "in the place of a wanted index",
        BREAK.format("ix_books_editor_id"),
        also=frozenset({"missing-index"}),
        superuser=True,
    ),
    Specimen("beside", f"CREATE INDEX odd ON books (pages); {BREAK.format('odd')}", superuser=True),
)
NEAR_MISSES = (
    Specimen(
        "on a table that the contract does not know",
        f"CREATE TABLE extra (id integer); CREATE INDEX odd ON extra (id); {BREAK.format('odd')}",
        superuser=True,
    ),
)


def mutate(table: Table) -> Iterator[Composable]:
    """Yield statements that plant it in a table: mark an index as a failed CREATE INDEX CONCURRENTLY leaves it."""
    for index in table.indexes:
        if not index.constraint:
            name = Literal(q.quoted(QName(table.name.schema, index.name)))
            yield SQL("UPDATE pg_index SET indisvalid = false WHERE indexrelid = {}::regclass").format(name)
