"""A helper of an online repair was left behind: the run was interrupted, and nobody needs it any longer.

Costs: every write is checked or written once more, by a check, a trigger, an index or a second column that is never
read.
Cure: drop it. A second column holds nothing but what is made of the first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from fixer.contract.build import Contract
from fixer.model.finding import Finding, Specimen, Stage
from fixer.model.schema import QName, Schema, Table
from fixer.model.step import Phase, Repair, Step
from fixer.repair import constraints_online as online
from fixer.repair.alter import drop_constraint
from fixer.repair.shadow import dropped_beside, without_beside
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Identifier
from fixer.sql.types import fits

SLUG = "unfinished-repair"
POINT = 4
STAGE = Stage.COLUMNS


def detect(actual: Schema, contract: Contract) -> Iterable[Finding]:
    """Yield the helpers of tables for which nothing is left to do."""
    for name, wanted in contract.tables.items():
        table = actual.tables.get(name)
        for kind, left in _left_behind(name, table, wanted) if table else ():
            message = f"{name.name} should not have the {kind} {left}, which an interrupted repair left behind"
            yield Finding(SLUG, POINT, f"{name}.{left}", message, name, severity="warning", part=kind, found=left)


def _left_behind(name: QName, table: Table, wanted: Table) -> Iterator[tuple[str, str]]:
    """Yield what nobody waits for: proofs of a NOT NULL which stands, columns, triggers that fill none, indexes."""
    helpers = [check.name for check in table.checks if check.name.startswith(online.BESIDE)]
    proofs = {online.helper(column.name) for column in table.columns.values() if column.not_null} if helpers else set()
    yield from (("check", check) for check in helpers if check in proofs)
    triggers = {obstacle.name for obstacle in table.obstacles if online.is_syncing(obstacle.name)}
    beside = {online.beside(column): column for column in table.columns} if triggers else {}
    awaited = {online.beside(column) for column in wanted.columns} if triggers else set()
    for column in table.columns if triggers else ():
        trigger = online.syncing(name, column)
        if trigger in triggers:
            triggers.remove(trigger)
            lost = column.startswith(online.BESIDE) and column not in (beside.keys() | awaited)
            if lost or (column in beside and _has_come_true(beside[column], table, wanted)):
                yield "column", column
    yield from (("trigger", trigger) for trigger in sorted(triggers))
    yield from (("index", i.name) for i in table.indexes if i.name == online.numbers_index(name) and i.valid)


def _has_come_true(column: str, table: Table, wanted: Table) -> bool:
    """Tell whether a column is what another was to be made of it."""
    found, sought = table.columns.get(column), wanted.columns.get(column)
    return found is not None and sought is not None and fits(found.type, sought.type)


def repair(finding: Finding, actual: Schema, contract: Contract) -> Repair:
    """Drop it."""
    table, left = finding.table, str(finding.found)
    title = f"drop the {finding.part} {left}"
    if finding.part == "check":
        return Repair((drop_constraint(table, left, title),))
    if finding.part == "index":
        return Repair((online.no_longer_apart(actual.tables[table]),))
    if finding.part == "column":
        return Repair((replace(dropped_beside(table, left), online=None),))
    drop = SQL("DROP TRIGGER {} ON {}").format(Identifier(left), q.name(table))
    return Repair((Step(Phase.RELEASE, table, title, drop),))


def foresee(finding: Finding, actual: Schema, contract: Contract) -> Schema:
    """Return the schema without the column."""
    table, left = actual.tables[finding.table], str(finding.found)
    if finding.part != "column":
        return actual
    original = next((column for column in table.columns if online.beside(column) == left), None)
    return actual.with_table(without_beside(table, original)) if original else actual


LEFT = "ALTER TABLE books ADD CONSTRAINT pgmend_new_title_not_null CHECK (title IS NOT NULL)"
SPECIMENS = (Specimen("the proof of a NOT NULL that stands", LEFT),)
NEAR_MISSES = (
    Specimen("an index of somebody else", "CREATE UNIQUE INDEX books_numbers ON books (id) WHERE id > 90"),
    Specimen("a check of somebody else", "ALTER TABLE books ADD CONSTRAINT title_not_null CHECK (title IS NOT NULL)"),
)
