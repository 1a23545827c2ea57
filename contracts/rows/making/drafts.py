"""Drafts: good rows that lack their foreign keys."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator

from hypothesis import strategies as st
from hypothesis.errors import UnsatisfiedAssumption
from hypothesis.strategies import SearchStrategy
from sqlalchemy import Table

from contracts.rows.cells import Cell
from contracts.rows.checks.checks import conditions_of
from contracts.rows.conditions import NOT_NULL, Conditions
from contracts.rows.insertions import Row
from contracts.rows.kinds.types import kind_of
from contracts.rows.laws.apart import spread
from contracts.rows.laws.generated import generated
from contracts.rows.laws.groups import Adviser, Group
from contracts.rows.laws.law import counted
from contracts.rows.laws.references import foreign
from contracts.rows.laws.relations import comparisons, related, relations_of
from contracts.rows.laws.unique import tokens
from contracts.rows.making.columns import Instead, fields, good, nullable
from contracts.rows.making.draws import Draws
from contracts.rows.tables import AnyColumn, columns_of

_COIN_TOSSES = 16  # in one draw, which is much faster than a draw for each column
_SALT = secrets.token_bytes(16)  # different in each process, so two that test one database choose different keys


class Clash(Exception):
    """A row repeats a key of its family."""


class Drafter:
    """Draws the rows of one example, one at a time."""

    def __init__(self, draws: Draws, advice: Adviser | None = None) -> None:
        self.draws = draws
        self.advice = advice
        self._seed = draws.below(2**64)
        self._rows = 0

    def number(self, column: str) -> int:
        """Return a random number for a column of the row that is being made."""
        text = f"{self._seed} {self._rows} {column}"
        return int.from_bytes(hashlib.blake2b(text.encode(), key=_SALT, digest_size=16).digest())

    def row(self, table: Table, pins: Row, more: Conditions, wanted: set[str] | None = None) -> Row:
        """Return a good row without its foreign keys; add those that it needs to `wanted`.

        `pins` are values that are settled, `more` are conditions beyond the checks.
        """
        self._rows += 1
        row, columns = dict(pins), columns_of(table)
        grouped = self._follow(row, table, pins, more, set() if wanted is None else wanted)
        for name, value in self._drawn(table, grouped):
            row.setdefault(name, value)
        for name in dict.fromkeys(c.column for c in more if c.column not in grouped):
            self._insist(row, pins, columns[name], tuple(c for c in more if c.column == name))
        for name in columns:
            if name in related(table) and name not in row:
                self._relate(row, columns[name], tuple(c for c in more if c.column == name))
        for name in tokens(table) - grouped:
            if name not in pins and row.get(name) is not None:
                conditions = (*conditions_of(columns[name]), *(c for c in more if c.column == name))
                row[name] = kind_of(columns[name]).fresh(conditions, row[name], self.number(name))
        return row

    def give_numbers(self, row: Row, table: Table, more: Conditions) -> None:
        """Give numbers to the columns that would take them from a sequence."""
        for name, column in columns_of(table).items():
            if name not in row and counted(column):
                conditions = (*conditions_of(column), *(c for c in more if c.column == name))
                row[name] = kind_of(column).fresh(conditions, None, self.number(name))

    def groups(self, table: Table) -> tuple[Group, ...]:
        """Return the groups of columns whose values only an adviser knows."""
        return self.advice.groups(table) if self.advice else ()

    def _follow(self, row: Row, table: Table, pins: Row, more: Conditions, wanted: set[str]) -> frozenset[str]:
        """Ask the adviser for the values of each group, and return the columns of all groups."""
        if self.advice is None:
            return frozenset()
        for group in self.advice.groups(table):
            if pins.keys() >= set(group.columns):
                continue
            pattern = self._pattern(self.advice, group, pins, more)
            for name in group.columns:
                if name not in pins and (name not in group.shadows or pattern[name] is None):
                    row[name] = pattern[name]
            wanted |= {name for name in group.shadows if pattern[name] is not None}
        return frozenset(name for group in self.advice.groups(table) for name in group.columns)

    def _pattern(self, advice: Adviser, group: Group, pins: Row, more: Conditions) -> Row:
        """Return values of a group that fit together, with fresh ones in the columns that keep rows apart."""
        patterns = advice.patterns(group, pins, more)
        if not patterns:
            raise Clash
        pattern = self.draws.one_of(patterns)
        apart = [n for n in group.columns if n in tokens(group.table) | spread(group.table) and n not in pins]
        if all(pattern[name] is None for name in apart):
            return pattern
        fresh = advice.fresh(group, pattern, apart, pins, self.number(" ".join(group.columns)))
        if fresh is None:
            raise Clash
        return fresh

    def _drawn(self, table: Table, grouped: frozenset[str]) -> Iterator[tuple[str, Cell]]:
        """Draw the simple columns; half of those that are nullable or have a default stay empty."""
        tosses = 1
        for name, (strategy, instead) in fields(table).items():
            if name in grouped:
                continue
            if instead is Instead.NOTHING_ELSE:
                yield name, self.draws.value(strategy)
                continue
            if tosses == 1:
                tosses = 2**_COIN_TOSSES + self.draws.below(2**_COIN_TOSSES)
            tosses, given = divmod(tosses, 2)
            if given:
                yield name, self.draws.value(strategy)
            elif instead is Instead.NULL:
                yield name, None

    def _insist(self, row: Row, pins: Row, column: AnyColumn, more: Conditions) -> None:
        """Draw a value again where the row must meet further conditions."""
        table, name = column.table, column.name
        if name in pins or name in foreign(table) | related(table) or generated(column):
            return
        if row.get(name) is None or any(c.op != NOT_NULL for c in more):
            row[name] = self.draws.value(_some(good(column, more)))

    def choose(self, strategy: SearchStrategy[Cell]) -> Cell:
        """Draw a value of a strategy for this row; discard the example where there is none."""
        return self.draws.single(_some(strategy))

    def _relate(self, row: Row, column: AnyColumn, more: Conditions) -> None:
        """Draw a value that meets the comparisons with other columns of the row."""
        found = good(column, (*more, *comparisons(row, column, relations_of(column.table))))
        optional = nullable(column) and not more
        row[column.name] = self.choose(st.none() | found if optional else found)

    def fill(self, row: Row, table: Table) -> None:
        """Give a value to the columns that no foreign key settled."""
        for name in columns_of(table):
            if name in foreign(table) and name not in row:
                column = columns_of(table)[name]
                row[name] = None if nullable(column) else self.draws.value(_some(good(column)))


def _some(strategy: SearchStrategy[Cell]) -> SearchStrategy[Cell]:
    """Return a strategy; discard the example where it gives nothing."""
    if strategy.is_empty:
        raise UnsatisfiedAssumption
    return strategy
