"""Kinds of values: listed, at even steps, or known by equality only."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from contracts.rows.cells import Cell
from contracts.rows.conditions import NOT_NULL, Conditions


class Kind:
    """The values of a type: strategies for them, their literals in checks, and fresh ones."""

    family = ""  # columns of one family can be compared
    samples: tuple[Cell, ...] = ()  # what is likely to obey a check

    def read(self, literal: str | Decimal | bool) -> Cell:
        """Return the value of a literal; ValueError where it has none."""
        raise ValueError(literal)

    def take(self, value: Cell) -> Cell:
        """Return a value as the type holds it, None where it does not fit."""
        return value

    def all(self, conditions: Conditions) -> list[Cell] | None:
        """Return every value; None where they are many."""
        return None

    def endless(self, conditions: Conditions) -> SearchStrategy[Cell]:
        """Give values that obey the conditions on order and length."""
        return st.nothing()

    def room(self, conditions: Conditions) -> int:
        """Return about how many fresh values there are."""
        choices = self.choices(conditions)
        return 0 if choices is None else len(choices)

    def fresh(self, conditions: Conditions, value: Cell, number: int) -> Cell:
        """Return a value that no row is likely to have, made from a random number and, where possible, from `value`."""
        choices = self.choices(conditions)
        return choices[number % len(choices)] if choices else value

    def choices(self, conditions: Conditions) -> list[Cell] | None:
        """Return the values to choose from; None where neither a condition nor the type lists them."""
        listed = [c.value for c in conditions if c.op == "in" and not c.length]
        found = [self.take(value) for value in listed[0]] if listed else self.all(conditions)
        if found is None:
            return None
        obeyed = [c for c in conditions if c.op not in ("null", "not null")]
        return [v for v in found if v is not None and all(c.holds(v) for c in obeyed)]

    def good(self, conditions: Conditions) -> SearchStrategy[Cell]:
        """Give values that obey the conditions; nothing where there are none."""
        choices = self.choices(conditions)
        if choices is not None:
            return st.sampled_from(choices) if choices else st.nothing()
        banned = [c for c in conditions if c.op == "not in"]
        found = self.endless(conditions)
        return found.filter(lambda value: all(c.holds(value) for c in banned)) if banned else found


def shared(kind: Kind, conditions: Conditions) -> SearchStrategy[Cell]:
    """Return the one strategy for good values of all columns that are of a kind and have these conditions."""
    return _shared(kind, tuple(replace(c, column="") for c in conditions if c.op != NOT_NULL))


@functools.cache
def _shared(kind: Kind, conditions: Conditions) -> SearchStrategy[Cell]:
    return kind.good(conditions)


@dataclass(frozen=True)
class Labels(Kind):
    """A type whose values are listed: boolean, enum."""

    labels: tuple[Cell, ...]
    family: str

    def read(self, literal: str | Decimal | bool) -> Cell:
        """Return the label that a literal spells."""
        if self.family == "boolean" and isinstance(literal, str):
            return {"true": True, "t": True, "false": False, "f": False}[literal.lower()]
        if literal not in self.labels or isinstance(literal, Decimal):
            raise ValueError(literal)
        return literal

    def take(self, value: Cell) -> Cell:
        """Return a label, None for anything else."""
        return value if value in self.labels else None

    def all(self, conditions: Conditions) -> list[Cell]:
        """Return all labels."""
        return list(self.labels)


@dataclass(frozen=True)
class Grid(Kind):
    """A type whose values are ordered, at even steps: whole numbers of a unit."""

    low: int
    high: int
    units: Callable[[Cell], Fraction]
    value: Callable[[int], Cell]
    reader: Callable[[str], Cell]
    family: str
    wild: SearchStrategy[Cell] | None = None  # where no condition bounds it
    stride: int = 1  # steps in a usual distance: a day, an hour, one
    now: Callable[[], Cell] | None = None

    def read(self, literal: str | Decimal | bool) -> Cell:
        """Return the value of a number or a string."""
        if isinstance(literal, bool):
            raise ValueError(literal)
        return self.reader(str(literal))

    def take(self, value: Cell) -> Cell:
        """Return a value that stands on a step within the bounds, None for any other."""
        units = self.units(value)
        if self.wild is not None:
            return float(value)
        return self.value(int(units)) if units.denominator == 1 and self.low <= units <= self.high else None

    def span(self, conditions: Conditions) -> tuple[int, int]:
        """Return the first and the last step that the conditions leave."""
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

    def all(self, conditions: Conditions) -> list[Cell] | None:
        """Return every value; None where there are many steps."""
        low, high = self.span(conditions)
        return [self.value(each) for each in range(low, high + 1)] if high - low < 64 else None

    def endless(self, conditions: Conditions) -> SearchStrategy[Cell]:
        """Give values between the bounds, and often the bounds themselves."""
        span = self.span(conditions)
        if self.wild is not None and span == (self.low, self.high):
            return self.wild
        return st.integers(*span).map(self.value) | st.sampled_from([self.value(end) for end in span])

    def room(self, conditions: Conditions) -> int:
        """Return the number of choices or steps."""
        choices = self.choices(conditions)
        low, high = self.span(conditions)
        return high - low + 1 if choices is None else len(choices)

    def fresh(self, conditions: Conditions, value: Cell, number: int) -> Cell:
        """Return a value near a bound, by a random number."""
        if self.choices(conditions) is not None:
            return super().fresh(conditions, value, number)
        low, high = self.span(conditions)
        step = number % ((high - low) // 16 + 1)  # near a far end, which keys that count upwards do not reach
        return self.value(low + step if low < 0 else high - step)


LENGTHS = Grid(0, 2**31, Fraction, int, int, "number")


@dataclass(frozen=True)
class Plain(Kind):
    """A type of which only equality is known, and perhaps how to make a fresh value."""

    strategy: SearchStrategy[Cell]
    make: Callable[[int], Cell] | None = None
    reader: Callable[[str], Cell] | None = None
    samples: tuple[Cell, ...] = ()

    def read(self, literal: str | Decimal | bool) -> Cell:
        """Return the value of a string, where the type has a reader."""
        if self.reader is None or not isinstance(literal, str):
            raise ValueError(literal)
        return self.reader(literal)

    def endless(self, conditions: Conditions) -> SearchStrategy[Cell]:
        """Give any value of the type."""
        return self.strategy

    def room(self, conditions: Conditions) -> int:
        """Return the number of choices, many where values can be made, else none."""
        choices = self.choices(conditions)
        return len(choices) if choices is not None else 2**32 if self.make else 0

    def fresh(self, conditions: Conditions, value: Cell, number: int) -> Cell:
        """Return a value made from a random number, where values can be made."""
        if self.choices(conditions) is not None or self.make is None:
            return super().fresh(conditions, value, number)
        return self.make(number)
