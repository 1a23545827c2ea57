"""One database and the way to it."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import field, replace
from time import sleep
from typing import TYPE_CHECKING
from urllib.parse import quote

import psycopg2

from fixer.connect import engines
from fixer.connect.address import libpq, policy
from fixer.connect.address.naming import named
from fixer.connect.failures import cause_of, explain
from fixer.connect.interrupt import connect
from fixer.connect.patience import waits_for
from fixer.connect.settings import DEFAULTS, duration
from fixer.errors import TargetError
from fixer.model.values import dataclass

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812  # psycopg2 names its class so
    from sqlalchemy.engine import URL, Engine

log = logging.getLogger("pgmend")

TRIES = 5
_PLACE = ("user", "host", "hostaddr", "port", "dbname")
FIRST_DELAY = 0.2  # doubled after each try and spread by half: 4.5 s of waiting at most


@dataclass(frozen=True, repr=False)
class Target:
    """One database and the way to it; a `pooled` one keeps no session, so SET LOCAL its `settings`."""

    arguments: Mapping[str, str] = field(hash=False)  # libpq's keywords
    origin: str
    pooled: bool = False
    settings: Mapping[str, str] = field(default_factory=lambda: dict(DEFAULTS), hash=False)
    hidden: Mapping[str, str] = field(default_factory=dict, hash=False)  # secrets a URL would print

    @classmethod
    def of(cls, engine: Engine) -> Target:
        """Return the target that an application's engine of another driver than psycopg2 connects to.

        Raises TargetError where it is not PostgreSQL, or where psycopg2 cannot connect as that driver does.
        """
        if engine.dialect.name != "postgresql":
            raise TargetError(f"the engine speaks {engine.dialect.name}, which is not PostgreSQL")
        return _target(engines.arguments_of(engine), "engine", {})

    @classmethod
    def behind(cls, connection: Connection) -> Target:
        """Return the target that a connection leads to."""
        named = connection.get_dsn_parameters()
        return _target({name: named[name] for name in _PLACE if named.get(name)}, "engine", {})

    def __repr__(self) -> str:
        return f"Target({self.redacted!r}, origin={self.origin!r})"

    def __str__(self) -> str:
        return self.redacted

    @property
    def url(self) -> URL:
        """SQLAlchemy's URL of it."""
        return libpq.url(self.arguments)

    @property
    def role(self) -> str:
        """The role that connects, as far as the target names one."""
        return self.arguments.get("user", "")

    @property
    def database(self) -> str:
        """The database, which libpq takes from the role where none is named."""
        return self.arguments.get("dbname") or self.role

    @property
    def secrets(self) -> tuple[str, ...]:
        """What is never printed."""
        return (self.arguments.get("password", ""), *self.hidden.values())

    @property
    def redacted(self) -> str:
        """The URL for people and reports: role, place and database, and nothing else."""
        arguments = self.arguments
        user = f"{quote(arguments['user'], safe='')}@" if "user" in arguments else ""
        name = f"/{quote(arguments['dbname'], safe='')}" if "dbname" in arguments else ""
        hosts = arguments.get("host", arguments.get("hostaddr", "")).split(",")
        ports = arguments.get("port", "").split(",")
        if libpq.is_socket(hosts[0]):
            socket = f"{'' if name else '/'}?host={hosts[0]}" if hosts[0] else ""
            return f"postgresql://{user}{_place('', ports[0])}{name}{socket}"
        places = (_place(host, port) for host, port in zip(hosts, libpq.spread(ports, hosts), strict=True))
        return f"postgresql://{user}{','.join(places)}{name}"

    def but(self, **keywords: str) -> Target:
        """Return the same with some of libpq's keywords otherwise."""
        return replace(self, arguments={**self.arguments, **keywords})

    def connect(self, *, read_only: bool = False, autocommit: bool = False) -> Connection:
        """Return a psycopg2 connection, having waited a little for a server that was not ready."""
        if self.pooled and read_only and autocommit:
            raise TargetError(
                f"{self.redacted} is behind a pooler, which keeps no read-only session: "
                "name the server's direct port instead"
            )
        with waits_for(f"{self.redacted} to answer"):
            connection = self._open("-c default_transaction_read_only=on" if read_only and autocommit else "")
        if autocommit:
            connection.autocommit = True
        elif read_only:
            connection.readonly = True  # said by BEGIN, so it costs no round trip and suits a pooler
        return connection

    def engine(self) -> Engine:
        """Return a SQLAlchemy engine with a pool small enough for a managed database."""
        from sqlalchemy import create_engine

        return create_engine(
            self.url,
            creator=self.connect,
            pool_size=2,
            max_overflow=1,
            pool_pre_ping=True,
            pool_recycle=1800,
        )

    def _open(self, options: str) -> Connection:
        attempt = 0
        while True:
            attempt += 1
            try:
                connection = connect(**self._connect_arguments(options))
                if connection.get_parameter_status("standard_conforming_strings") == "off":
                    connection.close()
                    connection = connect(**self._connect_arguments(f"{options} {self._plain_strings}"))
                return connection
            except psycopg2.Error as error:
                cause, refusal = cause_of(error), explain(error, self)
            # Raised out here, the refusal carries no context that would print what libpq said.
            if attempt == TRIES or not cause.transient:
                raise refusal
            delay = _delay(attempt)
            log.warning("%s (try %d of %d, next in %.1f s)", refusal, attempt, TRIES, delay)
            sleep(delay)

    @property
    def _plain_strings(self) -> str:
        """The option by which a backslash is one, whatever role or database say (PostgreSQL manual, 20.13.1)."""
        if self.pooled:
            raise TargetError(
                f"{self.redacted} sets standard_conforming_strings off, and is behind a pooler, which keeps no other"
                " setting for us: name the server's direct port instead."
            )
        return "-c standard_conforming_strings=on"

    def _connect_arguments(self, options: str) -> dict[str, str]:
        arguments = {"application_name": "pgmend", "connect_timeout": "10", **libpq.ALIVE}
        arguments |= {**self.arguments, **self.hidden}
        if options:
            arguments["options"] = f"{arguments.get('options', '')} {options}".strip()
        return arguments


def _delay(attempt: int) -> float:
    """Return the seconds to wait after an attempt that failed, others for each client."""
    import random

    return random.uniform(0.5, 1.5) * FIRST_DELAY * (1 << attempt - 1)


def resolve(
    dsn: str | None = None,
    environ: Mapping[str, str] = os.environ,
    *,
    origin: str = "--dsn",
    lock_timeout: str | int | None = None,
    statement_timeout: str | int | None = None,
    allow_unsafe_production: bool = False,
) -> Target:
    """Return the target that the words of a call, given by an `origin`, or the environment name, or say how to."""
    timeouts = {
        name: duration(name, value)
        for name, value in (("lock_timeout", lock_timeout), ("statement_timeout", statement_timeout))
        if value not in (None, "")
    }
    origin, keywords = named(dsn, environ, origin)
    arguments = policy.with_tls(libpq.filled_in(keywords, environ))
    policy.check(arguments, origin, environ)
    target = _target(arguments, origin, timeouts)
    if not allow_unsafe_production:
        policy.refuse_unsafe_production(target.redacted, arguments, environ)
    return target


def _target(arguments: Mapping[str, str], origin: str, timeouts: Mapping[str, str]) -> Target:
    """Return the target for libpq's keywords, its session settings in `options` unless it is pooled."""
    rest = dict(arguments)
    pooled = policy.is_pooled(rest)
    rest.pop("pgbouncer", None)
    hidden = {"sslpassword": rest.pop("sslpassword")} if "sslpassword" in rest else {}
    switches, given = libpq.split_options(rest.pop("options", ""))
    settings = {**DEFAULTS, **given, **timeouts}
    if not pooled:
        rest["options"] = libpq.joined_options(switches, settings)
    return Target({name: value for name, value in rest.items() if value}, origin, pooled, settings, hidden)


def _place(host: str, port: str) -> str:
    return (f"[{host}]" if ":" in host else host) + (f":{port}" if port else "")
