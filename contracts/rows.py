"""Rows for the tables of any MetaData: good families of rows, and families whose last row is bad in one way.

What a column takes follows from its type and from the checks that can be read; what a row needs, from the
keys. The engine knows no column by name: ``info={"examples": [...]}`` of a column mixes real values in.
"""

from __future__ import annotations

import functools
import hashlib
import ipaddress
import math
import re
import secrets
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from typing import Any

from hypothesis import reject
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy
from psycopg2 import sql
from psycopg2.extensions import QuotedString, register_adapter
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - it is a class
from psycopg2.extras import Json
from sqlalchemy import (
    CheckConstraint,
    Column,
    FetchedValue,
    ForeignKeyConstraint,
    Identity,
    Index,
    PrimaryKeyConstraint,
    Sequence,
    Table,
    UniqueConstraint,
)
from sqlalchemy import types as sa
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.sql import visitors
from sqlalchemy.sql.elements import ClauseElement, ColumnClause

from fixer.errors import ContractError, PgmendError

Row = dict[str, Any]

NUL_TEXT = "a\x00b"  # no PostgreSQL text holds a NUL; psycopg2 refuses it with ValueError

_DIALECT = PGDialect(paramstyle="named")  # type: ignore[no-untyped-call]  # the others double every percent sign


# ---- what a family of rows is made of


@dataclass(frozen=True)
class Ref:
    """The value of a column that an earlier insertion of the same example returned."""

    index: int
    column: str


@dataclass(frozen=True)
class Insertion:
    """One row to insert; its foreign keys refer to earlier insertions."""

    table: Table
    row: Row

    def __repr__(self) -> str:
        return f"Insertion({self.table.name}, {self.row!r})"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))  # hypothesis would print the whole table


@dataclass(frozen=True)
class Bad:
    """One way in which a row must be refused, and the SQLSTATE that says so."""

    table: Table
    kind: str
    columns: tuple[str, ...]
    name: str
    sqlstate: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"

    def __repr__(self) -> str:
        return f"Bad({self.kind}, {self.table.name}({', '.join(self.columns)}), {self.name}, {self.sqlstate})"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))


class Swallowed(PgmendError):
    """An insert went in without an error and without a row: a trigger took it."""

    def __init__(self, table: Table) -> None:
        super().__init__(f"a row for {table.name} was neither inserted nor refused: does a trigger swallow it?")
        self.table = table


class Array(list[Any]):
    """The value of an ARRAY column: a list that PostgreSQL reads for any element type."""


class Document(Json):
    """The value of a JSON column, which shows what it holds."""

    def __repr__(self) -> str:
        return f"Json({self.adapted!r})"


register_adapter(Array, lambda array: QuotedString(_array_text(array)))


def _array_text(array: list[Any]) -> str:
    return "{" + ",".join(map(_element_text, array)) + "}"


def _element_text(value: Any) -> str:
    match value:
        case None:
            return "NULL"
        case list():
            return _array_text(value)
        case Json():
            value = value.dumps(value.adapted)
        case bytes():
            value = "\\x" + value.hex()
        case timedelta():
            value = f"{value.days} days {value.seconds} seconds {value.microseconds} microseconds"
    return '"' + re.sub(r'(["\\])', r"\\\1", str(value)) + '"'


def insert(cursor: Cursor, example: Iterable[Insertion], schema: str) -> list[Row]:
    """Insert the rows of an example in order, and return them as the database returned them.

    Tables without a schema of their own stand in `schema`. Deferred constraints speak at once. Errors of
    psycopg2 come as they are; Swallowed is raised where an insert returns no row.
    """
    cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    returned: list[Row] = []
    for insertion in example:
        row = {name: _resolve(value, returned) for name, value in insertion.row.items()}
        cursor.execute(_statement(insertion.table, row, schema))
        record = cursor.fetchone()
        if record is None:
            raise Swallowed(insertion.table)
        returned.append(dict(zip([each.name for each in cursor.description or ()], record, strict=True)))
    return returned


def _resolve(value: Any, returned: list[Row]) -> Any:
    if not isinstance(value, Ref):
        return value
    found = returned[value.index][value.column]
    return Json(found) if isinstance(found, dict) else Array(found) if isinstance(found, list) else found


def _statement(table: Table, row: Row, schema: str) -> sql.Composed:
    name = sql.Identifier(table.schema or schema, table.name)
    if not row:
        return sql.SQL("INSERT INTO {} DEFAULT VALUES RETURNING *").format(name)
    return sql.SQL("INSERT INTO {} ({}) VALUES ({}) RETURNING *").format(
        name,
        sql.SQL(", ").join(map(sql.Identifier, row)),
        sql.SQL(", ").join(map(sql.Literal, row.values())),  # a parameter would trip over "%" in a name
    )


# ---- conditions: what a check says about one column


@dataclass(frozen=True)
class _Condition:
    """One claim about a column: it holds for NULL too, as checks do, but for ``not null``."""

    column: str
    op: str  # < <= > >= in · not in · null · not null; between columns also = and <>
    value: Any = None
    length: bool = False

    def holds(self, value: Any) -> bool:
        subject = len(value) if self.length else value
        return bool(_HOLDS[self.op](subject, self.value))

    def negated(self) -> _Condition:
        return replace(self, op=_NEGATED[self.op])


@dataclass(frozen=True)
class _Other:
    """Another column of the same row, as the right side of a condition."""

    column: str


_HOLDS: dict[str, Callable[[Any, Any], bool]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "in": lambda a, b: a in b,
    "not in": lambda a, b: a not in b,
    "not null": lambda a, _: a is not None,
    "null": lambda a, _: a is None,
}
_OPPOSITES = [("<", ">="), (">", "<="), ("=", "<>"), ("in", "not in"), ("null", "not null")]
_NEGATED = {a: b for pair in _OPPOSITES for a, b in (pair, pair[::-1])}
_MIRRORED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "=": "=", "<>": "<>"}
_LISTED = {"=": "in", "<>": "not in"}

_Conditions = tuple[_Condition, ...]


# ---- kinds: what a type takes


class _Kind:
    """The values of a type, as strategy, as literal in a check, and as a value that is nowhere yet."""

    family = ""  # columns of one family can be compared

    def read(self, literal: str | Decimal | bool) -> Any:
        """Return the value of a literal; ValueError where it has none."""
        raise ValueError(literal)

    def take(self, value: Any) -> Any:
        """Return a value as the type holds it, None where it does not fit."""
        return value

    def all(self, conditions: _Conditions) -> list[Any] | None:
        """Return every value, where they are few."""
        return None

    def endless(self, conditions: _Conditions) -> SearchStrategy[Any]:
        """Give values that obey the conditions on order and length."""
        return st.nothing()

    def room(self, conditions: _Conditions) -> int:
        """Return about how many fresh values there are."""
        choices = self.choices(conditions)
        return 0 if choices is None else len(choices)

    def fresh(self, conditions: _Conditions, value: Any, number: int) -> Any:
        """Return a value that no row is likely to hold, by a random number, like `value` where possible."""
        choices = self.choices(conditions)
        return choices[number % len(choices)] if choices else value

    def choices(self, conditions: _Conditions) -> list[Any] | None:
        """Return the values to choose from, where a condition or the type counts them."""
        listed = [c.value for c in conditions if c.op == "in"]
        found = [self.take(value) for value in listed[0]] if listed else self.all(conditions)
        if found is None:
            return None
        obeyed = [c for c in conditions if c.op not in ("null", "not null")]
        return [v for v in found if v is not None and all(c.holds(v) for c in obeyed)]

    def good(self, conditions: _Conditions) -> SearchStrategy[Any]:
        """Give values that obey the conditions; nothing where there are none."""
        choices = self.choices(conditions)
        if choices is not None:
            return st.sampled_from(choices) if choices else st.nothing()
        banned = [c for c in conditions if c.op == "not in"]
        found = self.endless(conditions)
        return found.filter(lambda value: all(c.holds(value) for c in banned)) if banned else found


@dataclass(frozen=True)
class _Labels(_Kind):
    """A type whose values are counted: boolean, enum."""

    labels: tuple[Any, ...]
    family: str

    def read(self, literal: str | Decimal | bool) -> Any:
        if self.family == "boolean" and isinstance(literal, str):
            return {"true": True, "t": True, "false": False, "f": False}[literal.lower()]
        if literal not in self.labels or isinstance(literal, Decimal):
            raise ValueError(literal)
        return literal

    def take(self, value: Any) -> Any:
        return value if value in self.labels else None

    def all(self, conditions: _Conditions) -> list[Any]:
        return list(self.labels)


@dataclass(frozen=True)
class _Grid(_Kind):
    """A type whose values stand in order at even steps: whole numbers of a unit."""

    low: int
    high: int
    units: Callable[[Any], Fraction]
    value: Callable[[int], Any]
    reader: Callable[[str], Any]
    family: str
    wild: SearchStrategy[Any] | None = None  # where no condition bounds it

    def read(self, literal: str | Decimal | bool) -> Any:
        if isinstance(literal, bool):
            raise ValueError(literal)
        return self.reader(str(literal))

    def take(self, value: Any) -> Any:
        units = self.units(value)
        if self.wild is not None:
            return float(value)
        return self.value(int(units)) if units.denominator == 1 and self.low <= units <= self.high else None

    def span(self, conditions: _Conditions) -> tuple[int, int]:
        low, high = self.low, self.high
        for each in conditions:
            match each.op:
                case ">":
                    low = max(low, math.floor(self.units(each.value)) + 1)
                case ">=":
                    low = max(low, math.ceil(self.units(each.value)))
                case "<":
                    high = min(high, math.ceil(self.units(each.value)) - 1)
                case "<=":
                    high = min(high, math.floor(self.units(each.value)))
        return low, high

    def all(self, conditions: _Conditions) -> list[Any] | None:
        low, high = self.span(conditions)
        return [self.value(each) for each in range(low, high + 1)] if high - low < 64 else None

    def endless(self, conditions: _Conditions) -> SearchStrategy[Any]:
        span = self.span(conditions)
        if self.wild is not None and span == (self.low, self.high):
            return self.wild
        return st.integers(*span).map(self.value) | st.sampled_from([self.value(end) for end in span])

    def room(self, conditions: _Conditions) -> int:
        choices = self.choices(conditions)
        low, high = self.span(conditions)
        return high - low + 1 if choices is None else len(choices)

    def fresh(self, conditions: _Conditions, value: Any, number: int) -> Any:
        if self.choices(conditions) is not None:
            return super().fresh(conditions, value, number)
        low, high = self.span(conditions)
        step = number % ((high - low) // 16 + 1)  # a far end: keys that count upwards never come here
        return self.value(low + step if low < 0 else high - step)


_LENGTHS = _Grid(0, 2**31, Fraction, int, int, "number")

# Surrogates and NUL are no PostgreSQL text; everything else is.
_CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\x00")
_SOLID = st.characters(exclude_categories=["Cs"], exclude_characters="\x00 ")
_AWKWARD = "'\"\\%:;$?{}()-/*_\t\nAa0é漢ß\u0301\u202e\U0001f600"
_TOKEN = 12
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_RARE = (0x20000, 42_000)  # ideographs that stand in no short code


def _stretch(piece: str, size: int) -> str:
    return (piece * size)[:size]


@dataclass(frozen=True)
class _Text(_Kind):
    """Text up to a length, counted in characters."""

    longest: int | None
    padded: bool = False  # CHAR(n): trailing spaces do not count
    family = "text"

    def read(self, literal: str | Decimal | bool) -> Any:
        if not isinstance(literal, str):
            raise ValueError(literal)
        return literal

    def take(self, value: Any) -> Any:
        return value if self.longest is None or len(value) <= self.longest else None

    def span(self, conditions: _Conditions) -> tuple[int, int | None]:
        low, high = _LENGTHS.span(tuple(c for c in conditions if c.length))
        high = high if self.longest is None else min(high, self.longest)
        return low, None if high == _LENGTHS.high else high

    def sized(self, conditions: _Conditions) -> list[_Conditions]:
        """Return the conditions once for each of the lengths to choose from."""
        listed = next((c for c in conditions if c.length and c.op == "in"), None)
        if listed is None:
            return [conditions]
        rest = tuple(c for c in conditions if c is not listed)
        return [
            (*rest, replace(listed, op=">=", value=size), replace(listed, op="<=", value=size)) for size in listed.value
        ]

    def choices(self, conditions: _Conditions) -> list[Any] | None:
        low, high = self.span(conditions)
        return super().choices(conditions) if high is None or low <= high else []

    def good(self, conditions: _Conditions) -> SearchStrategy[Any]:
        return st.one_of([super(_Text, self).good(each) for each in self.sized(conditions)])

    def endless(self, conditions: _Conditions) -> SearchStrategy[Any]:
        low, high = self.span(conditions)
        usual = max(low, 12) if high is None else min(high, max(low, 12))
        characters = _SOLID if self.padded else _CHARACTERS
        kinds = []
        if low <= 32:
            kinds += [st.text(alphabet, min_size=low, max_size=usual) for alphabet in (characters, _AWKWARD)]
        else:
            kinds += [self._long(characters, low)]
        if high is not None and usual < high <= 4000:
            kinds += [self._long(characters, high)]
        return st.one_of(kinds)

    def _long(self, characters: SearchStrategy[str], size: int) -> SearchStrategy[str]:
        return st.text(characters, min_size=1, max_size=4).map(functools.partial(_stretch, size=size))

    def room(self, conditions: _Conditions) -> int:
        conditions = self.sized(conditions)[-1]
        choices = self.choices(conditions)
        _, high = self.span(conditions)
        return len(choices) if choices is not None else int(_RARE[1] ** min(high if high is not None else 4, 4))

    def fresh(self, conditions: _Conditions, value: Any, number: int) -> Any:
        conditions = self.sized(conditions)[-1]
        if self.choices(conditions) is not None:
            return super().fresh(conditions, value, number)
        low, high = self.span(conditions)
        if high is not None and high < _TOKEN:
            return "".join(chr(_RARE[0] + digit) for digit in _digits(number, _RARE[1], max(low, min(high, 4))))
        kept = value if high is None else value[: high - _TOKEN]
        token = "".join(_DIGITS[digit] for digit in _digits(number, 36, _TOKEN))
        return kept + token if len(kept) + _TOKEN >= low else _stretch(kept or "0", low - _TOKEN) + token


def _digits(number: int, base: int, count: int) -> Iterator[int]:
    for _ in range(count):
        number, digit = divmod(number, base)
        yield digit


@dataclass(frozen=True)
class _Plain(_Kind):
    """A type of which only equality is known, and perhaps how to make a fresh value."""

    strategy: SearchStrategy[Any]
    make: Callable[[int], Any] | None = None
    reader: Callable[[str], Any] | None = None

    def read(self, literal: str | Decimal | bool) -> Any:
        if self.reader is None or not isinstance(literal, str):
            raise ValueError(literal)
        return self.reader(literal)

    def endless(self, conditions: _Conditions) -> SearchStrategy[Any]:
        return self.strategy

    def room(self, conditions: _Conditions) -> int:
        choices = self.choices(conditions)
        return len(choices) if choices is not None else 2**32 if self.make else 0

    def fresh(self, conditions: _Conditions, value: Any, number: int) -> Any:
        if self.choices(conditions) is not None or self.make is None:
            return super().fresh(conditions, value, number)
        return self.make(number)


_BYTES = {sa.SmallInteger: 2, sa.BigInteger: 8}
_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(2000, 1, 1)
_DAY = 86_400_000_000
_ZONES = [UTC, timezone(timedelta(hours=5, minutes=30)), timezone(-timedelta(hours=8))]


def _number(low: int, high: int, scale: int | None) -> _Grid:
    """Return the numbers whose last digit stands `scale` places after the point; None for int."""
    if scale is None:
        return _Grid(low, high, Fraction, int, Decimal, "number")

    def value(units: int) -> Decimal:
        return Decimal((int(units < 0), tuple(map(int, str(abs(units)))), -scale))  # exact at any precision

    return _Grid(low, high, lambda v: Fraction(v) * Fraction(10) ** scale, value, Decimal, "number")


def _float(kind: sa.Float[Any]) -> _Grid:
    single = isinstance(kind, sa.REAL) or (kind.precision or 53) <= 24
    wild = st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=False, width=32 if single else 64)
    size = 2**24 if single else 2**53
    return _Grid(-size, size, lambda v: Fraction(v) * 1024, lambda n: n / 1024, float, "number", wild)


def _moment(zoned: bool, precision: int | None) -> _Grid:
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
    return _Grid(math.ceil(units(low)), int(units(high)), units, value, read, "zoned" if zoned else "moment")


def _time(zoned: bool, precision: int | None) -> _Grid:
    unit = 10 ** (6 - (6 if precision is None else min(precision, 6)))

    def value(count: int) -> time:
        moment: time = (_EPOCH + _MICROSECOND * unit * count).time()
        return moment.replace(tzinfo=UTC) if zoned else moment

    def units(moment: time) -> Fraction:
        return Fraction((datetime.combine(_EPOCH, moment.replace(tzinfo=None)) - _EPOCH) // _MICROSECOND, unit)

    return _Grid(0, _DAY // unit - 1, units, value, time.fromisoformat, "zoned time" if zoned else "time")


def _interval(precision: int | None) -> _Grid:
    unit = _MICROSECOND * 10 ** (6 - (6 if precision is None else min(precision, 6)))
    size = timedelta(days=36_500) // unit

    def read(literal: str) -> timedelta:
        raise ValueError(literal)

    return _Grid(-size, size, lambda v: Fraction(v // _MICROSECOND, unit // _MICROSECOND), lambda n: unit * n, read, "")


def _json() -> SearchStrategy[Any]:
    text = st.text(_CHARACTERS, max_size=8) | st.text(_AWKWARD, max_size=8)
    leaf = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text
    nested = st.lists(leaf, max_size=3) | st.dictionaries(text, leaf, max_size=3)
    return st.one_of(leaf, nested, st.dictionaries(text, nested, max_size=2)).map(Document)


def _address(number: int) -> str:
    return str(ipaddress.IPv6Address(number % 2**128))


def _range(low: str, high: str) -> _Plain:
    return _Plain(st.sampled_from(["empty", f"[{low},{high})", f"({low},{high}]", f"[{low},)", f"(,{high})", "(,)"]))


def _mac(count: int) -> _Plain:
    def make(number: int) -> str:
        return (number % (1 << 8 * count)).to_bytes(count).hex(":")

    return _Plain(st.integers(0, (1 << 8 * count) - 1).map(make), make)


def _bits(kind: pg.BIT) -> _Plain:
    low, high = (0, kind.length or 16) if kind.varying else (kind.length or 1, kind.length or 1)
    return _Plain(st.text("01", min_size=low, max_size=high))


_WORDS = st.text("abc", min_size=1, max_size=5)
_RARITIES: dict[type[Any], _Kind] = {
    pg.INET: _Plain(st.ip_addresses().map(str), _address),
    pg.CIDR: _Plain(st.ip_addresses().map(str), _address),
    pg.MACADDR: _mac(6),
    pg.MACADDR8: _mac(8),
    pg.OID: _number(0, 2**32 - 1, None),
    pg.MONEY: _number(-(10**12), 10**12, 2),
    pg.TSVECTOR: _Plain(_WORDS),
    pg.TSQUERY: _Plain(_WORDS),
    pg.HSTORE: _Plain(_WORDS.map('"{0}"=>"{0}"'.format)),
    pg.INT4RANGE: _range("1", "9"),
    pg.INT8RANGE: _range("1", "9"),
    pg.NUMRANGE: _range("1.5", "9.25"),
    pg.DATERANGE: _range("2000-01-01", "2001-01-01"),
    pg.TSRANGE: _range("2000-01-01", "2001-01-01"),
    pg.TSTZRANGE: _range("2000-01-01 00:00Z", "2001-01-01 00:00Z"),
}


@functools.cache
def _kind(column: Column[Any]) -> _Kind:
    found = _kind_of(column.type)
    if found is None:
        raise ContractError(
            f"{column.table.name}.{column.name} has the type {column.type!r}, for which no values can be generated."
        )
    return found


def _kind_of(declared: Any) -> _Kind | None:
    """Return the kind of a type, None for an unknown one."""
    while isinstance(declared, sa.TypeDecorator) and not isinstance(declared, sa.Interval):
        declared = declared.load_dialect_impl(_DIALECT)
    kind = declared.dialect_impl(_DIALECT)
    precision = getattr(kind, "precision", None)
    match kind:
        case sa.Enum():
            return _Labels(tuple(kind.enums), "enum") if kind.enums else None
        case sa.Boolean():
            return _Labels((False, True), "boolean")
        case sa.Integer():
            half = 2 ** (8 * next((n for t, n in _BYTES.items() if isinstance(kind, t)), 4) - 1)
            return _number(-half, half - 1, None)
        case sa.Float():
            return _float(kind)
        case sa.Numeric():
            size = 10 ** (30 if precision is None else precision) - 1
            return _number(-size, size, 12 if precision is None else kind.scale or 0)
        case sa.String():
            padded = isinstance(kind, sa.CHAR)
            return _Text((kind.length or 1) if padded else kind.length, padded)
        case sa.DateTime():
            return _moment(bool(kind.timezone), precision)
        case sa.Date():
            low, high = (date(year, 1, 2).toordinal() for year in (1000, 9999))
            return _Grid(low, high, lambda v: Fraction(v.toordinal()), date.fromordinal, date.fromisoformat, "date")
        case sa.Time():
            return _time(bool(kind.timezone), precision)
        case sa.Interval() | pg.INTERVAL():
            return _interval(precision)
        case sa.Uuid():
            return _Plain(st.uuids().map(str), lambda n: str(uuid.UUID(int=n, version=4)), lambda v: str(uuid.UUID(v)))
        case sa.JSON():
            return _Plain(_json())
        case sa.LargeBinary():
            return _Plain(st.binary(max_size=24), lambda n: n.to_bytes(16))
        case sa.ARRAY():
            return _array(kind)
        case pg.DOMAIN():
            return _kind_of(kind.data_type)
        case pg.BIT():
            return _bits(kind)
    return next((found for rarity, found in _RARITIES.items() if isinstance(kind, rarity)), None)


def _array(kind: sa.ARRAY[Any]) -> _Kind | None:
    item = _kind_of(kind.item_type)
    if item is None:
        return None
    lists = st.lists(st.none() | item.good(()), max_size=3)

    def deep(values: list[Any]) -> Array:
        for _ in range((kind.dimensions or 1) - 1 if values else 0):
            values = [values]
        return Array(values)

    return _Plain(lists.map(deep))


# ---- checks: conditions read from SQL


@dataclass(frozen=True)
class _Check:
    """A check constraint, and what of it could be read."""

    name: str
    columns: tuple[str, ...]
    conditions: _Conditions
    whole: bool


@dataclass(frozen=True)
class _Name:
    """A column, or its length, in a check."""

    column: str
    length: bool = False


@dataclass(frozen=True)
class _Items:
    """Literals in a check: one, or a list of them."""

    values: tuple[str | Decimal | bool | None, ...]
    single: bool = True


@dataclass(frozen=True)
class _Claim:
    """A condition in a check, or several joined by AND; not whole where a part cannot be read."""

    conditions: _Conditions = ()
    whole: bool = False


_Node = _Name | _Items | _Claim
_UNREAD = _Claim()

_LEXEME = re.compile(
    r"""\s*(?:(?P<string>'(?:[^']|'')*')|(?P<quoted>"(?:[^"]|"")+")|(?P<number>\d+\.?\d*(?:e[+-]?\d+)?|\.\d+)
    |(?P<word>[^\W\d][\w$]*)|(?P<symbol>::|<=|>=|<>|!=|[<>=(),.\[\]]|[-~!@#%^&|`?*/+:]+))""",
    re.VERBOSE | re.IGNORECASE,
)
_COMPARISONS = {"<", "<=", ">", ">=", "=", "<>", "!="}
_MEASURES = {"length", "char_length", "character_length"}
_WORDY_TYPES = {"varying", "precision", "with", "without", "time", "zone"}
_TYPED_LITERALS = {"date", "time", "timestamp", "timestamptz", "uuid", "numeric"}
_TEXT_TYPES = {"text", "varchar", "character varying"}
_NUMBER_TYPES = {"numeric", "decimal", "double precision"}
_KEYWORDS = {
    "and",
    "or",
    "not",
    "in",
    "is",
    "between",
    "any",
    "all",
    "array",
    "null",
    "true",
    "false",
    "cast",
}
_NAMELESS = {"case", "exists", "row", "distinct", "interval"}


class _Unread(Exception):
    """The text is beyond the simple forms."""


class _CheckReader:
    """Reads the simple forms of checks; what it cannot read, it leaves unread."""

    def __init__(self, text: str, columns: Mapping[str, Column[Any]]) -> None:
        self.columns = columns
        self.tokens = list(self._lex(text))
        self.at = 0

    @staticmethod
    def _lex(text: str) -> Iterator[tuple[str, str]]:
        at, text = 0, text.rstrip()
        while at < len(text):
            found = _LEXEME.match(text, at)
            if found is None or found.lastgroup is None:
                raise _Unread
            kind, word = found.lastgroup, found[found.lastgroup]
            if kind in ("string", "quoted"):
                word = word[1:-1].replace(word[0] * 2, word[0])
            yield kind, word.lower() if kind == "word" else word
            at = found.end()

    def read(self) -> _Claim:
        claim = self._claim(self._either())
        if self.at < len(self.tokens):
            raise _Unread
        return claim

    def _peek(self, *words: str) -> str:
        """Return the next token if it is one of these words or symbols."""
        if self.at >= len(self.tokens):
            return ""
        kind, word = self.tokens[self.at]
        return word if kind in ("word", "symbol") and word in words else ""

    def _try(self, *words: str) -> str:
        found = self._peek(*words)
        self.at += bool(found)
        return found

    def _expect(self, word: str) -> None:
        if not self._try(word):
            raise _Unread

    def _next(self) -> tuple[str, str]:
        if self.at >= len(self.tokens):
            raise _Unread
        self.at += 1
        return self.tokens[self.at - 1]

    def _either(self) -> _Node:
        nodes = [self._both()]
        while self._try("or"):
            nodes.append(self._both())
        if len(nodes) == 1:
            return nodes[0]
        return self._or_null([self._claim(node) for node in nodes])

    @staticmethod
    def _or_null(claims: list[_Claim]) -> _Claim:
        """Read `a IS NULL OR a > 0`, which says no more than `a > 0`."""
        nulls = {c.conditions[0].column for c in claims if len(c.conditions) == 1 and c.conditions[0].op == "null"}
        rest = [c for c in claims if not any(each.op == "null" for each in c.conditions)]
        if len(rest) == 1 and rest[0].whole and len(claims) == 2:
            about = {each.column for each in rest[0].conditions}
            plain = all(not isinstance(c.value, _Other) and c.op != "not null" for c in rest[0].conditions)
            return rest[0] if about == nulls and plain else _UNREAD
        return _UNREAD

    def _both(self) -> _Node:
        nodes = [self._negation()]
        while self._try("and"):
            nodes.append(self._negation())
        if len(nodes) == 1:
            return nodes[0]
        claims = [self._claim(node) for node in nodes]
        return _Claim(tuple(each for c in claims for each in c.conditions), all(c.whole for c in claims))

    def _negation(self) -> _Node:
        if not self._try("not"):
            return self._predicate()
        claim = self._claim(self._negation())
        if not claim.whole or len(claim.conditions) != 1:
            return _UNREAD
        return _Claim((claim.conditions[0].negated(),), True)

    def _predicate(self) -> _Node:
        left = self._operand()
        while True:
            if op := self._try(*_COMPARISONS):
                left = self._compare(left, op.replace("!=", "<>"))
            elif self._try("is"):
                left = self._is(left)
            elif self._peek("not", "in", "between"):
                left = self._among(left, negated=bool(self._try("not")))
            else:
                return left

    def _compare(self, left: _Node, op: str) -> _Node:
        if quantor := self._try("any", "all"):
            self._expect("(")
            right = self._operand()
            self._expect(")")
            if (op, quantor) not in (("=", "any"), ("<>", "all")):
                return _UNREAD
            return self._condition(left, _LISTED[op], right)
        right = self._operand()
        if isinstance(left, _Items) and isinstance(right, _Name):
            left, op, right = right, _MIRRORED[op], left
        if isinstance(right, _Items) and right.single:
            return self._condition(left, _LISTED.get(op, op), right)
        if isinstance(left, _Name) and isinstance(right, _Name):
            return self._relation(left, op, right)
        return _UNREAD

    def _is(self, left: _Node) -> _Node:
        op = "not null" if self._try("not") else "null"
        kind, word = self._next()
        if kind != "word" or word != "null":
            raise _Unread
        if not isinstance(left, _Name) or left.length:
            return _UNREAD
        return _Claim((_Condition(left.column, op),), True)

    def _among(self, left: _Node, negated: bool) -> _Node:
        if self._try("in"):
            self._expect("(")
            return self._condition(left, "not in" if negated else "in", self._list(")"))
        self._expect("between")
        low = self._operand()
        self._expect("and")
        high = self._operand()
        if negated:
            return _UNREAD
        ends = [self._condition(left, ">=", low), self._condition(left, "<=", high)]
        return _Claim(ends[0].conditions + ends[1].conditions, ends[0].whole and ends[1].whole)

    def _list(self, end: str) -> _Node:
        nodes = [self._operand()]
        while self._try(","):
            nodes.append(self._operand())
        self._expect(end)
        if not all(isinstance(node, _Items) for node in nodes):
            return _UNREAD
        return _Items(tuple(v for node in nodes if isinstance(node, _Items) for v in node.values), single=False)

    def _operand(self) -> _Node:
        node = self._postfix(self._primary())
        while self._operator():
            self._postfix(self._primary())
            node = _UNREAD
        return node

    def _operator(self) -> bool:
        """Pass an operator of which nothing is known."""
        if self.at >= len(self.tokens):
            return False
        kind, word = self.tokens[self.at]
        if kind == "symbol" and re.fullmatch(r"[-~!@#%^&|`?*/+]+", word):
            self.at += 1
            return True
        ahead = self.tokens[self.at : self.at + 2]
        if ahead[:1] == [("word", "not")] and ahead[1:] in ([("word", "like")], [("word", "ilike")]):
            self.at += 1
        return bool(self._try("like", "ilike"))

    def _primary(self) -> _Node:
        kind, word = self._next()
        if kind == "string":
            return _Items((word,))
        if kind == "number":
            return _Items((Decimal(word),))
        if kind == "quoted":
            return self._named(word)
        if kind == "word":
            return self._word(word)
        if word in ("-", "+"):
            return self._signed(word)
        if word != "(":
            raise _Unread
        node = self._either()
        self._expect(")")
        return node

    def _signed(self, sign: str) -> _Node:
        node = self._primary()
        if isinstance(node, _Items) and len(node.values) == 1 and isinstance(node.values[0], Decimal):
            return node if sign == "+" else _Items((-node.values[0],))
        return _UNREAD

    def _word(self, word: str) -> _Node:
        if word in ("true", "false"):
            return _Items((word == "true",))
        if word == "null":
            return _Items((None,))
        if word == "array":
            self._expect("[")
            return self._list("]")
        if word == "cast":
            self._expect("(")
            node = self._operand()
            if self._next() != ("word", "as"):
                raise _Unread
            node = self._cast(node)
            self._expect(")")
            return node
        if self.at < len(self.tokens) and self.tokens[self.at][0] == "string":
            literal = _Items((self._next()[1],))
            return literal if word in _TYPED_LITERALS else _UNREAD
        if word in _KEYWORDS | _NAMELESS:
            raise _Unread
        return self._call(word) if self._try("(") else self._named(word)

    def _call(self, word: str) -> _Node:
        nodes: list[_Node] = []
        while not self._try(")"):
            if nodes:
                self._expect(",")
            nodes.append(self._either())
        if word in _MEASURES and len(nodes) == 1 and isinstance(nodes[0], _Name):
            text = isinstance(_kind_or_none(self.columns[nodes[0].column]), _Text)
            return replace(nodes[0], length=True) if text else _UNREAD
        return _UNREAD

    def _named(self, word: str) -> _Node:
        while self._try("."):
            word = self._next()[1]
        if self._try("("):  # a function in a schema
            return self._call("")
        return _Name(word) if word in self.columns else _UNREAD

    def _postfix(self, node: _Node) -> _Node:
        while found := self._try("::", "collate", "["):
            if found == "::":
                node = self._cast(node)
            elif found == "collate":
                self._named(self._next()[1])
            else:
                raise _Unread
        return node

    def _cast(self, node: _Node) -> _Node:
        words = [self._next()[1]]
        while word := self._try(*_WORDY_TYPES):
            words.append(word)
        sized = bool(self._try("("))
        while sized and not self._try(")"):
            self._next()
        array = False
        while self._try("["):
            self._expect("]")
            array = True
        if isinstance(node, _Items):
            return _split(node) if array else node
        if not isinstance(node, _Name) or node.length or sized:
            return node if isinstance(node, _Name) and node.length else _UNREAD
        kind, wanted = _kind_or_none(self.columns[node.column]), " ".join(words)
        harmless = {"text": _TEXT_TYPES, "enum": _TEXT_TYPES, "number": _NUMBER_TYPES}
        return node if kind and wanted in harmless.get(kind.family, ()) else _UNREAD

    def _claim(self, node: _Node) -> _Claim:
        """Return what a node says where a condition is wanted: a boolean column says that it is true."""
        if isinstance(node, _Name):
            return self._condition(node, "in", _Items((True,)))
        return node if isinstance(node, _Claim) else _UNREAD

    def _condition(self, left: _Node, op: str, right: _Node) -> _Claim:
        if not isinstance(left, _Name) or not isinstance(right, _Items) or None in right.values:
            return _UNREAD
        kind = _LENGTHS if left.length else _kind_or_none(self.columns[left.column])
        ordered = op in ("<", "<=", ">", ">=")
        if kind is None or (ordered and not isinstance(kind, _Grid)):
            return _UNREAD
        try:
            values = tuple(kind.read(value) for value in right.values if value is not None)
        except (ValueError, ArithmeticError, LookupError):
            return _UNREAD
        return _Claim((_Condition(left.column, op, values[0] if ordered else values, left.length),), True)

    def _relation(self, left: _Name, op: str, right: _Name) -> _Claim:
        kinds = [_kind_or_none(self.columns[name.column]) for name in (left, right)]
        families = {kind.family if kind else "" for kind in kinds}
        comparable = all(isinstance(kind, _Grid) or (isinstance(kind, _Text) and op in _LISTED) for kind in kinds)
        if left.length or right.length or left == right or not comparable or len(families) > 1 or "" in families:
            return _UNREAD
        return _Claim((_Condition(left.column, op, _Other(right.column)),), True)


def _split(items: _Items) -> _Items:
    """Read '{A,B}'::text[]."""
    value = items.values[0]
    if len(items.values) == 1 and isinstance(value, str) and re.fullmatch(r"\{[\w,]+\}", value):
        return _Items(tuple(value[1:-1].split(",")), single=False)
    return items


def _kind_or_none(column: Column[Any]) -> _Kind | None:
    try:
        return _kind(column)
    except ContractError:
        return None


def _read(text: str, columns: Mapping[str, Column[Any]]) -> _Claim:
    try:
        return _CheckReader(text, columns).read()
    except _Unread:
        return _UNREAD


def _sql(clause: ClauseElement | str) -> str:
    if isinstance(clause, str):
        return clause
    try:
        return str(clause.compile(dialect=_DIALECT, compile_kwargs={"literal_binds": True, "include_table": False}))
    except SQLAlchemyError:
        return str(clause)


def _columns(table: Table) -> dict[str, Column[Any]]:
    return {column.name: column for column in table.columns}


def _mentioned(text: str, columns: Mapping[str, Column[Any]]) -> tuple[str, ...]:
    """Return the columns that a piece of SQL names, as far as can be seen."""
    try:
        words = {word for kind, word in _CheckReader._lex(text) if kind in ("word", "quoted")}
    except _Unread:
        return ()
    return tuple(name for name in columns if name in words)


@functools.cache
def _checks(table: Table) -> tuple[_Check, ...]:
    """Return the checks of a table, those of its columns' domains too."""
    columns, found = _columns(table), []
    own = [c for c in table.constraints if isinstance(c, CheckConstraint)]
    own += [c for column in table.columns for c in column.constraints if isinstance(c, CheckConstraint)]
    for constraint in own:
        text = _sql(constraint.sqltext)
        mentioned = _mentioned(text, columns)
        middle = f"_{mentioned[0]}" if len(mentioned) == 1 else ""
        found.append(_check(_name(constraint, f"{table.name}{middle}_check"), text, columns, mentioned))
    for column in table.columns:
        if isinstance(column.type, pg.DOMAIN) and column.type.check is not None:
            named = str(column.type.constraint_name or f"{column.type.name}_check")
            check = _check(named, _sql(column.type.check), {"value": column}, (column.name,))
            found.append(replace(check, conditions=tuple(replace(c, column=column.name) for c in check.conditions)))
    return tuple(sorted(found, key=lambda check: (_places(table, check.columns), check.name)))


def _check(name: str, text: str, columns: Mapping[str, Column[Any]], mentioned: tuple[str, ...]) -> _Check:
    claim = _read(text, columns)
    return _Check(name, mentioned, claim.conditions, claim.whole)


def _places(table: Table, names: Iterable[str]) -> tuple[int, ...]:
    order = list(_columns(table))
    return tuple(order.index(name) for name in names)


def _name(constraint: Any, otherwise: str) -> str:
    return str(constraint.name) if isinstance(constraint.name, str) else otherwise


@functools.cache
def _conditions(column: Column[Any]) -> _Conditions:
    """Return what the checks say about one column alone."""
    domain = column.type if isinstance(column.type, pg.DOMAIN) else None
    held = (_Condition(column.name, "not null"),) if domain is not None and domain.not_null else ()
    checks = (each for check in _checks(column.table) for each in check.conditions)
    return held + tuple(c for c in checks if c.column == column.name and not isinstance(c.value, _Other))


@functools.cache
def _relations(table: Table) -> _Conditions:
    """Return what the checks say about two columns whose values are ours to choose."""
    bound = _foreign(table) | {column.name for column in table.columns if _generated(column)}
    found = (c for check in _checks(table) for c in check.conditions if isinstance(c.value, _Other))
    return tuple(c for c in found if bound.isdisjoint((c.column, c.value.column)))


@functools.cache
def _related(table: Table) -> frozenset[str]:
    return frozenset(name for c in _relations(table) for name in (c.column, c.value.column))


def underived_checks(table: Table) -> tuple[str, ...]:
    """Return the checks that are not wholly understood: a good row may break them."""
    followed = {c for check in _checks(table) for c in check.conditions if not isinstance(c.value, _Other)}
    followed |= set(_relations(table))
    return tuple(check.name for check in _checks(table) if not (check.whole and followed.issuperset(check.conditions)))


# ---- keys


@dataclass(frozen=True)
class _Key:
    """Columns whose values no two rows may share; `where` there are conditions, under these."""

    name: str
    columns: tuple[str, ...]
    where: _Conditions = ()
    distinct_nulls: bool = True
    certain: bool = True  # that rows equal in these columns are duplicates


@functools.cache
def _keys(table: Table) -> tuple[_Key, ...]:
    """Return the primary key, the unique constraints and the unique indexes."""
    found = []
    for constraint in table.constraints:
        if isinstance(constraint, PrimaryKeyConstraint | UniqueConstraint) and len(constraint.columns):
            names = tuple(column.name for column in constraint.columns)
            primary = isinstance(constraint, PrimaryKeyConstraint)
            usual = f"{table.name}_pkey" if primary else f"{table.name}_{'_'.join(names)}_key"
            found.append(_Key(_name(constraint, usual), names, (), _distinct_nulls(constraint)))
        elif isinstance(constraint, pg.ExcludeConstraint):
            equal = tuple(name for name, op in constraint.operators.items() if op == "=")
            found.append(_Key(_name(constraint, ""), equal, (), certain=False))
    found += [_index_key(index) for index in table.indexes if index.unique]
    return tuple(sorted((k for k in found if k.columns), key=lambda k: (_places(table, k.columns), k.name)))


def _index_key(index: Index) -> _Key:
    """Return the key of a unique index; of an index on expressions, the columns in them."""
    assert index.table is not None
    columns, names, certain = _columns(index.table), dict[str, None](), True
    for expression in index.expressions:
        parts = [] if isinstance(expression, str) else visitors.iterate(expression)
        found = [each.name for each in parts if isinstance(each, ColumnClause) and each.name in columns]
        found = found or [*_mentioned(_sql(expression), columns)]
        names |= dict.fromkeys(found)
        certain = certain and bool(found)
    where = index.dialect_options["postgresql"].get("where")
    claim = _Claim((), True) if where is None else _read(_sql(where), columns)
    simple = claim.whole and not any(isinstance(c.value, _Other) for c in claim.conditions)
    return _Key(str(index.name), tuple(names), claim.conditions, _distinct_nulls(index), certain and simple)


def _distinct_nulls(constraint: Any) -> bool:
    return not constraint.dialect_options["postgresql"].get("nulls_not_distinct")


@functools.cache
def _references(table: Table) -> tuple[ForeignKeyConstraint, ...]:
    """Return the foreign keys, the widest first: it decides for those that share columns with it."""
    for column in table.columns:
        for key in column.foreign_keys:
            try:
                _ = key.column
            except SQLAlchemyError as error:
                raise ContractError(
                    f"{table.name}.{column.name} references what the contract lacks: {error}."
                ) from None
    return tuple(
        sorted(table.foreign_key_constraints, key=lambda key: (-len(key.elements), _places(table, _local(key))))
    )


def _local(key: ForeignKeyConstraint) -> tuple[str, ...]:
    return tuple(element.parent.name for element in key.elements)


def _remote(key: ForeignKeyConstraint) -> tuple[str, ...]:
    return tuple(element.column.name for element in key.elements)


@functools.cache
def _foreign(table: Table) -> frozenset[str]:
    return frozenset(name for key in _references(table) for name in _local(key))


def _mandatory(table: Table, key: ForeignKeyConstraint) -> bool:
    return not any(_columns(table)[name].nullable for name in _local(key))


def _attainable(table: Table, path: tuple[Table, ...]) -> bool:
    """Say whether a table's parents can be made without the tables that are being made."""
    wanted = {key.referred_table for key in _references(table) if _mandatory(table, key)} - {table}
    return all(parent not in path and _attainable(parent, (*path, table)) for parent in wanted)


@functools.cache
def _generated(column: Column[Any]) -> bool:
    """Say whether the database makes the value: serial, identity, computed, a sequence, a random key."""
    if column.computed is not None or column.identity is not None:
        return True
    if column.server_default is not None:
        text = _sql(getattr(column.server_default, "arg", ""))
        called = type(column.server_default) is FetchedValue or "nextval" in text or "uuid" in text
        return called and any(column.name in key.columns for key in _keys(column.table))
    serial = column.table.autoincrement_column is column and not column.foreign_keys
    return serial and (column.default is None or (isinstance(column.default, Sequence) and column.default.optional))


def _fixed(column: Column[Any]) -> bool:
    """Say whether the database refuses any value from outside."""
    return column.computed is not None or (isinstance(column.identity, Identity) and bool(column.identity.always))


@functools.cache
def _tokens(table: Table) -> frozenset[str]:
    """Return the columns that take fresh values, so that no key is duplicated."""
    columns, found = _columns(table), set[str]()
    for key in _keys(table):
        roomy = any(_room(columns[name]) >= _ROOMY for name in found & set(key.columns))
        if roomy or any(_generated(columns[name]) for name in key.columns):
            continue
        rooms = {name: _room(columns[name]) for name in key.columns if name not in _foreign(table) | _related(table)}
        if any(rooms.values()):
            found.add(max(rooms, key=lambda name: rooms[name]))
    return frozenset(found)


def _room(column: Column[Any]) -> int:
    kind = _kind_or_none(column)
    return kind.room(_conditions(column)) if kind else 0


_ROOMY = 1000  # so many values make a collision unlikely


@functools.cache
def _exclusive(table: Table) -> frozenset[ForeignKeyConstraint]:
    """Return the foreign keys that need a parent of their own for each row, so that no key is duplicated."""
    columns, found = _columns(table), set[ForeignKeyConstraint]()
    for key in _keys(table):
        roomy = any(name in _tokens(table) and _room(columns[name]) >= _ROOMY for name in key.columns)
        if roomy or any(_generated(columns[name]) for name in key.columns):
            continue
        inside = [each for each in _references(table) if set(_local(each)) <= set(key.columns)]
        found |= set(inside[:1])
    return frozenset(found)


# ---- families: rows with all the parents they need

_NOT_NULL = "not null"
_OMITTED = object()
_REQUIRED = object()
_COIN_TOSSES = 16  # in one draw, which is much faster than a draw for each column
_SALT = secrets.token_bytes(16)  # two processes that test one database never meet


class _Clash(Exception):
    """A row repeats a key of its family."""


@functools.cache
def _good(column: Column[Any], more: _Conditions = ()) -> SearchStrategy[Any]:
    """Give values of a column that are not NULL and obey its checks."""
    conditions = (*_conditions(column), *more)
    if any(c.op == "null" for c in conditions):
        return st.none()
    kind = _kind(column)
    found = kind.good(conditions)
    held = [c for c in conditions if c.op != _NOT_NULL]
    examples = [kind.take(value) for value in column.info.get("examples", ())]
    examples = [value for value in examples if value is not None and all(c.holds(value) for c in held)]
    if not examples or found.is_empty:
        return found
    opaque = any(column.name in check.columns and not check.whole for check in _checks(column.table))
    return st.sampled_from(examples) if opaque else found | st.sampled_from(examples)


def _nullable(column: Column[Any]) -> bool:
    return bool(column.nullable) and not any(c.op == _NOT_NULL for c in _conditions(column))


@functools.cache
def values(column: Column[Any]) -> SearchStrategy[Any]:
    """Give good values of one column; None only where it is nullable."""
    found = _good(column)
    if found.is_empty:
        raise ContractError(f"{column.table.name}.{column.name} has checks that no value satisfies.")
    return st.none() | found if _nullable(column) else found


@functools.cache
def _simple(table: Table) -> tuple[Column[Any], ...]:
    """Return the columns whose values depend on no other column and no other row."""
    chosen = []
    for column in table.columns:
        if _generated(column) or column.name in _foreign(table) | _related(table):
            continue
        try:
            values(column)
        except ContractError:
            if column.server_default is None and not _nullable(column):
                raise
            continue
        chosen.append(column)
    return tuple(chosen)


@functools.cache
def _fields(table: Table) -> dict[str, tuple[SearchStrategy[Any], Any]]:
    """Return for each simple column its values and what may stand instead: None, omission or nothing."""
    found: dict[str, tuple[SearchStrategy[Any], Any]] = {}
    single = {name for key in _keys(table) if not key.distinct_nulls for name in key.columns}
    for column in _simple(table):
        if column.server_default is not None and column.name not in _tokens(table):
            found[column.name] = values(column), _OMITTED
        else:
            optional = _nullable(column) and column.name not in single
            found[column.name] = _good(column), None if optional else _REQUIRED
    return found


class _Family:
    """The rows of one example, as they come together."""

    def __init__(self, draw: DrawFn) -> None:
        self.draw = draw
        self.seed = draw(st.integers(0, 2**64 - 1))
        self.rows = 0
        self.insertions: list[Insertion] = []

    def add(
        self,
        table: Table,
        pins: Row | None = None,
        more: _Conditions = (),
        *,
        loose: str | None = None,
        repeats: bool = False,
        path: tuple[Table, ...] = (),
    ) -> int:
        """Add a row and the parents it needs, and return its place.

        `pins` are values that are settled, `more` are conditions beyond the checks. The foreign keys of the
        `loose` column get no parent. A row that `repeats` a key is added all the same.
        """
        row = self.row(table, pins or {}, more)
        wanted = {c.column for c in more if c.op == _NOT_NULL}
        for key in _references(table):
            if loose not in _local(key):
                self._point(row, table, key, wanted, (*path, table))
        self._fill(row, table)
        if not repeats and any(self._repeats(row, table, key) for key in _keys(table)):
            raise _Clash
        self.insertions.append(Insertion(table, {name: row[name] for name in _columns(table) if name in row}))
        return len(self.insertions) - 1

    def spoil(self, row: Row) -> None:
        """Change the last row."""
        last = self.insertions.pop()
        self.insertions.append(Insertion(last.table, last.row | row))

    def told(self, place: int, column: str) -> Any:
        """Return a value of an earlier row: itself where it is known, else a Ref."""
        return self.insertions[place].row.get(column, Ref(place, column))

    def number(self, column: str) -> int:
        """Return a random number for a column of the row that is being made."""
        text = f"{self.seed} {self.rows} {column}"
        return int.from_bytes(hashlib.blake2b(text.encode(), key=_SALT, digest_size=16).digest())

    def row(self, table: Table, pins: Row, more: _Conditions) -> Row:
        """Return a good row, still without its foreign keys."""
        self.rows += 1
        row, columns = dict(pins), _columns(table)
        for name, value in self._draft(table):
            row.setdefault(name, value)
        for name in dict.fromkeys(c.column for c in more):
            self._insist(row, pins, columns[name], tuple(c for c in more if c.column == name))
        for name in columns:
            if name in _related(table) and name not in row:
                self._relate(row, columns[name], tuple(c for c in more if c.column == name))
        for name in _tokens(table):
            if name not in pins and row.get(name) is not None:
                conditions = (*_conditions(columns[name]), *(c for c in more if c.column == name))
                row[name] = _kind(columns[name]).fresh(conditions, row[name], self.number(name))
        return row

    def _draft(self, table: Table) -> Iterator[tuple[str, Any]]:
        """Draw the simple columns; half of those that are nullable or have a default stay empty."""
        tosses = 1
        for name, (strategy, instead) in _fields(table).items():
            if instead is _REQUIRED:
                yield name, self.draw(strategy)
                continue
            if tosses == 1:
                tosses = 2**_COIN_TOSSES + self.draw(st.integers(0, 2**_COIN_TOSSES - 1))
            tosses, given = divmod(tosses, 2)
            if given:
                yield name, self.draw(strategy)
            elif instead is None:
                yield name, None

    def _insist(self, row: Row, pins: Row, column: Column[Any], more: _Conditions) -> None:
        """Draw a value again where the row must meet further conditions."""
        table, name = column.table, column.name
        if name in pins or name in _foreign(table) | _related(table) or _generated(column):
            return
        if row.get(name) is None or any(c.op != _NOT_NULL for c in more):
            row[name] = self._choose(_good(column, more))

    def _choose(self, strategy: SearchStrategy[Any]) -> Any:
        return reject() if strategy.is_empty else self.draw(strategy)

    def _relate(self, row: Row, column: Column[Any], more: _Conditions) -> None:
        """Draw a value that fits those of the columns it is compared with."""
        found = _good(column, (*more, *_comparisons(row, column, _relations(column.table))))
        optional = _nullable(column) and not more
        row[column.name] = self._choose(st.none() | found if optional else found)

    def _point(
        self,
        row: Row,
        table: Table,
        key: ForeignKeyConstraint,
        wanted: set[str],
        path: tuple[Table, ...],
    ) -> None:
        """Settle a foreign key: NULL, an earlier row, or a new parent."""
        pairs = list(zip(_local(key), _remote(key), strict=True))
        settled = {remote: row[local] for local, remote in pairs if local in row}
        empty = {name: None for name in _local(key) if name not in row and _columns(table)[name].nullable}
        if None in settled.values():
            row |= empty
            return
        target, ways = key.referred_table, []
        more = tuple(each for local, remote in pairs for each in _inherited(_columns(table)[local], remote))
        matching = [i for i in range(len(self.insertions)) if self._matches(i, target, settled, more)]
        if target is table:  # a row that repeats another's key would point at itself
            own = [row.get(remote) for remote in _remote(key)]
            matching = [i for i in matching if own != [self._value(i, remote) for remote in _remote(key)]]
        if len(settled) == len(pairs) and matching:
            return
        top, optional = len(path) == 1, bool(empty) and not wanted & set(empty)
        if optional:
            ways.append("null")
        if matching and (key not in _exclusive(table) or not _attainable(target, path) or target in path):
            ways.append("match")
        needed = top or not matching or key in _exclusive(table)
        if target not in path and needed and (not optional or (top and _attainable(target, path))):
            ways.append("parent")
        way = self.draw(st.sampled_from(ways)) if len(ways) > 1 else "".join(ways)
        if way == "null":
            row |= empty
        elif way == "match":
            place = matching[-1] if len(matching) == 1 else self.draw(st.sampled_from(matching))
            row |= {local: self._value(place, remote) for local, remote in pairs}
        elif way == "parent" and not any(_fixed(_columns(target)[name]) for name in settled):
            place = self.add(target, settled, more, path=path)
            row |= {local: self._value(place, remote) for local, remote in pairs}
        elif target is table and not settled:
            self._point_home(row, table, pairs)
        else:
            names = ", ".join(_local(key))
            raise ContractError(
                f"{table.name}({names}) should reference {target.name}, "
                f"whose rows need one of {table.name} first: no first row can be inserted."
            )

    def _point_home(self, row: Row, table: Table, pairs: list[tuple[str, str]]) -> None:
        """Let a row be its own parent."""
        for local, remote in pairs:
            column = _columns(table)[remote]
            if _fixed(column):
                raise ContractError(
                    f"{table.name}.{local} should reference {table.name}.{remote}, which no row can know."
                )
            if row.get(remote) is None:
                row[remote] = _kind(column).fresh(_conditions(column), "", self.number(remote))
            row[local] = row[remote]

    def _fill(self, row: Row, table: Table) -> None:
        """Give a value to what no foreign key settled."""
        for name in _columns(table):
            if name in _foreign(table) and name not in row:
                column = _columns(table)[name]
                row[name] = None if _nullable(column) else self._choose(_good(column))

    def _value(self, place: int, column: str) -> Any:
        """Return a key value of an earlier row, as it came from the row that first had it."""
        value = self.insertions[place].row.get(column)
        return value if isinstance(value, Ref) else Ref(place, column)

    def _matches(self, place: int, target: Table, settled: Row, more: _Conditions) -> bool:
        """Say whether an earlier row holds the settled values and can be referred to."""
        insertion = self.insertions[place]
        if insertion.table is not target:
            return False
        for each in more:
            value = insertion.row.get(each.column, _OMITTED)
            if value is None or not (value is _OMITTED or isinstance(value, Ref) or each.holds(value)):
                return False
        return all(v in (self._value(place, name), insertion.row.get(name)) for name, v in settled.items())

    def _repeats(self, row: Row, table: Table, key: _Key) -> bool:
        if any(name not in row for name in key.columns):
            return False
        mine = [row[name] for name in key.columns]
        if None in mine and key.distinct_nulls:
            return False
        others = (each.row for each in self.insertions if each.table is table)
        return any(mine == [other.get(name, _OMITTED) for name in key.columns] for other in others)


def _inherited(column: Column[Any], remote: str) -> Iterator[_Condition]:
    """Yield what a parent's column must obey so that a child can refer to it."""
    yield _Condition(remote, _NOT_NULL)
    for each in _conditions(column):
        yield replace(each, column=remote)
    kind = _kind_or_none(column)
    if isinstance(kind, _Text) and kind.longest is not None:
        yield _Condition(remote, "<=", kind.longest, length=True)


def _comparisons(row: Row, column: Column[Any], relations: Iterable[_Condition]) -> _Conditions:
    """Return the conditions on a column that follow from values the row already has."""
    found = []
    for each in relations:
        mirrored = each.value.column == column.name
        other = each.column if mirrored else each.value.column
        if column.name not in (each.column, each.value.column) or row.get(other) is None:
            continue
        if isinstance(row[other], Ref):
            continue
        op = _MIRRORED[each.op] if mirrored else each.op
        value = (row[other],) if op in _LISTED else row[other]
        found.append(_Condition(column.name, _LISTED.get(op, op), value))
    return tuple(found)


# ---- good rows


@functools.cache
def example_for(table: Table, *, size: int = 3) -> SearchStrategy[tuple[Insertion, ...]]:
    """Give families of good rows: 1 to `size` rows of the table, each after the parents it needs.

    The last insertion is always a row of the table.
    """
    return _example(table, size)


@st.composite
def _example(draw: DrawFn, table: Table, size: int) -> tuple[Insertion, ...]:
    family, made = _Family(draw), 0
    for _ in range(draw(st.integers(1, size))):
        try:
            made = family.add(table) + 1
        except _Clash:
            continue
    return tuple(family.insertions[:made]) if made else reject()


def rows(table: Table, *, parents: Mapping[str, Any] | None = None) -> SearchStrategy[Row]:
    """Give single good rows; `parents` holds the values of foreign key columns, absent ones are NULL."""
    known = {name: value for name, value in (parents or {}).items() if name in _foreign(table)}
    for name in _foreign(table) - set(known):
        if not _columns(table)[name].nullable:
            raise ContractError(f"{table.name}.{name} needs a value in parents.")
        known[name] = None
    return _single(table, known)


@st.composite
def _single(draw: DrawFn, table: Table, known: Row) -> Row:
    return _Family(draw).row(table, known, ())


@functools.cache
def changes(table: Table) -> SearchStrategy[Row]:
    """Give good updates: values for one or more columns that are neither keys, generated nor compared.

    Only the empty update where the table has no such column.
    """
    keyed = {name for key in _keys(table) for name in key.columns}
    fields = {column.name: values(column) for column in _simple(table) if column.name not in keyed}
    return _update(fields) if fields else st.just({})


@st.composite
def _update(draw: DrawFn, fields: dict[str, SearchStrategy[Any]]) -> Row:
    first = draw(st.sampled_from(list(fields)))
    rest = {name: strategy for name, strategy in fields.items() if name != first}
    return {first: draw(fields[first]), **draw(st.fixed_dictionaries({}, optional=rest))}


# ---- bad rows


@functools.cache
def bad_ways(table: Table) -> tuple[Bad, ...]:
    """Return every way in which a row of this table must be refused, as far as it can be derived."""
    return (*_nulls(table), *_orphans(table), *_duplicates(table), *_broken(table))


def _nulls(table: Table) -> Iterator[Bad]:
    for column in table.columns:
        if not column.nullable and not _fixed(column):
            yield Bad(table, "null", (column.name,), f"{table.name}_{column.name}_not_null", "23502")


def _orphans(table: Table) -> Iterator[Bad]:
    for key in sorted(_references(table), key=lambda key: _places(table, _local(key))):
        if _loose_end(table, key) is not None:
            usual = f"{table.name}_{'_'.join(_local(key))}_fkey"
            yield Bad(table, "orphan", _local(key), _name(key, usual), "23503")


def _loose_end(table: Table, key: ForeignKeyConstraint) -> str | None:
    """Return the column of a foreign key that can point nowhere, if possible one of this key alone."""
    columns = _columns(table)
    shared = [name for each in _references(table) for name in _local(each)]
    able = [name for name in _local(key) if not _fixed(columns[name]) and _room(columns[name]) >= _ROOMY]
    return min(able, key=shared.count, default=None)


def _duplicates(table: Table) -> Iterator[Bad]:
    columns = _columns(table)
    for key in _keys(table):
        known = all(_kind_or_none(columns[name]) for name in key.columns)
        pointed = any(c.column in _foreign(table) and c.op != _NOT_NULL for c in key.where)
        empty = any(c.column in key.columns and c.op == "null" for c in key.where)
        if key.certain and known and not pointed and not empty and not any(_fixed(columns[n]) for n in key.columns):
            yield Bad(table, "duplicate", key.columns, key.name, "23505")


def _broken(table: Table) -> Iterator[Bad]:
    for check in _checks(table):
        if any(_breakable(table, condition) for condition in check.conditions):
            yield Bad(table, "check", check.columns, check.name, "23514")


def _breakable(table: Table, condition: _Condition) -> bool:
    column = _columns(table)[condition.column]
    if _fixed(column):
        return False
    if isinstance(condition.value, _Other):
        return condition in _relations(table)
    return not _breaking(column, condition).is_empty


@functools.cache
def _breaking(column: Column[Any], condition: _Condition) -> SearchStrategy[Any]:
    """Give values that break this condition, and no other condition if there are such."""
    negated = condition.negated()
    if negated.op == "null":
        return st.none() if column.nullable else st.nothing()
    others = tuple(c for c in _conditions(column) if c != condition)
    found = _kind(column).good((*others, negated))
    return _kind(column).good((negated,)) if found.is_empty else found


@functools.cache
def edges(table: Table) -> tuple[Bad, ...]:
    """Return the ways of overstepping a type; a target whose column is wider may take such a row."""
    found = []
    for column in table.columns:
        kind = None if _generated(column) else _kind_or_none(column)
        if isinstance(kind, _Text) and kind.longest is not None:
            found.append(Bad(table, "too-long", (column.name,), column.name, "22001"))
        elif isinstance(kind, _Grid) and isinstance(column.type, sa.Integer | sa.Numeric) and kind.high < 10**29:
            found.append(Bad(table, "overflow", (column.name,), column.name, "22003"))
    return tuple(found)


@functools.cache
def bad_example(bad: Bad) -> SearchStrategy[tuple[Insertion, ...]]:
    """Give families whose last insertion is bad in exactly this way, and all before it good."""
    return _bad_example(bad)


@st.composite
def _bad_example(draw: DrawFn, bad: Bad) -> tuple[Insertion, ...]:
    family = _Family(draw)
    try:
        _WAYS[bad.kind](family, bad)
    except _Clash:
        reject()
    return tuple(family.insertions)


def _add_null(family: _Family, bad: Bad) -> None:
    family.add(bad.table)
    family.spoil(dict.fromkeys(bad.columns))


def _add_orphan(family: _Family, bad: Bad) -> None:
    key = next(k for k in _references(bad.table) if _local(k) == bad.columns and bad.name == _name(k, bad.name))
    loose = _loose_end(bad.table, key)
    assert loose is not None
    column = _columns(bad.table)[loose]
    pins = {loose: _kind(column).fresh(_conditions(column), "", family.number("orphan"))}
    more = tuple(_Condition(name, _NOT_NULL) for name in bad.columns)
    family.add(bad.table, pins, more, loose=loose)
    family.spoil({n: family.draw(_good(_columns(bad.table)[n])) for n in bad.columns if family.told(-1, n) is None})


def _add_duplicate(family: _Family, bad: Bad) -> None:
    key = next(k for k in _keys(bad.table) if (k.name, k.columns) == (bad.name, bad.columns))
    more = (*(_Condition(name, _NOT_NULL) for name in key.columns), *key.where)
    first = family.add(bad.table, None, more)
    family.add(bad.table, {name: family.told(first, name) for name in key.columns}, key.where, repeats=True)


def _add_broken(family: _Family, bad: Bad) -> None:
    check = next(c for c in _checks(bad.table) if (c.name, c.columns) == (bad.name, bad.columns))
    condition = family.draw(st.sampled_from([c for c in check.conditions if _breakable(bad.table, c)]))
    column = _columns(bad.table)[condition.column]
    if not isinstance(condition.value, _Other):
        family.add(bad.table)
        family.spoil({column.name: family.draw(_breaking(column, condition))})
        return
    place = family.add(bad.table, None, tuple(_Condition(name, _NOT_NULL) for name in bad.columns))
    against = _comparisons(family.insertions[place].row, column, [condition.negated()])
    family.spoil({column.name: family._choose(_good(column, against))})


def _add_too_long(family: _Family, bad: Bad) -> None:
    (name,) = bad.columns
    kind = _kind(_columns(bad.table)[name])
    assert isinstance(kind, _Text)
    assert kind.longest is not None
    family.add(bad.table)
    family.spoil({name: family.draw(kind._long(st.sampled_from("xé'\U0001f600"), kind.longest + 1))})


def _add_overflow(family: _Family, bad: Bad) -> None:
    (name,) = bad.columns
    kind = _kind(_columns(bad.table)[name])
    assert isinstance(kind, _Grid)
    family.add(bad.table)
    family.spoil({name: kind.value(family.draw(st.sampled_from([kind.high + 1, kind.low - 1])))})


_WAYS: dict[str, Callable[[_Family, Bad], None]] = {
    "null": _add_null,
    "orphan": _add_orphan,
    "duplicate": _add_duplicate,
    "check": _add_broken,
    "too-long": _add_too_long,
    "overflow": _add_overflow,
}
