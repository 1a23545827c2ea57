"""Groups: columns that hard laws tie together, so that their values are chosen together."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import Table

from contracts.rows.conditions import Conditions
from contracts.rows.insertions import Row
from contracts.rows.laws.generated import fixed, generated
from contracts.rows.laws.law import Law, laws_of
from contracts.rows.laws.references import foreign
from contracts.rows.tables import columns_of, takes_null
from fixer.errors import ContractError


class Hopeless(ContractError):
    """No good row of a table is known; the text says why."""


@dataclass(frozen=True)
class Group:
    """Columns of a table, and the laws over them."""

    table: Table
    columns: tuple[str, ...]
    laws: tuple[Law, ...]

    @property
    def placing(self) -> bool:
        """Whether a law of it says which rows the partitions accept."""
        return any(law.placing for law in self.laws)

    @property
    def shadows(self) -> frozenset[str]:
        """The columns of foreign keys, whose values parents give; advice decides only whether they are NULL."""
        return frozenset() if self.placing else foreign(self.table) & set(self.columns)

    @property
    def words(self) -> str:
        """The hard laws, as the user knows them."""
        return " and ".join(dict.fromkeys(law.words for law in self.laws if law.hard))


class Adviser(Protocol):
    """Knows a server, and asks it which rows are good where no condition says so."""

    def groups(self, table: Table) -> tuple[Group, ...]:
        """Return the groups of a table."""

    def patterns(self, group: Group, pins: Row, more: Conditions) -> Sequence[Row]:
        """Return values of a group that fit together and fit `pins` and `more`; raise Hopeless where none ever do."""

    def fresh(self, group: Group, pattern: Row, tokens: Iterable[str], pins: Row, number: int) -> Row | None:
        """Return a pattern with new values in the columns `tokens`; None where no such row obeys the laws."""

    def parents(
        self,
        table: Table,
        names: Sequence[str],
        settled: Row,
        more: Conditions,
        apart: tuple[Table, Sequence[str]] | None,
    ) -> Sequence[Row]:
        """Return the values of some columns in existing rows to which a row may refer."""


@functools.cache
def groups_of(table: Table, more: tuple[Law, ...] = ()) -> tuple[Group, ...]:
    """Return the groups that the laws of a table make, with laws that only the server knows."""
    laws = [law for law in (*laws_of(table), *more) if law.columns and all(_known(table, law, n) for n in law.columns)]
    parts: list[tuple[set[str], list[Law]]] = []
    for law in laws:
        touched = [part for part in parts if not part[0].isdisjoint(law.columns)]
        parts = [part for part in parts if part not in touched]
        names = set(law.columns).union(*(part[0] for part in touched))
        parts.append((names, [each for part in touched for each in part[1]] + [law]))
    order = list(columns_of(table))
    groups = [Group(table, tuple(sorted(names, key=order.index)), tuple(laws)) for names, laws in parts]
    return tuple(g for g in groups if any(law.hard for law in g.laws) and _has_choice(g))


def _known(table: Table, law: Law, name: str) -> bool:
    """Return whether the value of a column is known before the row goes in."""
    column = columns_of(table)[name]
    if column.computed is not None:
        return False
    return not generated(column) or (law.placing and (not fixed(column) or column.identity is not None))


def _has_choice(group: Group) -> bool:
    """Return whether a value of the group can be chosen; parents give the values of mandatory foreign keys."""
    columns = columns_of(group.table)
    return any(name not in group.shadows or takes_null(columns[name]) for name in group.columns)
