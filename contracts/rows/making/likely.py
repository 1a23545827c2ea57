"""Guesses values of one column from the literals in the laws about it."""

from __future__ import annotations

import itertools
from datetime import datetime
from random import Random

from sqlalchemy import Column
from sqlalchemy import types as sa
from sqlalchemy.dialects import postgresql as pg

from contracts.rows.cells import Cell
from contracts.rows.conditions import Conditions
from contracts.rows.kinds.kind import Grid, Kind
from contracts.rows.kinds.literals import Array, Document
from contracts.rows.kinds.text import Text
from contracts.rows.kinds.types import item_kind
from contracts.rows.making.hints import Hints, marks_of
from contracts.rows.making.shapes import SHAPES, likenesses, varied
from contracts.rows.tables import AnyArray, AnyColumn, AnyType

_JSON_TYPES = {"object", "array", "string", "number", "boolean", "null"}


def likely(kind: Kind, column: AnyColumn, conditions: Conditions, hints: Hints, random: Random) -> list[Cell]:
    """Return guesses of a kind, the likeliest first; they need not meet the conditions."""
    examples = [kind.take(value) for value in column.info.get("examples", ())]
    choices = None if isinstance(column.type, sa.JSON) else kind.choices(conditions)
    if choices is not None:
        found = random.sample(choices, min(len(choices), 64))
    elif isinstance(kind, Text):
        found = _texts(kind, hints, random)
    elif isinstance(kind, Grid):
        found = _steps(kind, conditions, hints, random)
    else:
        found = _others(column.type, kind, hints, random)
    return [value for value in (*examples, *found) if value is not None]


def _texts(kind: Text, hints: Hints, random: Random) -> list[Cell]:
    alike = [text for each in hints.strings for text in likenesses(each, random)]
    sizes = [int(n) for n in hints.numbers if n == int(n) and 0 <= n <= 1000]
    sized = [(letter * (size + more)) for size in sizes for letter in "aA1" for more in (0, 1, -1) if size + more >= 0]
    found = [*alike, *SHAPES, *sized, *(varied(text, random) for text in SHAPES)]
    return [*dict.fromkeys(text for text in found if kind.take(text) is not None)]


def _steps(kind: Grid, conditions: Conditions, hints: Hints, random: Random) -> list[Cell]:
    low, high = kind.span(conditions)
    marks = marks_of(kind, hints)
    near = [mark + step for mark in marks for step in (0, 1, -1)]
    middles = [(a + b) // 2 for a, b in itertools.pairwise(marks)]
    starts = [int(kind.units(each)) for each in _rounded(kind.now())] if kind.now else [0]
    small = [starts[0] + kind.stride * n for n in (*range(8), -1, 10, 20, 30, 50, 100, 365, 1000)] + starts[1:]
    wide = [random.randint(low, high) for _ in range(40)] + [low, high]
    units = dict.fromkeys([*near, *middles, *small, *wide])
    return [kind.value(each) for each in units if low <= each <= high]


def _rounded(moment: Cell) -> list[Cell]:
    """Return a moment, and the starts of its day, its month and its year."""
    days = [moment, moment.replace(day=1), moment.replace(month=1, day=1)]
    whole = [day.replace(hour=0, minute=0, second=0, microsecond=0) for day in days if isinstance(day, datetime)]
    return [*days[:1], *(whole or days[1:])]


def _others(declared: AnyType, kind: Kind, hints: Hints, random: Random) -> list[Cell]:
    """Return guesses for types without an order, and for documents and arrays."""
    strings = list(hints.strings)
    if isinstance(declared, pg.DOMAIN):
        declared = declared.data_type
    if isinstance(declared, sa.JSON):
        return _documents(hints)
    if isinstance(declared, sa.ARRAY):
        return _arrays(declared, hints, random)
    if isinstance(declared, sa.LargeBinary):
        sizes = [int(n) for n in hints.numbers if n == int(n) and 0 <= n <= 1000]
        return [b"a", b"", *(random.randbytes(size) for size in sizes), random.randbytes(16), random.randbytes(32)]
    if isinstance(declared, pg.HSTORE):
        sets = (*([text] for text in strings), strings)
        strings = [", ".join(f'"{key}"=>"1"' for key in keys) for keys in sets]
    made = [kind.fresh((), None, random.getrandbits(120)) for _ in range(12)]
    return [*kind.samples, *strings, *made]


def _documents(hints: Hints) -> list[Cell]:
    strings = list(hints.strings)
    keys = [text for text in strings if text and text not in _JSON_TYPES][:6] or ["a"]
    scalars = [float(n) if n % 1 else int(n) for n in hints.numbers]
    leaves: list[Cell] = ["a", 1, True, [1], {"a": 1}, *strings, *scalars, "1"]
    plain: list[Cell] = [{}, [], [1], ["a"], [{}], {"a": 1}, 1, "a", True, None, [1, 2], ["a", "b"]]
    full = [dict.fromkeys(keys, leaf) for leaf in leaves]
    single = [{key: leaf} for key in keys for leaf in leaves]
    mixed = [dict(zip(keys, values, strict=True)) for values in itertools.product(leaves[:8], repeat=min(len(keys), 2))
             if len(keys) <= 2]  # fmt: skip
    lists: list[Cell] = [[each] for each in (*full[:6], *strings)]
    deep = [{keys[0]: dict.fromkeys(keys[1:], leaf)} for leaf in leaves] if len(keys) > 1 else []
    return [Document(each) for each in (*plain[:6], *full, *plain[6:], *single, *lists, *deep, *mixed)]


def _arrays(declared: AnyArray, hints: Hints, random: Random) -> list[Cell]:
    item = item_kind(declared)
    if item is None:
        return []
    column: AnyColumn = Column("item", declared.item_type)
    items = [v for v in likely(item, column, (), hints, random)[:24] if not isinstance(v, Document)]
    sizes = sorted({1, 2, 3, *(int(n) for n in hints.numbers if n == int(n) and 0 < n <= 20)})
    lists = [[each] for each in items] + [random.choices(items or [None], k=size) for size in sizes for _ in range(4)]
    dimensions = declared.dimensions or 1
    for _ in range(dimensions - 1):
        lists = [[each] for each in lists]
    return [Array(each) for each in (*lists[:2], [], *lists[2:])]
