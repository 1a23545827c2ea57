"""Conditions of checks, taken apart: which follow from which, which say the same, which do so but for their values.

A check lets a row pass that makes its condition NULL, so `x IS NULL OR x > 0` means the same as `x > 0`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from decimal import Decimal
from functools import lru_cache
from operator import ge, gt

from fixer.model.expression import CAST, as_texts, canonical, of_row, parts_of, parts_of_name, tail_of, unquoted
from fixer.model.expression.bounds import measure
from fixer.model.expression.names import TOKEN
from fixer.model.expression.patterns import pattern
from fixer.model.table import Column, Table
from fixer.model.values import dataclass
from fixer.sql.compose import SQL
from fixer.sql.types import fits, shape

VALUE = "VALUE"  # as PostgreSQL spells the value in a CHECK of a domain
_NUMBERS = {"smallint": 2**15, "integer": 2**31, "bigint": 2**63}
_LIST = pattern(r"(.+?) = ANY \(*ARRAY\[(.*)\]\)*", re.DOTALL)
_ONE = pattern(r"([^<>=!~]+) = ('(?:[^']|'')*'|-?[\d.]+|true|false)", re.DOTALL)
_BOUND = pattern(r"([^<>=!~]+) (<=|>=|<|>) ([^<>=!~]+)", re.DOTALL)
_FILLED = pattern(r'("(?:[^"]|"")+"|\w+) IS NOT NULL')
_LENGTH = pattern(r'(?:char_|character_)?length\(("(?:[^"]|"")+"|\w+)\)')
_LITERAL = pattern(r"'(?:[^']|'')*'|(?<![\w\"])-?\d+(?:\.\d+)?")
_VALUE = pattern(r"'(?:[^']|'')*'|-?\d+(?:\.\d+)?|true|false", re.DOTALL)
# A column, or what functions of PostgreSQL's own make of one that give the same for the same.
_SUBJECT = pattern(
    rf'(?:(?:lower|upper|btrim|length|char_length|abs)\()*(?:"(?:[^"]|"")+"|[a-z_]\w*)(?:{CAST}\w+)?\)*', re.DOTALL
)
_TURNABLE = pattern(rf"({_VALUE.pattern}) (<=|>=|<>|<|>|=) ({_SUBJECT.pattern})", re.DOTALL)
_CAST_COLUMN = pattern(rf'(?<![\w".:])(?P<column>"(?:[^"]|"")+"|[A-Za-z_]\w*){CAST}(?P<type>[a-z]+)\b')
_TURNED = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}


def condition(guard: str, value: str) -> str:
    """Return what a CHECK of a domain demands of a value."""
    return "".join(value if token == VALUE else token for token in tokens_of(guard))


def tokens_of(guard: str) -> list[str]:
    """Return what a CHECK of a domain consists of: literals, quoted names, words and single characters."""
    return TOKEN.findall(guard.removeprefix("CHECK "))


def over_row(text: str, table: Table) -> SQL:
    """Return an expression of a check or an index over the row `t` of a table, as the plan leaves it.

    It goes with the row of today too, which shows texts in place of an enum that the plan may be the one to create.
    """
    said, enums = text.strip(), _of_enums(table)
    if enums:
        types = {parts_of_name(column.full_type.removesuffix("[]")) for column in enums}
        read, empty = {column.name: column.read_as for column in enums}, all(column.added for column in enums)
        said = as_texts(said, read, types, empty=empty)
    return SQL(of_row(said, table.name.name, table.columns))


def _of_enums(table: Table) -> list[Column]:
    """Return the columns that get an enum from the plan."""
    return [c for c in table.columns.values() if c.enum and (c.now is not None or c.added)]


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
        number = measure(value)
        if number is None or not self.side:
            return False
        one, other = (number, self.limit) if self.side == ">" else (self.limit, number)
        return bool(gt(one, other) if self.strict else ge(one, other))


def conjuncts(condition: str, table: Table) -> list[str]:
    """Return the conditions of a table that AND connects, in a form that is equal for those that say the same."""
    return [each for part in parts_of(condition, "AND") if part for each in _apart(meaning_in(table, part))]


def _apart(said: str) -> Iterator[str]:
    """Yield the conditions of a value that is none of a list: one for each element."""
    subject, sign, values = said.partition(" <> {")
    if sign and values.endswith("}") and _SUBJECT.fullmatch(subject):
        yield from (f"{subject}{sign}{value}}}" for value in tail_of(f"list ({values[:-1]})").elements)
    else:
        yield said


def tail_meaning(tail: str, table: Table) -> str:
    """Return what follows the table's name in the definition of an index, in a form that compares as `meaning`."""
    condition = tail_of(tail).condition
    whole = held(canonical(tail.removesuffix(condition) if condition else tail), table)
    return f"{whole} {meaning_in(table, condition)}" if condition else whole


def atoms(condition: str, table: Table | None = None) -> list[Atom]:
    """Return the conditions that AND connects, each taken apart; `table` is the one whose columns they name."""
    return [_atom(held(canonical(part), table) if table else part) for part in parts_of(condition, "AND")]


def held(text: str, table: Table) -> str:
    """Return a canonical condition without the casts of columns to types that hold all their values.

    PostgreSQL casts the values of a domain to what this is made of, in conditions and expressions.
    """

    def unless_idle(found: re.Match[str]) -> str:
        column = table.columns.get(unquoted(found["column"]))
        held = column and fits(found["type"], column.base or column.type)
        return found["column"] if held else found[0]

    return _CAST_COLUMN.sub(unless_idle, text) if CAST in text else text


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
    if measure(limit) is None:
        subject, sign, limit = limit, _TURNED[sign], subject
    number = measure(limit)
    return None if number is None else Atom(text, subject, side=sign[0], limit=number, strict=len(sign) == 1)


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


# ---- conditions that say the same of each row


@lru_cache(maxsize=65536)  # the same few are compared again and again
def meaning(condition: str) -> str:
    """Return a condition in a form that is equal for conditions that are true, false and NULL for the same rows.

    The order of what AND and OR connect does not count, nor does that of a list, or whether equalities are written
    as one. All else counts to the letter, as in `canonical`.
    """
    return _said(canonical(condition))


def meaning_in(table: Table, condition: str) -> str:
    """Return the meaning of a condition of a table, whose columns may be of domains."""
    return _said(held(canonical(condition), table)) if "::" in condition else meaning(condition)


def _said(text: str) -> str:
    for word in ("OR", "AND"):
        parts = parts_of(text, word)
        if len(parts) > 1:
            return _joined(word, parts)
    (bare,) = parts_of(text, "OR")
    if bare.startswith("NOT "):
        return f"NOT ({_said(bare[4:])})"
    found = _listed(bare, "=") or _listed(bare, "<>")
    return _spelt(*found) if found else _from_left(bare)


def _joined(word: str, parts: Sequence[str]) -> str:
    """Return the conditions that a word connects, each once; what one value equals, or not, is one list."""
    sign, lists, others = "=" if word == "OR" else "<>", defaultdict[str, set[str]](set), set[str]()
    for part in parts:
        if found := _listed(part, sign):
            lists[found[0]] |= found[2]
        else:
            others.add(f"({_said(part)})")
    each = sorted({*others, *(f"({_spelt(subject, sign, values)})" for subject, values in lists.items())})
    return f" {word} ".join(each) if len(each) > 1 else each[0][1:-1]


def _listed(part: str, sign: str) -> tuple[str, str, set[str]] | None:
    """Return the value that a part compares with one literal or a list of them, the sign, and these literals."""
    quantifier = "ANY" if sign == "=" else "ALL"
    subject, _, values = part.partition(f" {sign} {quantifier} ARRAY[")
    if values.endswith("]") and _SUBJECT.fullmatch(subject):
        elements = tail_of(f"list ({values[:-1]})").elements
        return (subject, sign, set(elements)) if all(map(_VALUE.fullmatch, elements)) else None
    turned = _from_left(part)
    subject, _, value = turned.partition(f" {sign} ")
    return (subject, sign, {value}) if _VALUE.fullmatch(value) and _SUBJECT.fullmatch(subject) else None


def _spelt(subject: str, sign: str, values: Iterable[str]) -> str:
    return f"{subject} {sign} {{{', '.join(sorted(values))}}}"


def _from_left(part: str) -> str:
    """Return a comparison of a value with a literal with the literal on the right; anything else as it is."""
    found = _TURNABLE.fullmatch(part)
    return f"{found[3]} {_TURNED.get(found[2], found[2])} {found[1]}" if found else part
