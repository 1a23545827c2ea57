"""Bounds of partitions in PostgreSQL's spelling: which rows they take, as far as the texts alone tell."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from math import gcd, lcm

from fixer.model.expression.names import unquoted
from fixer.model.expression.patterns import pattern
from fixer.model.expression.tails import split
from fixer.model.values import dataclass

DEFAULT = "DEFAULT"  # the bound of the partition that takes what no other does
Value = tuple[int, Decimal | str]
_LIST = pattern(r"FOR VALUES IN \((.*)\)", re.DOTALL)
_RANGE = pattern(r"FOR VALUES FROM (\(.*\)) TO (\(.*\))", re.DOTALL)
_HASH = pattern(r"FOR VALUES WITH \(modulus (\d+), remainder (\d+)\)", re.IGNORECASE)
_ENDS = {"MINVALUE": -1, "MAXVALUE": 1}
_TIME = pattern(r"\d{4}-\d\d-\d\d(?: \d\d:\d\d:\d\d(?:\.\d+)?(?:[+-]\d\d(?::\d\d)*)?)?")


@dataclass(frozen=True)
class Bound:
    """A bound: the values of a list, the ends of a range, or the modulus and remainder of a hash."""

    text: str
    values: frozenset[str] = frozenset()
    first: tuple[str, ...] = ()
    last: tuple[str, ...] = ()
    modulus: int = 0
    remainder: int = 0

    @property
    def is_default(self) -> bool:
        """Whether it takes what no other does."""
        return self.text == DEFAULT

    def meets(self, other: Bound) -> bool | None:
        """Return whether a row fits both; None if the texts do not tell."""
        if self.is_default or other.is_default:
            return self.is_default and other.is_default
        if self.modulus and other.modulus:
            shared = gcd(self.modulus, other.modulus)
            return self.remainder % shared == other.remainder % shared
        if self.first and other.first:
            ways = before(self.first, other.last), before(other.first, self.last)
            return False if False in ways else None if None in ways else True
        return bool(self.values & other.values)


def bound_of(text: str) -> Bound:
    """Return a bound, taken apart."""
    if found := _LIST.fullmatch(text):
        return Bound(text, frozenset(split(found[1], ",")))
    if found := _RANGE.fullmatch(text):
        first, last = _ends(text)
        return Bound(text, first=first, last=last)
    if found := _HASH.fullmatch(text):
        return Bound(text, modulus=int(found[1]), remainder=int(found[2]))
    return Bound(text)


def _ends(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    first, last = split(text.removeprefix("FOR VALUES FROM "), "TO")
    return tuple(split(first[1:-1], ",")), tuple(split(last[1:-1], ","))


def before(one: tuple[str, ...], other: tuple[str, ...]) -> bool | None:
    """Return whether one end of a range lies before another; None if the texts do not tell."""
    for mine, theirs in zip(one, other, strict=False):
        if mine == theirs and mine in _ENDS:
            return False
        if mine == theirs:
            continue
        here, there = _value(mine), _value(theirs)
        if here[0] != there[0] and {here[0], there[0]} & {-1, 1}:
            return here[0] < there[0]
        if isinstance(here[1], Decimal) and isinstance(there[1], Decimal):
            if here[1] != there[1]:
                return here[1] < there[1]
            continue
        return None
    return False


def _value(text: str) -> Value:
    """Return a value so that it can be compared: -1 and 1 are the ends of all values, a text of others stays one."""
    if text in _ENDS:
        return _ENDS[text], ""
    bare = text[1:-1].replace("''", "'") if text.startswith("'") else text
    with suppress(InvalidOperation):
        number = Decimal(bare)
        return (0, number) if number.is_finite() else (0, bare)
    if _TIME.fullmatch(bare):
        with suppress(ValueError):
            at = datetime.fromisoformat(bare)
            at = at if at.tzinfo else at.replace(tzinfo=UTC)
            return 0, Decimal(int((at - datetime(1, 1, 1, tzinfo=UTC)).total_seconds() // 1)) + Decimal(
                at.microsecond
            ) / 10**6
    return 0, bare


def measure(text: str) -> Decimal | None:
    """Return where a literal lies among those of its type, if it is a number, a date or a time; else None."""
    value = _value(text)[1]
    return value if isinstance(value, Decimal) else None


def taken(wanted: Bound, others: Iterable[Bound]) -> bool:
    """Return whether other partitions take every row that fits a bound, as far as the texts tell."""
    there = [*others]
    if any(each.text == wanted.text for each in there):
        return True
    if wanted.values:
        return wanted.values <= frozenset[str]().union(*(each.values for each in there))
    if wanted.modulus:
        own = [each for each in there if each.modulus and wanted.meets(each)]
        wide = any(wanted.modulus % each.modulus == 0 for each in own)
        whole = lcm(wanted.modulus, *(each.modulus for each in own))
        return wide or sum(whole // each.modulus for each in own) >= whole // wanted.modulus
    return bool(wanted.first) and _joined(wanted, [each for each in there if each.first])


def _joined(wanted: Bound, others: Iterable[Bound]) -> bool:
    """Return whether ranges follow each other without a gap from the first end of a wanted one to its last."""
    place, left = wanted.first, [*others]
    while before(place, wanted.last) is not False:
        step = next((o for o in left if _goes_on(place, o)), None)
        if step is None:
            return False
        left.remove(step)
        place = step.last
    return True


def _goes_on(place: tuple[str, ...], other: Bound) -> bool:
    """Return whether a range holds what follows a place; its last end is never before its first."""
    return place == other.first or (before(place, other.first) is False and before(place, other.last) is True)


def fitting(bound: Bound, parted_by: str) -> str:
    """Return the condition, in SQL, that a row fits a bound of a table with this key; empty if it is not simple."""
    strategy, _, keys = parted_by.partition(" (")
    key = keys.removesuffix(")")
    names = [*split(key, ",")]
    if len(names) != 1 or not re.fullmatch(r'"(?:[^"]|"")+"|[a-z_][a-z0-9_]*', key) or not unquoted(key):
        return ""
    if strategy == "LIST":
        chosen = ", ".join(sorted(bound.values - {"NULL"}))
        parts = [f"t.{key} IN ({chosen})"] if chosen else []
        return " OR ".join([*parts, *([f"t.{key} IS NULL"] if "NULL" in bound.values else [])])
    if strategy == "RANGE" and bound.first:
        ends = ((">=", bound.first[0]), ("<", bound.last[0]))
        parts = [f"t.{key} {sign} {end}" for sign, end in ends if end not in _ENDS]
        return " AND ".join([*parts, f"t.{key} IS NOT NULL"])
    return ""
