"""Varies a row that obeys a law: other values in the columns that keep rows apart."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from random import Random

from contracts.rows.cells import Cell
from contracts.rows.conditions import Conditions
from contracts.rows.insertions import Row
from contracts.rows.kinds.kind import Grid, Kind, Labels
from contracts.rows.kinds.text import Text
from contracts.rows.kinds.types import kind_or_none
from contracts.rows.laws.groups import Group
from contracts.rows.laws.references import foreign
from contracts.rows.making.hints import Hints, hints_of, marks_of
from contracts.rows.making.shapes import varied
from contracts.rows.tables import columns_of


def variations(
    group: Group, pattern: Row, conditions: Mapping[str, Conditions], random: Random, count: int
) -> Iterator[Row]:
    """Yield rows like a pattern, with other values that meet their conditions in some columns."""
    hints = hints_of(group)
    kinds = {name: kind_or_none(columns_of(group.table)[name]) for name in conditions}
    for turn in range(count):
        row = dict(pattern)
        for name, kind in kinds.items():
            if kind is not None and row.get(name) is not None:
                row[name] = _varied(kind, row[name], conditions[name], hints, random, turn)
        yield _shifted(group, pattern, row, conditions) if turn % 2 == 0 else row


def _varied(
    kind: Kind,
    value: Cell,
    conditions: Conditions,
    hints: Hints,
    random: Random,
    turn: int,
) -> Cell:
    if isinstance(kind, Labels) or kind.choices(conditions) is not None:
        return kind.fresh(conditions, value, random.getrandbits(120))
    if isinstance(kind, Text):
        return kind.take(varied(value, random, turn)) or value
    if isinstance(kind, Grid):
        low, high = kind.span(conditions)
        if turn % 4 == 2 and kind.now:
            return _another_month(kind, value, random)
        marks = [mark for mark in marks_of(kind, hints) if low <= mark <= high]
        around = [*itertools.pairwise([low, *marks, high]), *itertools.pairwise(marks), *itertools.pairwise(marks)]
        if turn % 4 == 3 or not marks:
            return kind.fresh(conditions, value, random.getrandbits(120))
        low, high = random.choice(around)
        if turn % 4 == 1:
            high = min(high, low + 10_000)
        return kind.value(random.randint(low, high))
    if isinstance(value, bytes) and value:
        return random.randbytes(len(value))
    return kind.fresh(conditions, value, random.getrandbits(120))


def _another_month(kind: Grid, value: Cell, random: Random) -> Cell:
    """Return the same day and time of another month, where it has that day."""
    try:
        return kind.take(value.replace(year=random.randint(1001, 9998), month=random.randint(1, 12))) or value
    except ValueError:
        return value


def _shifted(group: Group, pattern: Row, row: Row, tokens: Iterable[str]) -> Row:
    """Return a row in which values of the same scale moved as far as the changed one."""
    columns = columns_of(group.table)
    kinds = {name: kind for name in group.columns if isinstance(kind := kind_or_none(columns[name]), Grid)}
    for name in tokens:
        kind = kinds.get(name)
        if kind is None or row.get(name) is None:
            continue
        way = kind.units(row[name]) - kind.units(pattern[name])
        for other, its in kinds.items():
            same = its.family == kind.family and other not in tokens
            if same and pattern.get(other) is not None and other not in foreign(group.table):
                moved = int(its.units(pattern[other]) + way)
                row[other] = its.value(moved) if its.low <= moved <= its.high else pattern[other]
    return row
