"""The columns that use each sequence: of one family where a table and its partitions count together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property

from fixer.model.schema import Schema
from fixer.model.table import Column, QName, Sequence

User = tuple[QName, str]  # a column, after its table


class Users:
    """The columns that use each sequence of a schema; all are collected once, at the first question."""

    def __init__(self, actual: Schema) -> None:
        self._actual = actual

    def share(self, table: QName, column: Column) -> bool:
        """Return whether a column uses a sequence that others use or own."""
        sequence = self._actual.sequences.get(column.sequence) if column.sequence else None
        return bool(sequence and not column.identity and self.others(sequence, table, column.name))

    def others(self, sequence: Sequence, table: QName, column: str) -> list[User]:
        """Return who else owns a sequence, or uses it if nobody does; nobody of the family of a column counts."""
        if sequence.owned_by:
            return [] if self._is_kin(sequence.owned_by, (table, column)) else [sequence.owned_by]
        return [user for user in self._by_sequence.get(sequence.name, []) if not self._is_kin(user, (table, column))]

    def _is_kin(self, one: User, other: User) -> bool:
        """Return whether two columns are one column of a table and its partitions, or may be of heirs."""
        if one == other or one[1] != other[1]:
            return one == other
        tables = [self._actual.tables.get(name) for name, _ in (one, other)]
        heirs = all(table and table.inherits and table.kind != "p" and not table.part_of for table in tables)
        return heirs or self._actual.wholes(one[0])[-1] == self._actual.wholes(other[0])[-1]

    @cached_property
    def _by_sequence(self) -> Mapping[QName, list[User]]:
        users: dict[QName, list[User]] = {}
        for table in (each for each in self._actual.tables.values() if not each.created):
            for column in table.columns.values():
                if column.sequence:
                    users.setdefault(column.sequence, []).append((table.name, column.name))
        return users


def counting_with(table: QName, column: str, actual: Schema) -> Iterator[QName]:
    """Yield the partitions and heirs that count as their table does today, and partitions that count by another's."""
    users = Users(actual)
    mine = actual.tables[table].columns[column].default
    for part in actual.tables.values():
        found = part.columns.get(column) if table in actual.wholes(part.name)[1:] else None
        if found and not found.identity and (found.default == mine or users.share(part.name, found)):
            yield part.name
    for heir in actual.heirs(table) if mine else ():
        if column in heir.columns and heir.columns[column].default == mine:
            yield heir.name
            yield from (each for each in counting_with(heir.name, column, actual))
