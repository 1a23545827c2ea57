"""Finds rows by their images in the journal, if they are still as the run left them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer import introspect
from fixer.errors import UndoRefused
from fixer.model.plan import PlannedStep
from fixer.model.table import QName
from fixer.model.values import dataclass
from fixer.runner.journal.definitions import read_columns
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
    WHERE i.alike OR {whole})
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
    """A column: its name in images, its name and type now, and the operator that compares its values."""

    kept: str
    name: str
    type: str
    equality: str = "="


@dataclass(frozen=True)
class Found:
    """SQL to find the rows of a step's images: CTEs, the FROM item to join to the row `t`, and the join condition."""

    rows: Composable
    source: Composable
    condition: Composable


def types_now(cursor: Cursor, oid: int) -> dict[str, str]:
    """Return the types that the columns of a table have at this moment, except generated columns."""
    there = read_columns(cursor, oid)
    return {name: column.detail["type"] for name, column in there.items() if not column.detail["generated"]}


def kept_cells(cursor: Cursor, past: Past, done: DoneStep, oid: int, names: Iterable[str]) -> list[Cell]:
    """Return these columns of a step's images, under their present names; raise UndoRefused if one is gone."""
    names, there = list(names), read_columns(cursor, oid)
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
    """Return the columns that the step did not write and the run did not change; its images hold their cells."""
    there, before = past.after.columns(oid), past.before.columns(oid) if oid in past.before.relations else {}
    written = {*step.shape.restores, *step.shape.known_by}
    return [
        Cell(name, name, types[name])
        for name, column in before.items()
        if name in types and name not in written and there[name] == column
    ]


def mine(past: Past, step: PlannedStep) -> Composed:
    """Return the condition that the step made the image `b`."""
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
    """Return how to find each row by its key, if its cells are still as the run left them.

    Another row may have the key by now, so at least half of the `others` that held a value must still hold it.
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
    """Count the rows that still have their key, but whose converted value was written since."""
    kept = q.all_of(SQL("i.mark ? {}").format(Literal(column.kept)) for column in columns)
    other = SQL("({}) IS NOT TRUE").format(q.all_of(map(_as_left, columns)))
    cursor.execute(
        SQL("WITH {} SELECT count(*) FROM {} AS t, i WHERE {}").format(
            _images(past, step), q.name(table), q.all_of([key_of(key), kept, other])
        )
    )
    return int((cursor.fetchone() or (0,))[0])


def by_whole_row(past: Past, table: QName, step: PlannedStep) -> Found:
    """Return how to find each row by all its cells; identical rows are interchangeable.

    They are not where other columns are set aside, unless all of them were alike before the run.
    """
    now, mark = _whole_row(past, table, step)
    rows = SQL(_BY_WHOLE_ROW).format(
        mark=mark,
        now=now,
        images=BEFORE_IMAGE,
        mine=mine(past, step),
        table=q.name(table),
        whole=Literal(not _aside(past, step)),
    )
    return Found(rows, SQL("p AS i"), SQL("t.tableoid = i.part AND t.ctid = i.place"))


def lacking(cursor: Cursor, past: Past, table: QName, step: PlannedStep, types: Mapping[str, str]) -> int:
    """Count the images that are known by all cells and for which no row has its old spelling back."""
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
    """Return what identifies a row, now and in its image: all cells, except those that may be spelt differently."""
    aside, respelt = _aside(past, step), step.shape.respells
    others = past.unknown(past.after.oid(str(table)) or 0)
    unsure = Literal([*respelt, *aside, *others])
    now = SQL("(({} - {}::text[]) || {})").format(likeness(), unsure, cells(respelt))
    return now, SQL("(b.mark - {}::text[])").format(Literal(aside))


def _aside(past: Past, step: PlannedStep) -> list[str]:
    """Return the columns of a table whose spelling other steps kept: until all are restored, none identifies a row."""
    if not step.shape.respells:
        return []
    respelt = {column for done in past.steps if done.step.table == step.table for column in done.step.shape.respells}
    return sorted(respelt - {*step.shape.respells})


def key_of(key: Iterable[Cell], image: str = "i") -> Composed:
    """Return the condition that the row `t` has the key that the mark of an image holds."""
    return q.all_of(_same(column, q.column("mark", image)) for column in key)


def _same(column: Cell, mark: Composable) -> Composed:
    """Return the condition that a cell of the row `t` is the one of a mark, which may hold an array as a list."""
    name = q.column(column.name)
    same = SQL("{} {} {}").format(name, SQL(column.equality), cell(mark, column.kept, column.type))
    if not column.type.endswith("[]"):
        return same
    listed = SQL("{} -> {}").format(mark, Literal(column.kept))
    return SQL("CASE WHEN jsonb_typeof({0}) = 'array' THEN to_jsonb({1}) = {0} ELSE {2} END").format(listed, name, same)


def _as_left(column: Cell) -> Composed:
    """Return the condition that a cell of the row `t` is still as the run left it, by the mark of the image `i`."""
    kept = cell(SQL("i.mark"), column.kept, column.type)
    same = SQL("{}::text IS NOT DISTINCT FROM {}::text").format(q.column(column.name), kept)
    return SQL("i.mark ? {} AND {}").format(Literal(column.kept), same)


def _as_it_was(column: Cell) -> Composed:
    """Return the condition that a cell of the row `t` is what it was before the step."""
    return SQL("coalesce({}::text = {}::text, false)").format(q.column(column.name), _was(column))


def _was(column: Cell) -> Composable:
    """Return the cell as it was before the step, from the image `i`."""
    return cell(SQL('i."row"'), column.kept, column.type)


def as_it_was(columns: Iterable[Cell]) -> Composed:
    """Return what follows SET in the UPDATE that restores cells from the image `i`."""
    return SQL(", ").join(SQL("{} = {}").format(Identifier(column.name), _was(column)) for column in columns)
