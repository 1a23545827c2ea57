"""Finds the places (ctids) of rows, and passes them to the statement that writes these rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer.model.finding import Places
from fixer.model.plan import PlannedStep
from fixer.model.table import QName
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composed, Literal

Place = tuple[str, ...]  # the ctid of a row; for a duplicate, that of its keeper (the row that stays), and its kind
FAR = 1_000_000_000  # transactions; their 32-bit numbers can be ordered up to about twice this distance (2^31)
# True if nobody wrote to the table since the search, so its ctids are still right: session and file are the same,
# no row version is newer than the search, and every found row and keeper is still there.
_UNTOUCHED = """
SELECT {session} = {same} AND pg_relation_filenode({name}::text::regclass) = {file}
   AND pg_snapshot_xmax(pg_current_snapshot())::text::bigint - {horizon} < {far}
   AND NOT EXISTS (SELECT FROM {table} AS t WHERE age(t.xmin) <= age({xid}::xid))
   AND (SELECT count(*) FROM {table} AS t WHERE t.ctid = ANY ({places}::tid[])) = {count}
"""
ROWS_OF_A_PAGE = 291  # line pointers that fit on a page of 8 kB (PostgreSQL manual, 73.6)


def search(step: PlannedStep, limit: int) -> Composed:
    """Return the query for the places of a step's rows, with at most `limit` results."""
    if step.batches.kind:
        own = SQL("SELECT * FROM ({}) AS f WHERE kind = {} LIMIT {}")
        return own.format(SQL(step.batches.find or ""), Literal(step.batches.kind), Literal(limit))
    return SQL("{} LIMIT {}").format(SQL(step.batches.find or ""), Literal(limit))


class Searches:
    """Results of searches that several steps share, kept until a step gives the found rows other places.

    The places `seen` before the tables were locked replace a search if nobody has written to the table since.
    """

    def __init__(self, limit: int, seen: Mapping[QName, Places]) -> None:
        self.limit = limit
        self._seen = dict(seen)
        self._kept: dict[QName, tuple[str, list[Place]]] = {}

    def places(self, cursor: Cursor, step: PlannedStep) -> list[Place]:
        """Return the places of a step's rows."""
        query, found = self._kept.get(step.table, ("", []))
        if not step.batches.kind:
            cursor.execute(search(step, self.limit))
            return cursor.fetchall()
        if query != step.batches.find:
            found = self._still_there(cursor, step.table)
            if not found:
                cursor.execute(f"{step.batches.find} LIMIT {self.limit}")
                found = cursor.fetchall()
            if len(found) == self.limit:  # there may be more: search for this step alone
                cursor.execute(search(step, self.limit))
                return cursor.fetchall()
            self._kept[step.table] = (step.batches.find or "", found)
        return [place for place in found if place[2] == step.batches.kind]

    def _still_there(self, cursor: Cursor, table: QName) -> list[Place]:
        """Return the places that were seen, if nobody has written to the table since; otherwise none."""
        seen = self._seen.pop(table, None)
        return list(seen.rows) if seen and _untouched(cursor, table, seen) else []

    def forget(self, step: PlannedStep) -> None:
        """Forget what was found in the table of a step that may have given its rows other places."""
        if step.effect.changes or not step.effect.writes_rows:
            self._kept.pop(step.table, None)


def _untouched(cursor: Cursor, table: QName, seen: Places) -> bool:
    places = {place for row in seen.rows for place in row[:2]}
    cursor.execute(
        SQL(_UNTOUCHED).format(
            session=q.THIS_SESSION,
            same=Literal(seen.session),
            name=Literal(q.quoted(table)),
            file=Literal(seen.file),
            horizon=Literal(seen.horizon),
            far=Literal(FAR),
            table=q.name(table),
            xid=Literal(str(seen.horizon % 2**32)),
            places=Literal(_array(sorted(places))),
            count=Literal(len(places)),
        )
    )
    return bool((cursor.fetchone() or (False,))[0])


def point(cursor: Cursor, places: Sequence[Place]) -> None:
    """Pass the places of rows and of their keepers to the next statement, in settings of the transaction."""
    keepers = [place[1] for place in places if len(place) > 1]
    cursor.execute(
        "SELECT set_config('pgmend.places', %s, true), set_config('pgmend.keepers', %s, true)",
        (_array([place[0] for place in places]), _array(keepers)),
    )


def point_at_pages(cursor: Cursor, first: int, until: int) -> None:
    """Pass all places on the pages from `first` to `until` - 1 to the next statement."""
    cursor.execute(
        "SELECT set_config('pgmend.places', (SELECT array_agg(format('(%%s,%%s)', p, o)::tid)::text"
        " FROM generate_series(%s, %s) AS p, generate_series(1, %s) AS o), true)",
        (first, until - 1, ROWS_OF_A_PAGE),
    )


def _array(places: Sequence[str]) -> str:
    return "{" + ",".join(f'"{place}"' for place in places) + "}"
