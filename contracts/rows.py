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

import psycopg2
from hypothesis import reject
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy
from psycopg2 import sql
from psycopg2.extensions import QuotedString, adapt, register_adapter
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - it is a class
from psycopg2.extras import Json
from sqlalchemy import (
    CheckConstraint,
    Column,
    Computed,
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
from sqlalchemy.sql.elements import ClauseElement

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


class Swallowed(PgmendError):
    """An insert went in without an error and without a row: a trigger took it."""

    def __init__(self, table: Table) -> None:
        super().__init__(f"a row for {table.name} was neither inserted nor refused: does a trigger swallow it?")
        self.table = table


class Array(list[Any]):
    """The value of an ARRAY column: a list that PostgreSQL reads for any element type."""


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
        return (st.integers(*span) | st.sampled_from(span)).map(self.value)

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
        lengths = _Grid(0, 2**31, Fraction, int, Decimal, "number")
        low, high = lengths.span(tuple(c for c in conditions if c.length))
        for each in conditions:
            if each.length and each.op == "in":
                low, high = max(low, *each.value), min(high, *each.value)
        high = high if self.longest is None else min(high, self.longest)
        return low, None if high == 2**31 else high

    def choices(self, conditions: _Conditions) -> list[Any] | None:
        low, high = self.span(conditions)
        if high is not None and low > high:
            return []
        found = super().choices(tuple(c for c in conditions if not (c.length and c.op == "in")))
        return found if found is None else [v for v in found if low <= len(v) and (high is None or len(v) <= high)]

    def endless(self, conditions: _Conditions) -> SearchStrategy[Any]:
        low, high = self.span(conditions)
        usual = max(low, 12) if high is None else min(high, max(low, 12))
        characters = _SOLID if self.padded else _CHARACTERS
        awkward = _AWKWARD.replace("\0", "")
        kinds = []
        if low <= 32:
            kinds += [st.text(characters, min_size=low, max_size=usual)]
            kinds += [st.text(awkward, min_size=low, max_size=usual)]
        for edge in {low, high or 0} - {0}:
            if edge > 32 and edge > 4000 and edge != low:
                continue
            piece = st.text(characters, min_size=1, max_size=4)
            kinds.append(piece.map(functools.partial(_stretch, size=edge)))
        return st.one_of(kinds)

    def room(self, conditions: _Conditions) -> int:
        choices = self.choices(conditions)
        _, high = self.span(conditions)
        return len(choices) if choices is not None else int(_RARE[1] ** min(high if high is not None else 4, 4))

    def fresh(self, conditions: _Conditions, value: Any, number: int) -> Any:
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
_EPOCH = datetime(1970, 1, 1)
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
    return _Grid(-size, size, lambda v: Fraction(v) * 1024, lambda n: n / 1024, Decimal, "number", wild)


def _moment(zoned: bool, precision: int | None) -> _Grid:
    """Return the moments that every client reads back: the years 1000 to 9999."""
    unit = _MICROSECOND * 10 ** (6 - (6 if precision is None else min(precision, 6)))
    epoch = _EPOCH.replace(tzinfo=UTC) if zoned else _EPOCH

    def units(moment: datetime) -> Fraction:
        return Fraction((moment - epoch) // _MICROSECOND, unit // _MICROSECOND)

    def value(count: int) -> datetime:
        moment = epoch + unit * count
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
        moment = (_EPOCH + _MICROSECOND * unit * count).time()
        return moment.replace(tzinfo=UTC) if zoned else moment

    def units(moment: time) -> Fraction:
        return Fraction((datetime.combine(_EPOCH, moment.replace(tzinfo=None)) - _EPOCH) // _MICROSECOND, unit)

    return _Grid(0, _DAY // unit - 1, units, value, time.fromisoformat, "zoned time" if zoned else "time")


def _span(precision: int | None) -> _Grid:
    unit = _MICROSECOND * 10 ** (6 - (6 if precision is None else min(precision, 6)))
    size = timedelta(days=36_500) // unit

    def read(literal: str) -> timedelta:
        raise ValueError(literal)

    return _Grid(-size, size, lambda v: Fraction(v // _MICROSECOND, unit // _MICROSECOND), lambda n: unit * n, read, "")


def _json() -> SearchStrategy[Any]:
    text = st.text(_CHARACTERS, max_size=8) | st.text(_AWKWARD, max_size=8)
    leaf = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text
    nested = st.lists(leaf, max_size=3) | st.dictionaries(text, leaf, max_size=3)
    return st.one_of(leaf, nested, st.dictionaries(text, nested, max_size=2)).map(Json)


def _address(number: int) -> str:
    return str(ipaddress.IPv6Address(number % 2**128))


def _range(low: str, high: str) -> _Plain:
    return _Plain(st.sampled_from(["empty", f"[{low},{high})", f"({low},{high}]", f"[{low},)", f"(,{high})", "(,)"]))


def _mac(count: int) -> _Plain:
    def make(number: int) -> str:
        return (number % 256**count).to_bytes(count).hex(":")

    return _Plain(st.integers(0, 256**count - 1).map(make), make)


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
    while isinstance(declared, sa.TypeDecorator):
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
            return _Grid(
                low, high, lambda v: Fraction(v.toordinal()), date.fromordinal, date.fromisoformat, "date"
            )
        case sa.Time():
            return _time(bool(kind.timezone), precision)
        case sa.Interval() | pg.INTERVAL():
            return _span(precision)
        case sa.Uuid():
            return _Plain(
                st.uuids().map(str), lambda n: str(uuid.UUID(int=n, version=4)), lambda v: str(uuid.UUID(v))
            )
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
_LENGTHS = {"length", "char_length", "character_length"}
_WORDY_TYPES = {"varying", "precision", "with", "without", "time", "zone"}
_TYPED_LITERALS = {"date", "time", "timestamp", "timestamptz", "uuid", "numeric"}
_TEXT_TYPES = {"text", "varchar", "character varying"}
_NUMBER_TYPES = {"numeric", "decimal", "double precision", "bigint", "int8"}
_KEYWORDS = {"and", "or", "not", "in", "is", "between", "any", "all", "array", "null", "true", "false", "cast"}
_NAMELESS = {"case", "exists", "row", "distinct", "interval"}


class _Unread(Exception):  # noqa: N818 - it is no error: the check is left to the database
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
        if word in _LENGTHS and len(nodes) == 1 and isinstance(nodes[0], _Name):
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
        textual = isinstance(kind, _Text | _Labels) and kind.family != "boolean" and wanted in _TEXT_TYPES
        numeric = kind is not None and kind.family == "number" and wanted in _NUMBER_TYPES - {"bigint", "int8"}
        return node if textual or numeric else _UNREAD

    def _claim(self, node: _Node) -> _Claim:
        """Return what a node says where a condition is wanted: a boolean column says that it is true."""
        if isinstance(node, _Name):
            return self._condition(node, "in", _Items((True,)))
        return node if isinstance(node, _Claim) else _UNREAD

    def _condition(self, left: _Node, op: str, right: _Node) -> _Claim:
        if not isinstance(left, _Name) or not isinstance(right, _Items) or None in right.values:
            return _UNREAD
        kind = _number(0, 2**31, None) if left.length else _kind_or_none(self.columns[left.column])
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
        alike = all(isinstance(kind, _Grid) and kind.family for kind in kinds)
        equal = op in _LISTED and all(isinstance(kind, _Text) for kind in kinds)
        if left.length or right.length or left == right or not (alike or equal):
            return _UNREAD
        if {kind.family for kind in kinds if kind} not in [{"number"}, {"text"}] and kinds[0].__class__:
            if len({kind.family for kind in kinds if kind}) > 1:
                return _UNREAD
        elif len({kind.family for kind in kinds if kind}) > 1:
            return _UNREAD
        return _Claim((_Condition(left.column, op, _Other(right.column)),), True)


def _split(items: _Items) -> _Items:
    """Read '{A,B}'::text[]."""
    value = items.values[0]
    if len(items.values) == 1 and isinstance(value, str) and re.fullmatch(r"\{[\w,]+\}", value):
        return _Items(tuple(value[1:-1].split(",")), single=False)
    return items
