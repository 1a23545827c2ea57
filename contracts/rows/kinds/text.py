"""The kind of text: any character, any length that a column takes."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from contracts.rows.cells import Cell
from contracts.rows.conditions import Conditions
from contracts.rows.kinds.kind import LENGTHS, Kind

NUL_TEXT = "a\x00b"  # no PostgreSQL text holds a NUL; psycopg2 refuses it with ValueError

# Surrogates and NUL are no PostgreSQL text; everything else is.
CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\x00")
_SOLID = st.characters(exclude_categories=["Cs"], exclude_characters="\x00 ")
AWKWARD = "'\"\\%:;$?{}()-/*_\t\nAa0é漢ß\u0301\u202e\U0001f600"
_TOKEN = 12
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_RARE = (0x20000, 42_000)  # ideographs that no short code contains


def _stretch(piece: str, size: int) -> str:
    return (piece * size)[:size]


@dataclass(frozen=True)
class Text(Kind):
    """Text up to a length, counted in characters."""

    longest: int | None
    padded: bool = False  # CHAR(n): trailing spaces do not count
    family = "text"

    def read(self, literal: str | Decimal | bool) -> Cell:
        """Return a string, and nothing else."""
        if not isinstance(literal, str):
            raise ValueError(literal)
        return literal

    def take(self, value: Cell) -> Cell:
        """Return a text that is not too long, None for any other."""
        return value if self.longest is None or len(value) <= self.longest else None

    def span(self, conditions: Conditions) -> tuple[int, int | None]:
        """Return the shortest and the longest length; None where nothing bounds it."""
        low, high = LENGTHS.span(tuple(c for c in conditions if c.length))
        high = high if self.longest is None else min(high, self.longest)
        return low, None if high == LENGTHS.high else high

    def sized(self, conditions: Conditions) -> list[Conditions]:
        """Return the conditions once for each of the lengths to choose from."""
        listed = next((c for c in conditions if c.length and c.op == "in"), None)
        if listed is None:
            return [conditions]
        rest = tuple(c for c in conditions if c is not listed)
        return [
            (*rest, replace(listed, op=">=", value=size), replace(listed, op="<=", value=size)) for size in listed.value
        ]

    def choices(self, conditions: Conditions) -> list[Cell] | None:
        """Return the texts to choose from; none where no length is left."""
        low, high = self.span(conditions)
        return super().choices(conditions) if high is None or low <= high else []

    def good(self, conditions: Conditions) -> SearchStrategy[Cell]:
        """Give texts that obey the conditions, of each length to choose from."""
        return st.one_of([super(Text, self).good(each) for each in self.sized(conditions)])

    def endless(self, conditions: Conditions) -> SearchStrategy[Cell]:
        """Give texts of common and of awkward characters, short and as long as they may be."""
        low, high = self.span(conditions)
        usual = max(low, 12) if high is None else min(high, max(low, 12))
        characters = _SOLID if self.padded else CHARACTERS
        kinds = []
        if low <= 32:
            kinds += [st.text(alphabet, min_size=low, max_size=usual) for alphabet in (characters, AWKWARD)]
        else:
            kinds += [self.long(characters, low)]
        if high is not None and usual < high <= 4000:
            kinds += [self.long(characters, high)]
        return st.one_of(kinds)

    def long(self, characters: SearchStrategy[str], size: int) -> SearchStrategy[str]:
        """Give texts of exactly this size."""
        return st.text(characters, min_size=1, max_size=4).map(functools.partial(_stretch, size=size))

    def room(self, conditions: Conditions) -> int:
        """Return about how many fresh texts there are."""
        conditions = self.sized(conditions)[-1]
        choices = self.choices(conditions)
        _, high = self.span(conditions)
        return len(choices) if choices is not None else int(_RARE[1] ** min(high if high is not None else 4, 4))

    def fresh(self, conditions: Conditions, value: Cell, number: int) -> Cell:
        """Return a text that ends in a random token, or a short one of rare characters."""
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
