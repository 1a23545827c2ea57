"""Columns that a run added and in which each row got a value of its own: what tells later that nothing else is there.

Nothing is kept for each row. The values are told by a digest of so many parts, each with its rows; and a row version
that is older than the digest, or the run's own, holds what the run gave it, whatever became of other rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer.model.table import QName
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Identifier, Literal

Kept = Mapping[str, Any]
_PARTS = 1024
_AHEAD = 1_000_000  # transactions that a snapshot does not know of yet, this one among them
_AGE = 1 << 32  # transactions by which one number may mean either of two


def note(cursor: Cursor, table: QName, columns: Sequence[str], *, own: bool) -> dict[str, Any]:
    """Return what tells the values of columns later.

    `own` where this transaction has written every row: then the value alone where all have the same.
    """
    seen, mine = named(cursor), 0
    if own:
        written = SQL("SELECT {} FROM {} AS t LIMIT 1").format(_written(cursor), q.name(table))
        cursor.execute(written)
        (mine,) = cursor.fetchone() or (0,)
    return {column: _told(cursor, table, column, {**seen, "own": int(mine)}) for column in columns}


def named(cursor: Cursor) -> Kept:
    """Return what else tells the values of a column that nobody could write to until now, while its table is locked.

    A row version is older where its transaction comes before the horizon and was not running.
    """
    cursor.execute(
        "SELECT pg_catalog.pg_snapshot_xmax(s)::text::bigint,"
        " ARRAY(SELECT x::text::bigint FROM pg_catalog.pg_snapshot_xip(s) AS x)"
        " FROM pg_catalog.pg_current_snapshot() AS s"
    )
    horizon, running = cursor.fetchone() or (0, [])
    return {"horizon": horizon, "running": running}


def _told(cursor: Cursor, table: QName, column: str, seen: Kept) -> Any:
    parts, own = _digest(cursor, table, column, seen), seen["own"]
    if own and len(parts) == 1 and parts[0][3]:
        cursor.execute(SQL("SELECT {}::text FROM {} LIMIT 1").format(Identifier(column), q.name(table)))
        return (cursor.fetchone() or (None,))[0]
    return {"parts": [part[:3] for part in parts], **seen}


def written_since(cursor: Cursor, table: QName, column: str, kept: Kept) -> int:
    """Count the rows that were written since, and of which nobody can tell that the column holds what it held."""
    known = {number: (rows, total) for number, rows, total in kept.get("parts", ())}
    now = _digest(cursor, table, column, kept)
    return sum(since for number, rows, total, _, since in now if known.get(number) != (rows, total))


def _digest(cursor: Cursor, table: QName, column: str, seen: Kept) -> list[list[Any]]:
    """Return of each part its number, rows and sum, whether all its values are the same, and its rows written since."""
    cursor.execute(
        SQL(
            "SELECT h & {last}, count(*), sum(h)::text, min(h) = max(h),"
            " count(*) FILTER (WHERE (written >= {horizon} OR written = ANY ({running})) AND written <> {own})"
            ' FROM (SELECT coalesce(pg_catalog.hashtextextended({value}::text COLLATE "C", 0), 0) AS h,'
            " {written} AS written FROM {table} AS t) AS rows GROUP BY 1 ORDER BY 1"
        ).format(
            last=Literal(_PARTS - 1),
            horizon=Literal(seen["horizon"]),
            running=SQL("{}::bigint[]").format(Literal(seen.get("running", []))),
            own=Literal(seen.get("own", 0)),
            value=q.column(column),
            written=_written(cursor),
            table=q.name(table),
        )
    )
    return [list(part) for part in cursor.fetchall()]


def _written(cursor: Cursor) -> Composable:
    """Return the transaction that wrote the row `t`, by its full number: the last one that the short one may mean."""
    cursor.execute("SELECT pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text::bigint")
    (next_,) = cursor.fetchone() or (0,)
    return SQL("({0} - ({0} - t.xmin::text::bigint) % {1})").format(Literal(int(next_) + _AHEAD), Literal(_AGE))
