"""Neighbours in a plan that are one step: what alters, fills or reads one table does it once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from fixer.model.step import Hazard, Phase, Step
from fixer.repair.conversion.spellings import InOneGo, Kept
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
        if waiting and _known_by_all(waiting, step) and (both := _told_together(waiting, step)):
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


def _known_by_all(one: Step, other: Step) -> bool:
    """Return whether both keep spellings of one table whose rows no key knows: one image has to tell all of them."""
    return one.table == other.table and all(each.shape.respells and not each.shape.known_by for each in (one, other))


def _told_together(one: Step, other: Step) -> Step | None:
    """Return one step for two images, or for two conversions at one go; None for others."""
    mine, theirs, both = one.sql, other.sql, _both(one, other)
    respells = one.shape.respells + other.shape.respells
    if isinstance(mine, Kept) and isinstance(theirs, Kept):
        kept = Kept(mine.row, [*mine.spellings, *theirs.spellings], ())
        return replace(both, sql=kept, shape=replace(one.shape, respells=respells))
    if not (isinstance(mine, InOneGo) and isinstance(theirs, InOneGo)):
        return None
    around = list(merged(sorted([*mine.steps, *theirs.steps], key=lambda step: step.phase)))
    shape = replace(one.shape, respells=respells, reverts=one.shape.reverts + other.shape.reverts)
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
