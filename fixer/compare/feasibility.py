"""Reasons why a repair cannot run in a database, although each of its steps can be composed."""

from __future__ import annotations

from collections.abc import Iterator

from fixer.model.contract import Contract
from fixer.model.expression import as_needed
from fixer.model.finding import Finding
from fixer.model.obstacle import Below, MutePublication, Needing, Unbuilt
from fixer.model.schema import Schema
from fixer.model.step import Hazard, Lock, Phase, Repair, Step
from fixer.model.table import Check, ForeignKey, Index, QName, Table
from fixer.sql import compose as q


def why_not(repair: Repair, finding: Finding, future: Schema, contract: Contract) -> str:
    """Return the reason why a repair cannot run; empty if it can."""
    if any(step.effect.moves for step in repair.steps) and (declared := _declared(finding, future, contract)):
        return f"{declared} would break it"
    if contract.excluded and (out := next(_excluded(repair, future, contract), None)):
        return f"it would change {out}, which exclude in pyproject.toml leaves alone"
    asked = (_forbidden, _inherited, _built)
    return next(filter(None, (ask(step, future, contract) for step in repair.steps for ask in asked)), "")


def _excluded(repair: Repair, future: Schema, contract: Contract) -> Iterator[QName]:
    """Yield the excluded tables that a repair changes; to be referenced changes none."""
    for step in repair.steps:
        sides = (each.tables.get(step.table) for each in (future, contract.schema))
        targets = {key.target for table in sides if table for key in table.foreign_keys}
        yield from (each for each in (step.table, *step.touches) if contract.excludes(each) and each not in targets)


def columns_of(finding: Finding) -> set[str]:
    """Return the columns that a finding is about: its own, and those of its foreign key, index or check."""
    part = finding.part
    others = part.columns if isinstance(part, ForeignKey | Index | Check) else ()
    return {column for column in (finding.column, *others) if column}


def _declared(finding: Finding, future: Schema, contract: Contract) -> str:
    """Return what rows get in a column of a finding that the plan adds; empty if it adds none or gives them nothing.

    Nothing is a value, too, where NULLs count as equal.
    """
    table, wanted = future.tables.get(finding.table), contract.tables.get(finding.table)
    alike = isinstance(finding.part, Index) and finding.part.nulls_not_distinct
    for column in sorted(columns_of(finding)) if table and wanted else ():
        there, meant = (side.columns.get(column) for side in (table, wanted) if side)
        if not (there and there.added and meant):
            continue
        if meant.default or contract.value_for(finding.table, meant) is not None:
            return f"the value that the contract declares for {column}"
        if there.supplied and not meant.generates:
            return f"the default of the domain of {column}"
        if alike and not meant.generates:
            return f"the NULL that all rows get in {column}"
    return ""


def _forbidden(step: Step, future: Schema, contract: Contract) -> str:
    """Return why a step may not write its table, such as heirs, generated columns, publications; empty if it may."""
    table = future.tables.get(step.table)
    if table is None:
        return ""
    needed = (o.name for o in table.obstacles if isinstance(o, Needing) and step.drops in o.constraints)
    if name := next(needed, None):
        return f"the {name} depends on {step.drops}: drop it, and create it again afterwards"
    if table.heirs and (step.effect.moves or step.shape.restores or step.shape.respells):
        own = f"ONLY {q.quoted(table.name)}"
        shows = f"others INHERIT from {table.name}, and it shows their rows without all their columns"
        return f"{shows}: settle its own by hand, as by UPDATE {own}, and plan again"
    if why := _numbers_with_others(step, table, future):
        return why
    made = [c for c in step.shape.restores if c in table.columns and table.columns[c].generated]
    if made:
        return f"{made[0]} is generated, and nothing can be written into it"
    wanted = contract.tables.get(step.table)
    keyed = wanted is None or wanted.primary_key is not None
    updates = bool(step.effect.changes) and step.lock is Lock.ROW_EXCLUSIVE  # another type changes cells, too
    undone = step.shape.restores or step.shape.respells
    if (step.effect.moves or updates or undone) and (why := untold(step, table, keyed=keyed)):
        return why
    computed = wanted and any(wanted.columns[c].generated for c in _adds(step) & wanted.columns.keys())
    if wanted and computed and (why := _untold_by_all(step, table, wanted)):
        return why
    below = [each.name for each in table.obstacles if isinstance(each, Below)] if step.effect.writes_rows else []
    return f"the {below[0]} would act on rows of {step.table}, and is none of its own" if below else ""


def _inherited(step: Step, future: Schema, contract: Contract) -> str:
    """Return why a step may not convert a column that comes from a table above; empty if none does.

    Where the contract wants the same of the table above, the heir's column is converted along with it.
    """
    table = future.tables.get(step.table)
    for parent in table.parents if table else ():
        for column in (each.column for each in step.shape.reverts):
            above, wanted = (side.tables.get(parent) for side in (future, contract.schema))
            meant = wanted.columns.get(column) if wanted else None
            if above and column in above.columns and not (meant and meant.full_type == _meant(step, column, contract)):
                home = ".".join(map(as_needed, parent))
                return (
                    f"it INHERITs {column} from {home}: run ALTER TABLE {home} ALTER COLUMN {as_needed(column)} TYPE …"
                )
    return ""


def _built(step: Step, future: Schema, _: Contract) -> str:
    """Return why a step, or its undo, may not build an index that was never finished; empty if neither builds any.

    A type that becomes wider may leave the rows as they are, but its undo, to the narrower one, writes them anew.
    """
    table, retyped = future.tables.get(step.table), {each.column for each in step.shape.reverts}
    if table is None or not (retyped or step.hazard is Hazard.REWRITES_TABLE):
        return ""
    today = {table.columns[column].stored_as or column for column in retyped & table.columns.keys()}
    for each in (each for each in table.obstacles if isinstance(each, Unbuilt)):
        if each.held or today & set(each.columns):
            why = "was never finished, and this repair would build it, which undo could not take back"
            return f"the {each.name} {why}: {each.way}; then plan again"
    return ""


def _meant(step: Step, column: str, contract: Contract) -> str:
    wanted = contract.tables.get(step.table)
    return wanted.columns[column].full_type if wanted and column in wanted.columns else ""


def _numbers_with_others(step: Step, table: Table, future: Schema) -> str:
    """Return why a step may not number the rows of a table anew; empty if it does not, or no others have its column."""
    for added in step.shape.added if table.heirs or table.parents else ():
        above = [
            each for each in table.parents if each in future.tables and added.column in future.tables[each].columns
        ]
        if added.counts and (table.heirs or above):
            whose = f"others INHERIT from {table.name}" if table.heirs else f"{table.name} INHERITs from {above[0]}"
            return f"{whose}: decide which numbers the rows of all these get in {added.column}"
    return ""


def leaves_out(generated: str, table: Table) -> list[str]:
    """Return the generated columns that a publication leaves out; then all columns tell no rows (PostgreSQL 18)."""
    kinds = {"n": ("s", "v"), "s": ("v",)}.get(generated, ())
    return [column.name for column in table.columns.values() if column.generated in kinds]


def cannot_tell(publication: str, out: list[str], table: QName) -> str:
    """Return that a publication could not tell rows of a table by all columns, and what a person does about it."""
    stored = f"run ALTER PUBLICATION {q.quoted([publication])} SET (publish_generated_columns = stored), where they are"
    return (
        f"could not tell which rows of {table} were changed by all their columns, because it leaves out the generated"
        f" {', '.join(out)}: {stored} STORED, else take the table out of it; then plan again"
    )


def _adds(step: Step) -> set[str]:
    return {added.column for added in step.shape.added}


def _untold_by_all(step: Step, table: Table, then: Table) -> str:
    """Return why a publication that tells rows by all columns could not; empty if it could, or tells them by a key.

    `then` is the table with the columns that it will have.
    """
    mute = (each for each in table.obstacles if isinstance(each, MutePublication) and not each.columns)
    for each in (each for each in mute if each.by_all):
        if out := leaves_out(each.generated, then):
            return f"the publication {each.name} {cannot_tell(each.name, out, step.table)}"
    return ""


def untold(step: Step, table: Table, *, keyed: bool = True) -> str:
    """Return why a publication could not identify the rows that a step changes; empty if it could.

    Where the contract has the table `keyed`, the primary key is there by the time of later steps.
    """
    if why := _untold_by_all(step, table, table):
        return why
    for each in table.obstacles:
        if not isinstance(each, MutePublication):
            continue
        if each.columns:  # a key that the plan adds would not help
            return (
                f"the publication {each.name} could not tell which rows of {step.table} were changed, by its columns"
                f" {', '.join(each.columns)}, which it leaves out or filters by: take the table out of it until it is"
                " repaired"
            )
        if each.by_all:
            continue
        if step.phase < Phase.INDEXES or each.told_by != "d" or not keyed:  # the primary key identifies no row then
            if out := leaves_out(each.generated, table):
                return f"the publication {each.name} {cannot_tell(each.name, out, step.table)}"
            whose = "for each of its partitions, ALTER TABLE …" if table.kind == "p" else None
            way = whose or f"ALTER TABLE {q.quoted(step.table)}"
            return (
                f"the publication {each.name} could not tell which rows of {step.table} were changed: run {way} REPLICA"
                " IDENTITY FULL; then plan again, and give back the identity that was there once it is repaired"
            )
    return ""
