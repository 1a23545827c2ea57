"""One transaction, all or nothing, tried again where a failure is likely to pass."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TypeVar

import psycopg2
from psycopg2 import errors as pg
from psycopg2.extensions import connection as Connection  # noqa: N812
from psycopg2.extensions import cursor as Cursor  # noqa: N812
from psycopg2.sql import SQL

from fixer.connect.failures import told
from fixer.connect.interrupt import held, was_heard
from fixer.connect.settings import EXACTLY, PLAINLY, SAFELY, setting, unhurried
from fixer.errors import ApplyFailed

ADVISORY_LOCK = 0x70676D656E64  # 'pgmend', one for each database
ATTEMPTS = 4
TRANSIENT = (pg.SerializationFailure, pg.DeadlockDetected, pg.LockNotAvailable)

log = logging.getLogger("pgmend.apply")
Done = TypeVar("Done")


def all_or_nothing(
    connection: Connection,
    work: Callable[[Cursor], Done],
    *,
    settings: Mapping[str, str] | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Done:
    """Do the work in one transaction that no other fixer disturbs, and return what it returns.

    Raises what the work raises, and ApplyFailed where the database failed: all is rolled back then.
    """
    attempt = 0
    while True:
        attempt += 1
        try:
            return _once(connection, work, settings or {})
        except TRANSIENT as error:
            log.warning("attempt %s of %s: %s", attempt, ATTEMPTS, told(error))
            if attempt >= ATTEMPTS:
                raise ApplyFailed(gave_up(error)) from None
            sleep(0.2 * 2**attempt * (0.5 + random.random()))


def gave_up(error: psycopg2.Error) -> str:
    """Say that a failure which should pass did not."""
    if isinstance(error, pg.LockNotAvailable):
        return (
            f"A lock could not be had in time, {ATTEMPTS} times over: {told(error)}."
            " Try again when the database is quieter, or with a longer --lock-timeout. Nothing was changed."
        )
    return f"The database refused {ATTEMPTS} times: {told(error)}. Nothing was changed."


def _once(connection: Connection, work: Callable[[Cursor], Done], settings: Mapping[str, str]) -> Done:
    connection.rollback()
    before, connection.autocommit = connection.autocommit, False
    try:
        with connection.cursor() as cursor:
            configure(cursor, settings)
            take_the_floor(cursor)
            done = work(cursor)
    except psycopg2.Error as error:
        if isinstance(error, TRANSIENT):
            raise
        raise ApplyFailed(f"{told(error)}. Everything was rolled back.") from None
    else:
        _commit(connection)
        return done
    finally:
        with suppress(psycopg2.Error):  # a connection that breaks now takes nothing back that was committed
            if not connection.closed:
                connection.rollback()
                connection.autocommit = before


def configure(cursor: Cursor, settings: Mapping[str, str]) -> None:
    """Begin a transaction: set what holds for it alone; row security that would hide rows becomes an error.

    No name means what others made in the schemas of the application.

    Each statement sees what is committed by then, whatever the session's default: a snapshot from before a lock
    was had would not show what came in while it was waited for.
    """
    chosen = {**settings, **EXACTLY, **unhurried(cursor.connection), **PLAINLY}
    cursor.execute(SQL(f"SET TRANSACTION ISOLATION LEVEL READ COMMITTED;\n{SAFELY}") + setting(chosen))


def take_the_floor(cursor: Cursor) -> None:
    """Let no second fixer work on this database; the lock goes with the transaction."""
    cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", (ADVISORY_LOCK,))
    if not (cursor.fetchone() or (False,))[0]:
        raise ApplyFailed(
            "Another fixer is at work on this database: wait until it is done. Nothing was changed.",
            busy=True,
        )


_EITHER = (
    "the work was being committed ({}): it was done whole or not at all, and `fixer history` tells whether the run is"
    " there."
)


def _commit(connection: Connection) -> None:
    """Commit; Ctrl-C waits until it is known whether that was done, for then it comes too late."""
    try:
        with held():
            connection.commit()
    except psycopg2.Error as error:
        if isinstance(error, pg.QueryCanceled) and was_heard():
            raise KeyboardInterrupt from None
        if isinstance(error, TRANSIENT):
            raise
        if not connection.closed:  # the server itself says no
            raise ApplyFailed(f"{told(error)}. Everything was rolled back.") from None
        raise ApplyFailed(f"The connection broke while {_EITHER.format(told(error))}") from None
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"Interrupted while {_EITHER.format('the server did not answer')}") from None
