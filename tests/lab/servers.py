"""Servers of tests, whose maintenance session stays."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812 - it is a class

from fixer.connect.servers import Server


class Kept(Server):
    """A server whose maintenance session stays from one database to the next: a new one takes as long as a check."""

    @contextmanager
    def session(self) -> Iterator[Connection]:
        yield _session(self.dsn)


@cache
def _session(dsn: str) -> Connection:
    connection = psycopg2.connect(dsn)
    connection.autocommit = True
    return connection
