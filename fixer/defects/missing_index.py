"""An index of the contract is missing.

Costs: queries are slow; without an index under a foreign key, every delete of a parent reads all children.
Cure: CREATE INDEX.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fixer.defects import _planting as plant
from fixer.defects import _walk as walk
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.finding import Finding
from fixer.model.schema import Schema
from fixer.model.step import Effect, Lock, Phase, Repair, Step
from fixer.model.subject import OfIndex
from fixer.model.table import Table
from fixer.repair.constraints import online
from fixer.sql import ddl
from fixer.sql.compose import Composable
from fixer.sql.conditions import tail_meaning

SLUG = "missing-index"
POINT = 4
STAGE = Stage.PARTS


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[OfIndex]]:
    """Yield the wanted indexes, uniques and exclusions aside, that no valid index equals."""
    for wanted, table in walk.tables(actual, contract):
        there = {tail_meaning(index.tail, table) for index in table.indexes if index.valid}
        for index in wanted.indexes:
            if not (index.unique or index.exclusion) and tail_meaning(index.tail, table) not in there:
                message = f"{table.name.name} should have an index {index.tail.removeprefix('USING ')}, has none"
                yield Finding(SLUG, POINT, OfIndex(table.name, index), message)


def repair(finding: Finding[OfIndex], actual: Schema, contract: Contract) -> Repair:
    """Create the index."""
    name, index = finding.table, finding.about.wanted
    ddl.alone(actual.tables[name], index)
    free = ddl.free_relation_name(actual, name, index.name)
    rows = actual.tables[name].estimated_rows
    statement = ddl.create_index(free, name, index)
    title = f"create the index {free} on {name.name}"
    step = Step(Phase.INDEXES, name, title, statement, Lock.SHARE, effect=Effect(rows=rows))
    return Repair.of([step.online_as(online.index(free, actual.tables[name], index, title))])


SPECIMENS = (
    Specimen("dropped", "DROP INDEX ix_books_editor_id"),
    Specimen(
        "on other columns",
        "DROP INDEX ix_books_editor_id; CREATE INDEX ix_books_editor_id ON books (editor_id, id)",
    ),
    Specimen("partial", "DROP INDEX ix_books_editor_id; CREATE INDEX odd ON books (editor_id) WHERE id > 3"),
)
NEAR_MISSES = (
    Specimen("it has another name", "ALTER INDEX ix_books_editor_id RENAME TO odd"),
    Specimen("an extra index", "CREATE INDEX odd ON books (pages)"),
)


def mutate(table: Table) -> Iterator[Composable]:
    """Yield statements that plant it in a table: drop an index."""
    for index in table.indexes:
        if not index.unique and not index.exclusion:
            yield plant.without_index(table.name, index)
