"""Ctrl-C while the database works: the statement is cancelled, not waited for."""

from __future__ import annotations

from select import select

from psycopg2 import errors as pg
from psycopg2.extensions import POLL_OK, POLL_READ, POLL_WRITE, set_wait_callback
from psycopg2.extensions import connection as Connection  # noqa: N812


def listen() -> None:
    """Let every wait of this process for a database hear Ctrl-C; for a command, not for a library."""
    set_wait_callback(_wait)


def _wait(connection: Connection) -> None:
    interrupted = False
    while True:
        try:
            state = connection.poll()
            if state == POLL_OK:
                return
            if state == POLL_READ:
                select([connection.fileno()], [], [])
            elif state == POLL_WRITE:
                select([], [connection.fileno()], [])
        except KeyboardInterrupt:
            if interrupted:
                raise
            interrupted = True
            connection.cancel()
        except pg.QueryCanceled:
            if interrupted:
                raise KeyboardInterrupt from None
            raise
