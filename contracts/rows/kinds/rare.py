"""The kinds of rare types: documents, addresses, ranges, bit strings."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from datetime import date

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from sqlalchemy.dialects import postgresql as pg

from contracts.rows.cells import Cell
from contracts.rows.kinds.grids import number_grid
from contracts.rows.kinds.kind import Kind, Plain
from contracts.rows.kinds.literals import Document
from contracts.rows.kinds.text import AWKWARD, CHARACTERS
from contracts.rows.tables import AnyType


def documents() -> SearchStrategy[Cell]:
    """Give JSON documents."""
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


_PLACES = 900_000  # of fresh ranges; so many days end before the year 4500


def _day(number: int) -> str:
    return date.fromordinal(730_120 + number).isoformat()


def _mac(count: int) -> Plain:
    def make(number: int) -> str:
        return (number % (1 << 8 * count)).to_bytes(count).hex(":")

    return Plain(st.integers(0, (1 << 8 * count) - 1).map(make), make)


def bits(kind: pg.BIT) -> Plain:
    """Return the bit strings of a type."""
    low, high = (0, kind.length or 16) if kind.varying else (kind.length or 1, kind.length or 1)
    samples = ("0" * low, "1" * low, "0" * high, "1" * high, "10" * (high // 2) + "1" * (high % 2))
    return Plain(st.text("01", min_size=low, max_size=high), samples=samples)


_WORDS = st.text("abc", min_size=1, max_size=5)
RARITIES: dict[type[AnyType], Kind] = {
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
