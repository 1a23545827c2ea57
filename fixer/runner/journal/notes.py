"""What undo must know of a step beyond its statement, noted when the step is entered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field

from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer.model.plan import PlannedStep
from fixer.model.step import Added
from fixer.model.table import QName
from fixer.model.values import dataclass
from fixer.runner.journal import own_values
from fixer.runner.journal.own_values import Kept, KeptJson
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Identifier

Cell = str | Kept | None  # the value of all rows; or a digest of the values, if each row got its own
NotesJson = Mapping[str, Mapping[str, str | int | KeptJson | None]]


@dataclass(frozen=True)
class Notes:
    """What a step wrote into columns that it added, how many orphans it moved, and the columns in its images.

    `columns` gives the number of each, which survives a rename; an earlier version did not note them.
    """

    cells: Mapping[str, Cell] = field(default_factory=dict)
    orphans: Mapping[str, int] = field(default_factory=dict)  # by foreign key
    columns: Mapping[str, int] = field(default_factory=dict)

    def to_json(self) -> NotesJson | None:
        """Return the notes as the journal keeps them; None if there are none."""
        cells = {name: cell.to_json() if isinstance(cell, Kept) else cell for name, cell in self.cells.items()}
        known: dict[str, Mapping[str, str | int | KeptJson | None]] = {"cells": cells, "orphans": {**self.orphans}}
        if self.columns:
            known["columns"] = {**self.columns}
        return known if any(known.values()) else None


def from_json(kept: NotesJson | None) -> Notes:
    """Return the notes that the journal kept."""
    kept = kept or {}
    return Notes(
        {name: _cell(cell) for name, cell in kept.get("cells", {}).items()},
        _numbers(kept.get("orphans", {})),
        _numbers(kept.get("columns", {})),
    )


def _cell(kept: str | int | KeptJson | None) -> Cell:
    if isinstance(kept, Mapping):
        return own_values.from_json(kept)
    return kept if kept is None else str(kept)


def _numbers(kept: Mapping[str, str | int | KeptJson | None]) -> dict[str, int]:
    return {name: number for name, number in kept.items() if isinstance(number, int)}


# --- cells


def filled(cursor: Cursor, step: PlannedStep) -> dict[str, Cell]:
    """Return what rows got in the columns that a step added; undo finds by it whether others wrote there since."""
    beside_itself = [added.column for added in step.shape.added if added.beside == added.column]
    cells: dict[str, Cell] = {column: own_values.named(cursor) for column in beside_itself}
    columns = {added.beside or added.column: added for added in step.shape.added if _is_noted(added, cells)}
    if not columns:
        return cells
    beside = [column for column, added in columns.items() if added.beside]
    written = [] if beside else _written_anew(cursor, step.table, list(columns))
    found: dict[str, Cell] = {}
    if beside or written:
        found |= own_values.note(cursor, step.table, [*beside, *written], own=bool(written))
    if alike := [column for column in columns if column not in found]:
        found |= dict(zip(alike, _first_row(cursor, step.table, alike), strict=False))
    return {columns[column].column: value for column, value in found.items()}


def _is_noted(added: Added[str], known: Mapping[str, Cell]) -> bool:
    """Return whether the values of an added column must be noted: no sequence and no condition explains them."""
    return not added.counts and added.kept is None and added.column not in known


def _first_row(cursor: Cursor, table: QName, columns: Iterable[str]) -> tuple[str | None, ...]:
    texts = SQL(", ").join(SQL("{}::text").format(Identifier(column)) for column in columns)
    cursor.execute(SQL("SELECT {} FROM {} LIMIT 1").format(texts, q.name(table)))
    return cursor.fetchone() or ()


def _written_anew(cursor: Cursor, table: QName, columns: Sequence[str]) -> list[str]:
    """Return the columns of which PostgreSQL has written every cell, since their default may differ for each row."""
    cursor.execute(
        "SELECT a.attname FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid"
        " WHERE a.attrelid = %s::pg_catalog.regclass AND a.attname = ANY (%s)"
        " AND (a.atthasdef OR t.typdefault IS NOT NULL) AND NOT a.atthasmissing",
        (q.quoted(table), list(columns)),
    )
    return [column for (column,) in cursor.fetchall()]


# --- columns


def imaged(cursor: Cursor, step: PlannedStep) -> dict[str, int]:
    """Return the numbers of the columns that the images of a step hold, and of those that identify its rows.

    For a step that moves rows these are all columns, because quarantine holds whole rows.
    """
    names = {*step.shape.restores, *step.shape.respells, *step.shape.known_by}
    if not (step.effect.moves or names):
        return {}
    cursor.execute(
        "SELECT attname::text, attnum FROM pg_catalog.pg_attribute"
        " WHERE attrelid = %s::pg_catalog.regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
        (q.quoted(step.table),),
    )
    return {name: number for name, number in cursor.fetchall() if step.effect.moves or name in names}
