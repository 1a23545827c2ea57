"""What the bounds of a partition promise of its rows, so that a check which refuses more is found.

People copy bounds into checks before they attach a partition, so that PostgreSQL need not read its rows.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from decimal import Decimal

from fixer.model.expression import as_needed, canonical, names_column, tail_of
from fixer.model.expression.bounds import Bound, bound_of, measure, taken
from fixer.model.expression.patterns import pattern
from fixer.model.expression.tails import column_of
from fixer.model.schema import Schema
from fixer.model.table import Table
from fixer.model.values import dataclass
from fixer.sql.conditions import Atom, atoms, follows

_UNLIKE = pattern(r"([^<>=]+) <> (?:ALL ARRAY\[(.*)\]|([^<>=]+))", re.DOTALL)
_ENDS = ("MINVALUE", "MAXVALUE")
_WHOLE, _MOMENT = Decimal(1), Decimal(10) ** -6
# How far the values of a type lie apart, as `measure` counts them.
_STEPS = {
    "smallint": _WHOLE,
    "integer": _WHOLE,
    "bigint": _WHOLE,
    "date": Decimal(86400),
    "timestamp without time zone": _MOMENT,
    "timestamp with time zone": _MOMENT,
}


@dataclass(frozen=True)
class Bounds:
    """A bound of a partition, or of one above it: the elements of the key, and the bounds beside it."""

    table: Table
    bound: Bound
    strategy: str
    elements: tuple[str, ...]  # each a column or an expression, in canonical form
    beside: tuple[Bound, ...]

    def names(self, atom: Atom) -> bool:
        """Return whether a condition is over columns of the key alone."""
        named = [column for column in self.table.columns if names_column(atom.text, column)]
        return bool(named) and all(any(names_column(each, column) for each in self.elements) for column in named)

    def is_met(self, atom: Atom) -> bool:
        """Return whether a condition over the key holds for all rows of the bound, or may do so for what is known."""
        if atom.filled:
            return self._is_filled
        if self.strategy == "HASH":
            return "satisfies_hash_partition" in atom.text
        if self.bound.is_default:
            return self._is_taken(atom)
        if not any(names_column(atom.text, column) for column in self._plain):
            return True  # the key is an expression
        if unlike := _UNLIKE.fullmatch(atom.text):
            refused = tail_of(f"list ({unlike[2] or unlike[3]})").elements
            return unlike[1] not in self.elements or not any(map(self._takes, refused))
        return atom.subject not in self.elements or follows(atom, [*self.promises()], self.table)

    @property
    def _is_filled(self) -> bool:
        """Whether it takes no row whose key is NULL."""
        if self.strategy == "LIST" and self.bound.is_default:
            return any("NULL" in each.values for each in self.beside)
        return "NULL" not in self.bound.values if self.strategy == "LIST" else not self.bound.is_default

    @property
    def _plain(self) -> list[str]:
        """The columns of the key that are no part of an expression."""
        return [column for column in self.table.columns if canonical(as_needed(column)) in self.elements]

    def promises(self) -> Iterator[Atom]:
        """Yield conditions that each row of the bound fulfils."""
        if self.strategy == "LIST" and (chosen := sorted(self.bound.values - {"NULL"})):
            yield from atoms(f"{self.elements[0]} = ANY (ARRAY[{', '.join(chosen)}])", self.table)
        ends = zip(self.elements, self.bound.first, self.bound.last, strict=False)
        for place, (key, first, last) in enumerate(ends, start=1):
            if first == last and first not in _ENDS:
                yield from atoms(f"{key} = {first}", self.table)
                continue
            if first not in _ENDS:
                yield from atoms(f"{key} >= {first}", self.table)
            if last not in _ENDS:
                sign = "<" if place == len(self.elements) else "<="
                yield from map(self._to_the_last, atoms(f"{key} {sign} {last}", self.table))
            return

    def _to_the_last(self, atom: Atom) -> Atom:
        """Return a bound so that it names the last value that it takes, where the type has one."""
        step = self._step(atom)
        return replace(atom, limit=atom.limit - step, strict=False) if atom.side and atom.strict and step else atom

    def _step(self, atom: Atom) -> Decimal:
        columns = [
            column for column in self.table.columns.values() if canonical(as_needed(column.name)) == atom.subject
        ]
        return _STEPS.get(re.sub(r"\(\d\)", "", columns[0].type), Decimal(0)) if columns else Decimal(0)

    def _takes(self, value: str) -> bool:
        """Return whether rows with a value of a key of one element fit the bound."""
        if self.strategy == "LIST":
            return value in self.bound.values
        edges = [atom for atom in self.promises() if atom.side]
        return measure(value) is not None and all(atom.takes(value) for atom in edges)

    def _is_taken(self, atom: Atom) -> bool:
        """Return whether other partitions take what a condition refuses, or may do so for what is known."""
        if atom.values:
            return atom.subject not in self.elements
        if not atom.side or (atom.subject,) != self.elements or self.strategy != "RANGE":
            return True
        first, last = str(atom.limit), str(atom.limit if atom.strict else atom.limit + (self._step(atom) or _MOMENT))
        refused = Bound("", first=("MINVALUE",), last=(first,))
        return taken(replace(refused, first=(last,), last=("MAXVALUE",)) if atom.side == "<" else refused, self.beside)


def bounds_of(part: Table, actual: Schema) -> Iterator[Bounds]:
    """Yield the bound of a partition, and those of the partitions above it, up to the root."""
    names = actual.wholes(part.name)
    tables = [actual.tables[name] for name in names if name in actual.tables]
    for below, above in itertools.pairwise(tables):
        key = tail_of(above.parted_by)
        named = ((column_of(element)[0], element) for element in key.elements)
        elements = tuple(canonical(as_needed(column) if column else element) for column, element in named)
        bound = bound_of(below.bound)
        beside = _beside(below, above, actual) if bound.is_default else ()
        yield Bounds(part, bound, key.method, elements, tuple(beside))


def _beside(below: Table, above: Table, actual: Schema) -> Iterator[Bound]:
    """Yield the bounds of the other partitions, which only the one that takes all the rest depends on."""
    others = (table for table in actual.tables.values() if table.part_of == above.name and table.name != below.name)
    return (bound_of(table.bound) for table in others)


def is_bound(atom: Atom, levels: Iterable[Bounds]) -> bool:
    """Return whether a condition says no more than one of these bounds, or may say no more for what is known."""
    over = [each for each in levels if each.names(atom)]
    return any(each.is_met(atom) for each in over)
