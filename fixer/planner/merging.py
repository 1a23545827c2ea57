"""Neighbours in a plan that are one step: what alters, fills or reads one table does it once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from fixer.model.step import Hazard, Phase, Step
from fixer.repair.conversion.spellings import InOneGo, told_together
from fixer.repair.rows import filling
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable


def merged(steps: Iterable[Step]) -> Iterator[Step]:
    """Yield the steps, with neighbours that alter or fill one table merged, so that it is rewritten or read once."""
    waiting: Step | None = None
    for step in steps:
        if waiting and waiting.action and step.action and _goes_with(waiting, step):
            waiting = _joined(waiting, step, SQL("{},\n    {}").format(waiting.action, step.action))
            continue
        if waiting and (both := told_together(waiting, step) or _in_one_go(waiting, step)):
            waiting = both
            continue
        if waiting and waiting.fills and step.fills and waiting.table == step.table:
            waiting = _filled_together(waiting, step)
            continue
        if waiting:
            yield waiting
        waiting = step
    if waiting:
        yield waiting


def _goes_with(one: Step, other: Step) -> bool:
    alike = (one.table, one.phase, one.lock) == (other.table, other.phase, other.lock)
    return alike and (one.hazard == other.hazard or one.phase is Phase.CONVERT)


def _joined(one: Step, other: Step, action: Composable) -> Step:
    both = _both(one, other)
    added, reverts = one.shape.added + other.shape.added, one.shape.reverts + other.shape.reverts
    return replace(
        both,
        sql=SQL("ALTER TABLE {}\n    {}").format(q.name(one.table), action),
        action=action,
        effect=replace(both.effect, changes=one.effect.changes + other.effect.changes),
        shape=replace(both.shape, added=added, reverts=reverts),
    )


def _in_one_go(one: Step, other: Step) -> Step | None:
    """Return two conversions of a table at one go as one, where no key knows the rows whose spelling both keep."""
    if not (isinstance(one.sql, InOneGo) and isinstance(other.sql, InOneGo)) or one.table != other.table:
        return None
    if not (one.shape.respells and other.shape.respells) or one.shape.known_by or other.shape.known_by:
        return None
    around = list(merged(sorted([*one.sql.steps, *other.sql.steps], key=lambda step: step.phase)))
    shape = replace(
        one.shape,
        respells=one.shape.respells + other.shape.respells,
        reverts=one.shape.reverts + other.shape.reverts,
    )
    both = _both(one, other)
    changes = one.effect.changes + other.effect.changes
    return replace(both, sql=InOneGo(around), shape=shape, effect=replace(both.effect, changes=changes))


def _filled_together(one: Step, other: Step) -> Step:
    return filling(_both(one, other), one.fills + other.fills)


def _both(one: Step, other: Step) -> Step:
    """Return the first step with the titles of both, and the worse of their hazards."""
    worst = [
        hazard for hazard in (Hazard.REWRITES_VALUES, Hazard.REWRITES_TABLE) if hazard in (one.hazard, other.hazard)
    ]
    return replace(
        one,
        title=f"{one.title}; {other.title}",
        hazard=worst[0] if worst else one.hazard,
        effect=replace(one.effect, rows=max(one.effect.rows, other.effect.rows)),
        slug=one.slug if one.slug == other.slug else f"{one.slug},{other.slug}",
    )
