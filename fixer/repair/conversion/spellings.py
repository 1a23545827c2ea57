"""How the values of a converted column were spelt, which undo gives back: kept as images of the rows that stay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from fixer.model.step import JOURNAL, RUN_NUMBER, STEP_NUMBER, Lock, Phase, Shape, Step
from fixer.model.table import Column, Table
from fixer.model.values import dataclass
from fixer.repair.conversion.values import in_full, left
from fixer.repair.rows import identity
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Composed, Identifier, Literal
from fixer.sql.conversions.further import Conversion
from fixer.sql.row_image import Image, cells, image, likeness


@dataclass(frozen=True)
class Spelling:
    """A column of a table, the type it gets, and its cell as undo will find it unless somebody writes it before."""

    column: str
    type: str
    reverted: Composable


class Kept(Composed):
    """The statement that keeps an image of each row with a value that undo would spell differently.

    A row is known by the columns of a key, or by all that it holds: then, one image has to tell the old spelling of
    all its columns, since a row of which one alone is restored is none that another image knows.
    """

    def __init__(self, row: Image, spellings: Sequence[Spelling], known_by: Sequence[str]) -> None:
        self.row, self.spellings = row, tuple(spellings)
        table, now = row.table, [SQL("{}, {}::text").format(Literal(s.column), s.reverted) for s in spellings]
        other = [SQL("{}::text IS DISTINCT FROM {}::text").format(s.reverted, q.column(s.column)) for s in spellings]
        statement = SQL(
            'INSERT INTO {} (run, step, source, reason, "row", mark)\n'
            "SELECT {}, {}, {}, {}, {}, {} FROM {} AS t\n"
            "WHERE {}"
        ).format(
            Identifier(JOURNAL, "before_image"),
            RUN_NUMBER,
            STEP_NUMBER,
            Literal(str(table)),
            Literal("; ".join(f"{s.column} is converted to {s.type}" for s in spellings)),
            row,
            SQL("{} || jsonb_build_object({})").format(
                cells(known_by) if known_by else likeness(), SQL(", ").join(now)
            ),
            q.name(table),
            q.any_of(other),
        )
        super().__init__([statement])


def keep_spelling(table: Table, found: Column, way: Conversion) -> Step:
    """Return the step that keeps an image of each row whose value undo would otherwise spell differently."""
    name, column = table.name, found.name
    known_by = identity(table, None, Phase.SPELLINGS)
    if column in known_by:
        known_by = ()
    reverted = q.over(in_full(way, column, found), column, left(way, found))
    return Step(
        Phase.SPELLINGS,
        name,
        f"keep the spelling of {name.name}.{column} in the journal",
        Kept(image(table, early=True), [Spelling(column, way.type, reverted)], known_by),
        Lock.ROW_EXCLUSIVE,
        shape=Shape(respells=(column,), known_by=known_by),
    )


class InOneGo(Composed):
    """The statements of steps under one lock of their table, so that nobody writes between image and cast."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self.steps = tuple(steps)
        lock = SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(q.name(steps[0].table))
        super().__init__([SQL(";\n").join([lock, *(step.sql for step in steps)])])


def in_one_go(convert: Step, around: Sequence[Step]) -> Step:
    """Return the conversion together with the steps around it."""
    kept = [step for step in around if step.shape.respells]
    shape = replace(
        convert.shape,
        respells=tuple(column for step in kept for column in step.shape.respells),
        known_by=kept[0].shape.known_by if kept else (),
    )
    return replace(convert, sql=InOneGo(around), action=None, shape=shape)
