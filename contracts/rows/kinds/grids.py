"""The kinds of numbers and of time, as even steps."""

from __future__ import annotations

import functools
import math
from datetime import UTC, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction

from hypothesis import strategies as st
from sqlalchemy import types as sa

from contracts.rows.kinds.kind import Grid
from contracts.rows.tables import AnyFloat

_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(2000, 1, 1)
_DAY = 86_400_000_000
_FIELDS = {"MINUTE": timedelta(minutes=1), "HOUR": timedelta(hours=1), "DAY": timedelta(days=1)}  # of intervals
_ZONES = [UTC, timezone(timedelta(hours=5, minutes=30)), timezone(-timedelta(hours=8))]


@functools.cache
def number_grid(low: int, high: int, scale: int | None) -> Grid:
    """Return the numbers whose last digit stands `scale` places after the point; None for int."""
    if scale is None:
        return Grid(low, high, Fraction, int, Decimal, "number")

    def value(units: int) -> Decimal:
        return Decimal((int(units < 0), tuple(map(int, str(abs(units)))), -scale))  # exact at any precision

    size = 10 ** max(scale, 0)
    return Grid(low, high, lambda v: Fraction(v) * Fraction(10) ** scale, value, Decimal, "number", stride=size)


def float_grid(kind: AnyFloat) -> Grid:
    """Return the floats: multiples of 1/1024 where a check bounds them, any float where none does."""
    single = isinstance(kind, sa.REAL) or (kind.precision or 53) <= 24
    wild = st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=False, width=32 if single else 64)
    size = 2**24 if single else 2**53
    return Grid(-size, size, lambda v: Fraction(v) * 1024, lambda n: n / 1024, float, "number", wild, 1024)


@functools.cache
def moment_grid(zoned: bool, precision: int | None) -> Grid:
    """Return the moments that every client reads back: the years 1000 to 9999."""
    unit = _MICROSECOND * 10 ** (6 - (6 if precision is None else min(precision, 6)))
    epoch = _EPOCH.replace(tzinfo=UTC) if zoned else _EPOCH

    def units(moment: datetime) -> Fraction:
        return Fraction((moment - epoch) // _MICROSECOND, unit // _MICROSECOND)

    def value(count: int) -> datetime:
        moment: datetime = epoch + unit * count
        return moment.astimezone(_ZONES[count % len(_ZONES)]) if zoned else moment

    def read(literal: str) -> datetime:
        moment = datetime.fromisoformat(literal)
        if (moment.tzinfo is not None) != zoned:
            raise ValueError(literal)
        return moment

    low, high = (datetime(y, 1, 2, tzinfo=epoch.tzinfo) for y in (1000, 9999))
    day, ends = _DAY * _MICROSECOND // unit, (math.ceil(units(low)), int(units(high)))
    family, now = "zoned" if zoned else "moment", lambda: datetime.now(epoch.tzinfo)
    return Grid(*ends, units, value, read, family, stride=day, now=now)


@functools.cache
def time_grid(zoned: bool, precision: int | None) -> Grid:
    """Return the times of a day."""
    unit = 10 ** (6 - (6 if precision is None else min(precision, 6)))

    def value(count: int) -> time:
        moment: time = (_EPOCH + _MICROSECOND * unit * count).time()
        return moment.replace(tzinfo=UTC) if zoned else moment

    def units(moment: time) -> Fraction:
        return Fraction((datetime.combine(_EPOCH, moment.replace(tzinfo=None)) - _EPOCH) // _MICROSECOND, unit)

    family = "zoned time" if zoned else "time"
    return Grid(0, _DAY // unit - 1, units, value, time.fromisoformat, family, stride=_DAY // 24 // unit)


@functools.cache
def interval_grid(precision: int | None, finest: str = "SECOND") -> Grid:
    """Return the intervals of up to a hundred years, whole ones of the finest field that the type keeps.

    Python's intervals have no months, so that of a type which keeps nothing finer there is the empty one alone.
    """
    second = _MICROSECOND * 10 ** (6 - (6 if precision is None else min(precision, 6)))
    unit = {"SECOND": second, **_FIELDS}.get(finest, timedelta.max)
    size = timedelta(days=36_500) // unit

    def read(literal: str) -> timedelta:
        raise ValueError(literal)

    hour = timedelta(hours=1) // unit

    def units(span: timedelta) -> Fraction:
        return Fraction(span // _MICROSECOND, unit // _MICROSECOND)

    return Grid(-size, size, units, lambda n: unit * n, read, "", stride=max(hour, 1))
