"""Ctrl-C while the database works, or is being connected to: it is heard at once, and ends in a few seconds.

libpq holds two traps. A connection that is made in steps, as one must be that hears Ctrl-C, does not know
`connect_timeout` (PostgreSQL manual, 32.1); so it is made at one go, in a thread beside. And a request to cancel waits
for a mute server without end, with the whole interpreter; so a process beside makes it.
"""

from __future__ import annotations

import os
import select
import signal
import threading
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from queue import SimpleQueue
from types import FrameType
from typing import Any  # the words of psycopg2.connect are libpq's, and its own

import psycopg2
from psycopg2.extensions import POLL_OK, POLL_READ, STATUS_BEGIN, STATUS_READY, set_wait_callback
from psycopg2.extensions import connection as Connection  # noqa: N812

PATIENCE = 5.0  # seconds after Ctrl-C in which the server may answer; a second Ctrl-C ends them
_MOMENT = 100  # milliseconds between two looks for a Ctrl-C


class _Heard:
    """What this process has heard."""

    listens = False
    waits = False  # for a server, so that Ctrl-C need not be raised to be heard
    held = False
    unheeded = False  # a Ctrl-C came while it was held back, and no statement was cancelled for it
    until: float | None = None  # when it no longer waits for a server, once there was a Ctrl-C


def listen() -> None:
    """Let every wait of this process for a database hear Ctrl-C; for a command, not for a library."""
    _Heard.listens = True
    set_wait_callback(_wait)
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # as it is in the background
        signal.signal(signal.SIGINT, _hear)


def _hear(_: int, __: FrameType | None) -> None:
    now = time.monotonic()
    if _Heard.until is None:
        _Heard.unheeded = _Heard.held and not _Heard.waits
    _Heard.until = now + PATIENCE if _Heard.until is None else now
    if not (_Heard.held or _Heard.waits):
        raise KeyboardInterrupt


@contextmanager
def held() -> Iterator[None]:
    """Hold Ctrl-C back, so that the answer of a statement is known for sure; it is cancelled all the same."""
    before, _Heard.held = _Heard.held, True
    try:
        yield
    finally:
        _Heard.held, _Heard.unheeded = before, False


@contextmanager
def at_one_go() -> Iterator[None]:
    """Let psycopg2 copy rows, which it does at one go only; Ctrl-C is heard between two parts of them."""
    if not _Heard.listens:
        yield
        return
    set_wait_callback(None)
    try:
        yield
    finally:
        set_wait_callback(_wait)


def was_heard() -> bool:
    """Return whether there was a Ctrl-C."""
    return _Heard.until is not None


def connect(**words: str) -> Connection:
    """Return a connection as psycopg2 makes it; Ctrl-C is heard meanwhile."""
    if not _Heard.listens or threading.current_thread() is not threading.main_thread():
        return _connected(words)
    made = SimpleQueue[Connection | BaseException]()

    def work() -> None:
        try:
            made.put(_connected(words))
        except BaseException as error:
            made.put(error)

    set_wait_callback(None)
    try:
        threading.Thread(target=work, daemon=True).start()
        found = made.get()
    finally:
        set_wait_callback(_wait)
    if isinstance(found, BaseException):
        raise found
    return found


def _connected(words: Mapping[str, Any]) -> Connection:
    try:
        made: Connection = psycopg2.connect(**words)
        return made
    except UnicodeDecodeError as error:  # a server says no in its own encoding
        said = bytes(error.object).decode("utf-8", "replace")
    except psycopg2.OperationalError as error:  # or the driver says nothing then
        if error.args:
            raise
        said = "the server refuses the connection, in words whose encoding the driver cannot read: see its log"
    raise psycopg2.OperationalError(said)


def cancel(connection: Connection) -> None:
    """Ask the server to end a statement; in a command, do not wait long for one that does not answer."""
    if not _Heard.listens:
        connection.cancel()
        return
    with _cancelling(connection) as process:
        until = time.monotonic() + PATIENCE
        while process and time.monotonic() < until and not _ended(process):
            time.sleep(0.01)


def _wait(connection: Connection) -> None:
    """Wait for the server; at Ctrl-C have the statement cancelled, and wait a little longer for its end.

    What is asked after Ctrl-C, as ROLLBACK is, may take what is left of that.
    """
    if threading.current_thread() is not threading.main_thread():  # Ctrl-C is never raised elsewhere
        while not _is_done(connection, None):
            pass
        return
    before, cancelled, _Heard.waits = was_heard() and not _Heard.unheeded, False, True
    try:
        with ExitStack() as until_then:
            while not _is_answered(connection, cancelled=cancelled):
                if _is_over() or (was_heard() and not _is_built(connection)):
                    raise KeyboardInterrupt
                if was_heard() and not (before or cancelled):
                    cancelled, _Heard.unheeded = True, False
                    until_then.enter_context(_cancelling(connection))
    finally:
        _Heard.waits = False
    if was_heard() and not (before or _Heard.held):
        raise KeyboardInterrupt


def _is_over() -> bool:
    """Return whether nothing is waited for any longer."""
    return _Heard.until is not None and time.monotonic() >= _Heard.until


def _is_answered(connection: Connection, *, cancelled: bool) -> bool:
    """Return whether the server has answered, having waited for it for a moment."""
    try:
        return _is_done(connection, _MOMENT)
    except KeyboardInterrupt:  # of a handler that somebody put in the place of ours
        _Heard.until = _Heard.until or time.monotonic() + PATIENCE
        return False
    except psycopg2.Error:
        if cancelled and not _Heard.held:
            raise KeyboardInterrupt from None
        raise


def _is_built(connection: Connection) -> bool:
    return connection.status in (STATUS_READY, STATUS_BEGIN)


def _is_done(connection: Connection, milliseconds: int | None) -> bool:
    """Return whether the server has answered, having waited for it once."""
    state = connection.poll()
    if state != POLL_OK:
        waiting = select.poll()  # unlike select.select, for any number of open files
        waiting.register(connection.fileno(), select.POLLIN if state == POLL_READ else select.POLLOUT)
        waiting.poll(milliseconds)
    return bool(state == POLL_OK)


@contextmanager
def _cancelling(connection: Connection) -> Iterator[int]:
    """Have a process of its own ask the server to end the statement; lend its number, 0 where there is none."""
    process = 0
    with suppress(OSError), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of threads, which the other process has none of
        process = os.fork()
        if process == 0:
            _cancel_and_go(connection)
    try:
        yield process
    finally:
        if process:
            with suppress(ProcessLookupError, ChildProcessError):
                os.kill(process, signal.SIGKILL)
                os.waitpid(process, 0)


def _cancel_and_go(connection: Connection) -> None:
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.alarm(2 * int(PATIENCE))  # which ends it even where nobody else does
        connection.cancel()
    finally:
        os._exit(0)


def _ended(process: int) -> bool:
    """Return whether the process has ended; it is left to be waited for."""
    return os.waitid(os.P_PID, process, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
