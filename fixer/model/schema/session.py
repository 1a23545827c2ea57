"""The session by which a database is read, and the settings that sessions to come will get."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field

from fixer.model.expression import as_needed
from fixer.model.table import QName
from fixer.model.values import dataclass

READ_ONLY, REPLICATION = "default_transaction_read_only", "session_replication_role"
_ON = ("on", "true", "yes", "1")


@dataclass(frozen=True, slots=True)
class Given:
    """A setting, and to whose sessions it is given: of a role or all, in this database or all."""

    name: str
    value: str
    role: str = ""  # empty: every role
    database: str = ""  # empty: every database
    by_server: bool = False  # whether the server's own files say it

    @property
    def strength(self) -> tuple[bool, bool, bool]:
        """The stronger of two settings of one name is the one that a session gets."""
        return bool(self.role), bool(self.database), not self.by_server

    @property
    def on(self) -> bool:
        """Whether it is on, if it may be on or off."""
        return self.value.lower() in _ON

    @property
    def sleeps(self) -> bool:
        """Whether it lets foreign keys and triggers sleep."""
        return self.name == REPLICATION and self.value.lower() == "replica"

    @property
    def whose(self) -> str:
        """Whose sessions get it, in words: the role app in this database, for example."""
        if self.by_server:
            return "the server"
        who = f"the role {self.role}" if self.role else "this database" if self.database else "every role"
        return f"{who} in this database" if self.role and self.database else who

    @property
    def reset(self) -> str:
        """The statements that take it back."""
        first = f"SET {READ_ONLY} = off; " if self.name == READ_ONLY else ""
        if self.by_server:
            return f"{first}ALTER SYSTEM RESET {self.name}; SELECT pg_reload_conf()"
        database = as_needed(self.database)
        if not self.role and self.database:
            return f"{first}ALTER DATABASE {database} RESET {self.name}"
        role, where = as_needed(self.role) if self.role else "ALL", f" IN DATABASE {database}" if self.database else ""
        return f"{first}ALTER ROLE {role}{where} RESET {self.name}"


@dataclass(frozen=True, slots=True)
class Rights:
    """What the role of a session may do in its database and in the wanted schemas."""

    can_create: bool  # schemas in this database
    journals: frozenset[str]  # of the fixer's own schemas, those that exist
    shut: frozenset[QName]  # of what is in them, what the role may not write; without a name: all of one
    inherits: bool  # whether it has the rights of the roles whose member it becomes
    unused: frozenset[str]  # roles whose member it is, and whose rights it lacks unless it becomes them
    superusers: frozenset[str]  # every role that is one
    # Tables with partitions or heirs that others own, each with an owner and what that one has there.
    below: frozenset[tuple[QName, str, QName]]
    languages: Mapping[str, bool]  # and whether the role may write functions in each
    tablespace: str  # the default one, if the role may create nothing in it
    creatable: frozenset[str]  # of the wanted schemas, those in which the role may create tables
    others: Mapping[str, str]  # of the wanted schemas, those it does not own: their owners
    # The owners of tables who may get what the role creates, and the schemas where each may create: '' is the database.
    takers: Mapping[str, frozenset[str]]
    database_owner: str


@dataclass(frozen=True, slots=True)
class Session:
    """The role and the database of this session."""

    role: str
    superuser: bool
    database: str
    version: int  # major
    standby: bool = False
    read_only: bool = False
    search_path: tuple[str, ...] = ()
    wanted: tuple[str, ...] = ()  # the schemas that were asked about
    moment: str = ""  # the snapshot that its transaction sees, if that says all
    schemas: frozenset[str] = frozenset()  # of these, those that exist
    visible: Mapping[str, QName] = field(default_factory=dict)  # what bare names mean, if the path has several schemas
    application: str = ""  # the application's role, if the caller names it
    given: tuple[Given, ...] = ()  # what sessions to come get, of what may hinder them
    rights: Rights | None = None  # asked for once something is to be repaired

    @property
    def may(self) -> Rights:
        """What the role may do; raises LookupError if nobody has asked."""
        if self.rights is None:
            raise LookupError("what the session's role may do was not asked")
        return self.rights


@dataclass(frozen=True, slots=True)
class Shut:
    """A function, sequence, type or schema that a role may not use."""

    kind: str
    name: str  # bare
    deed: str  # the right that it lacks, as SQL says it: EXECUTE ON ROUTINE public.f(integer)
    names: frozenset[tuple[str, QName]]  # by which SQL reaches it, each after how: function, operator, domain, any, …
    parts: tuple[tuple[QName, str, str], ...] = ()  # expressions that call it: table, kind, name (of a column, a check)

    def opening(self, role: str) -> str:
        """Return the statement that lets a role use it."""
        return f"GRANT {self.deed} TO {as_needed(role)}"


def effective(given: Iterable[Given], role: str) -> Mapping[str, Given]:
    """Return the settings that sessions of a role get, by name; without a role, those that every role gets."""
    theirs = sorted((each for each in given if each.role in ("", role)), key=lambda each: each.strength)
    return {each.name: each for each in theirs}
