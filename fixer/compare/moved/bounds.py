"""Which steps may write fewer rows than are counted for them, so that the plan says "at most".

Where rows share values, which of them stays shows only once others have gone: a row that has a new key, or whose rival
went for another reason, may stay, and so may what references it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from fixer.model.step import Phase, Step
from fixer.model.table import QName


def bounded(steps: Iterable[Step], found: Mapping[int, int]) -> set[int]:
    """Return which of these steps, by their places, have a bound instead of a number; `found` are the rows of each."""
    there = {place: step for place, step in enumerate(steps) if found.get(place, step.effect.rows)}
    repeating = {step.table for step in there.values() if step.repeats}
    moving = Counter(step.table for step in there.values() if step.effect.moves)
    unsure = {table for table in repeating if moving[table] > 1}
    return _spread(there, unsure, repeating)


def _spread(there: Mapping[int, Step], unsure: set[QName], repeating: set[QName]) -> set[int]:
    """Return the steps on tables of which it is `unsure` what goes, and those that follow one of them."""
    held: set[int] = set()
    while True:
        grown = {
            place
            for place, step in there.items()
            if (step.effect.moves and step.table in unsure and step.phase is not Phase.COPIES)
            or {*step.after} & (unsure | repeating)
        }
        unsure = unsure | {there[place].table for place in grown}
        if grown == held:
            return held
        held = grown
