"""Kinds of values: counted, in even steps, or only told apart."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from contracts.rows.conditions import Conditions


class Kind:
    """The values of a type, as strategy, as literal in a check, and as a value that is nowhere yet."""

    family = ""  # columns of one family can be compared
    samples: tuple[Any, ...] = ()  # what is likely to obey a check

    def read(self, literal: str | Decimal | bool) -> Any:
        """Return the value of a literal; ValueError where it has none."""
        raise ValueError(literal)

    def take(self, value: Any) -> Any:
        """Return a value as the type holds it, None where it does not fit."""
        return value

    def all(self, conditions: Conditions) -> list[Any] | None:
        """Return every value, where they are few."""
        return None

    def endless(self, conditions: Conditions) -> SearchStrategy[Any]:
        """Give values that obey the conditions on order and length."""
        return st.nothing()

    def room(self, conditions: Conditions) -> int:
        """Return about how many fresh values there are."""
        choices = self.choices(conditions)
        return 0 if choices is None else len(choices)

    def fresh(self, conditions: Conditions, value: Any, number: int) -> Any:
        """Return a value that no row is likely to hold, by a random number, like `value` where possible."""
        choices = self.choices(conditions)
        return choices[number % len(choices)] if choices else value

    def choices(self, conditions: Conditions) -> list[Any] | None:
        """Return the values to choose from, where a condition or the type counts them."""
        listed = [c.value for c in conditions if c.op == "in"]
        found = [self.take(value) for value in listed[0]] if listed else self.all(conditions)
        if found is None:
            return None
        obeyed = [c for c in conditions if c.op not in ("null", "not null")]
        return [v for v in found if v is not None and all(c.holds(v) for c in obeyed)]

    def good(self, conditions: Conditions) -> SearchStrategy[Any]:
        """Give values that obey the conditions; nothing where there are none."""
        choices = self.choices(conditions)
        if choices is not None:
            return st.sampled_from(choices) if choices else st.nothing()
        banned = [c for c in conditions if c.op == "not in"]
        found = self.endless(conditions)
        return found.filter(lambda value: all(c.holds(value) for c in banned)) if banned else found


@dataclass(frozen=True)
class Labels(Kind):
    """A type whose values are counted: boolean, enum."""

    labels: tuple[Any, ...]
    family: str

    def read(self, literal: str | Decimal | bool) -> Any:
        """Return the label that a literal spells."""
        if self.family == "boolean" and isinstance(literal, str):
            return {"true": True, "t": True, "false": False, "f": False}[literal.lower()]
        if literal not in self.labels or isinstance(literal, Decimal):
            raise ValueError(literal)
        return literal

    def take(self, value: Any) -> Any:
        """Return a label, None for anything else."""
        return value if value in self.labels else None

    def all(self, conditions: Conditions) -> list[Any]:
        """Return all labels."""
        return list(self.labels)


@dataclass(frozen=True)
class Grid(Kind):
    """A type whose values stand in order at even steps: whole numbers of a unit."""

    low: int
    high: int
    units: Callable[[Any], Fraction]
    value: Callable[[int], Any]
    reader: Callable[[str], Any]
    family: str
    wild: SearchStrategy[Any] | None = None  # where no condition bounds it
    stride: int = 1  # steps in a usual distance: a day, an hour, one
    now: Callable[[], Any] | None = None

    def read(self, literal: str | Decimal | bool) -> Any:
        """Return the value of a number or a string."""
        if isinstance(literal, bool):
            raise ValueError(literal)
        return self.reader(str(literal))

    def take(self, value: Any) -> Any:
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

    def all(self, conditions: Conditions) -> list[Any] | None:
        """Return every value, where the steps are few."""
        low, high = self.span(conditions)
        return [self.value(each) for each in range(low, high + 1)] if high - low < 64 else None

    def endless(self, conditions: Conditions) -> SearchStrategy[Any]:
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

    def fresh(self, conditions: Conditions, value: Any, number: int) -> Any:
        """Return a value near a bound, by a random number."""
        if self.choices(conditions) is not None:
            return super().fresh(conditions, value, number)
        low, high = self.span(conditions)
        step = number % ((high - low) // 16 + 1)  # a far end: keys that count upwards never come here
        return self.value(low + step if low < 0 else high - step)


LENGTHS = Grid(0, 2**31, Fraction, int, int, "number")


@dataclass(frozen=True)
class Plain(Kind):
    """A type of which only equality is known, and perhaps how to make a fresh value."""

    strategy: SearchStrategy[Any]
    make: Callable[[int], Any] | None = None
    reader: Callable[[str], Any] | None = None
    samples: tuple[Any, ...] = ()

    def read(self, literal: str | Decimal | bool) -> Any:
        """Return the value of a string, where the type has a reader."""
        if self.reader is None or not isinstance(literal, str):
            raise ValueError(literal)
        return self.reader(literal)

    def endless(self, conditions: Conditions) -> SearchStrategy[Any]:
        """Give any value of the type."""
        return self.strategy

    def room(self, conditions: Conditions) -> int:
        """Return the number of choices, many where values can be made, else none."""
        choices = self.choices(conditions)
        return len(choices) if choices is not None else 2**32 if self.make else 0

    def fresh(self, conditions: Conditions, value: Any, number: int) -> Any:
        """Return a value made from a random number, where values can be made."""
        if self.choices(conditions) is not None or self.make is None:
            return super().fresh(conditions, value, number)
        return self.make(number)
