"""Digests of columns that a run added and in which each row got its own value: they show whether others wrote there.

Nothing is kept for each row. A digest has 1024 parts, by the hash of the value, each with its number of rows and the
sum of their hashes. A row version that is older than the digest, or that the run itself wrote, holds the run's value; a
newer one is suspect only if its part of the digest differs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple, TypedDict

from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer.model.table import QName
from fixer.model.values import dataclass
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Identifier, Literal

_PARTS = 1024
_AHEAD = 1_000_000  # transactions that may have begun since the snapshot, this one among them
_AGE = 1 << 32  # transactions after which xmin, a 32-bit number, begins again
_DIGEST = """
SELECT number, h & {last}, count(*), sum(h)::text, min(h) = max(h),
       count(*) FILTER (WHERE (written >= {horizon} OR written = ANY ({running})) AND written <> {own})
  FROM (SELECT {written} AS written, {hashes} AS hashes FROM {table} AS t) AS rows,
       unnest(hashes) WITH ORDINALITY AS of_one (h, number)
 GROUP BY 1, 2 ORDER BY 1, 2
"""

Part = tuple[int, int, str]  # its number, its rows, and the sum of their hashes


class KeptJson(TypedDict, total=False):
    """What the journal keeps of a column."""

    horizon: int
    running: list[int]
    own: int
    parts: list[list[int | str]]


@dataclass(frozen=True)
class Kept:
    """What shows later whether a column still has its values: its digest, and which row versions precede that.

    A row version precedes the digest if its transaction comes before the horizon and was not running then.
    """

    horizon: int
    running: tuple[int, ...] = ()
    own: int | None = None  # the transaction of the run that wrote every row
    parts: tuple[Part, ...] | None = None

    def followed_by(self, later: Kept) -> Kept:
        """Return the later note; what it lacks of `own` and `parts` is taken from this one."""
        own = self.own if later.own is None else later.own
        return replace(later, own=own, parts=self.parts if later.parts is None else later.parts)

    def to_json(self) -> KeptJson:
        """Return it as the journal keeps it."""
        kept = KeptJson(horizon=self.horizon, running=list(self.running))
        if self.own is not None:
            kept["own"] = self.own
        if self.parts is not None:
            kept["parts"] = [list(part) for part in self.parts]
        return kept


def from_json(kept: KeptJson) -> Kept:
    """Return what the journal kept of a column."""
    parts = kept.get("parts")
    return Kept(
        kept["horizon"],
        tuple(kept.get("running", ())),
        kept.get("own"),
        None if parts is None else tuple((int(number), int(rows), str(total)) for number, rows, total in parts),
    )


def note(cursor: Cursor, table: QName, columns: Sequence[str], *, own: bool) -> dict[str, str | Kept | None]:
    """Return the note of each column, by one scan of the table.

    `own` if this transaction has written every row; then a column with one value in all rows is noted as that value.
    """
    seen, mine = named(cursor), 0
    if own:
        written = SQL("SELECT {} FROM {} AS t LIMIT 1").format(_written(cursor), q.name(table))
        cursor.execute(written)
        (mine,) = cursor.fetchone() or (0,)
    seen = replace(seen, own=int(mine))
    digests = _digests(cursor, table, columns, seen)
    alike = [column for column in columns if mine and _is_alike(digests[column])]
    found: dict[str, str | Kept | None] = dict(zip(alike, _first(cursor, table, alike), strict=True))
    for column in columns:
        parts = tuple((part.number, part.rows, part.total) for part in digests[column])
        found.setdefault(column, replace(seen, parts=parts))
    return found


def named(cursor: Cursor) -> Kept:
    """Return the note, without digest, of a column that no session could write to so far; its table is locked."""
    cursor.execute(
        "SELECT pg_catalog.pg_snapshot_xmax(s)::text::bigint,"
        " ARRAY(SELECT x::text::bigint FROM pg_catalog.pg_snapshot_xip(s) AS x)"
        " FROM pg_catalog.pg_current_snapshot() AS s"
    )
    horizon, running = cursor.fetchone() or (0, [])
    return Kept(horizon, tuple(running))


def written_since(cursor: Cursor, table: QName, column: str, kept: Kept) -> int:
    """Count the rows that were written since, in those parts of the digest that differ now."""
    known = {number: (rows, total) for number, rows, total in kept.parts or ()}
    now = _digests(cursor, table, [column], kept)[column]
    return sum(part.since for part in now if known.get(part.number) != (part.rows, part.total))


class _Digest(NamedTuple):
    """One part of a digest; `alike` if all its values are the same, `since` counts its rows that were written since."""

    number: int
    rows: int
    total: str
    alike: bool
    since: int


def _is_alike(digests: Sequence[_Digest]) -> bool:
    return len(digests) == 1 and digests[0].alike


def _digests(cursor: Cursor, table: QName, columns: Sequence[str], seen: Kept) -> Mapping[str, list[_Digest]]:
    hashes = SQL(", ").join(
        SQL('coalesce(pg_catalog.hashtextextended({}::text COLLATE "C", 0), 0)').format(q.column(column))
        for column in columns
    )
    cursor.execute(
        SQL(_DIGEST).format(
            last=Literal(_PARTS - 1),
            horizon=Literal(seen.horizon),
            running=SQL("{}::bigint[]").format(Literal(list(seen.running))),
            own=Literal(seen.own or 0),
            written=_written(cursor),
            hashes=SQL("ARRAY[{}]").format(hashes),
            table=q.name(table),
        )
    )
    found: dict[str, list[_Digest]] = {column: [] for column in columns}
    for place, *part in cursor.fetchall():
        found[columns[place - 1]].append(_Digest(*part))
    return found


def _first(cursor: Cursor, table: QName, columns: Sequence[str]) -> tuple[str | None, ...]:
    """Return the cells of one row, as texts."""
    if not columns:
        return ()
    texts = SQL(", ").join(SQL("{}::text").format(Identifier(column)) for column in columns)
    cursor.execute(SQL("SELECT {} FROM {} LIMIT 1").format(texts, q.name(table)))
    return cursor.fetchone() or (None,) * len(columns)


def _written(cursor: Cursor) -> Composable:
    """Return the 64-bit number of the transaction that wrote the row `t`: the latest that its 32-bit xmin can mean."""
    cursor.execute("SELECT pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text::bigint")
    (next_,) = cursor.fetchone() or (0,)
    return SQL("({0} - ({0} - t.xmin::text::bigint) % {1})").format(Literal(int(next_) + _AHEAD), Literal(_AGE))
