"""Where rows stand, told to a statement that writes them by their places."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg2.extensions import cursor as Cursor  # noqa: N812

Place = tuple[str, ...]  # of a row, and of the one that stays in its stead where there is one
ROWS_OF_A_PAGE = 291  # line pointers that fit on a page of 8 kB (PostgreSQL manual, 73.6)


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
