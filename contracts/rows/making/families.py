"""Families: rows with all the parents they need."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator, Sequence
from typing import Any

from hypothesis import reject
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy
from sqlalchemy import Column, ForeignKeyConstraint, Table

from contracts.rows.checks.checks import conditions_of
from contracts.rows.conditions import NOT_NULL, Conditions
from contracts.rows.insertions import Insertion, Ref, Row
from contracts.rows.kinds.types import kind_of
from contracts.rows.laws.generated import fixed, generated
from contracts.rows.laws.groups import Adviser, Group
from contracts.rows.laws.keys import Key, keys_of
from contracts.rows.laws.law import counted, spread
from contracts.rows.laws.references import attainable, foreign, local_of, references, remote_of
from contracts.rows.laws.relations import comparisons, inherited, related, relations_of
from contracts.rows.laws.unique import exclusive, tokens
from contracts.rows.making.columns import OMITTED, REQUIRED, fields, good, nullable
from contracts.rows.tables import columns_of
from fixer.errors import ContractError

_COIN_TOSSES = 16  # in one draw, which is much faster than a draw for each column
_SALT = secrets.token_bytes(16)  # two processes that test one database never meet


class Clash(Exception):
    """A row repeats a key of its family."""


class Family:
    """The rows of one example, as they come together."""

    def __init__(self, draw: DrawFn, advice: Adviser | None = None) -> None:
        self.draw = draw
        self.advice = advice
        self.seed = draw(st.integers(0, 2**64 - 1))
        self.rows = 0
        self.insertions: list[Insertion] = []

    def add(
        self,
        table: Table,
        pins: Row | None = None,
        more: Conditions = (),
        *,
        loose: str | None = None,
        repeats: bool = False,
        draws: bool = False,
        path: tuple[Table, ...] = (),
    ) -> int:
        """Add a row and the parents it needs, and return its place.

        `pins` are values that are settled, `more` are conditions beyond the checks. The foreign keys of the
        `loose` column get no parent. A row that `repeats` a key is added all the same. Only one that `draws`
        takes numbers from sequences, which no rollback gives back.
        """
        wanted = {c.column for c in more if c.op == NOT_NULL}
        row = self.row(table, pins or {}, more, wanted)
        if not draws:
            self._number(row, table, more)
        for key in references(table):
            if loose not in local_of(key):
                self._point(row, table, key, wanted, (*path, table))
        self._fill(row, table)
        if not repeats and any(self._repeats(row, table, key) for key in keys_of(table)):
            raise Clash
        self.insertions.append(Insertion(table, {name: row[name] for name in columns_of(table) if name in row}))
        return len(self.insertions) - 1

    def spoil(self, row: Row) -> None:
        """Change the last row."""
        last = self.insertions.pop()
        self.insertions.append(Insertion(last.table, last.row | row))

    def told(self, place: int, column: str) -> Any:
        """Return a value of an earlier row: itself where it is known, else a Ref."""
        return self.insertions[place].row.get(column, Ref(place, column))

    def number(self, column: str) -> int:
        """Return a random number for a column of the row that is being made."""
        text = f"{self.seed} {self.rows} {column}"
        return int.from_bytes(hashlib.blake2b(text.encode(), key=_SALT, digest_size=16).digest())

    def row(self, table: Table, pins: Row, more: Conditions, wanted: set[str] | None = None) -> Row:
        """Return a good row, still without its foreign keys; add those that it needs to the `wanted`."""
        self.rows += 1
        row, columns = dict(pins), columns_of(table)
        grouped = self._follow(row, table, pins, more, set() if wanted is None else wanted)
        for name, value in self._draft(table, grouped):
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

    def _number(self, row: Row, table: Table, more: Conditions) -> None:
        """Give numbers to the columns that would take them from a sequence."""
        for name, column in columns_of(table).items():
            if name not in row and counted(column):
                conditions = (*conditions_of(column), *(c for c in more if c.column == name))
                row[name] = kind_of(column).fresh(conditions, None, self.number(name))

    def groups(self, table: Table) -> tuple[Group, ...]:
        """Return the groups of columns whose values only an adviser knows."""
        return self.advice.groups(table) if self.advice else ()

    def _follow(self, row: Row, table: Table, pins: Row, more: Conditions, wanted: set[str]) -> frozenset[str]:
        """Settle by advice what is not settled, and return the columns of which that is true."""
        for group in self.groups(table):
            assert self.advice
            if pins.keys() >= set(group.columns):
                continue
            patterns = self.advice.patterns(group, pins, more)
            if not patterns:
                raise Clash
            pattern = patterns[0] if len(patterns) == 1 else self.draw(st.sampled_from(patterns))
            apart = [n for n in group.columns if n in tokens(table) | spread(table) and n not in pins]
            if any(pattern[name] is not None for name in apart):
                fresh = self.advice.fresh(group, pattern, apart, pins, self.number(" ".join(group.columns)))
                if fresh is None:
                    raise Clash
                pattern = fresh
            for name in group.columns:
                if name not in pins and (name not in group.shadows or pattern[name] is None):
                    row[name] = pattern[name]
            wanted |= {name for name in group.shadows if pattern[name] is not None}
        return frozenset(name for group in self.groups(table) for name in group.columns)

    def _draft(self, table: Table, grouped: frozenset[str]) -> Iterator[tuple[str, Any]]:
        """Draw the simple columns; half of those that are nullable or have a default stay empty."""
        tosses = 1
        for name, (strategy, instead) in fields(table).items():
            if name in grouped:
                continue
            if instead is REQUIRED:
                yield name, self.draw(strategy)
                continue
            if tosses == 1:
                tosses = 2**_COIN_TOSSES + self.draw(st.integers(0, 2**_COIN_TOSSES - 1))
            tosses, given = divmod(tosses, 2)
            if given:
                yield name, self.draw(strategy)
            elif instead is None:
                yield name, None

    def _insist(self, row: Row, pins: Row, column: Column[Any], more: Conditions) -> None:
        """Draw a value again where the row must meet further conditions."""
        table, name = column.table, column.name
        if name in pins or name in foreign(table) | related(table) or generated(column):
            return
        if row.get(name) is None or any(c.op != NOT_NULL for c in more):
            row[name] = self.choose(good(column, more))

    def choose(self, strategy: SearchStrategy[Any]) -> Any:
        """Draw a value, or give the example up where there is none."""
        return reject() if strategy.is_empty else self.draw(strategy)

    def _relate(self, row: Row, column: Column[Any], more: Conditions) -> None:
        """Draw a value that fits those of the columns it is compared with."""
        found = good(column, (*more, *comparisons(row, column, relations_of(column.table))))
        optional = nullable(column) and not more
        row[column.name] = self.choose(st.none() | found if optional else found)

    def _point(
        self,
        row: Row,
        table: Table,
        key: ForeignKeyConstraint,
        wanted: set[str],
        path: tuple[Table, ...],
    ) -> None:
        """Settle a foreign key: NULL, an earlier row, or a new parent."""
        pairs = list(zip(local_of(key), remote_of(key), strict=True))
        settled = {remote: row[local] for local, remote in pairs if local in row}
        empty = {name: None for name in local_of(key) if name not in row and columns_of(table)[name].nullable}
        if None in settled.values():
            row |= empty
            return
        target, ways = key.referred_table, []
        more = tuple(each for local, remote in pairs for each in inherited(columns_of(table)[local], remote))
        matching = [i for i in range(len(self.insertions)) if self._matches(i, target, settled, more)]
        if target is table:  # a row that repeats another's key would point at itself
            own = {remote: row.get(remote) for remote in remote_of(key)}
            matching = [
                i for i in matching if not all(v in (self._value(i, c), self.told(i, c)) for c, v in own.items())
            ]
        if len(settled) == len(pairs) and (matching or self._known_parents(table, key, settled, more)):
            return
        top, optional = len(path) == 1, bool(empty) and not wanted & set(empty)
        if optional:
            ways.append("null")
        if matching and (key not in exclusive(table) or not attainable(target, path) or target in path):
            ways.append("match")
        needed = top or not matching or key in exclusive(table)
        above = target not in path or (target is table and top and bool(empty))  # its own parent may have none
        if above and needed and (not optional or (top and attainable(target, path))):
            ways.append("parent")
        way = self.draw(st.sampled_from(ways)) if len(ways) > 1 else "".join(ways)
        if way == "null":
            row |= empty
        elif way == "match":
            place = matching[-1] if len(matching) == 1 else self.draw(st.sampled_from(matching))
            row |= {local: self._value(place, remote) for local, remote in pairs}
        elif way == "parent" and not any(fixed(columns_of(target)[name]) for name in settled):
            row |= self._parent(table, key, settled, more, path)
        elif target is table and not settled:
            self._point_home(row, table, pairs)
        elif known := self._known_parents(table, key, settled, more):
            row |= self._take(known, pairs)
        else:
            names = ", ".join(local_of(key))
            raise ContractError(
                f"{table.name}({names}) should reference {target.name}, "
                f"whose rows need one of {table.name} first: no first row can be inserted."
            )

    def _parent(
        self, table: Table, key: ForeignKeyConstraint, settled: Row, more: Conditions, path: tuple[Table, ...]
    ) -> Row:
        """Add a parent, and return what refers to it; where none can be made, to one that is there."""
        pairs, made = list(zip(local_of(key), remote_of(key), strict=True)), len(self.insertions)
        try:
            place = self.add(key.referred_table, settled, more, path=path)
        except ContractError:
            known = self._known_parents(table, key, settled, more)
            if not known:
                raise
            del self.insertions[made:]
            return self._take(known, pairs)
        return {local: self._value(place, remote) for local, remote in pairs if remote not in settled}

    def _known_parents(self, table: Table, key: ForeignKeyConstraint, settled: Row, more: Conditions) -> Sequence[Row]:
        """Return rows of the target that a foreign key may point at."""
        if self.advice is None:
            return ()
        apart = (table, local_of(key)) if key in exclusive(table) and len(settled) < len(key.elements) else None
        found = self.advice.parents(key.referred_table, remote_of(key), settled, more, apart)
        taken = [each.row for each in self.insertions if each.table is table] if apart else []
        pairs = list(zip(local_of(key), remote_of(key), strict=True))
        return [row for row in found if not any(all(t.get(c) == row[r] for c, r in pairs) for t in taken)]

    def _take(self, known: Sequence[Row], pairs: list[tuple[str, str]]) -> Row:
        parent = self.draw(st.sampled_from(known))
        return {local: parent[remote] for local, remote in pairs}

    def _point_home(self, row: Row, table: Table, pairs: list[tuple[str, str]]) -> None:
        """Let a row be its own parent."""
        for local, remote in pairs:
            column = columns_of(table)[remote]
            if fixed(column):
                raise ContractError(
                    f"{table.name}.{local} should reference {table.name}.{remote}, which no row can know."
                )
            if row.get(remote) is None:
                row[remote] = kind_of(column).fresh(conditions_of(column), "", self.number(remote))
            row[local] = row[remote]

    def _fill(self, row: Row, table: Table) -> None:
        """Give a value to what no foreign key settled."""
        for name in columns_of(table):
            if name in foreign(table) and name not in row:
                column = columns_of(table)[name]
                row[name] = None if nullable(column) else self.choose(good(column))

    def _value(self, place: int, column: str) -> Any:
        """Return a key value of an earlier row, as it came from the row that first had it."""
        value = self.insertions[place].row.get(column)
        return value if isinstance(value, Ref) else Ref(place, column)

    def _matches(self, place: int, target: Table, settled: Row, more: Conditions) -> bool:
        """Say whether an earlier row holds the settled values and can be referred to."""
        insertion = self.insertions[place]
        if insertion.table is not target:
            return False
        for each in more:
            value = insertion.row.get(each.column, OMITTED)
            if value is None or not (value is OMITTED or isinstance(value, Ref) or each.holds(value)):
                return False
        return all(v in (self._value(place, name), insertion.row.get(name)) for name, v in settled.items())

    def _repeats(self, row: Row, table: Table, key: Key) -> bool:
        if any(name not in row for name in key.columns):
            return False
        mine = [row[name] for name in key.columns]
        if None in mine and key.distinct_nulls:
            return False
        others = (each.row for each in self.insertions if each.table is table)
        return any(mine == [other.get(name, OMITTED) for name in key.columns] for other in others)
