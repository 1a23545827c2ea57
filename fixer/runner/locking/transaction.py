"""One transaction, all or nothing, retried after a deadlock, serialization failure or lock timeout."""

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
from fixer.connect.settings import EXACTLY, HEARING, PLAINLY, SAFELY, SOUNDLY, setting, unhurried
from fixer.errors import ApplyFailed, option

ADVISORY_LOCK = 0x70676D656E64  # 'pgmend' in ASCII; each database has its own advisory locks
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
    """Run `work` in one transaction that keeps other fixers out, and return its result.

    Raises what `work` raises, and ApplyFailed if the database fails. Everything is rolled back then, unless the
    connection broke during COMMIT: the outcome is unknown then, and the message says so.
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
    """Return the message for a transient failure that did not pass in ATTEMPTS attempts."""
    if isinstance(error, pg.LockNotAvailable):
        return (
            f"Could not get the lock in {ATTEMPTS} attempts: {told(error)}."
            f" Try again when the database is quieter, or with a longer {option('lock_timeout')}. Nothing was changed."
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
        raise ApplyFailed(f"{told(error)}. {undone(connection)}") from None
    else:
        _commit(connection)
        return done
    finally:
        with suppress(psycopg2.Error):  # what was committed is kept, even if the connection breaks now
            if not connection.closed:
                connection.rollback()
                connection.autocommit = before


def undone(connection: Connection) -> str:
    """Return the sentence that says what is left of a transaction that failed before its COMMIT."""
    if not connection.closed:
        return "Everything was rolled back."
    return "Nothing was committed: the server rolls everything back once it notices that the connection is gone."


def configure(cursor: Cursor, settings: Mapping[str, str]) -> None:
    """Begin a transaction, with settings for it alone; row security that would hide rows raises an error.

    The search_path leads to no schema of the application, so that no name means what others made there.

    READ COMMITTED, whatever the session's default: each statement sees what others committed before it, also during the
    wait for a lock.
    """
    chosen = {**settings, **EXACTLY, **unhurried(cursor.connection), **PLAINLY}
    cursor.execute(
        SQL(f"SET TRANSACTION ISOLATION LEVEL READ COMMITTED;\n{SAFELY}") + setting(chosen) + SQL(SOUNDLY + HEARING)
    )


def take_the_floor(cursor: Cursor) -> None:
    """Keep other fixers out until the transaction ends; raise ApplyFailed, with `busy`, if one is at work."""
    cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", (ADVISORY_LOCK,))
    if not (cursor.fetchone() or (False,))[0]:
        raise ApplyFailed(
            "Another fixer is at work on this database: wait until it is done. Nothing was changed.",
            busy=True,
        )


_EITHER = (
    "the work was being committed: it was done whole or not at all, and `fixer history` tells whether the run is there"
    " ({})."
)


def _commit(connection: Connection) -> None:
    """Commit; Ctrl-C waits for the answer, because it comes too late if the server has committed."""
    try:
        with held():
            connection.commit()
    except psycopg2.Error as error:
        if isinstance(error, pg.QueryCanceled) and was_heard():
            raise KeyboardInterrupt from None
        if isinstance(error, TRANSIENT):
            raise
        if not connection.closed:  # the server itself refused
            raise ApplyFailed(f"{told(error)}. Everything was rolled back.") from None
        raise ApplyFailed(f"The connection broke while {_EITHER.format(told(error))}") from None
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"Interrupted while {_EITHER.format('the server did not answer')}") from None
