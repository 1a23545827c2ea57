"""A throw-away database on a server that a person named, which others use too.

It has a name of its own, and so has the role that runs the contract; both are dropped at the end, and what a killed run
has left is dropped by the next. A role that may create none runs the contract itself.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from typing import NamedTuple

import psycopg2
from psycopg2 import errors, sql
from psycopg2.extensions import connection as Connection  # noqa: N812
from psycopg2.extensions import encrypt_password

from fixer.connect.failures import told
from fixer.connect.interrupt import held
from fixer.connect.settings import setting
from fixer.connect.target import Target
from fixer.contract.scratch.left_over import PREFIX, clear, mark_of
from fixer.contract.scratch.opened import Opened
from fixer.errors import TargetError, option
from fixer.model.expression import quoted

OLDEST = 13
PATIENCE = 10.0  # seconds for which a new database waits while others are in template0
_RIGHTS = "SELECT rolsuper, rolcreatedb, rolcreaterole FROM pg_catalog.pg_roles WHERE rolname = current_user"
# Texts of any language, and an order that no library of the system changes.
_CREATE = "CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'"
_PROVIDER = " LOCALE_PROVIDER libc"  # from PostgreSQL 15 on another may be the server's
_CLOSED = "REVOKE ALL ON DATABASE {} FROM PUBLIC"
_ROLE = """
CREATE ROLE {0} LOGIN PASSWORD {1};
COMMENT ON ROLE {0} IS {2};
"""
_MEMBER = "GRANT {0} TO CURRENT_USER"  # who may give it schemas then (PostgreSQL manual, ALTER SCHEMA)
_HOME = """
GRANT ALL ON DATABASE {0} TO {1};
"""
_PUBLIC = "ALTER SCHEMA public OWNER TO {}"

log = logging.getLogger("pgmend.contract")


class _Rights(NamedTuple):
    superuser: bool
    create_databases: bool
    create_roles: bool


@contextmanager
def lent(server: Target) -> Iterator[Opened]:
    """Lend a new database of a server, and drop it whatever happens.

    Raises TargetError if the role may not create databases, or if the server does not let the new role in.
    """
    name = f"{PREFIX}{os.urandom(8).hex()}"
    with closing(_connected(server, application_name=name)) as keeper:  # by which others see that we are alive
        _see_that_it_serves(keeper, server)
        clear(keeper)
        try:
            with _opened(server, keeper, name) as opened:
                yield opened
        finally:
            with held():
                _drop(server, keeper, name)


def _connected(server: Target, *, database: str = "", **words: str) -> Connection:
    return server.but(**words, **({"dbname": database} if database else {})).connect(autocommit=True)


def _see_that_it_serves(keeper: Connection, server: Target) -> None:
    """Raise TargetError if the server is too old, or no session of ours lasts there."""
    if keeper.server_version < OLDEST * 10000:
        found = keeper.server_version // 10000
        raise TargetError(f"The {_which(server)} runs PostgreSQL {found}: name one of version {OLDEST} or later.")
    if server.pooled:
        raise TargetError(f"The {_which(server)} is behind a pooler: name the server's direct port.")
    if keeper.server_version >= 140000:
        with keeper.cursor() as cursor:
            cursor.execute(setting({"idle_session_timeout": "0"}, local=False))


@contextmanager
def _opened(server: Target, keeper: Connection, name: str) -> Iterator[Opened]:
    """Create a database, and the role that runs the contract if that can be another; lend connections of both."""
    with keeper.cursor() as cursor:
        cursor.execute(_RIGHTS)
        rights = _Rights(*(cursor.fetchone() or (False, False, False)))
    if not (rights.superuser or rights.create_databases):
        role = keeper.info.user
        raise TargetError(
            f"The role {role} may not create a database on the {_which(server)}: let a superuser run"
            f" ALTER ROLE {quoted(role)} CREATEDB;"
        )
    apart = rights.superuser or rights.create_roles
    mark, secret = mark_of(name), os.urandom(24).hex()
    try:
        if apart:
            _create_role(keeper, name, secret, mark)
        _create_database(keeper, name, mark)
    except psycopg2.Error as error:
        raise TargetError(f"No throw-away database can be made on the {_which(server)}: {told(error)}.") from None
    with closing(_connected(server, database=name)) as admin:
        if not apart:
            yield Opened(admin, admin, keeper.info.user, mark)
            return
        _give(admin, name)
        with closing(_as_role(server, name, secret)) as owner:
            yield Opened(admin, owner, name, mark)


def _create_role(keeper: Connection, name: str, secret: str, mark: str) -> None:
    """Create the role that runs the contract; the server gets no password that its log could show."""
    verifier = encrypt_password(secret, name, keeper, "scram-sha-256")
    words = sql.SQL(_ROLE).format(sql.Identifier(name), sql.Literal(verifier), sql.Literal(mark))
    with keeper.cursor() as cursor:
        cursor.execute(words)
        cursor.execute(sql.SQL(_MEMBER).format(sql.Identifier(name)))


def _create_database(keeper: Connection, name: str, mark: str) -> None:
    create = sql.SQL(_CREATE + (_PROVIDER if keeper.server_version >= 150000 else "")).format(sql.Identifier(name))
    end = time.monotonic() + PATIENCE
    with keeper.cursor() as cursor:
        while True:
            try:
                cursor.execute(create)
                break
            except errors.ObjectInUse:
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)
        comment = sql.SQL("COMMENT ON DATABASE {} IS {}").format(sql.Identifier(name), sql.Literal(mark))
        cursor.execute(comment)
        cursor.execute(sql.SQL(_CLOSED).format(sql.Identifier(name)))


def _give(admin: Connection, name: str) -> None:
    """Let the role that runs the contract do in its database what an owner may."""
    with admin.cursor() as cursor:
        cursor.execute(sql.SQL(_HOME).format(sql.Identifier(name), sql.Identifier(name)))
        with suppress(errors.InsufficientPrivilege):  # up to PostgreSQL 14, where all may create there
            cursor.execute(sql.SQL(_PUBLIC).format(sql.Identifier(name)))


def _as_role(server: Target, name: str, secret: str) -> Connection:
    """Return a connection of the role that runs the contract."""
    theirs = server.but(user=name, password=secret)
    try:
        return _connected(theirs, database=name)
    except TargetError as error:
        raise TargetError(
            f"The {_which(server)} lets in no role that runs the contract ({error}): name a role there that has"
            " CREATEDB, is no superuser and has no CREATEROLE; it runs the contract itself."
        ) from None


def _drop(server: Target, keeper: Connection, name: str) -> None:
    """Drop the database, the role, and what else is left over; what cannot be dropped now, the next run drops."""
    try:
        try:
            _dropped(keeper, name)
        except (psycopg2.OperationalError, psycopg2.InterfaceError):  # the session was ended, as by Ctrl-C
            with closing(_connected(server)) as another:
                _dropped(another, name)
    except (psycopg2.Error, TargetError) as error:
        why = told(error) if isinstance(error, psycopg2.Error) else error
        log.warning("%s is left on the %s, for the next run to drop: %s", name, _which(server), why)


def _dropped(connection: Connection, name: str) -> None:
    from fixer.connect.servers import let_go

    drop = sql.SQL("DROP DATABASE {}").format(sql.Identifier(name))
    with connection.cursor() as cursor:
        let_go(cursor, name)
        cursor.execute("SELECT FROM pg_catalog.pg_database WHERE datname = %s", (name,))
        if cursor.rowcount:
            try:
                cursor.execute(drop)
            except errors.ObjectInUse:  # by a session that the contract has opened
                cursor.execute(drop + sql.SQL(" WITH (FORCE)"))
        cursor.execute("SET application_name = 'pgmend'")
    clear(connection)


def _which(server: Target) -> str:
    return f"server {server.redacted} of {option('scratch')}"
