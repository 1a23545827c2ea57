"""An interrupted online repair left a helper behind that nothing needs any more.

Costs: every write does extra work for a check, a trigger, an index or a shadow column that nothing uses; or a check
refuses the rows of code that does not know its column.
Cure: drop it. A shadow column only holds values computed from the original column.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from fixer.defects import _planting as plant
from fixer.defects import _walk as walk
from fixer.defects.missing_inheritance import EVENT_ROWS, events
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.expression import as_needed
from fixer.model.finding import Finding
from fixer.model.schema import Schema
from fixer.model.step import Phase, Repair, Step
from fixer.model.subject import OfTable
from fixer.model.table import Check, Table
from fixer.model.values import dataclass
from fixer.repair.constraints import online
from fixer.repair.shadow import dropped_beside, without_beside
from fixer.sql import compose as q
from fixer.sql import ddl
from fixer.sql.alter import drop_constraint
from fixer.sql.compose import SQL, Composable, Identifier
from fixer.sql.types import fits

SLUG = "unfinished-repair"
POINT = 4
STAGE = Stage.COLUMNS


@dataclass(frozen=True)
class Helper(OfTable):
    """A check, trigger, index or column of an online repair that nothing needs any more."""

    kind: str
    name: str

    @property
    def object(self) -> str:
        """The name of its table, and its own."""
        return f"{self.table}.{self.name}"


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[Helper]]:
    """Yield the helpers that no repair of their table needs any more."""
    for wanted, table in walk.tables(actual, contract, alike=True):
        theirs = {check.name for each in walk.above(table, actual, contract) for check in each.checks}
        for kind, name in _left_behind(table, wanted):
            if kind == "check" and name in theirs:
                continue  # it goes with the check of the table above
            message = f"{table.name.name} should not have the {kind} {name}, which an interrupted repair left behind"
            severity = "error" if kind == "check" and _refuses(name, table, wanted) else "warning"
            yield Finding(SLUG, POINT, Helper(table.name, kind, name), message, severity=severity)


def _left_behind(table: Table, wanted: Table) -> Iterator[tuple[str, str]]:
    """Yield the kind and name of each helper without use, such as the check for a NOT NULL that is already set."""
    helpers = [check for check in table.checks if check.name.startswith(online.BESIDE)]
    proofs = {online.helper(column.name) for column in table.columns.values() if column.not_null} if helpers else set()
    yield from (("check", c.name) for c in helpers if c.name in proofs or _proves(c, table, wanted))
    triggers = {obstacle.name for obstacle in table.obstacles if online.is_syncing(obstacle.name)}
    beside = {online.beside(column): column for column in table.columns} if triggers else {}
    awaited = {online.beside(column) for column in wanted.columns} if triggers else set()
    for column in table.columns if triggers else ():
        trigger = online.syncing(table.name, column)
        if trigger in triggers:
            triggers.remove(trigger)
            lost = column.startswith(online.BESIDE) and column not in (beside.keys() | awaited)
            if lost or (column in beside and _has_come_true(beside[column], table, wanted)):
                yield "column", column
    yield from (("trigger", trigger) for trigger in sorted(triggers))
    made = [index for index in table.indexes if index.name.startswith(online.BESIDE) and index.valid]
    yield from (("index", index.name) for index in made if index.name == online.numbers_index(table.name))


def _proves(check: Check, table: Table, wanted: Table) -> bool:
    """Return whether a check proves a NOT NULL that stands or that nobody wants, under whatever name its column is."""
    column = table.columns.get(check.columns[0]) if len(check.columns) == 1 else None
    if column is None or column.name.startswith(online.BESIDE):
        return False  # the column of a repair that goes on
    proof = re.fullmatch(rf"(?:CHECK )?\(*{re.escape(as_needed(column.name))} IS NOT NULL\)*", check.expression)
    known = any(check.expression == each.expression for each in wanted.checks)
    return bool(proof and not known and (column.not_null or column.name not in wanted.columns))


def _refuses(check: str, table: Table, wanted: Table) -> bool:
    """Return whether a check refuses the rows of code that knows the contract alone."""
    over = {name for each in table.checks if each.name == check for name in each.columns}
    return any(not table.columns[name].fills for name in over - wanted.columns.keys())


def _has_come_true(column: str, table: Table, wanted: Table) -> bool:
    """Return whether a column already has the type for which its shadow column was made."""
    found, sought = table.columns.get(column), wanted.columns.get(column)
    return found is not None and sought is not None and fits(found.type, sought.type)


def repair(finding: Finding[Helper], actual: Schema, contract: Contract) -> Repair:
    """Drop the helper."""
    table, left = finding.table, finding.about
    title = f"drop the {left.kind} {left.name}"
    if left.kind == "check":
        return Repair.of([drop_constraint(table, left.name, title)])
    if left.kind == "index":
        return Repair.of([online.no_longer_apart(actual.tables[table])])
    if left.kind == "column":
        return Repair.of([dropped_beside(table, left.name)])
    drop = SQL("DROP TRIGGER {} ON {}").format(Identifier(left.name), q.name(table))
    return Repair.of([Step(Phase.RELEASE, table, title, drop)])


def foresee(finding: Finding[Helper], actual: Schema, contract: Contract) -> Schema:
    """Return the schema without the helper, if it is a shadow column or a check, which goes from heirs as well."""
    table, left = actual.tables[finding.table], finding.about
    if left.kind == "check":
        for each in actual.family(table.name):
            kept = tuple(check for check in each.checks if check.name != left.name)
            actual = actual.with_table(replace(each, checks=kept))
        return actual
    if left.kind != "column":
        return actual
    original = next((column for column in table.columns if online.beside(column) == left.name), None)
    return actual.with_table(without_beside(table, original)) if original else actual


LEFT = "ALTER TABLE books ADD CONSTRAINT pgmend_new_title_not_null CHECK (title IS NOT NULL)"
SPECIMENS = (
    Specimen(
        "the proof of a NOT NULL that nobody wants",
        'ALTER TABLE books ADD "na%me" text DEFAULT 1; ALTER TABLE books ALTER "na%me" DROP DEFAULT;'
        'ALTER TABLE books ADD CONSTRAINT "pgmend_new_na%me_not_null" CHECK ("na%me" IS NOT NULL)',
    ),
    Specimen(
        "its column is renamed",
        "ALTER TABLE books ADD note text NOT NULL DEFAULT 1; ALTER TABLE books ALTER note DROP DEFAULT;"
        'ALTER TABLE books ADD CONSTRAINT "pgmend_new_note_not_null" CHECK (note IS NOT NULL);'
        'ALTER TABLE books RENAME note TO "no%te"',
        also=frozenset({"rogue-not-null"}),
    ),
    Specimen("the proof of a NOT NULL that stands", LEFT),
    Specimen(
        "heirs have it too",
        'ALTER TABLE "eve.nts" ADD CONSTRAINT pgmend_new_what_not_null CHECK (what IS NOT NULL)',
        contract=events,
        setup=EVENT_ROWS,
    ),
)
NEAR_MISSES = (
    Specimen("an index of somebody else", "CREATE UNIQUE INDEX books_numbers ON books (id) WHERE id > 90"),
    Specimen("a check of somebody else", "ALTER TABLE books ADD CONSTRAINT title_not_null CHECK (title IS NOT NULL)"),
)


def mutate(table: Table) -> Iterator[Composable]:
    """Yield statements that plant it in a table: leave the proof of a NOT NULL behind."""
    for column in plant.writable(table):
        if column.not_null and (not table.primary_key or column.name not in table.primary_key.columns):
            action = SQL("ADD CONSTRAINT {} CHECK ({} IS NOT NULL)").format(
                Identifier(online.helper(column.name)), Identifier(column.name)
            )
            yield ddl.altered(table.name, action)
