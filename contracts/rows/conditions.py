"""Conditions: what a check says about one column."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from contracts.rows.cells import Cell

NOT_NULL = "not null"


@dataclass(frozen=True)
class Condition:
    """One claim about a column; as in a check, NULL meets every condition but ``not null``."""

    column: str
    op: str  # < <= > >= in · not in · null · not null; between columns also = and <>
    value: Cell = None
    length: bool = False

    def holds(self, value: Cell) -> bool:
        """Return whether a value meets the condition."""
        subject = len(value) if self.length else value
        return bool(_HOLDS[self.op](subject, self.value))

    def negated(self) -> Condition:
        """Return the condition that holds where this one does not."""
        return replace(self, op=_NEGATED[self.op])


@dataclass(frozen=True)
class Other:
    """Another column of the same row, as the right side of a condition."""

    column: str


_HOLDS: dict[str, Callable[[Cell, Cell], bool]] = {
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
MIRRORED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "=": "=", "<>": "<>"}
LISTED = {"=": "in", "<>": "not in"}

Conditions = tuple[Condition, ...]
