"""Statements that write rows, and keep what undo needs in the journal or in quarantine."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from fixer.model.step import JOURNAL, RUN_NUMBER, STEP_NUMBER
from fixer.model.table import ForeignKey, QName, Table
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Composed, Identifier, Literal
from fixer.sql.row_image import cell, cells, image, likeness


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
        kept=_kept_if_free(table, assignments, known_by),
    )


def _kept_if_free(table: Table, assignments: Mapping[str, Composable], key: tuple[str, ...]) -> Composable:
    """Return the mark of a row, which is an error if a drawn number makes a key that a row has already.

    The statement sees the rows as they were before it, so that it looks for the new keys among these once.
    """
    drawn = next((value for value in assignments.values() if isinstance(value, q.Drawn)), None)
    if drawn is None:
        return SQL("mark")
    given = {each: cell(SQL("n.mark"), each, table.columns[each].full_type) for each in key}
    taken = SQL(
        "EXISTS (SELECT FROM new AS n JOIN {} AS t ON {})"
        " OR EXISTS (SELECT FROM new AS n GROUP BY {} HAVING count(*) > 1)"
    ).format(
        q.name(table.name),
        q.all_of(q.is_value(table, each, number) for each, number in given.items()),
        SQL(", ").join(given.values()),
    )
    why = Literal(drawn.complaint)
    return SQL("CASE WHEN {} THEN pg_temp.pgmend_taken({}) ELSE mark END").format(taken, why)


def reference_label(table: QName, columns: Iterable[str]) -> str:
    """Return the name under which the journal counts the rows that reference a new row by these columns of a table."""
    return json.dumps([*table, *columns])


def insert_statement(
    table: QName, row: Mapping[str, Composable], match: Composable, reason: str, keys: Mapping[ForeignKey, bool]
) -> Composed:
    """Return the statement that inserts a row if none matches, and keeps in the journal what identifies it.

    It also counts the rows that have pointed at it by these foreign keys before it came. Each is given with whether
    both its ends are integers by then, so that an index can find them; values of other types are compared as texts.
    """
    same = SQL("(SELECT count(*) FROM {} AS c WHERE {})")
    counts = [
        SQL("{}, {}").format(
            Literal(reference_label(key.table, key.columns)),
            same.format(
                q.name(key.table),
                q.all_of(
                    SQL("{} = (mark ->> {})::bigint" if integers else "{}::text = mark ->> {}").format(
                        q.column(own, "c"), Literal(target)
                    )
                    for own, target in zip(key.columns, key.target_columns, strict=True)
                ),
            ),
        )
        for key, integers in keys.items()
    ]
    return q.written(
        "rows/insert",
        table=q.name(table),
        columns=SQL("({})").format(q.names(row)) if row else SQL(""),  # without any, all get their defaults
        values=SQL(", ").join(row.values()),
        match=match,
        mark=likeness(),
        journal=Identifier(JOURNAL, "before_image"),
        run=RUN_NUMBER,
        step=STEP_NUMBER,
        label=Literal(str(table)),
        reason=Literal(reason),
        adopted=SQL("jsonb_build_object({})").format(SQL(", ").join(counts)) if counts else SQL("NULL"),
    )


def assignment_list(assignments: Mapping[str, Composable]) -> Composed:
    """Return what follows SET in an UPDATE."""
    return SQL(", ").join(SQL("{} = {}").format(Identifier(c), value) for c, value in assignments.items())
