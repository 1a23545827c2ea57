"""Finds the kind of values that a column's type takes."""

from __future__ import annotations

import functools
import ipaddress
import uuid
from collections.abc import Callable
from datetime import date
from fractions import Fraction
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from sqlalchemy import Column
from sqlalchemy import types as sa
from sqlalchemy.dialects import postgresql as pg

from contracts.rows.kinds.grids import float_grid, interval_grid, moment_grid, number_grid, time_grid
from contracts.rows.kinds.kind import Grid, Kind, Labels, Plain
from contracts.rows.kinds.literals import Array, Document
from contracts.rows.kinds.text import AWKWARD, CHARACTERS, Text
from contracts.rows.sqltext import DIALECT
from fixer.errors import ContractError

_BYTES = {sa.SmallInteger: 2, sa.BigInteger: 8}


def _json() -> SearchStrategy[Any]:
    text = st.text(CHARACTERS, max_size=8) | st.text(AWKWARD, max_size=8)
    leaf = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text
    nested = st.lists(leaf, max_size=3) | st.dictionaries(text, leaf, max_size=3)
    return st.one_of(leaf, nested, st.dictionaries(text, nested, max_size=2)).map(Document)


def _address(number: int) -> str:
    return str(ipaddress.IPv6Address(number % 2**128))


def _range(low: str, high: str, at: Callable[[int], str]) -> Plain:
    def make(number: int) -> str:
        start = number % _PLACES
        return f"[{at(start)},{at(start + 1)})"

    bounded = (f"[{low},{high})", f"({low},{high}]", make(1), make(2), make(3))
    strategy = st.sampled_from(["empty", *bounded, f"[{low},)", f"(,{high})", "(,)"])
    return Plain(strategy, make, samples=(*bounded, f"[{low},)", f"(,{high})", "empty"))


_PLACES = 900_000  # of ranges that are made: as many days end before the year 4500


def _day(number: int) -> str:
    return date.fromordinal(730_120 + number).isoformat()


def _mac(count: int) -> Plain:
    def make(number: int) -> str:
        return (number % (1 << 8 * count)).to_bytes(count).hex(":")

    return Plain(st.integers(0, (1 << 8 * count) - 1).map(make), make)


def _bits(kind: pg.BIT) -> Plain:
    low, high = (0, kind.length or 16) if kind.varying else (kind.length or 1, kind.length or 1)
    samples = ("0" * low, "1" * low, "0" * high, "1" * high, "10" * (high // 2) + "1" * (high % 2))
    return Plain(st.text("01", min_size=low, max_size=high), samples=samples)


_WORDS = st.text("abc", min_size=1, max_size=5)
_RARITIES: dict[type[Any], Kind] = {
    pg.INET: Plain(st.ip_addresses().map(str), _address, samples=("192.0.2.1", "10.0.0.1", "10.0.0.0/8", "::1")),
    pg.CIDR: Plain(st.ip_addresses().map(str), _address, samples=("192.0.2.0/24", "10.0.0.0/8", "::/0")),
    pg.MACADDR: _mac(6),
    pg.MACADDR8: _mac(8),
    pg.OID: number_grid(0, 2**32 - 1, None),
    pg.MONEY: number_grid(-(10**12), 10**12, 2),
    pg.TSVECTOR: Plain(_WORDS, samples=("a", "b c")),
    pg.TSQUERY: Plain(_WORDS, samples=("a", "b")),
    pg.HSTORE: Plain(_WORDS.map('"{0}"=>"{0}"'.format), samples=('"a"=>"b"', "")),
    pg.INT4RANGE: _range("1", "9", str),
    pg.INT8RANGE: _range("1", "9", str),
    pg.NUMRANGE: _range("1.5", "9.25", str),
    pg.DATERANGE: _range("2000-01-01", "2001-01-01", _day),
    pg.TSRANGE: _range("2000-01-01", "2001-01-01", _day),
    pg.TSTZRANGE: _range("2000-01-01 00:00Z", "2001-01-01 00:00Z", lambda n: f"{_day(n)} 00:00Z"),
}


@functools.cache
def kind_of(column: Column[Any]) -> Kind:
    """Return the kind of a column; ContractError where its type has none."""
    found = _kind_of_type(column.type)
    if found is None:
        raise ContractError(
            f"{column.table.name}.{column.name} has the type {column.type!r}, for which no values can be generated."
        )
    return found


def kind_or_none(column: Column[Any]) -> Kind | None:
    """Return the kind of a column, None where its type has none."""
    try:
        return kind_of(column)
    except ContractError:
        return None


def item_kind(array: sa.ARRAY[Any]) -> Kind | None:
    """Return the kind of the items of an array, None where their type has none."""
    return _kind_of_type(array.item_type)


def _kind_of_type(declared: Any) -> Kind | None:
    """Return the kind of a type, None for an unknown one."""
    while isinstance(declared, sa.TypeDecorator) and not isinstance(declared, sa.Interval):
        declared = declared.load_dialect_impl(DIALECT)
    kind = declared.dialect_impl(DIALECT)
    precision = getattr(kind, "precision", None)
    match kind:
        case sa.Enum():
            return Labels(tuple(kind.enums), "enum") if kind.enums else None
        case sa.Boolean():
            return Labels((False, True), "boolean")
        case sa.Integer():
            half = 2 ** (8 * next((n for t, n in _BYTES.items() if isinstance(kind, t)), 4) - 1)
            return number_grid(-half, half - 1, None)
        case sa.Float():
            return float_grid(kind)
        case sa.Numeric():
            size = 10 ** (30 if precision is None else precision) - 1
            return number_grid(-size, size, 12 if precision is None else kind.scale or 0)
        case sa.String():
            padded = isinstance(kind, sa.CHAR)
            return Text((kind.length or 1) if padded else kind.length, padded)
        case sa.DateTime():
            return moment_grid(bool(kind.timezone), precision)
        case sa.Date():
            low, high = (date(year, 1, 2).toordinal() for year in (1000, 9999))
            return Grid(
                low,
                high,
                lambda v: Fraction(v.toordinal()),
                date.fromordinal,
                date.fromisoformat,
                "date",
                now=date.today,
            )
        case sa.Time():
            return time_grid(bool(kind.timezone), precision)
        case sa.Interval() | pg.INTERVAL():
            return interval_grid(precision)
        case sa.Uuid():
            return Plain(st.uuids().map(str), lambda n: str(uuid.UUID(int=n, version=4)), lambda v: str(uuid.UUID(v)))
        case sa.JSON():
            return Plain(_json())
        case sa.LargeBinary():
            return Plain(st.binary(max_size=24), lambda n: n.to_bytes(16))
        case sa.ARRAY():
            return _array(kind)
        case pg.DOMAIN():
            return _kind_of_type(kind.data_type)
        case pg.BIT():
            return _bits(kind)
    return next((found for rarity, found in _RARITIES.items() if isinstance(kind, rarity)), None)


def _array(kind: sa.ARRAY[Any]) -> Kind | None:
    item = item_kind(kind)
    if item is None:
        return None
    lists = st.lists(st.none() | item.good(()), max_size=3)

    def deep(values: list[Any]) -> Array:
        for _ in range((kind.dimensions or 1) - 1 if values else 0):
            values = [values]
        return Array(values)

    return Plain(lists.map(deep))
