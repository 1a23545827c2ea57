"""Identical copies of rows under one key: one stays, the others go, and what references the key stays valid."""

from __future__ import annotations

from collections.abc import Iterable

from fixer.model.finding import Places
from fixer.model.step import Part, Phase
from fixer.model.table import ForeignKey, Table
from fixer.repair.quarantine.leaving import move
from fixer.repair.rows import SEEN, Going, Rivals, settled
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Literal


def move_copies(
    table: Table,
    keys: tuple[str, ...],
    rows: int,
    guards: Iterable[ForeignKey],
    seen: Places | None = None,
    order: Iterable[Composable] = (),
) -> Part:
    """Return the step that moves all but one of the rows of a table that agree in `keys` and in all other columns.

    `order` sorts the different rows under one key, of which duplicate-key keeps the first. Where the check has `seen`
    them, it expects them at their places, and to count them takes no other search.
    """
    same = SQL("{} AND {} = {}").format(q.alike(table, keys, "k", "t"), q.whole_row(table, "k"), q.whole_row(table))
    source = SQL("{} AS t").format(q.name(table.name))
    search = q.copies_and_rivals(source, table, keys, order)  # as duplicate-key searches, so that one serves both
    rivals = Rivals(q.copies(source, table, keys), SQL("t.pgmend_copy > 1"), "pgmend_original", same, search, "copy")
    stand = standing(seen, "copy", table)
    going = Going(rivals.condition, "an identical copy of a row that stays", rows, rivals, expects=stand)
    phase = Phase.COPIES if settled(table, keys) is Phase.KEYS else Phase.VALUES
    return move(phase, table, going, guards)


def standing(seen: Places | None, kind: str, table: Table) -> Composable | None:
    """Return the condition that a row stands where one of this kind was seen: a copy, or a rival.

    Returns None where that does not tell which rows these are.
    """
    found = [place for place, _, each in seen.rows if each == kind] if seen and not table.inherits else []
    return SQL("t.ctid = ANY ({}::tid[])").format(Literal(found)) if 0 < len(found) <= SEEN else None
