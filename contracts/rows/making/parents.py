"""Settles the foreign keys of a row: NULL, an earlier row, a new parent, or an existing row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import ForeignKeyConstraint, Table

from contracts.rows.checks.checks import conditions_of
from contracts.rows.conditions import Conditions
from contracts.rows.insertions import Row
from contracts.rows.kinds.types import kind_of
from contracts.rows.laws.generated import fixed
from contracts.rows.laws.references import attainable, is_apart, is_full, local_of, remote_of
from contracts.rows.laws.relations import inherited
from contracts.rows.laws.unique import exclusive
from contracts.rows.making.drafts import Drafter
from contracts.rows.making.earlier import Earlier
from contracts.rows.tables import columns_of, takes_null
from fixer.errors import ContractError


class Adder(Protocol):
    """Adds a row with values that are settled, and the parents it needs; returns its place."""

    def __call__(self, table: Table, pins: Row, more: Conditions, *, path: tuple[Table, ...]) -> int:
        """Add the row; `path` holds the tables whose rows wait for it."""


@dataclass(frozen=True)
class _Need:
    """A foreign key of a row that is being made."""

    table: Table
    key: ForeignKeyConstraint
    pairs: list[tuple[str, str]]  # each a column, and the one it refers to
    settled: Row  # what is known of the parent
    empty: Row  # what makes the key NULL; nothing where it cannot be NULL
    more: Conditions  # on the parent

    @property
    def target(self) -> Table:
        return self.key.referred_table


def _need(row: Row, table: Table, key: ForeignKeyConstraint) -> _Need:
    pairs, columns = list(zip(local_of(key), remote_of(key), strict=True)), columns_of(table)
    settled = {remote: row[local] for local, remote in pairs if local in row}
    empty = {name: None for name in local_of(key) if name not in row and takes_null(columns[name])}
    if is_full(key) and any(name not in empty and row.get(name, "") is not None for name in local_of(key)):
        empty = {}  # it has no value, or all
    more = tuple(each for local, remote in pairs for each in inherited(columns[local], remote))
    return _Need(table, key, pairs, settled, empty, more)


class Parents:
    """Finds and makes the parents of rows."""

    def __init__(self, drafter: Drafter, earlier: Earlier, add: Adder) -> None:
        self.drafter = drafter
        self.earlier = earlier
        self.add = add

    def settle(
        self, row: Row, table: Table, key: ForeignKeyConstraint, wanted: set[str], path: tuple[Table, ...]
    ) -> None:
        """Give a row the values of a foreign key; those that are `wanted` are not NULL.

        `path` holds the tables whose rows wait for this one.
        """
        need = _need(row, table, key)
        if None in need.settled.values():
            row |= need.empty
            return
        matching = self._matching(row, need)
        if len(need.settled) == len(need.pairs) and (matching or self._known(need)):
            return
        ways = _ways(need, matching, wanted, path)
        way = self.drafter.draws.one_of(ways) if ways else ""
        if way == "null":
            row |= need.empty
        elif way == "match":
            place = self.drafter.draws.one_of(matching)
            row |= {local: self.earlier.value(place, remote) for local, remote in need.pairs}
        elif way == "parent" and not any(fixed(columns_of(need.target)[name]) for name in need.settled):
            row |= self._parent(need, path)
        else:
            self._without_parent(row, need)

    def _matching(self, row: Row, need: _Need) -> list[int]:
        """Return the places of earlier rows to which the key can refer."""
        found = self.earlier.matching(need.target, need.settled, need.more)
        if need.target is not need.table:
            return found
        # A row that repeats another's key would point at itself.
        own = {remote: row.get(remote) for _, remote in need.pairs}
        return [
            place
            for place in found
            if not all(v in (self.earlier.value(place, c), self.earlier.told(place, c)) for c, v in own.items())
        ]

    def _parent(self, need: _Need, path: tuple[Table, ...]) -> Row:
        """Add a parent, or choose an existing row where none can be made; return the values that refer to it."""
        made = len(self.earlier.insertions)
        try:
            place = self.add(need.target, need.settled, need.more, path=path)
        except ContractError:
            known = self._known(need)
            if not known:
                raise
            del self.earlier.insertions[made:]
            return self._taken(known, need)
        return {local: self.earlier.value(place, remote) for local, remote in need.pairs if remote not in need.settled}

    def _known(self, need: _Need) -> Sequence[Row]:
        """Return existing rows of the target to which the key may refer."""
        advice, table = self.drafter.advice, need.table
        if advice is None:
            return ()
        alone = need.key in exclusive(table) and len(need.settled) < len(need.pairs)
        apart = (table, local_of(need.key)) if alone else None
        found = advice.parents(need.target, remote_of(need.key), need.settled, need.more, apart)
        taken = [each.row for each in self.earlier.insertions if each.table is table] if apart else []
        return [row for row in found if not any(all(t.get(c) == row[r] for c, r in need.pairs) for t in taken)]

    def _taken(self, known: Sequence[Row], need: _Need) -> Row:
        parent = self.drafter.draws.one_of(known)
        return {local: parent[remote] for local, remote in need.pairs}

    def _without_parent(self, row: Row, need: _Need) -> None:
        """Refer to the row itself or to an existing one; raise ContractError where neither is possible."""
        if need.target is need.table and not need.settled:
            self._point_home(row, need)
        elif known := self._known(need):
            row |= self._taken(known, need)
        else:
            names = ", ".join(local_of(need.key))
            if is_apart(need.target):
                raise ContractError(f"{need.table.name}({names}) references {need.target.name}, which has no row here.")
            raise ContractError(
                f"{need.table.name}({names}) should reference {need.target.name}, "
                f"whose rows need one of {need.table.name} first: no first row can be inserted."
            )

    def _point_home(self, row: Row, need: _Need) -> None:
        """Let a row be its own parent."""
        for local, remote in need.pairs:
            column = columns_of(need.table)[remote]
            if fixed(column):
                raise ContractError(
                    f"{need.table.name}.{local} should reference {need.table.name}.{remote}, which no row can know."
                )
            if row.get(remote) is None:
                row[remote] = kind_of(column).fresh(conditions_of(column), "", self.drafter.number(remote))
            row[local] = row[remote]


def _ways(need: _Need, matching: Sequence[int], wanted: set[str], path: tuple[Table, ...]) -> list[str]:
    """Return the possible ways to settle a key: null, match (an earlier row), parent (a new row)."""
    target, ways = need.target, []
    alone, top = need.key in exclusive(need.table), len(path) == 1
    optional = bool(need.empty) and wanted.isdisjoint(need.empty)
    if optional:
        ways.append("null")
    if matching and (not alone or not attainable(target, path) or target in path):
        ways.append("match")
    needed = top or not matching or alone
    above = target not in path or (target is need.table and top and bool(need.empty))  # its own parent may have none
    if above and needed and not is_apart(target) and (not optional or (top and attainable(target, path))):
        ways.append("parent")
    return ways
