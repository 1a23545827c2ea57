"""Statements that write rows, and keep what undo needs in the journal or in quarantine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from fixer.model.step import JOURNAL, RUN_NUMBER, STEP_NUMBER
from fixer.model.table import QName, Table
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Composed, Identifier, Literal
from fixer.sql.row_image import cells, image, likeness


def move_statement(
    table: Table,
    quarantine: QName,
    condition: Composable,
    reason: Composable,
    *,
    early: bool = False,
    copied: Iterable[tuple[QName, Composable]] = (),
) -> Composed:
    """Return the statement that moves rows from a table to its quarantine, each with its reason.

    In the same statement it deletes rows of other tables that were `copied` to theirs.
    """
    deletes = (
        SQL("gone_{} AS (DELETE FROM {} AS t WHERE {}),\n").format(SQL(str(number)), q.name(name), where)
        for number, (name, where) in enumerate(copied)
    )
    kept = _kept(table, quarantine, condition, reason, early=early)
    return q.written("rows/move", copied=SQL("").join(deletes), **kept)


def copy_statement(
    table: Table, quarantine: QName, condition: Composable, reason: Composable, *, early: bool = False
) -> Composed:
    """Return the statement that copies rows to quarantine, each with its reason, before another one deletes them."""
    return q.written("rows/copy", **_kept(table, quarantine, condition, reason, early=early))


def _kept(
    table: Table, quarantine: QName, condition: Composable, reason: Composable, *, early: bool
) -> dict[str, Composable]:
    """Return what the statements say of the rows that they keep in quarantine."""
    return {
        "source": q.name(table.name),
        "condition": condition,
        "image": image(table, early=early),
        "quarantine": q.name(quarantine),
        "run": RUN_NUMBER,
        "step": STEP_NUMBER,
        "label": Literal(str(table.name)),
        "reason": reason,
    }


def rewrite_statement(
    table: Table,
    assignments: Mapping[str, Composable],
    condition: Composable,
    reason: str,
    known_by: tuple[str, ...],
    *,
    early: bool = False,
) -> Composed:
    """Return the statement that rewrites cells, and keeps an image of each row and what identifies it afterwards."""
    mark = cells((*known_by, *assignments)) if known_by else likeness()
    return q.written(
        "rows/rewrite",
        table=q.name(table.name),
        condition=condition,
        image=image(table, early=early),
        mark=mark,
        journal=Identifier(JOURNAL, "before_image"),
        run=RUN_NUMBER,
        step=STEP_NUMBER,
        label=Literal(str(table.name)),
        reason=Literal(reason),
        cells=assignment_list(assignments),
    )


def insert_statement(table: QName, row: Mapping[str, Composable], match: Composable, reason: str) -> Composed:
    """Return the statement that inserts a row if none matches, and keeps in the journal what identifies it."""
    return q.written(
        "rows/insert",
        table=q.name(table),
        columns=q.names(row),
        values=SQL(", ").join(row.values()),
        match=match,
        mark=likeness(),
        journal=Identifier(JOURNAL, "before_image"),
        run=RUN_NUMBER,
        step=STEP_NUMBER,
        label=Literal(str(table)),
        reason=Literal(reason),
    )


def assignment_list(assignments: Mapping[str, Composable]) -> Composed:
    """Return what follows SET in an UPDATE."""
    return SQL(", ").join(SQL("{} = {}").format(Identifier(c), value) for c, value in assignments.items())
