"""Ctrl-C while the database works: the statement is cancelled, not waited for."""

from __future__ import annotations

from select import select

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
            if state == POLL_OK and interrupted:
                raise KeyboardInterrupt  # the cancelled statement has answered
            if state == POLL_OK:
                return
            if state == POLL_READ:
                select([connection.fileno()], [], [])
            elif state == POLL_WRITE:
                select([], [connection.fileno()], [])
        except KeyboardInterrupt:
            if interrupted:  # by now the server knows: the connection may go
                raise
            interrupted = True
            connection.cancel()
