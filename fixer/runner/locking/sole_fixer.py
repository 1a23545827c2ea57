"""The floor: what keeps other fixers out for as long as an online run lasts, however many transactions that takes."""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812

from fixer.connect.failures import told
from fixer.runner.locking.transaction import configure, take_the_floor

SILENCE = 30.0  # seconds, at the most: firewalls and poolers close a connection that is silent for longer


class Floor:
    """A transaction of a connection of its own, which holds the lock that only one fixer can have."""

    def __init__(self, guard: Connection) -> None:
        self._guard, self._asked = guard, time.monotonic()

    def lost(self, *, ask: bool = True) -> str:
        """Say how the guard died, if it did; unless this shall `ask`, it is only listened to, which costs nothing."""
        try:
            if ask or self._has_spoken() or time.monotonic() - self._asked > SILENCE:
                self._asked = time.monotonic()
                with self._guard.cursor() as cursor:
                    cursor.execute("SELECT")
        except psycopg2.Error as error:
            return told(error)
        return ""

    def _has_spoken(self) -> bool:
        """Return whether the server said something unasked: most likely that it ends the connection."""
        try:
            return bool(select.select([self._guard], [], [], 0)[0])
        except (ValueError, psycopg2.Error):  # it is closed; or its descriptor is beyond what can be listened to
            return True


@contextmanager
def floor(another: Callable[[], Connection]) -> Iterator[Floor]:
    """Keep other fixers out for as long as this lasts: by a transaction of its own, as a pooler demands.

    It holds no snapshot, so that CREATE INDEX CONCURRENTLY does not wait for it.
    """
    guard = another()
    try:
        guard.autocommit = False
        with guard.cursor() as cursor:
            configure(cursor, {"idle_in_transaction_session_timeout": "0"})
            take_the_floor(cursor)
        yield Floor(guard)
    finally:
        with suppress(psycopg2.Error):  # wait for the rollback, so the next run gets the lock at once
            guard.rollback()
        guard.close()
