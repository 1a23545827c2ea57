"""What an application made of SQLAlchemy's: engines, connections and sessions, for any driver, asynchronous or not.

An engine on psycopg2 lends its own connections. For another driver, psycopg2 is given what that driver would be given
for its next connection: after the listeners of the application, which may put a token in (SQLAlchemy's documentation,
"Generating dynamic authentication tokens").
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias  # SQLAlchemy's, of any driver

from psycopg2.extensions import libpq_version

from fixer.connect.address import libpq
from fixer.errors import TargetError, UsageError

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Engine
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession
    from sqlalchemy.orm import Session
    from sqlalchemy.pool import Pool

Bind: TypeAlias = "Engine | Connection | Session | AsyncEngine | AsyncConnection | AsyncSession"
_WAY_OUT = "give the URL of the database instead"
# What other drivers call libpq's keywords.
_KEYWORDS = {"database": "dbname", "username": "user", "timeout": "connect_timeout"}
_SOCKET = "/.s.PGSQL."  # stands before the port in the name of a socket
_SYSTEM_ROOTS = 160000  # the version of libpq that first knows sslrootcert=system


class _Told(Exception):
    """Ends an attempt to connect, once what it would be made with is known."""


def bound(source: Bind) -> Engine | Connection:
    """Return the engine or the connection behind a source; raise UsageError if it is in a transaction, or is none."""
    plain: Any = source
    for name in ("sync_connection", "sync_session", "sync_engine"):  # asynchronous ones carry a plain one
        plain = getattr(plain, name, None) or plain
    _see_that_it_is_idle(plain)
    if not hasattr(plain, "get_bind"):
        found: Engine | Connection = plain if _is_bind(plain) else _refuse(source)
        return found
    from sqlalchemy.exc import UnboundExecutionError

    try:
        found = plain.get_bind()
    except UnboundExecutionError:
        raise UsageError("The session is bound to no engine: give the engine instead.") from None
    _see_that_it_is_idle(found)
    return found


def _is_bind(source: object) -> bool:
    return hasattr(source, "dialect") and hasattr(source, "engine")


def _refuse(source: object) -> NoReturn:
    raise UsageError(f"A {type(source).__name__} names no database: give an engine of SQLAlchemy, or a URL.")


def _see_that_it_is_idle(source: Any) -> None:  # which is a session, a connection, or an engine, which is idle
    if getattr(source, "in_transaction", bool)():
        noun = "session" if hasattr(source, "get_bind") else "connection"
        raise UsageError(f"The {noun} is inside a transaction: commit it or roll it back first.")


def arguments_of(engine: Engine) -> dict[str, str]:
    """Return libpq's keywords for the next connection of an engine that has another driver than psycopg2.

    Raises TargetError where psycopg2 cannot connect as that driver does.
    """
    given = _given(engine)
    found = {keyword: str(value) for keyword, value in _spelt(given).items() if value not in (None, "")}
    return {keyword: value for keyword, value in found.items() if libpq.is_keyword(keyword)}


def _given(engine: Engine) -> Mapping[str, Any]:
    """Return what the driver of an engine is given for its next connection; other threads connect as ever."""
    from sqlalchemy import event

    given: dict[str, Any] = {}
    mine = threading.get_ident()

    def listen(dialect: object, record: object, words: object, arguments: dict[str, Any]) -> None:
        if threading.get_ident() == mine:
            given.update(arguments)
            raise _Told

    pool = engine.pool.recreate()
    event.listen(engine, "do_connect", listen)
    try:
        return _taken_from(pool)
    except _Told:
        return given
    finally:
        event.remove(engine, "do_connect", listen)


def _taken_from(pool: Pool) -> Mapping[str, Any]:
    """Return what a connection says of itself that a function of the application has made."""
    with contextlib.suppress(AttributeError, *_foreign()), contextlib.closing(pool.connect()) as made:
        info = made.driver_connection.info  # type: ignore[union-attr]  # psycopg's own, or psycopg2's
        words = info.dsn_parameters if hasattr(info, "dsn_parameters") else info.get_parameters()
        return {**words, "password": info.password}
    raise TargetError(f"the engine opens its connections by a function of its own: {_WAY_OUT}")


def _foreign() -> Iterator[type[Exception]]:
    """Yield what a function for an asynchronous driver raises here."""
    from sqlalchemy.exc import MissingGreenlet

    yield MissingGreenlet


def _spelt(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a driver is given as libpq's keywords, with those that no libpq knows."""
    found = {_KEYWORDS.get(keyword, keyword): value for keyword, value in given.items()}
    if callable(password := found.get("password")):
        found["password"] = password()
    if socket := found.pop("unix_sock", None):
        found["host"], _, found["port"] = socket.rpartition(_SOCKET)
    if settings := found.pop("server_settings", None):
        name = settings.get("application_name")
        found |= {"application_name": name} if name else {}
        rest = {setting: value for setting, value in settings.items() if setting != "application_name"}
        found["options"] = libpq.joined_options([], rest)
    for keyword in ("ssl", "ssl_context"):
        if (way := found.pop(keyword, None)) is not None:
            found |= _tls(way)
    return found


def _tls(way: object) -> dict[str, str]:
    """Return how libpq encrypts and verifies as a driver's option `ssl` says."""
    import ssl  # few engines say it by a context

    if isinstance(way, str):
        return {"sslmode": libpq.sslmode(way, "ssl of the engine", verify=True)}
    if not way:
        return {"sslmode": "disable"}
    if isinstance(way, ssl.SSLContext) and way.verify_mode == ssl.CERT_NONE:
        return {"sslmode": "require"}
    if way is True and libpq_version() >= _SYSTEM_ROOTS:
        return {"sslmode": "verify-full", "sslrootcert": "system"}
    raise TargetError(
        "the engine verifies the server by an SSLContext, which psycopg2 cannot take: "
        f"{_WAY_OUT}, with sslmode=verify-full and sslrootcert"
    )
