"""The floor: an advisory lock that keeps other fixers out while an online run lasts, across its transactions."""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812

from fixer.connect.failures import told
from fixer.connect.patience import waits_for
from fixer.errors import TargetError, option
from fixer.runner.locking.transaction import configure, take_the_floor

ALONE = 10.0  # seconds in which a server answers that has a connection to spare
SILENCE = 30.0  # most seconds without a query: firewalls and poolers close a connection that is silent for longer


class Floor:
    """A transaction on a connection of its own, the guard, which holds the advisory lock."""

    def __init__(self, guard: Connection) -> None:
        self._guard, self._asked = guard, time.monotonic()

    def lost(self, *, ask: bool = True) -> str:
        """Return how the guard was lost, or an empty string if it was not.

        Without `ask`, the server is queried only if it has sent something or SILENCE is over: this saves round trips.
        """
        try:
            if ask or self._has_spoken() or time.monotonic() - self._asked > SILENCE:
                self._asked = time.monotonic()
                with self._guard.cursor() as cursor:
                    cursor.execute("SELECT")
        except psycopg2.Error as error:
            return told(error)
        return ""

    def _has_spoken(self) -> bool:
        """Return whether the server sent something unasked: most likely, that it ends the connection."""
        try:
            return bool(select.select([self._guard], [], [], 0)[0])
        except (ValueError, psycopg2.Error):  # it is closed, or its descriptor is too large for select
            return True


@contextmanager
def floor(another: Callable[[], Connection], worker: Connection) -> Iterator[Floor]:
    """Keep other fixers out while the block runs; raise ApplyFailed, with `busy`, if one is at work.

    Raises TargetError if the `worker` cannot work meanwhile, as behind a pooler that has one connection.

    The lock belongs to a transaction, because a pooler may change sessions between transactions. The transaction holds
    no snapshot, so that CREATE INDEX CONCURRENTLY does not wait for it.
    """
    guard = another()
    try:
        guard.autocommit = False
        with guard.cursor() as cursor:
            configure(cursor, {"idle_in_transaction_session_timeout": "0"})
            take_the_floor(cursor)
        _see_both(guard, worker)
        yield Floor(guard)
    finally:
        with suppress(psycopg2.Error):  # wait for the rollback, so the next run gets the lock at once
            guard.rollback()
        guard.close()


def _see_both(guard: Connection, worker: Connection) -> None:
    """Raise TargetError if the worker gets no answer while the guard is inside its transaction."""
    alone = threading.Event()

    def give_way() -> None:
        alone.set()
        guard.close()  # or else the worker waits for as long as its pooler lets it

    timer = threading.Timer(ALONE, give_way)
    timer.daemon = True
    timer.start()
    try:
        with waits_for("a second connection to answer, as a pool of one never does"), worker.cursor() as cursor:
            cursor.execute("SELECT")
        worker.rollback()
    except psycopg2.Error as error:
        raise TargetError(f"{told(error)}: {_two()}") from None
    finally:
        timer.cancel()
    if alone.is_set():
        raise TargetError(f"The second connection gets no answer while the first is in a transaction: {_two()}")


def _two() -> str:
    return (
        "online mode needs two connections at the same time: let the pool have more, name the server's direct port, or"
        f" say {option('mode', 'atomic')}. Nothing was changed."
    )
