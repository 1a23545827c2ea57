"""The search_path under which the suite reads, and the one under which it writes.

It reads under pg_catalog alone, so that no operator or function of a user replaces one of PostgreSQL. It writes under
the path of the application, because triggers and defaults may need it; therefore statements that write qualify tables
and operators, and their values are literals.
"""

from __future__ import annotations

from collections.abc import Iterable

from psycopg2.extensions import cursor as Cursor  # noqa: N812 - it is a class

from fixer.connect import settings
from fixer.model.table import Table
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Composed

# Every name in these is qualified.
NOTED = SQL("SELECT pg_catalog.set_config('pgmend.full_path', pg_catalog.current_setting('search_path'), true);\n")
OUR_PATH = SQL(settings.OUR_PATH)
ITS_PATH = SQL("SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('pgmend.full_path'), true);\n")
# Goes back to where no example has written; the savepoint remains for the next one.
AFRESH = SQL("ROLLBACK TO SAVEPOINT pgmend_example;\n")


def asking(cursor: Cursor) -> None:
    """Set our own search_path for the statements that follow."""
    cursor.execute(OUR_PATH)


def is_row(table: Table, values: Iterable[tuple[str, Composable]]) -> Composed:
    """Return the condition that a row has these values, whatever the path."""
    signs = {"=": "OPERATOR(pg_catalog.=)"}
    return q.all_of(
        SQL("{} {} ({})").format(q.Identifier(column), SQL(signs.get(sign, sign)), value)
        for column, value in values
        for sign in q.equalities(table, [column])
    )
