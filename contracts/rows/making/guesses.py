"""Guesses rows that may obey a law which only the server can judge."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from fractions import Fraction
from random import Random

from contracts.rows.cells import Cell
from contracts.rows.checks.checks import conditions_of
from contracts.rows.conditions import NOT_NULL
from contracts.rows.insertions import Row
from contracts.rows.kinds.kind import Grid
from contracts.rows.kinds.types import kind_or_none
from contracts.rows.laws.groups import Group
from contracts.rows.making.columns import nullable
from contracts.rows.making.hints import Hints, hints_of
from contracts.rows.making.likely import likely
from contracts.rows.tables import columns_of

_ENOUGH = 3000  # combinations of guesses


def guesses(group: Group, pins: Row, random: Random) -> list[Row]:
    """Return values of a group that may obey its laws, the likeliest first."""
    hints = hints_of(group)
    lists = [[pins[n]] if n in pins else _of_column(group, n, hints, random) for n in group.columns]
    found = list(_near(group, lists, pins, random))
    combined = 1
    for each in lists:
        combined *= len(each)
    if combined <= _ENOUGH:
        whole = [dict(zip(group.columns, values, strict=True)) for values in itertools.product(*lists)]
        random.shuffle(whole)
        return found + whole
    for tries in range(_ENOUGH):  # the first guesses are the likeliest
        reach = 2 + tries // 40
        found.append({n: random.choice(each[:reach]) for n, each in zip(group.columns, lists, strict=True)})
    return found


def _of_column(group: Group, name: str, hints: Hints, random: Random) -> list[Cell]:
    column = columns_of(group.table)[name]
    conditions = conditions_of(column)
    kind = kind_or_none(column)
    found = [] if kind is None else likely(kind, column, conditions, hints, random)
    held = [c for c in conditions if c.op != NOT_NULL]
    found = [value for value in found if all(c.holds(value) for c in held)]
    if nullable(column):
        found.insert(min(2, len(found)), None)
    return found


def _near(group: Group, lists: Sequence[list[Cell]], pins: Row, random: Random) -> Iterator[Row]:
    """Yield rows in which values of one kind are close together, such as a start and an end."""
    columns = columns_of(group.table)
    kinds = {name: kind for name in group.columns if isinstance(kind := kind_or_none(columns[name]), Grid)}
    families = {kind.family for kind in kinds.values()}
    for family in sorted(families):
        close = [n for n, kind in kinds.items() if kind.family == family and n not in pins]
        if len(close) < 2:
            continue
        values = dict(zip(group.columns, lists, strict=True))
        for start in values[close[0]][:24]:
            for way in (1, -1, 0):
                row = {name: random.choice(each[:8]) if each else None for name, each in values.items()}
                if start is None:
                    continue
                for step, name in enumerate(close):
                    row[name] = _later(kinds[close[0]], kinds[name], start, way * step)
                if None not in [row[name] for name in close]:
                    yield row


def _later(first: Grid, kind: Grid, start: Cell, steps: int) -> Cell:
    """Return a value some strides after another one, of the other's kind; None where there is none."""
    units = first.units(start) * Fraction(kind.stride, first.stride)
    found = int(units + steps * kind.stride)
    return kind.value(found) if kind.low <= found <= kind.high else None
