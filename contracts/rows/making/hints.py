"""Finds the literals in the laws of a group, which are likely values."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from contracts.rows.kinds.kind import Grid
from contracts.rows.laws.groups import Group
from contracts.rows.sqltext import Unread, lex


@dataclass(frozen=True)
class Hints:
    """The strings and the numbers that stand in pieces of SQL."""

    strings: tuple[str, ...]
    numbers: tuple[Decimal, ...]


@functools.cache
def hints_of(group: Group) -> Hints:
    """Return the literals in the laws of a group."""
    return literals(law.hints for law in group.laws)


def literals(texts: Iterable[str]) -> Hints:
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
    return Hints(tuple(strings), tuple(numbers))


def marks_of(kind: Grid, hints: Hints) -> list[int]:
    """Return the literals as steps of a grid, in order."""
    found = set[int]()
    years = [
        f"{n}-01-01" for n in map(str, (*hints.strings, *hints.numbers)) if kind.now and re.fullmatch(r"[1-9]\d{3}", n)
    ]
    both: list[str | Decimal] = [*hints.strings, *years, *hints.numbers]
    for literal in both:
        try:
            found.add(int(kind.units(kind.read(_stamp(kind, literal)))))
        except (ValueError, ArithmeticError, LookupError, TypeError):
            continue
    return sorted(found)


def _stamp(kind: Grid, literal: str | Decimal) -> str | Decimal:
    """Return a literal as Python reads it, with minutes in its zone."""
    if isinstance(literal, str):
        literal = re.sub(r"([+-]\d\d)$", r"\1:00", literal) if kind.family == "zoned" else literal
        if kind.family == "zoned" and not re.search(r"(Z|[+-]\d\d:\d\d)$", literal):
            literal += "+00:00"
    return literal
