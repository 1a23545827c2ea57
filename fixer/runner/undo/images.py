"""How rows are found again by their images in the journal, as the run left them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer import introspect
from fixer.errors import UndoRefused
from fixer.model.plan import PlannedStep
from fixer.model.table import QName
from fixer.runner.journal import definitions
from fixer.runner.journal.definitions import Item
from fixer.runner.journal.reading import DoneStep
from fixer.runner.journal.tables import BEFORE_IMAGE
from fixer.runner.undo.names import now_called
from fixer.runner.undo.past import Past
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Composed, Identifier, Literal
from fixer.sql.row_image import cell, cells, likeness

_BY_WHOLE_ROW = """
WITH i AS MATERIALIZED (SELECT b.row, {mark} AS mark, row_number() OVER (PARTITION BY {mark}) AS n,
    min(b.row::text) OVER (PARTITION BY {mark}) = max(b.row::text) OVER (PARTITION BY {mark}) AS alike
    FROM {images} AS b WHERE {mine}),
r AS MATERIALIZED (SELECT t.tableoid AS part, t.ctid AS place, {now} AS mark,
    row_number() OVER (PARTITION BY {now} ORDER BY t.tableoid, t.ctid) AS n FROM {table} AS t
    WHERE {now} IN (SELECT i.mark FROM i)),
p AS MATERIALIZED (SELECT i.row, r.part, r.place FROM i JOIN r ON r.mark = i.mark AND r.n = i.n
    WHERE i.alike OR {changes})
"""
_LACKING = """
WITH i AS MATERIALIZED (SELECT {mark} || jsonb_build_object({was}) AS mark, count(*) AS n
    FROM {images} AS b WHERE {mine} GROUP BY 1),
r AS MATERIALIZED (SELECT {now} AS mark, count(*) AS n FROM {table} AS t
    WHERE {now} IN (SELECT i.mark FROM i) GROUP BY 1)
SELECT coalesce(sum(greatest(i.n - coalesce(r.n, 0), 0)), 0)::bigint FROM i LEFT JOIN r USING (mark)
"""


@dataclass(frozen=True)
class Cell:
    """A column as images keep its cells, as it is called now, its type, and how values of that are compared."""

    kept: str
    name: str
    type: str
    equality: str = "="


@dataclass(frozen=True)
class Found:
    """How the rows of a step's images are found: common table expressions, what joins to the row `t`, and how."""

    rows: Composable
    source: Composable
    condition: Composable


def columns_now(cursor: Cursor, oid: int) -> dict[str, Item]:
    """Return the columns of a table as they are at this moment."""
    return definitions.read(cursor, [oid], []).columns(oid)


def types_now(cursor: Cursor, oid: int) -> dict[str, str]:
    """Return the types of those columns of a table, as they are at this moment, into which one may write."""
    there = columns_now(cursor, oid)
    return {name: column.detail["type"] for name, column in there.items() if not column.detail["generated"]}


def kept_cells(cursor: Cursor, past: Past, done: DoneStep, oid: int, names: Iterable[str]) -> list[Cell]:
    """Return columns whose cells images keep, as they are called now; refuse where one is not there any more."""
    names, there = list(names), columns_now(cursor, oid)
    found = now_called(past, done, oid, names, there)
    for name in names:
        if name not in found or found[name].detail["generated"]:
            raise UndoRefused(
                f"The column {name} of {past.after.table(oid)}, of which run {past.run} rewrote cells"
                " or by which it knows them, is not there any more."
            )
    signs = introspect.equalities(cursor, oid)
    columns = ((name, found[name]) for name in names)
    return [Cell(name, now.name, now.detail["type"], signs.get(now.name, "=")) for name, now in columns]


def other_cells(past: Past, step: PlannedStep, oid: int, types: Mapping[str, str]) -> list[Cell]:
    """Return the columns of a table that a step left alone, and whose cells its images keep."""
    there, before = past.after.columns(oid), past.before.columns(oid) if oid in past.before.relations else {}
    written = {*step.shape.restores, *step.shape.known_by}
    return [
        Cell(name, name, types[name])
        for name, column in before.items()
        if name in types and name not in written and there[name] == column
    ]


def mine(past: Past, step: PlannedStep) -> Composed:
    """Return the condition that an image `b` is of a step."""
    return SQL("b.run = {} AND b.step = {}").format(Literal(past.run), Literal(step.number))


def count(cursor: Cursor, past: Past, step: PlannedStep) -> int:
    """Count the images of a step."""
    cursor.execute(SQL("SELECT count(*) FROM {} AS b WHERE {}").format(BEFORE_IMAGE, mine(past, step)))
    return int((cursor.fetchone() or (0,))[0])


def _images(past: Past, step: PlannedStep) -> Composed:
    return SQL("i AS MATERIALIZED (SELECT b.row, b.mark FROM {} AS b WHERE {})").format(BEFORE_IMAGE, mine(past, step))


def by_key(
    past: Past, step: PlannedStep, key: Iterable[Cell], columns: Iterable[Cell], others: Sequence[Cell]
) -> Found:
    """Return how each row is found by its key, and only if its cells are still those of the run.

    A key may have been given to another row since: of the `others` that held a value, half are to hold it still.
    """
    same = [key_of(key), *map(_as_left, columns)]
    if others:
        there = SQL(" + ").join(SQL("({} IS NOT NULL)::integer").format(_was(other)) for other in others)
        kept = SQL(" + ").join(SQL("({})::integer").format(_as_it_was(other)) for other in others)
        same.append(SQL("2 * ({}) >= {}").format(kept, there))
    return Found(SQL("WITH {}").format(_images(past, step)), SQL("i"), q.all_of(same))


def written_since(
    cursor: Cursor, past: Past, table: QName, step: PlannedStep, key: Iterable[Cell], columns: Sequence[Cell]
) -> int:
    """Return how many rows have their key still, and another value than the one whose spelling is kept."""
    kept = q.all_of(SQL("i.mark ? {}").format(Literal(column.kept)) for column in columns)
    other = SQL("({}) IS NOT TRUE").format(q.all_of(map(_as_left, columns)))
    cursor.execute(
        SQL("WITH {} SELECT count(*) FROM {} AS t, i WHERE {}").format(
            _images(past, step), q.name(table), q.all_of([key_of(key), kept, other])
        )
    )
    return int((cursor.fetchone() or (0,))[0])


def by_whole_row(past: Past, table: QName, step: PlannedStep) -> Found:
    """Return how each row is found by all its cells: rows that are alike are as good as each other."""
    now, mark = _whole_row(past, table, step)
    rows = SQL(_BY_WHOLE_ROW).format(
        mark=mark,
        now=now,
        images=BEFORE_IMAGE,
        mine=mine(past, step),
        table=q.name(table),
        changes=Literal(bool(step.shape.restores)),
    )
    return Found(rows, SQL("p AS i"), SQL("t.tableoid = i.part AND t.ctid = i.place"))


def lacking(cursor: Cursor, past: Past, table: QName, step: PlannedStep, types: Mapping[str, str]) -> int:
    """Return how many of the rows that are known by all their cells do not stand as they were."""
    now, mark = _whole_row(past, table, step)
    was = [SQL("{}, {}::text").format(Literal(c), cell(SQL("b.row"), c, types[c])) for c in step.shape.respells]
    cursor.execute(
        SQL(_LACKING).format(
            mark=mark,
            was=SQL(", ").join(was),
            images=BEFORE_IMAGE,
            mine=mine(past, step),
            now=now,
            table=q.name(table),
        )
    )
    return int((cursor.fetchone() or (0,))[0])


def _whole_row(past: Past, table: QName, step: PlannedStep) -> tuple[Composed, Composed]:
    """Return what identifies a row, now and in its image: all cells but those that may be spelt otherwise."""
    aside = _respelt(past, step) if step.shape.respells else []
    others = past.unknown(past.after.oid(str(table)) or 0)
    now = SQL("(({} - {}::text[]) || {})").format(likeness(), Literal([*aside, *others]), cells(step.shape.respells))
    mark = SQL("(b.mark - {}::text[])").format(
        Literal([column for column in aside if column not in step.shape.respells])
    )
    return now, mark


def _respelt(past: Past, step: PlannedStep) -> list[str]:
    """Return the columns of a table whose spelling steps kept: until all are back, none identifies a row."""
    return sorted(
        {column for done in past.steps if done.step.table == step.table for column in done.step.shape.respells}
    )


def key_of(key: Iterable[Cell], image: str = "i") -> Composed:
    """Return the condition that the row `t` has the key by which an image knows it."""
    mark = q.column("mark", image)
    return q.all_of(SQL("{} {} {}").format(q.column(c.name), SQL(c.equality), cell(mark, c.kept, c.type)) for c in key)


def _as_left(column: Cell) -> Composed:
    """Return the condition that a cell of the row `t` is still the one that the image `i` knows."""
    kept = cell(SQL("i.mark"), column.kept, column.type)
    same = SQL("{}::text IS NOT DISTINCT FROM {}::text").format(q.column(column.name), kept)
    return SQL("i.mark ? {} AND {}").format(Literal(column.kept), same)


def _as_it_was(column: Cell) -> Composed:
    """Return the condition that a cell of the row `t` is what it was before the step."""
    return SQL("coalesce({}::text = {}::text, false)").format(q.column(column.name), _was(column))


def _was(column: Cell) -> Composable:
    """Return the cell of the image `i`."""
    return cell(SQL('i."row"'), column.kept, column.type)


def as_it_was(columns: Iterable[Cell]) -> Composed:
    """Return what follows SET where cells get back what they held."""
    return SQL(", ").join(SQL("{} = {}").format(Identifier(column.name), _was(column)) for column in columns)
