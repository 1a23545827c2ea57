"""Under which search_path the suite asks, and under which it writes.

It asks under PostgreSQL's own schema alone, so that no operator or function of others is taken for one of those. It
writes under the path of the application, since triggers and defaults may rely on it; so what writes names its tables in
full, its values are literals, and its operators say their schemas.
"""

from __future__ import annotations

from collections.abc import Iterable

from psycopg2.extensions import cursor as Cursor  # noqa: N812 - it is a class

from fixer.connect.target import SAFE_PATH
from fixer.model.schema import Table
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Composed

# Both go without a name that could mean something else.
NOTED = SQL("SELECT pg_catalog.set_config('pgmend.full_path', pg_catalog.current_setting('search_path'), true);\n")
OUR_PATH = SQL(f"SET LOCAL search_path = {SAFE_PATH};\n")
ITS_PATH = SQL("SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('pgmend.full_path'), true);\n")


def write(cursor: Cursor, statement: Composable) -> None:
    """Execute a statement under the path of the application; `asking` ends that."""
    cursor.execute(ITS_PATH + statement)


def asking(cursor: Cursor) -> None:
    """Ask under our own path from here on."""
    cursor.execute(OUR_PATH)


def is_row(table: Table, values: Iterable[tuple[str, Composable]]) -> Composed:
    """Return the condition that a row has these values, whatever the path."""
    signs = {"=": "OPERATOR(pg_catalog.=)"}
    return q.all_of(
        SQL("{} {} {}").format(q.Identifier(column), SQL(signs.get(sign, sign)), value)
        for column, value in values
        for sign in q.equalities(table, [column])
    )
