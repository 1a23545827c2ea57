"""A database that is only read: the check asks it, and what writes does so in a copy on a server of our own."""

from __future__ import annotations

import re
import secrets
from contextlib import closing
from dataclasses import replace
from functools import cached_property

import psycopg2
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - it is a class

from contracts.proof.databases.place import Given, Shared
from fixer.connect import servers
from fixer.connect.link import opened
from fixer.connect.servers import Server
from fixer.connect.target import Target, resolve
from fixer.errors import ServerError
from fixer.snapshots import copying
from fixer.snapshots.choosing import Choice
from fixer.snapshots.moving import FromTarget
from fixer.sql.compose import SQL, Identifier

ROWS = 100  # of each table that the copy has, with what they reference
_ROLE = """
SELECT r.rolsuper, r.rolbypassrls, r.rolinherit,
       ARRAY(SELECT g.rolname::text FROM pg_catalog.pg_roles AS g
              WHERE g.oid <> r.oid AND pg_catalog.pg_has_role(r.oid, g.oid, 'MEMBER') AND NOT r.rolsuper)
  FROM pg_catalog.pg_roles AS r WHERE r.rolname = %s
"""
_EXISTS = "SELECT FROM pg_catalog.pg_roles WHERE rolname = %s"


class Shadowed(Given):
    """A database that --dsn names, where --writes shadow keeps all writing from it."""

    def __init__(self, shared: Shared, label: str, target: Target) -> None:
        super().__init__(shared, label, target)
        self.title = f"{target.redacted}, written in a copy"

    def target(self) -> Target:
        """Return the copy, in which items write; the first process that needs it makes it."""
        return self._copied

    @cached_property
    def _copied(self) -> Target:
        dsn = self.shared.meeting.once(f"shadow-{self.label or 'target'}", self._make)
        made = resolve(dsn, {}, allow_unsafe_production=True)
        role = self.shared.options.role
        return replace(made, settings={**made.settings, "role": role}) if role else made

    def _make(self) -> str:
        """Copy the schema of the target, and some rows of each table; return the way there."""
        settings = {name: value for name, value in self.original().settings.items() if name != "role"}
        with opened(replace(self.original(), settings=settings)) as link, copying.read(link) as source:
            server = self._server(source.version)
            with source.reader.cursor() as cursor:
                chosen = Choice(cursor, source.tables, self.contract).chosen(ROWS, ())
            name = server.create_database(name=self._name())
            with closing(psycopg2.connect(server.database_dsn(name))) as admin:
                copying.copy(source, admin, FromTarget(source.reader, chosen))
                with admin.cursor() as there, source.reader.cursor() as here:
                    self._bring_role(here, there)
        return server.database_dsn(name)

    def _server(self, version: int) -> Server:
        meeting = self.shared.meeting
        try:
            return servers.shared(meeting.directory / "server", version, meeting.owner)
        except ServerError as error:
            raise ServerError(
                f"--writes shadow needs a server of PostgreSQL {version}, as the target is: {error}."
            ) from None

    def _name(self) -> str:
        return f"pgmend_shadow_{re.sub(r'[^a-z0-9]', '_', self.label.lower())[:24]}_{secrets.token_hex(3)}"

    def _bring_role(self, here: Cursor, there: Cursor) -> None:
        """Let the application's role be in the copy what it is in the target, with the roles whose member it is."""
        role = self.shared.options.role
        if not role:
            return
        here.execute(_ROLE, (role,))
        for is_super, bypasses, inherits, groups in here.fetchall():
            for each in (role, *groups):
                there.execute(_EXISTS, (each,))
                if not there.rowcount and not each.startswith("pg_"):
                    there.execute(SQL("CREATE ROLE {} NOLOGIN").format(Identifier(each)))
            words = [("SUPERUSER", is_super), ("BYPASSRLS", bypasses), ("INHERIT", inherits)]
            said = SQL(" ".join(("" if is_so else "NO") + word for word, is_so in words))
            there.execute(SQL("ALTER ROLE {} {}").format(Identifier(role), said))
            for each in groups:
                there.execute(SQL("GRANT {} TO {}").format(Identifier(each), Identifier(role)))
