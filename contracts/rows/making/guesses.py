"""Guesses: values that often obey a law which only the server understands."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import Any

from sqlalchemy import Column
from sqlalchemy import types as sa
from sqlalchemy.dialects import postgresql as pg

from contracts.rows.checks.checks import conditions_of
from contracts.rows.conditions import NOT_NULL, Conditions
from contracts.rows.insertions import Row
from contracts.rows.kinds.kind import Grid, Kind, Labels
from contracts.rows.kinds.literals import Array, Document
from contracts.rows.kinds.text import Text
from contracts.rows.kinds.types import item_kind, kind_or_none
from contracts.rows.laws.groups import Group
from contracts.rows.laws.references import foreign
from contracts.rows.making.columns import nullable
from contracts.rows.making.shapes import SHAPES, likenesses, varied
from contracts.rows.sqltext import Unread, lex
from contracts.rows.tables import columns_of

_ENOUGH = 3000  # combinations of guesses


def guesses(group: Group, pins: Row, random: Random) -> list[Row]:
    """Return rows over the columns of a group that may obey its laws, the likeliest first."""
    strings, numbers = literals(law.hints for law in group.laws)
    lists = [[pins[n]] if n in pins else _of_column(group, n, strings, numbers, random) for n in group.columns]
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


def literals(texts: Iterable[str]) -> tuple[list[str], list[Decimal]]:
    """Return the strings and the numbers that stand in pieces of SQL."""
    strings, numbers = dict[str, None](), dict[Decimal, None]()
    for text in texts:
        try:
            for kind, word in lex(text):
                if kind == "string":
                    strings[word] = None
                elif kind == "number":
                    numbers[Decimal(word)] = None
        except Unread:
            strings |= dict.fromkeys(each.replace("''", "'") for each in re.findall(r"'((?:[^']|'')*)'", text))
    return list(strings), list(numbers)


def _of_column(group: Group, name: str, strings: list[str], numbers: list[Decimal], random: Random) -> list[Any]:
    column = columns_of(group.table)[name]
    conditions = conditions_of(column)
    kind = kind_or_none(column)
    found = [] if kind is None else _of_kind(kind, column, conditions, strings, numbers, random)
    held = [c for c in conditions if c.op != NOT_NULL]
    found = [value for value in found if all(c.holds(value) for c in held)]
    if nullable(column):
        found.insert(min(2, len(found)), None)
    return found


def _of_kind(
    kind: Kind, column: Column[Any], conditions: Conditions, strings: list[str], numbers: list[Decimal], random: Random
) -> list[Any]:
    examples = [kind.take(value) for value in column.info.get("examples", ())]
    choices = None if isinstance(column.type, sa.JSON) else kind.choices(conditions)
    if choices is not None:
        found = random.sample(choices, min(len(choices), 64))
    elif isinstance(kind, Text):
        found = _texts(kind, strings, numbers, random)
    elif isinstance(kind, Grid):
        found = _steps(kind, conditions, strings, numbers, random)
    else:
        found = _others(column.type, kind, strings, numbers, random)
    return [value for value in (*examples, *found) if value is not None]


def _texts(kind: Text, strings: list[str], numbers: list[Decimal], random: Random) -> list[Any]:
    likely = [text for each in strings for text in likenesses(each, random)]
    sizes = [int(n) for n in numbers if n == int(n) and 0 <= n <= 1000]
    sized = [(letter * (size + more)) for size in sizes for letter in "aA1" for more in (0, 1, -1) if size + more >= 0]
    found = [*likely, *SHAPES, *sized, *(varied(text, random) for text in SHAPES)]
    return [*dict.fromkeys(text for text in found if kind.take(text) is not None)]


def _steps(kind: Grid, conditions: Conditions, strings: list[str], numbers: list[Decimal], random: Random) -> list[Any]:
    low, high = kind.span(conditions)
    marks = marks_of(kind, strings, numbers)
    near = [mark + step for mark in marks for step in (0, 1, -1)]
    middles = [(a + b) // 2 for a, b in itertools.pairwise(marks)]
    starts = [int(kind.units(each)) for each in _rounded(kind.now())] if kind.now else [0]
    small = [starts[0] + kind.stride * n for n in (*range(8), -1, 10, 20, 30, 50, 100, 365, 1000)] + starts[1:]
    wide = [random.randint(low, high) for _ in range(40)] + [low, high]
    units = dict.fromkeys([*near, *middles, *small, *wide])
    return [kind.value(each) for each in units if low <= each <= high]


def _rounded(moment: Any) -> list[Any]:
    """Return a moment, and the starts of its day, its month and its year."""
    days = [moment, moment.replace(day=1), moment.replace(month=1, day=1)]
    whole = [day.replace(hour=0, minute=0, second=0, microsecond=0) for day in days if isinstance(day, datetime)]
    return [*days[:1], *(whole or days[1:])]


def marks_of(kind: Grid, strings: Iterable[str], numbers: Iterable[Decimal]) -> list[int]:
    """Return the steps at which literals stand, in order."""
    found = set[int]()
    years = [f"{n}-01-01" for n in map(str, (*strings, *numbers)) if kind.now and re.fullmatch(r"[1-9]\d{3}", n)]
    both: list[str | Decimal] = [*strings, *years, *numbers]
    for literal in both:
        try:
            found.add(int(kind.units(kind.read(_stamp(kind, literal)))))
        except (ValueError, ArithmeticError, LookupError, TypeError):
            continue
    return sorted(found)


def _stamp(kind: Grid, literal: str | Decimal) -> str | Decimal:
    """Return a literal as Python reads it: PostgreSQL spells a zone as +00."""
    if isinstance(literal, str):
        literal = re.sub(r"([+-]\d\d)$", r"\1:00", literal) if kind.family == "zoned" else literal
        if kind.family == "zoned" and not re.search(r"(Z|[+-]\d\d:\d\d)$", literal):
            literal += "+00:00"
    return literal


def _others(declared: Any, kind: Kind, strings: list[str], numbers: list[Decimal], random: Random) -> list[Any]:
    """Return guesses of the types that know no order, and of those that hold others."""
    if isinstance(declared, pg.DOMAIN):
        declared = declared.data_type
    if isinstance(declared, sa.JSON):
        return _documents(strings, numbers)
    if isinstance(declared, sa.ARRAY):
        return _arrays(declared, strings, numbers, random)
    if isinstance(declared, sa.LargeBinary):
        sizes = [int(n) for n in numbers if n == int(n) and 0 <= n <= 1000]
        return [b"a", b"", *(random.randbytes(size) for size in sizes), random.randbytes(16), random.randbytes(32)]
    if isinstance(declared, pg.HSTORE):
        strings = [", ".join(f'"{key}"=>"1"' for key in keys) for keys in (*([text] for text in strings), strings)]
    made = [kind.fresh((), None, random.getrandbits(120)) for _ in range(12)]
    return [*kind.samples, *strings, *made]


def _documents(strings: list[str], numbers: list[Decimal]) -> list[Any]:
    keys = [text for text in strings if text and text not in _JSON_TYPES][:6] or ["a"]
    leaves: list[Any] = ["a", 1, True, [1], {"a": 1}, *strings, *(float(n) if n % 1 else int(n) for n in numbers), "1"]
    plain: list[Any] = [{}, [], [1], ["a"], [{}], {"a": 1}, 1, "a", True, None, [1, 2], ["a", "b"]]
    full = [dict.fromkeys(keys, leaf) for leaf in leaves]
    single = [{key: leaf} for key in keys for leaf in leaves]
    mixed = [dict(zip(keys, values, strict=True)) for values in itertools.product(leaves[:8], repeat=min(len(keys), 2))
             if len(keys) <= 2]  # fmt: skip
    lists: list[Any] = [[each] for each in (*full[:6], *strings)]
    deep = [{keys[0]: dict.fromkeys(keys[1:], leaf)} for leaf in leaves] if len(keys) > 1 else []
    return [Document(each) for each in (*plain[:6], *full, *plain[6:], *single, *lists, *deep, *mixed)]


_JSON_TYPES = {"object", "array", "string", "number", "boolean", "null"}


def _arrays(declared: Any, strings: list[str], numbers: list[Decimal], random: Random) -> list[Any]:
    item = item_kind(declared)
    if item is None:
        return []
    column: Column[Any] = Column("item", declared.item_type)
    items = [v for v in _of_kind(item, column, (), strings, numbers, random)[:24] if not isinstance(v, Document)]
    sizes = sorted({1, 2, 3, *(int(n) for n in numbers if n == int(n) and 0 < n <= 20)})
    lists = [[each] for each in items] + [random.choices(items or [None], k=size) for size in sizes for _ in range(4)]
    dimensions = declared.dimensions or 1
    for _ in range(dimensions - 1):
        lists = [[each] for each in lists]
    return [Array(each) for each in (*lists[:2], [], *lists[2:])]


def _near(group: Group, lists: Sequence[list[Any]], pins: Row, random: Random) -> Iterator[Row]:
    """Yield rows in which values of one kind stand close together, as a start and an end do."""
    kinds = {name: kind_or_none(columns_of(group.table)[name]) for name in group.columns}
    families = {kind.family for kind in kinds.values() if isinstance(kind, Grid)}
    for family in sorted(families):
        close = [n for n, kind in kinds.items() if isinstance(kind, Grid) and kind.family == family and n not in pins]
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


def _later(first: Any, kind: Any, start: Any, steps: int) -> Any:
    """Return a value some strides after another one, of the other's kind; None where there is none."""
    units = first.units(start) * Fraction(kind.stride, first.stride)
    found = int(units + steps * kind.stride)
    return kind.value(found) if kind.low <= found <= kind.high else None


def variations(
    group: Group, pattern: Row, conditions: Mapping[str, Conditions], random: Random, count: int
) -> Iterator[Row]:
    """Yield rows like a pattern, with other values that meet their conditions in some columns."""
    strings, numbers = literals(law.hints for law in group.laws)
    kinds = {name: kind_or_none(columns_of(group.table)[name]) for name in conditions}
    for turn in range(count):
        row = dict(pattern)
        for name, kind in kinds.items():
            if kind is not None and row.get(name) is not None:
                row[name] = _varied(kind, row[name], conditions[name], strings, numbers, random, turn)
        yield _shifted(group, pattern, row, conditions) if turn % 2 == 0 else row


def _varied(
    kind: Kind,
    value: Any,
    conditions: Conditions,
    strings: list[str],
    numbers: list[Decimal],
    random: Random,
    turn: int,
) -> Any:
    if isinstance(kind, Labels) or kind.choices(conditions) is not None:
        return kind.fresh(conditions, value, random.getrandbits(120))
    if isinstance(kind, Text):
        return kind.take(varied(value, random, turn)) or value
    if isinstance(kind, Grid):
        low, high = kind.span(conditions)
        if turn % 4 == 2 and kind.now:
            return _another_month(kind, value, random)
        marks = [mark for mark in marks_of(kind, strings, numbers) if low <= mark <= high]
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


def _another_month(kind: Grid, value: Any, random: Random) -> Any:
    """Return the same day and time of another month, where it has that day."""
    try:
        return kind.take(value.replace(year=random.randint(1001, 9998), month=random.randint(1, 12))) or value
    except ValueError:
        return value


def _shifted(group: Group, pattern: Row, row: Row, tokens: Iterable[str]) -> Row:
    """Return a row in which all that stands on one scale with a changed value moved as far."""
    columns = columns_of(group.table)
    kinds = {name: kind_or_none(columns[name]) for name in group.columns}
    for name in tokens:
        kind = kinds.get(name)
        if not isinstance(kind, Grid) or row.get(name) is None:
            continue
        way = kind.units(row[name]) - kind.units(pattern[name])
        for other, its in kinds.items():
            same = isinstance(its, Grid) and its.family == kind.family and other not in tokens
            if same and pattern.get(other) is not None and other not in foreign(group.table):
                assert isinstance(its, Grid)
                moved = int(its.units(pattern[other]) + way)
                row[other] = its.value(moved) if its.low <= moved <= its.high else pattern[other]
    return row
