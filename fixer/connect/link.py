"""What the library works on: a psycopg2 connection, wherever it comes from, and what a run must know of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import psycopg2
from psycopg2.extensions import TRANSACTION_STATUS_IDLE, make_dsn
from psycopg2.extensions import connection as Connection  # noqa: N812
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer.connect.settings import DEFAULTS
from fixer.connect.target import Target
from fixer.errors import TargetError, UsageError

if TYPE_CHECKING:  # who brings no engine need not wait for SQLAlchemy
    from sqlalchemy.engine import Engine
    from sqlalchemy.pool import PoolProxiedConnection

_PATIENT = {"lock_timeout": DEFAULTS["lock_timeout"]}


@dataclass(frozen=True)
class Link:
    """A connection to a target, the target's name, the settings for each transaction, and a way to another."""

    connection: Connection
    target: str
    settings: Mapping[str, str]
    another: Callable[[], Connection]
    pooled: bool = False  # whether a pooler stands between, so that nothing may be set for a session


Source: TypeAlias = "Engine | Target | Connection | Link"


@contextmanager
def opened(source: Source) -> Iterator[Link]:
    """Lend a link to a target; a connection or a link that the caller brings stays open."""
    if not isinstance(source, Link | Target | Connection) and source.driver != "psycopg2":
        source = Target.of(source)  # an application may use another driver: the fixer connects by its own
    if isinstance(source, Link):
        yield source
    elif isinstance(source, Target):
        with closing(source.connect()) as connection:
            yield Link(connection, source.redacted, source.settings, source.connect, source.pooled)
    elif isinstance(source, Connection):
        if source.info.transaction_status != TRANSACTION_STATUS_IDLE:
            raise UsageError("The connection is inside a transaction: commit it or roll it back first.")
        _see_that_strings_are_plain(source)
        yield Link(source, _name_of(source), _PATIENT, partial(_beside, source))
    else:
        with closing(source.raw_connection()) as pooled:
            connection = _driver(pooled)
            _see_that_strings_are_plain(connection)
            target = Target.of(source)
            yield Link(connection, target.redacted, _PATIENT, partial(_of_its_own, source), target.pooled)


@contextmanager
def rolled_back(connection: Connection) -> Iterator[Cursor]:
    """Lend a cursor for one transaction that the caller opens, and roll it back whatever happens."""
    before = connection.autocommit
    connection.rollback()
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            yield cursor
    finally:
        if not connection.closed:
            with connection.cursor() as cursor:
                cursor.execute("ROLLBACK")
            connection.autocommit = before


def _see_that_strings_are_plain(connection: Connection) -> None:
    """Refuse a connection that others opened so that a backslash is not one."""
    if connection.get_parameter_status("standard_conforming_strings") == "off":
        raise UsageError("The connection has standard_conforming_strings off: open it with it on.")


def _driver(pooled: PoolProxiedConnection) -> Connection:
    """Return psycopg2's connection under one of a pool."""
    connection: Connection | None = pooled.driver_connection
    if connection is None:
        raise TargetError("The pool of the engine gave away no connection.")
    return connection


def _of_its_own(engine: Engine) -> Connection:
    """Return a connection of an engine that the pool gives away for good."""
    pooled = engine.raw_connection()
    connection = _driver(pooled)
    pooled.detach()
    return connection


def _beside(connection: Connection) -> Connection:
    """Return another connection like this one."""
    parts = {**connection.info.dsn_parameters, "password": connection.info.password}
    return psycopg2.connect(make_dsn(**parts))


def _name_of(connection: Connection) -> str:
    parts = connection.get_dsn_parameters()
    host = parts.get("host", "")
    return f"postgresql://{parts.get('user', '')}@{host}/{parts.get('dbname', '')}"
