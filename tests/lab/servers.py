"""Servers of tests: a maintenance session that stays, and settings under which small questions cost less."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection as Connection  # noqa: N812 - it is a class

from fixer.connect.servers import Server

# Ways of planning that answer no small question faster, and are weighed for each one.
PLAIN = ("enable_mergejoin", "enable_memoize", "enable_material", "enable_incremental_sort")
# What PostgreSQL says of its own objects, which every dump reads; but for what it says of the schema public.
SAYINGS = "DELETE FROM pg_description WHERE objoid < 16384 AND objoid <> 'public'::regnamespace"


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


def prepare(server: Server, people: str) -> None:
    """Make the roles of the laws on a server, and let questions to it and copies of its empty database cost less."""
    with server.session() as connection, connection.cursor() as cursor:
        cursor.execute(people)
        for name in PLAIN:
            cursor.execute(sql.SQL("ALTER SYSTEM SET {} = off").format(sql.Identifier(name)))
        cursor.execute("SELECT pg_reload_conf()")
        cursor.execute("ALTER DATABASE template0 ALLOW_CONNECTIONS true")
        with closing(psycopg2.connect(server.database_dsn("template0"))) as within:
            within.autocommit = True
            within.cursor().execute(SAYINGS)
            within.cursor().execute("VACUUM FULL pg_description")
        cursor.execute("ALTER DATABASE template0 ALLOW_CONNECTIONS false")
