"""Which server lends throw-away databases: one of our own, one that is named, or a container."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

import psycopg2
from psycopg2 import sql

from fixer.connect.target import Target, resolve
from fixer.contract.scratch.named import lent
from fixer.contract.scratch.opened import ROLE, Opened
from fixer.errors import ServerError, TargetError, option, refuse_empty
from fixer.model.values import dataclass

_DOCKER = "docker"
_SPELLING = 14  # keeps EXTRACT, TRIM and their like as SQL spells them, and the versions before do not
_OPENING = f"CREATE ROLE {ROLE} LOGIN; ALTER DATABASE {{}} OWNER TO {ROLE}; ALTER SCHEMA public OWNER TO {ROLE}"
SERVER = "postgresql://USER@HOST"


@dataclass(frozen=True)
class Scratch:
    """A server that lends throw-away databases: a target, a container of an image, or else one of our own."""

    server: Target | None = None
    image: str | None = None  # empty: that of the version

    @classmethod
    def of(cls, said: str | None, origin: str = "") -> Scratch:
        """Return the server that a text names: a DSN, ``docker:IMAGE``, or ``docker``.

        Raises UsageError where it is empty, TargetError where it is none of these.
        """
        origin = origin or option("scratch")
        refuse_empty(origin, said)
        if said is None:
            return OUR_OWN
        kind, _, image = said.strip().partition(":")
        if kind == _DOCKER:
            return cls(image=image)
        server = resolve(said, origin=origin, allow_unsafe_production=True)
        return cls(server if "dbname" in server.arguments else server.but(dbname="postgres"))

    def __str__(self) -> str:
        if self.image is not None:
            return f"{_DOCKER}:{self.image}"
        return self.server.redacted if self.server else ""

    @contextmanager
    def lend(self, version: int, room: int = 0) -> Iterator[Opened]:
        """Lend an empty database, of this major version as far as the server is not named, and drop it.

        A server of our own keeps it in memory only where there is `room` for so many bytes.

        Raises ServerError where no server can be started, TargetError where the one that is named lends none.
        """
        with lent(self.server) if self.server else _started(version, self.image, room) as opened:
            if self != OUR_OWN:
                self._see_that_it_spells_alike(opened.admin.server_version // 10000, version)
            yield opened

    def _see_that_it_spells_alike(self, version: int, wanted: int) -> None:
        """Raise TargetError if a server does not keep what the target of a later version would."""
        if version < _SPELLING <= wanted:
            raise TargetError(
                f"The server {self} of {option('scratch')} runs PostgreSQL {version}, which does not keep EXTRACT and"
                f" the like as the target's {wanted} does: name one of version {_SPELLING} or later."
            )


def _ways() -> str:
    """Return in words how to name a server of throw-away databases."""
    image = option("scratch", "docker:IMAGE")
    return f"Or name a server for it: {option('scratch', SERVER)}, where USER has CREATEDB, or {image}."


OUR_OWN = Scratch()
log = logging.getLogger("pgmend.contract")


@contextmanager
def _started(version: int, image: str | None, room: int) -> Iterator[Opened]:
    """Lend the database of a server that is started for it: in a container of an image, or from local binaries."""
    from fixer.connect import servers  # a server is only started where nobody has kept the contract
    from fixer.connect.binaries import binaries

    nearest = version if version in binaries() else None
    if image is None and nearest is None:
        log.info("there are no binaries of PostgreSQL %d: the throw-away database is of another version", version)
    lending = servers.embedded(nearest, room) if image is None else servers.docker(version, image or None)
    with ExitStack() as stack:
        try:
            server = stack.enter_context(lending)
        except ServerError as error:
            raise ServerError(f"This contract needs a throw-away database, and {error}. {_ways()}") from None
        admin = stack.enter_context(closing(psycopg2.connect(server.dsn)))
        admin.autocommit = True
        with admin.cursor() as cursor:
            cursor.execute(sql.SQL(_OPENING).format(sql.Identifier(admin.info.dbname)))
        owner = stack.enter_context(closing(psycopg2.connect(server.database_dsn(admin.info.dbname, ROLE))))
        owner.autocommit = True
        yield Opened(admin, owner)
