"""The throw-away place: an empty database on a server of our own, where a contract is made and read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection as Connection  # noqa: N812


@contextmanager
def throw_away(version: int) -> Iterator[Connection]:
    """Lend a connection to an empty database, as its superuser: of this major version, or else of the newest there is.

    Raises ServerError if no server can be started.
    """
    from fixer.connect import servers  # a server is only started where nobody has kept the contract
    from fixer.connect.binaries import binaries

    nearest = version if version in binaries() else None
    with servers.embedded(nearest) as server, closing(psycopg2.connect(server.dsn)) as connection:
        connection.autocommit = True
        yield connection


def with_schemas(connection: Connection, schemas: Iterator[str] | list[str]) -> None:
    """Create schemas that are not there."""
    with connection.cursor() as cursor:
        for schema in schemas:
            cursor.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(schema)))
