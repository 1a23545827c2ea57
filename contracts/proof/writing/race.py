"""Runs one statement on many connections at the same moment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from threading import Barrier, BrokenBarrierError
from time import monotonic, sleep

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812 - it is a class
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from contracts.proof.trials import NotApplicable
from contracts.proof.writing.paths import asking
from contracts.proof.writing.transactions import begun
from fixer.connect.target import Target
from fixer.errors import TargetError
from fixer.sql.compose import Composable

PROCESSES = 8  # that run the statement at the same time
PATIENCE = 0.4  # seconds for which each waits for the one that has the row


@dataclass(frozen=True)
class Attempt:
    """What became of one statement: whether it returned a row, or its error."""

    holds: bool = False
    error: psycopg2.Error | None = None


def at_once(target: Target, statement: Callable[[], Composable]) -> list[Attempt]:
    """Run a statement, made anew for each, on as many connections as the server grants, and roll it back.

    No transaction ends before all statements have an answer. Raises NotApplicable where fewer than two connections
    are granted.
    """
    with ExitStack() as stack:
        connections = [stack.enter_context(closing(each)) for each in _connections(target)]
        return _raced(connections, target, statement)


def _connections(target: Target) -> list[Connection]:
    """Return as many connections as the server grants, up to what is wanted."""
    granted: list[Connection] = []
    reason = ""
    while len(granted) < PROCESSES:
        try:
            granted.append(target.connect())
        except TargetError as error:
            reason = str(error)
            break
    if len(granted) < 2:
        for each in granted:
            each.close()
        raise NotApplicable(f"two connections are needed at least: {reason}")
    return granted


def _raced(connections: Sequence[Connection], target: Target, statement: Callable[[], Composable]) -> list[Attempt]:
    """Run a statement on these connections; no transaction ends before all have an answer."""
    together = Barrier(len(connections))
    waiting = set[int]()  # the backends that have no answer yet

    def attempt(connection: Connection) -> Attempt:
        try:
            with connection.cursor() as cursor:
                backend = _started(cursor, target)
                waiting.add(backend)
                together.wait(60)
                answer = _answer(cursor, statement())
                waiting.discard(backend)
                if answer.holds:
                    _turn_away(cursor, waiting)
                together.wait(60)
                return answer
        except psycopg2.Error as error:
            together.abort()
            return Attempt(error=error)
        except BrokenBarrierError:
            return Attempt()
        finally:
            if not connection.closed:
                connection.rollback()

    with ThreadPoolExecutor(len(connections)) as pool:
        return list(pool.map(attempt, connections))


def _started(cursor: Cursor, target: Target) -> int:
    """Begin a transaction that waits for a short time only, and return its backend."""
    cursor.execute(begun(target))
    patience = f"{PATIENCE * 1000:.0f}ms"
    cursor.execute("SELECT pg_backend_pid(), set_config('lock_timeout', %s, true)", (patience,))
    backend, _ = cursor.fetchone() or (0, "")
    return int(backend)


def _answer(cursor: Cursor, statement: Composable) -> Attempt:
    try:
        cursor.execute(statement)
        holds = cursor.fetchone() is not None
        asking(cursor)
        return Attempt(holds)
    except psycopg2.Error as error:
        return Attempt(error=error)


def _turn_away(cursor: Cursor, waiting: set[int]) -> None:
    """Cancel the backends that wait for this transaction, so that they have an answer at once.

    Where the role may not cancel them, their lock_timeout ends the wait.
    """
    end = monotonic() + PATIENCE
    with suppress(psycopg2.Error):
        cursor.execute("SAVEPOINT pgmend_holder")  # an error must not release the row
        cursor.execute("SELECT set_config('role', 'none', true)")  # only the role that logged in may cancel them
        while waiting and monotonic() < end:
            cursor.execute(
                "SELECT pg_cancel_backend(pid) FROM unnest(%s) AS pid"
                " WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid))",
                (list(waiting),),
            )
            sleep(0.005)
