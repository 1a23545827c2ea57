"""Where rows stand, told to a statement that writes them by their places."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer.plan import PlannedStep
from fixer.schema import QName
from fixer.sqltext import SQL, Composed, Literal

Place = tuple[str, ...]  # of a row, and of the one that stays in its stead where there is one
ROWS_OF_A_PAGE = 291  # line pointers that fit on a page of 8 kB (PostgreSQL manual, 73.6)


def search(step: PlannedStep, limit: int) -> Composed:
    """Return the question where rows of a step stand, so many at once."""
    if step.kind:
        own = SQL("SELECT * FROM ({}) AS f WHERE kind = {} LIMIT {}")
        return own.format(SQL(step.find or ""), Literal(step.kind), Literal(limit))
    return SQL("{} LIMIT {}").format(SQL(step.find or ""), Literal(limit))


class Searches:
    """Searches that answer for several steps, kept while nothing moves the rows that they found."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._kept: dict[QName, tuple[str, list[Place]]] = {}

    def places(self, cursor: Cursor, step: PlannedStep) -> list[Place]:
        """Return where the rows of a step stand."""
        query, found = self._kept.get(step.table, ("", []))
        if not step.kind:
            cursor.execute(search(step, self.limit))
            return cursor.fetchall()
        if query != step.find:
            cursor.execute(f"{step.find} LIMIT {self.limit}")
            found = cursor.fetchall()
            if len(found) == self.limit:  # too many to keep for the next step
                cursor.execute(search(step, self.limit))
                return cursor.fetchall()
            self._kept[step.table] = (step.find or "", found)
        return [place for place in found if place[2] == step.kind]

    def forget(self, step: PlannedStep) -> None:
        """Forget what was found in a table whose rows a step has moved to other places."""
        if step.changes or not step.writes_rows:
            self._kept.pop(step.table, None)


def point(cursor: Cursor, places: Sequence[Place]) -> None:
    """Tell the next statement the places of rows, and of their keepers."""
    keepers = [place[1] for place in places if len(place) > 1]
    cursor.execute(
        "SELECT set_config('pgmend.places', %s, true), set_config('pgmend.keepers', %s, true)",
        (_array([place[0] for place in places]), _array(keepers)),
    )


def point_at_pages(cursor: Cursor, first: int, until: int) -> None:
    """Tell the next statement all places of a range of pages."""
    cursor.execute(
        "SELECT set_config('pgmend.places', (SELECT array_agg(format('(%%s,%%s)', p, o)::tid)::text"
        " FROM generate_series(%s, %s) AS p, generate_series(1, %s) AS o), true)",
        (first, until - 1, ROWS_OF_A_PAGE),
    )


def _array(places: Sequence[str]) -> str:
    return "{" + ",".join(f'"{place}"' for place in places) + "}"
