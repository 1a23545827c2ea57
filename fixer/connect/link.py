"""What the library works on: a psycopg2 connection, wherever it comes from, and what a run must know of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import psycopg2
from psycopg2.extensions import TRANSACTION_STATUS_IDLE, make_dsn
from psycopg2.extensions import connection as Connection  # noqa: N812
from psycopg2.extensions import cursor as Cursor  # noqa: N812
from psycopg2.sql import Composable

from fixer.connect import engines
from fixer.connect.address.libpq import ALIVE, filled_in
from fixer.connect.address.policy import refuse_unsafe_production
from fixer.connect.engines import Bind
from fixer.connect.settings import DEFAULTS
from fixer.connect.target import Target, resolve
from fixer.errors import TargetError, UsageError
from fixer.model.values import dataclass

if TYPE_CHECKING:  # who brings no engine need not wait for SQLAlchemy
    from sqlalchemy.engine import URL, Engine
    from sqlalchemy.engine import Connection as SAConnection
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


Source: TypeAlias = "Bind | URL | str | Target | Connection | Link"
_ORIGIN = "the URL"


@contextmanager
def opened(source: Source) -> Iterator[Link]:
    """Lend a link to a target; a connection or a link that the caller brings stays open.

    Raises UsageError where the source is in a transaction, TargetError where it is not to be connected to.
    """
    if not isinstance(source, Link | Target | Connection):
        source = _resolved(source)
    if isinstance(source, Link):
        yield source
    elif isinstance(source, Target):
        with closing(source.connect()) as connection:
            yield Link(connection, source.redacted, source.settings, source.connect, source.pooled)
    elif isinstance(source, Connection):
        if source.info.transaction_status != TRANSACTION_STATUS_IDLE:
            raise UsageError("The connection is inside a transaction: commit it or roll it back first.")
        _see_that_strings_are_plain(source)
        yield Link(source, _name_of(source), _PATIENT, partial(beside, source))
    else:
        with _lent(source) as connection:
            _see_that_strings_are_plain(connection)
            refuse_unsafe_production(_name_of(connection), connection.get_dsn_parameters(), os.environ)
            target = Target.behind(connection)
            yield Link(connection, target.redacted, _PATIENT, partial(_of_its_own, source.engine), target.pooled)


def _resolved(source: Bind | URL | str) -> Target | Engine | SAConnection:
    """Return the target that a URL names, or that an engine of another driver than psycopg2 connects to."""
    if isinstance(source, str):
        return resolve(source, origin=_ORIGIN)
    from sqlalchemy.engine import URL

    if isinstance(source, URL):
        return resolve(source.render_as_string(hide_password=False), origin=_ORIGIN)
    found = engines.bound(source)
    if found.dialect.driver == "psycopg2":
        return found
    made = Target.of(found.engine)
    refuse_unsafe_production(made.redacted, filled_in(made.arguments, os.environ), os.environ)
    return made


@contextmanager
def _lent(source: Engine | SAConnection) -> Iterator[Connection]:
    """Lend psycopg2's connection of an engine, or the one under a connection of SQLAlchemy's."""
    from sqlalchemy.engine import Engine

    if not isinstance(source, Engine):
        yield _driver(source.connection)
        return
    with closing(source.raw_connection()) as pooled:
        yield _driver(pooled)


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


def attempt(cursor: Cursor, statement: str | Composable) -> psycopg2.Error | None:
    """Run a statement in a transaction; return why it failed, after which the transaction goes on.

    Raises the error where the connection is lost.
    """
    cursor.execute("SAVEPOINT pgmend")
    try:
        cursor.execute(statement)
    except psycopg2.Error as error:
        if cursor.connection.closed:
            raise
        cursor.execute("ROLLBACK TO SAVEPOINT pgmend")
        return error
    cursor.execute("RELEASE SAVEPOINT pgmend")
    return None


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


def beside(connection: Connection) -> Connection:
    """Return another connection like this one."""
    parts = {**ALIVE, **connection.info.dsn_parameters, "password": connection.info.password}
    return psycopg2.connect(make_dsn(**parts))


def _name_of(connection: Connection) -> str:
    parts = connection.get_dsn_parameters()
    host = parts.get("host", "")
    return f"postgresql://{parts.get('user', '')}@{host}/{parts.get('dbname', '')}"
