"""Conditions of checks, taken apart: which of them follow from which, and which are the same but for their values.

A check lets a row pass that makes its condition NULL, so `x IS NULL OR x > 0` means the same as `x > 0`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from operator import ge, gt

from fixer.model.expression import canonical, parts_of, tail_of, unquoted
from fixer.model.table import Table
from fixer.sql.types import shape

_NUMBERS = {"smallint": 2**15, "integer": 2**31, "bigint": 2**63}
_LIST = re.compile(r"(.+?) = ANY \(*ARRAY\[(.*)\]\)*", re.DOTALL)
_ONE = re.compile(r"([^<>=!~]+) = ('(?:[^']|'')*'|-?[\d.]+|true|false)", re.DOTALL)
_BOUND = re.compile(r"([^<>=!~]+) (<=|>=|<|>) ([^<>=!~]+)", re.DOTALL)
_FILLED = re.compile(r'("(?:[^"]|"")+"|\w+) IS NOT NULL')
_LENGTH = re.compile(r'(?:char_|character_)?length\(("(?:[^"]|"")+"|\w+)\)')
_LITERAL = re.compile(r"'(?:[^']|'')*'|(?<![\w\"])-?\d+(?:\.\d+)?")
_TURNED = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}


@dataclass(frozen=True)
class Atom:
    """A condition that no AND divides: a list of `values` of its subject, a bound of it, or something else."""

    text: str
    subject: str = ""
    values: frozenset[str] = frozenset()
    side: str = ""  # of a bound: < or >
    limit: Decimal = Decimal(0)
    strict: bool = False  # whether the limit itself is refused
    filled: str = ""  # the column that must not be NULL

    @property
    def outline(self) -> tuple[str, ...]:
        """What it says apart from its values: two editions of one check have the same."""
        if self.values or self.side:
            return ("values" if self.values else self.side, self.subject)
        return ("text", re.sub(r"\?(?:, \?)+", "?", _LITERAL.sub("?", self.text)))

    def takes(self, value: str) -> bool:
        """Return whether a bound takes a literal."""
        number = _number(value)
        if number is None or not self.side:
            return False
        one, other = (number, self.limit) if self.side == ">" else (self.limit, number)
        return bool(gt(one, other) if self.strict else ge(one, other))


def conjuncts(condition: str) -> list[str]:
    """Return the conditions that AND connects, in a spelling that can be compared."""
    return [canonical(part) for part in parts_of(condition, "AND") if part]


def atoms(condition: str) -> list[Atom]:
    """Return the conditions that AND connects, each taken apart."""
    return [_atom(part) for part in parts_of(condition, "AND")]


def _atom(condition: str) -> Atom:
    choices = _choices(condition)
    text = " OR ".join(sorted(choices))
    lists = [_values(choice) for choice in choices]
    subjects = {found[0] for found in lists if found}
    if all(lists) and len(subjects) == 1:
        return Atom(text, subjects.pop(), frozenset(value for found in lists if found for value in found[1]))
    if len(choices) > 1:
        return Atom(text)
    if found := _FILLED.fullmatch(text):
        return Atom(text, filled=unquoted(found[1]))
    return _bound(text) or Atom(text)


def _choices(condition: str) -> list[str]:
    """Return the conditions that OR connects, except that a value is NULL, which changes nothing in a check."""
    choices = [canonical(part) for part in parts_of(condition, "OR")]
    missing = [choice for choice in choices if choice.endswith(" IS NULL")]
    others = [choice for choice in choices if choice not in missing]
    idle = [m for m in missing if others and all(m.removesuffix(" IS NULL") in other for other in others)]
    return [choice for choice in choices if choice not in idle]


def _values(text: str) -> tuple[str, list[str]] | None:
    if found := _LIST.fullmatch(text):
        return found[1], list(tail_of(f"list ({found[2]})").elements)
    if found := _ONE.fullmatch(text):
        return found[1], [found[2]]
    return None


def _bound(text: str) -> Atom | None:
    found = _BOUND.fullmatch(text)
    if found is None:
        return None
    subject, sign, limit = found[1], found[2], found[3]
    if _number(limit) is None:
        subject, sign, limit = limit, _TURNED[sign], subject
    number = _number(limit)
    return None if number is None else Atom(text, subject, side=sign[0], limit=number, strict=len(sign) == 1)


def _number(text: str) -> Decimal | None:
    try:
        return Decimal(text.strip("'"))
    except InvalidOperation:
        return None


def follows(atom: Atom, known: Collection[Atom], table: Table) -> bool:
    """Return whether a condition holds for each row that fulfils the known ones and fits the columns of a table."""
    if atom.filled:
        return atom.filled in table.columns and table.columns[atom.filled].not_null
    if any(atom.text == other.text or _is_tighter(other, atom) for other in known):
        return True
    if atom.values:
        column = table.columns.get(unquoted(atom.subject))
        labels = {f"'{label}'" for label in column.labels} if column else set[str]()
        return bool(labels) and labels <= atom.values
    if atom.side:
        return all(map(atom.takes, _extremes(atom, table)))
    choices = parts_of(atom.text, "OR")
    return len(choices) > 1 and any(follows(_atom(choice), known, table) for choice in choices)


def _is_tighter(one: Atom, other: Atom) -> bool:
    if one.subject != other.subject or not one.subject:
        return False
    if one.values:
        return one.values <= other.values if other.values else all(map(other.takes, one.values))
    if not one.side or one.side != other.side:
        return False
    return other.takes(str(one.limit)) or (one.limit == other.limit and one.strict)


def _extremes(bound: Atom, table: Table) -> Sequence[str]:
    """Return the value nearest to a bound that a column may hold by its type; one that no bound takes if unknown."""
    column = table.columns.get(unquoted(bound.subject))
    if column and column.type in _NUMBERS:
        return [str(_NUMBERS[column.type] - 1 if bound.side == "<" else -_NUMBERS[column.type])]
    measured = _LENGTH.fullmatch(bound.subject)
    column = table.columns.get(unquoted(measured[1])) if measured else None
    if column and shape(column.type).family == "text":
        longest = shape(column.type).size
        return ["0"] if bound.side == ">" else [str(longest)] if longest else ["?"]
    return ["?"]


def is_earlier(atom: Atom, known: Iterable[Atom]) -> bool:
    """Return whether a condition is like a known one but for its values."""
    return any(atom.outline == other.outline for other in known)
