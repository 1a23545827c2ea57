"""findings → ordered steps, tied to the schema they were made for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any  # a part of a step, of any kind

from fixer.compare.feasibility import untold
from fixer.errors import option
from fixer.model.expression import as_needed
from fixer.model.plan import ATOMIC, ONLINE, Plan, PlannedStep
from fixer.model.report import Comparison
from fixer.model.schema import Schema
from fixer.model.step import Hazard, Phase, Step
from fixer.model.table import QName
from fixer.planner.copies import estranging
from fixer.planner.estimate import cost
from fixer.planner.order import arrange
from fixer.planner.publications import untellable
from fixer.planner.rebuilding import rebuilding
from fixer.repair.twins import question
from fixer.sql.compose import Composable

Render = Callable[[Composable], str]


def build(comparison: Comparison, target: str, render: Render, *, mode: str = ATOMIC) -> Plan:
    """Order the repairs of a comparison into a plan for a mode; nothing is executed."""
    actual = comparison.actual
    ordered = arrange(comparison, mode=mode)
    steps = tuple(_planned(number, step, actual, render, mode) for number, step in enumerate(ordered, start=1))
    broken = [f for f in comparison.findings if f.breaks and not f.left_out]
    refusals = [f"{f.message}: {f.repair.refusal}" for f in broken if f.repair.refusal]
    refusals += [*untellable(ordered, comparison), *rebuilding(ordered, comparison, mode), *estranging(comparison)]
    if mode == ONLINE:
        refusals += [*_too_early(ordered, comparison), *_under_a_view(ordered), *_untold(ordered, comparison)]
        refusals += _beside_an_old_column(ordered)
    creates = any(step.hazard is Hazard.CREATES_SCHEMA for step in steps)
    return Plan(
        target=target,
        contract=comparison.contract.name,
        schemas=comparison.contract.schemas,
        fingerprint=actual.fingerprint,
        steps=steps,
        mode=mode,
        findings=comparison.findings,
        refusals=tuple(refusals),
        question=question(actual, comparison.contract) if creates else "",
        choice=comparison.choice,
        left=comparison.left,
        uncounted=comparison.uncounted,
    )


def _too_early(steps: Iterable[Step], comparison: Comparison) -> Iterator[str]:
    """Yield why steps cannot run online: they move rows that texts still reference.

    Under a foreign key, they could not go; else it is known too late which rows follow them.
    """
    steps = list(steps)
    going = {step.table for step in steps if step.effect.moves and step.phase < Phase.KEYS}
    today = {table.stored_as or table.name: table for table in comparison.future.tables.values()}
    mapped = [each for each in today.values() if any(column.mapped for column in each.columns.values())]
    if not (going and mapped):
        return
    silent = _moved(arrange(comparison)) - _moved(steps)
    tied = {
        (today[key.table].name, today[key.target].name, column)
        for key in comparison.actual.foreign_keys()
        if {key.table, key.target} <= today.keys()
        for column in key.columns
    }
    for child in mapped:
        here = child.stored_as or child.name
        for key in comparison.contract.tables[child.name].foreign_keys:
            new = [column for each in key.columns if (column := child.columns.get(each)) and column.mapped]
            old = [child.columns[column.mapped] for column in new]
            texts = [column.stored_as or column.name for column in old]
            under_key = any((child.name, key.target, text) in tied for text in texts)
            if texts and key.target in going and (under_key or silent[child.name]):
                yield (
                    f"rows of {key.target} have to go while {here}.{', '.join(texts)} still holds texts that reference"
                    f" them: this takes {option('mode', ATOMIC)}"
                )


def _moved(steps: Iterable[Step]) -> Counter[QName]:
    """Return how many rows of each table steps say that they move."""
    moved = Counter[QName]()
    for step in steps:
        moved[step.table] += step.effect.rows if step.effect.moves else 0
    return moved


def _under_a_view(steps: Iterable[Step]) -> Iterator[str]:
    """Yield why steps cannot run online: they change types under the view that keeps the old name of a table."""
    steps = list(steps)
    kept = {step.touches[0]: step.table for step in steps if step.phase is Phase.TABLES and step.touches}
    retyped = {step.table for step in steps if step.shape.reverts or any(added.aside for added in step.shape.added)}
    for name in sorted(kept.keys() & retyped):
        old = ".".join(map(as_needed, kept[name]))
        why = f"types of {name} change, which keeps its old name {old} as a view"
        yield f"{why}: this takes {option('mode', ATOMIC)}"


def _beside_an_old_column(steps: Iterable[Step]) -> Iterator[str]:
    """Yield why steps cannot run online: a table is to INHERIT what keeps an old column, which that table lacks."""
    steps = list(steps)
    kept = {step.table: added.aside for step in steps for added in step.shape.added if added.aside}
    for step in steps:
        for parent in step.touches if step.phase is Phase.HEIRS else ():
            if parent in kept:
                why = f"{step.table} should INHERIT from {parent}, where the old column stays as {kept[parent]}"
                yield f"{why}, which {step.table.name} lacks: this takes {option('mode', ATOMIC)}"


def _untold(steps: Iterable[Step], comparison: Comparison) -> Iterator[str]:
    """Yield why steps cannot run online: they update rows that a publication could not identify."""
    for step in steps:
        table = comparison.future.tables.get(step.table)
        if table and step.batches.batch and step.effect.changes and (why := untold(step, table)):
            yield f"{why}, or take {option('mode', ATOMIC)}"


def _planned(number: int, step: Step, actual: Schema, render: Render, mode: str) -> PlannedStep:
    batches = step.batches if mode == ONLINE else replace(step.batches, batch=step.at_places)
    return PlannedStep(
        number=number,
        title=step.title,
        table=step.table,
        phase=step.phase,
        sql=render(step.sql),
        lock=step.lock,
        hazard=step.hazard,
        touches=step.touches,
        slug=step.slug,
        concurrent=step.concurrent,
        composes=step.composes,
        cost=cost(step, actual, online=mode == ONLINE),
        effect=step.effect,
        shape=_rendered(step.shape, render),
        batches=_rendered(batches, render),
    )


def _rendered(part: Any, render: Render) -> Any:
    """Return a part of a step with every statement in it rendered as text, at any depth."""
    if isinstance(part, Composable):
        return render(part)
    if isinstance(part, tuple):
        return tuple(_rendered(each, render) for each in part)
    if is_dataclass(part) and not isinstance(part, type):
        return replace(part, **{each.name: _rendered(getattr(part, each.name), render) for each in fields(part)})
    return part
