"""The rows of an example so far."""

from __future__ import annotations

from sqlalchemy import Table

from contracts.rows.cells import Cell
from contracts.rows.conditions import Conditions
from contracts.rows.insertions import Insertion, Ref, Row
from contracts.rows.laws.keys import Key

_ABSENT = object()  # a column that a row leaves to its default


class Earlier:
    """The rows so far, in the order in which they are inserted."""

    def __init__(self) -> None:
        self.insertions: list[Insertion] = []

    def told(self, place: int, column: str) -> Cell:
        """Return a value of an earlier row, or a Ref where the database makes the value."""
        return self.insertions[place].row.get(column, Ref(place, column))

    def value(self, place: int, column: str) -> Ref:
        """Return a reference to a key value of an earlier row, or to the row that first had it."""
        value = self.insertions[place].row.get(column)
        return value if isinstance(value, Ref) else Ref(place, column)

    def matching(self, target: Table, settled: Row, more: Conditions) -> list[int]:
        """Return the places of rows that have the settled values and that a row may refer to."""
        return [place for place in range(len(self.insertions)) if self._matches(place, target, settled, more)]

    def _matches(self, place: int, target: Table, settled: Row, more: Conditions) -> bool:
        insertion = self.insertions[place]
        if insertion.table is not target:
            return False
        for each in more:
            value = insertion.row.get(each.column, _ABSENT)
            if value is None or not (value is _ABSENT or isinstance(value, Ref) or each.holds(value)):
                return False
        return all(v in (self.value(place, name), insertion.row.get(name)) for name, v in settled.items())

    def repeats(self, row: Row, table: Table, key: Key) -> bool:
        """Return whether an earlier row of the table has the same values in a key."""
        if any(name not in row for name in key.columns):
            return False
        mine = [row[name] for name in key.columns]
        if None in mine and key.distinct_nulls:
            return False
        others = (each.row for each in self.insertions if each.table is table)
        return any(mine == [other.get(name, _ABSENT) for name in key.columns] for other in others)
