"""Transactions in which items write; each is rolled back.

An item has a transaction of its own, so that it holds locks for a short time only. Between examples it rolls back to a
savepoint, in one round trip with what comes next. It changes no row that it did not insert.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from psycopg2.extensions import cursor as Cursor  # noqa: N812 - it is a class

from contracts.proof.databases.place import Place
from contracts.proof.writing.paths import NOTED, OUR_PATH
from fixer.connect.settings import setting
from fixer.connect.target import Target
from fixer.sql.compose import SQL, Composed


@contextmanager
def rolled_back(place: Place) -> Iterator[Cursor]:
    """Lend a cursor in a transaction of the application's role, and roll it back."""
    connection, place.stale = place.connection, False
    connection.rollback()
    try:
        with connection.cursor() as cursor:
            cursor.execute(begun(place.target()) + SQL("; SAVEPOINT pgmend_example"))
            yield cursor
    finally:
        if connection.closed:
            place.close()
        else:
            connection.rollback()


def begun(target: Target) -> Composed:
    """Return the first statement of a transaction: it sets our search_path, the timeouts and the role."""
    return NOTED + OUR_PATH + setting(target.settings)


@contextmanager
def example(place: Place) -> Iterator[None]:
    """Let the next statement of `insert`, or of the advice, roll back what the block writes."""
    try:
        yield
    finally:
        place.stale = True
