"""The laboratory: servers by version, sound databases to copy, and the cases that are broken and repaired in them."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import pickle
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any, TypeVar

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection as Connection  # noqa: N812 - it is a class
from sqlalchemy import MetaData, create_engine, create_mock_engine
from sqlalchemy.pool import NullPool

import fixer
from fixer import api
from fixer.connect import servers
from fixer.connect.servers import Server
from fixer.contract import declared as read
from fixer.contract.models import build as contracts
from fixer.defects import _databases as specimens
from fixer.model.contract import Contract
from fixer.model.defect import Specimen
from fixer.model.plan import Plan
from lab.evidence.catalogue import catalogued
from lab.evidence.copies import State, stamps
from lab.evidence.dumps import dump
from lab.evidence.facts import TableFacts
from lab.servers import Kept

OWNER = "pgmend_owner"  # owns its tables, and may create in its database and in public: nothing else
BREAKER = "pgmend_breaker"  # a superuser, so that all it made can be given to the owner at once
# The wheel brings these; others by PGMEND_LAWS=13,17 and PGMEND_BINDIRS. Where it is set, each specimen is tried in
# both roles on each of them, else in one.
VERSIONS = tuple(map(int, os.environ.get("PGMEND_LAWS", "16,18").split(",")))
ROLES = {"superuser": "postgres", "owner": OWNER}
PEOPLE = f"""
DO $$ BEGIN
    CREATE ROLE {BREAKER} LOGIN SUPERUSER;
    CREATE ROLE {OWNER} LOGIN NOSUPERUSER;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$
"""
Made = TypeVar("Made")


@dataclass(frozen=True)
class Sound:
    """A sound database with rows, to be copied."""

    template: str
    contract: Contract
    look: Callable[[], Mapping[str, TableFacts]] = field(repr=False)

    @cached_property
    def facts(self) -> Mapping[str, TableFacts]:
        """What its catalogue says."""
        return self.look()


class Laboratory:
    """Servers by version, and on each one a sound database for each contract: made when first asked for, by one worker.

    What the workers share is noted in their directory; it goes with the servers, as the session ends.
    """

    def __init__(self, directory: Path, keeper: int) -> None:
        self._directory, self._keeper = directory, keeper
        self._servers: dict[int, Server] = {}
        self._sound: dict[tuple[int, Any, str | None], Sound] = {}

    def once(self, name: str, make: Callable[[], Made]) -> Made:
        """Return what the first worker made that asked for it."""
        note = self._directory / re.sub(r"[^\w.-]", "_", name)
        with note.with_name(f"{note.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # released as the file closes
            if not note.exists():
                note.write_bytes(pickle.dumps(make()))
        made: Made = pickle.loads(note.read_bytes())
        return made

    def server(self, version: int) -> Server:
        if version not in self._servers:
            shared = servers.shared(self._directory, version, self._keeper)
            self._servers[version] = Kept(shared.dsn, shared.version, shared.bindir)
            with self._servers[version].session() as connection:
                connection.cursor().execute(PEOPLE)
        return self._servers[version]

    def sound(self, version: int, specimen: Specimen | None = None) -> Sound:
        metadata = (specimen and specimen.contract) or specimens.library
        rows = (specimen and specimen.setup) or (specimens.ROWS if metadata is specimens.library else None)
        key = (version, metadata, rows)
        if key not in self._sound:
            self._sound[key] = self._build(self.server(version), metadata(), rows)
        return self._sound[key]

    def _build(self, server: Server, declared: MetaData | str, rows: str | None) -> Sound:
        said = "\0".join([*_spelt(declared), rows or ""])
        key = f"{server.version}-{hashlib.sha256(said.encode()).hexdigest()[:32]}"
        template = self.once(f"sound-{key}", partial(_create, server, declared, rows))
        with closing(_connect(server, template if isinstance(declared, str) else "postgres", BREAKER)) as connection:
            contract = _prepared(declared, connection)
        return Sound(template, contract, partial(self.once, f"facts-{key}", partial(_facts_of, server, template)))

    @contextmanager
    def built(
        self, version: int, metadata: MetaData, rows: str, schemas: str, role: str, code: str = ""
    ) -> Iterator[Case]:
        """Lend a copy of a sound database that is made for this one case; `schemas` are the statements before it.

        Where `code` comes after it, the contract is that of SQL, which declares code, and no hints.
        """
        server = self.server(version)
        template = _create(server, metadata, f"{rows};{code}" if code else rows, schemas)
        try:
            with closing(_connect(server, template, BREAKER)) as connection:
                contract = _prepared("" if code else metadata, connection)
                names = _spelt_names(connection, contract)
            look = partial(_facts_of, server, template, names)  # partitions are not of the contract
            with self._lent(server, Sound(template, contract, look), role) as case:
                yield case
        finally:
            server.drop_database(template)

    @contextmanager
    def database(self, version: int, specimen: Specimen | None = None, role: str = "superuser") -> Iterator[Case]:
        """Lend a copy of the sound database, seen as a role."""
        with self._lent(self.server(version), self.sound(version, specimen), role) as case:
            yield case

    @contextmanager
    def _lent(self, server: Server, sound: Sound, role: str) -> Iterator[Case]:
        name = server.create_database(sound.template)
        try:
            with closing(_connect(server, name, BREAKER)) as observer:
                _grant(observer, name)
                case = Case(server, name, sound, observer, ROLES[role])
                try:
                    yield case
                finally:
                    case.close()
        finally:
            server.drop_database(name)


def _prepared(declared: MetaData | str, connection: Connection) -> Contract:
    """Return the contract of models, or that of SQL which made the database behind the connection."""
    if isinstance(declared, str):
        return read.prepare(connection, "contract.sql")
    return contracts.prepare(declared, connection)


def _spelt(metadata: MetaData | str) -> list[str]:
    """Return the statements that create a contract."""
    if isinstance(metadata, str):
        return [metadata]
    statements: list[str] = []
    engine = create_mock_engine(
        "postgresql+psycopg2://", lambda each, *_, **__: statements.append(str(each.compile(dialect=engine.dialect)))
    )
    metadata.create_all(engine, checkfirst=False)
    return statements


def _spelt_names(connection: Connection, contract: Contract) -> list[str]:
    """Return the names of the tables of a contract, as pg_dump spells them."""
    cursor, names = connection.cursor(), [list(name) for name in contract.tables]
    cursor.execute("SELECT format('%%I.%%I', n->>0, n->>1) FROM json_array_elements(%s) n", [json.dumps(names)])
    return [name for (name,) in cursor.fetchall()]


def _facts_of(server: Server, database: str, tables: Iterable[str] | None = None) -> Mapping[str, TableFacts]:
    """Return the facts of these tables of a database, or of all."""
    with closing(_connect(server, database, BREAKER)) as connection:
        found = catalogued(connection)
    return found if tables is None else {name: found[name] for name in tables}


def _create(server: Server, metadata: MetaData | str, rows: str | None, before: str = "") -> str:
    """Make a sound database and return its name; `before` are statements that its owner runs first."""
    template = server.create_database()
    with closing(_connect(server, template, BREAKER)) as connection:
        _grant(connection, template)
        connection.cursor().execute(f"GRANT CREATE ON SCHEMA public TO {OWNER}")
    if before:
        with closing(_connect(server, template, OWNER)) as connection:
            connection.cursor().execute(before)
    creator = partial(psycopg2.connect, server.database_dsn(template, OWNER))
    if isinstance(metadata, str):
        rows = f"{metadata}{rows or ''}"
    else:
        engine = create_engine("postgresql+psycopg2://", creator=creator, poolclass=NullPool)
        metadata.create_all(engine)
        engine.dispose()
    if rows:
        with closing(_connect(server, template, OWNER)) as connection:
            connection.cursor().execute(rows)
    return template


def _connect(server: Server, database: str, user: str) -> Connection:
    connection = psycopg2.connect(server.database_dsn(database, user))
    connection.autocommit = True
    return connection


def _grant(connection: Connection, database: str) -> None:
    grant = sql.SQL("GRANT CREATE ON DATABASE {} TO {}").format(sql.Identifier(database), sql.Identifier(OWNER))
    connection.cursor().execute(grant)


@dataclass
class Case:
    """One database under test: broken and watched by a superuser, repaired in its role."""

    server: Server
    name: str
    sound: Sound
    observer: Connection
    role: str
    _connection: Connection | None = None

    @property
    def connection(self) -> Connection:
        """The fixer's own; opened late, since a database may have settings by then."""
        if self._connection is None:
            self._connection = psycopg2.connect(self.server.database_dsn(self.name, self.role))
        return self._connection

    def close(self) -> None:
        """Close the fixer's session; the next one has the settings that the database has by then."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def dump(self, *options: str) -> str:
        return dump(self.server, self.name, *options)

    def facts(self) -> Mapping[str, TableFacts]:
        return catalogued(self.observer)

    def state(self, *, dumped: bool) -> State:
        return State(stamps(self.observer), self.dump() if dumped else "")

    def break_(self, *breaks: str) -> list[str]:
        """Break the database, then give all that came of it to the owner; return the breaks that applied."""
        applied = []
        for statements in breaks:
            try:
                self.observer.autocommit = False
                self.observer.cursor().execute(statements)
                self.observer.commit()
                applied.append(statements)
            except psycopg2.Error:
                self.observer.rollback()
                if len(breaks) == 1:
                    raise
            finally:
                self.observer.autocommit = True
        self.observer.cursor().execute(f"REASSIGN OWNED BY {BREAKER} TO {OWNER}")
        return applied

    def check(self, **options: Any) -> fixer.Report:
        return fixer.check(self.connection, self.sound.contract, **options)

    def plan(self, **options: Any) -> Plan:
        return fixer.plan(self.connection, self.sound.contract, **options)

    def made(self, **options: Any) -> tuple[fixer.Report, Plan]:
        """Return a plan, and the report of the check it was made of."""
        with api.session(self.connection, self.sound.contract) as work:
            return work.made(**options)

    def apply(self, **options: Any) -> fixer.Run:
        return fixer.apply(self.connection, self.sound.contract, **options)
