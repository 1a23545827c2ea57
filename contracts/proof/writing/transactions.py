"""Transactions in which an item writes; each of them is rolled back.

An item has one transaction, and goes back to its savepoint after each example. It never touches rows that it did not
write. A transaction for each item holds locks for a short time only.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from psycopg2.extensions import cursor as Cursor  # noqa: N812 - it is a class

from contracts.proof.databases.place import Place
from contracts.proof.writing.paths import NOTED, OUR_PATH
from fixer.connect.target import Target
from fixer.sql.compose import SQL, Composed, Literal


@contextmanager
def rolled_back(place: Place) -> Iterator[Cursor]:
    """Lend a cursor in a transaction of the application's role, and roll it back."""
    connection = place.connection
    connection.rollback()
    try:
        with connection.cursor() as cursor:
            cursor.execute(begun(place.target()))
            cursor.execute("SAVEPOINT pgmend_example")
            yield cursor
    finally:
        if connection.closed:
            place.close()
        else:
            connection.rollback()


def begun(target: Target) -> Composed:
    """Return what a transaction starts with: for what it may wait, and as which role it writes."""
    calls = [SQL("set_config({}, {}, true)").format(Literal(k), Literal(v)) for k, v in target.settings.items()]
    return NOTED + OUR_PATH + SQL("SELECT {}").format(SQL(", ").join(calls))


@contextmanager
def example(cursor: Cursor) -> Iterator[None]:
    """Take back what is written meanwhile; the savepoint stays for the next example."""
    try:
        yield
    finally:
        if not cursor.connection.closed:
            cursor.execute("ROLLBACK TO SAVEPOINT pgmend_example")
