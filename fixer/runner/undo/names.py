"""Finds the columns of today by the names that they had when images were made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from fixer.model.plan import PlannedStep
from fixer.model.step import Phase
from fixer.repair.constraints.online import BESIDE
from fixer.runner.journal.definitions import Item
from fixer.runner.journal.reading import DoneStep
from fixer.runner.undo.past import Past


def now_called(past: Past, done: DoneStep, oid: int, kept: Iterable[str], there: Mapping[str, Item]) -> dict[str, Item]:
    """Return the columns of a table that are `there` now, by the names under which a step's images `kept` them.

    Columns that are gone are left out. If a column was replaced, its replacement stands for it while that is there,
    since it has the values; undo copies them back later.
    """
    kept = list(kept)
    if not done.notes.columns:
        return _by_their_names(past, done.step, oid, kept, there)
    by_number = {column.number: column for column in there.values()}
    instead = {aside: there[column] for column, aside in past.exchanged(oid).items() if column in there}
    found = {}
    for name in kept:
        column = by_number.get(done.notes.columns.get(name, 0))
        if column and column.name == name:
            found[name] = column
        elif column and not name.startswith(BESIDE):  # a shadow column copied the one whose name it has now
            found[name] = instead.get(column.name, column)
    return found


def _by_their_names(
    past: Past, step: PlannedStep, oid: int, kept: Iterable[str], there: Mapping[str, Item]
) -> dict[str, Item]:
    """Return the same for a step of an earlier version, which noted no numbers of columns."""
    aside, found = _set_aside_since(past, step), {}
    before = past.then.columns(oid) if oid in past.then.relations else {}
    for name in kept:
        was = past.after.items.get(before[name].key) if name in before else None
        called = aside.get(name) or (name if name in there or was is None else was.name)
        if called in there:
            found[name] = there[called]
    return found


def _set_aside_since(past: Past, step: PlannedStep) -> dict[str, str]:
    """Return the columns of texts that later steps mapped to numbers: old name to new, if the step moves rows."""
    later = (done.step for done in past.steps if done.step.number > step.number)
    mappings = (s for s in later if s.phase in (Phase.KEYS, Phase.REFERENCES) and s.table == step.table)
    return dict(rename for mapping in mappings for rename in mapping.shape.renames) if step.effect.moves else {}
