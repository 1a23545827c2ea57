"""Finds the kind of values that a column's type takes."""

from __future__ import annotations

import functools
import uuid
from datetime import date
from fractions import Fraction

from hypothesis import strategies as st
from sqlalchemy import types as sa
from sqlalchemy.dialects import postgresql as pg

from contracts.rows.cells import Cell
from contracts.rows.kinds.grids import float_grid, interval_grid, moment_grid, number_grid, time_grid
from contracts.rows.kinds.kind import Grid, Kind, Labels, Plain
from contracts.rows.kinds.literals import Array
from contracts.rows.kinds.rare import RARITIES, bits, documents
from contracts.rows.kinds.text import Text
from contracts.rows.sqltext import DIALECT
from contracts.rows.tables import AnyArray, AnyColumn, AnyFloat, AnyNumeric, AnyType
from fixer.errors import ContractError

_BYTES = {sa.SmallInteger: 2, sa.BigInteger: 8}


@functools.cache
def kind_of(column: AnyColumn) -> Kind:
    """Return the kind of a column; ContractError where its type has none."""
    found = _kind_of_type(column.type)
    if found is None:
        raise ContractError(
            f"{column.table.name}.{column.name} has the type {column.type!r}, for which no values can be generated."
        )
    return found


def kind_or_none(column: AnyColumn) -> Kind | None:
    """Return the kind of a column, None where its type has none."""
    try:
        return kind_of(column)
    except ContractError:
        return None


def item_kind(array: AnyArray) -> Kind | None:
    """Return the kind of the items of an array, None where their type has none."""
    return _kind_of_type(array.item_type)


def _kind_of_type(declared: AnyType) -> Kind | None:
    """Return the kind of a type, None for an unknown one."""
    while isinstance(declared, sa.TypeDecorator) and not isinstance(declared, sa.Interval):
        declared = declared.load_dialect_impl(DIALECT)
    kind = declared.dialect_impl(DIALECT)
    match kind:
        case sa.Enum():
            return Labels(tuple(kind.enums), "enum") if kind.enums else None
        case sa.Boolean():
            return Labels((False, True), "boolean")
        case sa.Integer() | sa.Float() | sa.Numeric():
            return _number(kind)
        case sa.String():
            padded = isinstance(kind, sa.CHAR)
            return Text((kind.length or 1) if padded else kind.length, padded)
        case sa.DateTime() | sa.Date() | sa.Time() | sa.Interval() | pg.INTERVAL():
            return _moment(kind)
        case sa.ARRAY():
            return _array(kind)
        case pg.DOMAIN():
            return _kind_of_type(kind.data_type)
    return _other(kind)


def _number(kind: sa.Integer | AnyFloat | AnyNumeric) -> Kind:
    if isinstance(kind, sa.Integer):
        half = 2 ** (8 * next((n for t, n in _BYTES.items() if isinstance(kind, t)), 4) - 1)
        return number_grid(-half, half - 1, None)
    if isinstance(kind, sa.Float):
        return float_grid(kind)
    size = 10 ** (30 if kind.precision is None else kind.precision) - 1
    return number_grid(-size, size, 12 if kind.precision is None else kind.scale or 0)


def _moment(kind: sa.DateTime | sa.Date | sa.Time | sa.Interval | pg.INTERVAL) -> Kind:
    precision = getattr(kind, "precision", None)  # SQLAlchemy's types for PostgreSQL have one, its others have none
    match kind:
        case sa.DateTime():
            return moment_grid(bool(kind.timezone), precision)
        case sa.Date():
            low, high = (date(year, 1, 2).toordinal() for year in (1000, 9999))
            return Grid(low, high, _ordinal, date.fromordinal, date.fromisoformat, "date", now=date.today)
        case sa.Time():
            return time_grid(bool(kind.timezone), precision)
    fields = (isinstance(kind, pg.INTERVAL) and kind.fields) or "SECOND"
    return interval_grid(precision, fields.split()[-1].upper())


def _ordinal(day: date) -> Fraction:
    return Fraction(day.toordinal())


def _array(kind: AnyArray) -> Kind | None:
    item = item_kind(kind)
    if item is None:
        return None
    lists = st.lists(st.none() | item.good(()), max_size=3)

    def deep(values: list[Cell]) -> Array:
        for _ in range((kind.dimensions or 1) - 1 if values else 0):
            values = [values]
        return Array(values)

    return Plain(lists.map(deep))


def _other(kind: AnyType) -> Kind | None:
    match kind:
        case sa.Uuid():
            return Plain(st.uuids().map(str), lambda n: str(uuid.UUID(int=n, version=4)), lambda v: str(uuid.UUID(v)))
        case sa.JSON():
            return Plain(documents())
        case sa.LargeBinary():
            return Plain(st.binary(max_size=24), lambda n: n.to_bytes(16))
        case pg.BIT():
            return bits(kind)
    return next((found for rarity, found in RARITIES.items() if isinstance(kind, rarity)), None)
