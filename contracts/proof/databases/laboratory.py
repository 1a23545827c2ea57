"""A server of our own, on which snapshots are loaded, copied and repaired."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import cached_property

import fixer
from contracts.proof.databases.place import Place, Shared
from contracts.proof.databases.prepared import Prepared
from contracts.proof.verdicts import described
from fixer.connect import servers, snapshot
from fixer.connect.servers import Server
from fixer.connect.snapshot import Snapshot
from fixer.connect.target import Target, resolve
from fixer.errors import PgmendError, UsageError
from fixer.sql.compose import SQL, Identifier


@dataclass(frozen=True)
class Outcome:
    """What became of a snapshot when it was repaired; `trouble` is the reason why it could not be."""

    database: str
    dsn: str
    quarantined: Mapping[str, int]
    left: tuple[str, ...] = ()  # findings of a second plan, a deep one
    steps: tuple[str, ...] = ()  # of that plan
    trouble: str = ""

    def target(self) -> Target:
        """Return the repaired database."""
        if self.trouble:
            raise PgmendError(f"The snapshot could not be repaired: {self.trouble}")
        return resolve(self.dsn, {})


class Lab:
    """The server on which snapshots are loaded, copied and repaired."""

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self.once = shared.meeting.once
        self.kind = shared.options.server
        self.token = shared.meeting.directory.name.removeprefix("pgmend-").replace("-", "_")
        self._server: Server | None = None
        self._exits = ExitStack()

    @property
    def server(self) -> Server:
        """The server; the first process that needs it starts it."""
        if self._server is None:
            self._server = self._found()
        return self._server

    def _found(self) -> Server:
        meeting, version = self.shared.meeting, self.shared.options.version
        if self.kind == "embedded":
            return servers.shared(meeting.directory / "server", version, meeting.owner)
        return servers.outside(self.once("server-dsn", self._foreign))

    def _foreign(self) -> str:
        if self.kind == "docker":
            server: Server = self._exits.enter_context(servers.docker(self.shared.options.version))
            return server.dsn
        if not re.search(r"[:=/]", self.kind):
            raise UsageError(f"--server {self.kind!r} should be embedded, docker, or a DSN.")
        return self.kind

    def prepared(self, spec: str, schema: str) -> Prepared:
        """Return the contract `spec` (module:attribute) as this server spells it, and its cases."""
        return self.shared.library.prepared(resolve(self.server.dsn, {}), spec, schema)

    def clone(self, known: Snapshot) -> str:
        """Return the name of a fresh database with a snapshot in it."""
        return self._copy(known, None)

    def target(self, database: str) -> Target:
        """Return a database of this server."""
        return resolve(self.server.database_dsn(database), {})

    def repaired(self, known: Snapshot) -> Outcome:
        """Repair a snapshot as it declares, once a session, and return what came of it."""
        return self.once(f"repaired-{known.name}", lambda: self._repair(known))

    def close(self) -> None:
        """Drop the databases on a server that is not ours, and stop a server that was started here."""
        if self.kind != "embedded" and self._server is not None and self.shared.meeting.is_ours:
            for name in self.shared.meeting.made("database"):
                self._server.drop_database(str(name))
        self._exits.close()

    def _name(self, kind: str, known: Snapshot) -> str:
        """Return the name of a new database, and note it before the database is created."""
        place = re.sub(r"\W", "_", known.name)[:24]
        name = f"pgmend_{kind}_{place}_{secrets.token_hex(3)}_{self.token}"[:63]
        return self.once(f"database-{kind}-{known.name}", lambda: name)

    def _template(self, known: Snapshot) -> tuple[str, tuple[str, ...]]:
        """Return a database with a snapshot in it, and the settings of that database."""

        def make() -> tuple[str, tuple[str, ...]]:
            name = self.server.create_database(name=self._name("template", known))
            with closing(self.target(name).connect()) as connection, connection.cursor() as cursor:
                snapshot.load(known, connection)
                cursor.execute(
                    "SELECT unnest(setconfig) FROM pg_db_role_setting JOIN pg_database AS d ON d.oid = setdatabase"
                    " WHERE setrole = 0 AND datname = current_database()"
                )
                return name, tuple(setting for (setting,) in cursor.fetchall())

        return self.once(f"template-{known.name}", make)

    def _copy(self, known: Snapshot, name: str | None) -> str:
        """Copy a snapshot, and the settings of its database, which PostgreSQL does not copy."""
        template, settings = self._template(known)
        name = self.server.create_database(template, name)
        if not settings:
            return name
        with closing(self.target(name).connect(autocommit=True)) as connection, connection.cursor() as cursor:
            for setting in settings:
                key, _, value = setting.partition("=")
                cursor.execute("SELECT set_config(%s, %s, false)", (key, value))
                cursor.execute(SQL("ALTER DATABASE {} SET {} FROM CURRENT").format(Identifier(name), Identifier(key)))
        return name

    def _repair(self, known: Snapshot) -> Outcome:
        name = self._copy(known, self._name("repaired", known))
        target = self.target(name)
        dsn = self.server.database_dsn(name)
        contract = self.prepared(known.contract, known.schema).contract
        try:
            run = fixer.apply(target, contract, schema=known.schema, allow_hazards=known.hazards)
            second = fixer.plan(target, contract, schema=known.schema, deep=True)
        except PgmendError as error:
            return Outcome(name, dsn, {}, trouble=str(error))
        moved = {str(entry.table): entry.quarantined for entry in run.ledger if entry.quarantined}
        left = tuple(described(finding) for finding in second.findings if finding.breaks)
        return Outcome(name, dsn, moved, left, tuple(step.title for step in second.steps))


class Repaired(Place):
    """A snapshot, repaired on a server of our own."""

    examples = 5, 2

    def __init__(self, shared: Shared, lab: Lab, known: Snapshot) -> None:
        super().__init__(shared, known.name, "the snapshots, repaired", known.contract, known.schema)
        self.lab = lab
        self.snapshot = known

    def target(self) -> Target:
        """Return the database."""
        return self._target

    @cached_property
    def _target(self) -> Target:
        return self.lab.repaired(self.snapshot).target()

    @property
    def prepared(self) -> Prepared:
        """The contract as the server of the snapshots spells it, and its cases."""
        return self.lab.prepared(self.spec, self.schema)
