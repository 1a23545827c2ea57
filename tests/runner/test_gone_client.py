"""A fixer that is gone without a word: the server notices, and its locks are gone with it."""

from __future__ import annotations

import os
import socket
import time
from contextlib import closing, suppress
from threading import Thread

import psycopg2
import pytest

from fixer.connect.address.libpq import ALIVE
from fixer.runner.locking.transaction import configure, take_the_floor
from lab.database import Database

HELD = """SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"""


def test_a_server_that_works_notices_that_the_client_is_gone(empty: Database) -> None:
    if empty.ask("SELECT current_setting('server_version_num')::integer") < 140000:
        pytest.skip("needs PostgreSQL 14")
    connection = psycopg2.connect(empty.dsn)
    with connection.cursor() as cursor:
        configure(cursor, {})
        take_the_floor(cursor)

        def work() -> None:
            with suppress(psycopg2.Error):
                cursor.execute("SELECT pg_sleep(90)")

        working = Thread(target=work)
        working.start()
        time.sleep(0.5)
        assert empty.ask(HELD) == 1
        with closing(socket.socket(fileno=os.dup(connection.fileno()))) as line:
            line.shutdown(socket.SHUT_RDWR)
        working.join()
    end = time.monotonic() + 40
    while empty.ask(HELD) and time.monotonic() < end:
        time.sleep(0.2)

    assert empty.ask(HELD) == 0


def test_a_server_that_waits_probes_as_often_as_the_client_does(empty: Database) -> None:
    """What the server sets on a socket is not to be seen on one of Unix, so what it is asked for is."""
    with closing(psycopg2.connect(empty.dsn)) as connection, connection.cursor() as cursor:
        configure(cursor, {})
        asked = str(cursor.query.decode()) if cursor.query else ""

    named = {name if name.startswith("tcp") else f"tcp_{name}": value for name, value in ALIVE.items()}
    assert {name: value for name, value in named.items() if f"('{name}', '{value}')" in asked} == named
