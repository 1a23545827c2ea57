"""Identical copies of rows under one key: one stays, the others go, and what references the key stays valid."""

from __future__ import annotations

from collections.abc import Iterable

from fixer.model.step import Part, Phase
from fixer.model.table import ForeignKey, Table
from fixer.repair.quarantine.leaving import move
from fixer.repair.rows import Going, Rivals
from fixer.sql import compose as q
from fixer.sql.compose import SQL


def move_copies(table: Table, keys: tuple[str, ...], rows: int, guards: Iterable[ForeignKey]) -> Part:
    """Return the step that moves all but one of the rows of a table that agree in `keys` and in all other columns."""
    same = SQL("{} AND {} = {}").format(q.alike(table, keys, "k", "t"), q.whole_row(table, "k"), q.whole_row(table))
    source = SQL("{} AS t").format(q.name(table.name))
    search = q.copies_and_rivals(source, table, keys)  # the search of duplicate-key, so that one run serves both
    rivals = Rivals(q.copies(source, table, keys), SQL("t.pgmend_copy > 1"), "pgmend_original", same, search, "copy")
    going = Going(rivals.condition, "an identical copy of a row that stays", rows, rivals)
    return move(Phase.COPIES, table, going, guards)
