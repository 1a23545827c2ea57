"""Families: rows with all the parents they need."""

from __future__ import annotations

from sqlalchemy import Table

from contracts.rows.conditions import NOT_NULL, Conditions
from contracts.rows.insertions import Insertion, Row
from contracts.rows.laws.groups import Adviser
from contracts.rows.laws.keys import keys_of
from contracts.rows.laws.references import local_of, references
from contracts.rows.making.drafts import Clash, Drafter
from contracts.rows.making.draws import Draws
from contracts.rows.making.earlier import Earlier
from contracts.rows.making.parents import Parents
from contracts.rows.tables import columns_of


class Family:
    """The rows of one example; each is added with its parents."""

    def __init__(self, draws: Draws, advice: Adviser | None = None) -> None:
        self.draws = draws
        self.drafter = Drafter(draws, advice)
        self.earlier = Earlier()
        self.insertions = self.earlier.insertions
        self._parents = Parents(self.drafter, self.earlier, self.add)

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

        `pins` are settled values, `more` are conditions beyond the checks. Foreign keys with the `loose` column get no
        parent. A row that `repeats` a key is added; otherwise Clash is raised. Only a row that `draws` takes numbers
        from sequences, which no rollback restores. `path` has the tables whose rows wait for this one.
        """
        wanted = {c.column for c in more if c.op == NOT_NULL}
        row = self.drafter.row(table, pins or {}, more, wanted)
        if not draws:
            self.drafter.give_numbers(row, table, more)
        for key in references(table):
            if loose not in local_of(key):
                self._parents.settle(row, table, key, wanted, (*path, table))
        self.drafter.fill(row, table)
        if not repeats and any(self.earlier.repeats(row, table, key) for key in keys_of(table)):
            raise Clash
        self.insertions.append(Insertion(table, {name: row[name] for name in columns_of(table) if name in row}))
        return len(self.insertions) - 1

    def spoil(self, row: Row) -> None:
        """Change the last row."""
        last = self.insertions.pop()
        self.insertions.append(Insertion(last.table, last.row | row))
