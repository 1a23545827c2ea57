"""A database of a test's own, lent for its time: what it holds, who else is at it, and what has changed since."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812 - it is a class

from fixer.connect import snapshot
from fixer.connect.servers import Server
from lab.evidence.copies import stamps
from lab.evidence.dumps import dump, everything
from lab.laboratory import Laboratory

STORY, HEALTHY = "where-it-began", "healthy"
FILLED = "default-user-cannot-be-created"
KEYLESS, DOUBLED = "users-without-primary-key", "double-restore-duplicates"
templates: dict[tuple[str, str], str] = {}


@dataclass(frozen=True)
class Database:
    """One database under test, seen as its superuser."""

    server: Server
    name: str

    @property
    def dsn(self) -> str:
        return self.server.database_dsn(self.name)

    def seen_by(self, role: str) -> str:
        return self.server.database_dsn(self.name, role)

    def run(self, statements: str) -> Any:
        """Run statements, and give the rows of the last."""
        with closing(psycopg2.connect(self.dsn)) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statements)
                return cursor.fetchall() if cursor.description else None

    def ask(self, query: str) -> Any:
        return self.run(query)[0][0]

    def dump(self) -> str:
        return dump(self.server, self.name)


@contextmanager
def copied(server: Server, template: str | None) -> Iterator[Database]:
    """Lend a copy of another database, or an empty one."""
    database = Database(server, server.create_database(template))
    try:
        yield database
    finally:
        server.drop_database(database.name)


@contextmanager
def lent(server: Server, name: str | None) -> Iterator[Database]:
    """Lend a database of its own: a snapshot, or an empty one."""
    with copied(server, template_of(server, name) if name else None) as database:
        yield database


@contextmanager
def lent_copy(
    laboratory: Laboratory, version: int, key: str, make: Callable[[Database], object], template: str | None = None
) -> Iterator[Database]:
    """Lend a copy of a database, empty where there is no template, in which something was made once."""
    server = laboratory.server(version)

    def made() -> str:
        database = Database(server, server.create_database(template))
        make(database)
        return database.name

    with copied(server, laboratory.once(f"made-{version}-{key}", made)) as database:
        yield database


def load(database: Database, name: str) -> None:
    with closing(psycopg2.connect(database.dsn)) as connection:
        snapshot.load(snapshot.find()[name], connection)


def template_of(server: Server, name: str) -> str:
    if (server.dsn, name) not in templates:
        template = server.create_database()
        with closing(psycopg2.connect(server.database_dsn(template))) as connection:
            snapshot.load(snapshot.find()[name], connection)
        templates[server.dsn, name] = template
    return templates[server.dsn, name]


@contextmanager
def role(database: Database, *grants: str, words: str = "LOGIN") -> Iterator[str]:
    """Lend a role that has these grants; `{}` in them is its name."""
    name = f"role_{os.urandom(4).hex()}"
    database.run(f"CREATE ROLE {name} {words}; " + "; ".join(grants).replace("{}", name))
    try:
        yield name
    finally:
        database.run(f"REASSIGN OWNED BY {name} TO postgres; DROP OWNED BY {name}; DROP ROLE {name}")


@contextmanager
def session(database: Database, statement: str) -> Iterator[Connection]:
    """Lend another session, in whose open transaction the statement was run."""
    with closing(psycopg2.connect(database.dsn)) as connection:
        connection.cursor().execute(statement)
        yield connection


def alone(database: Database) -> bool:
    query = "SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    return bool(database.ask(query))


def ask(dsn: str, query: str) -> Any:
    """Give the first cell of an answer, None where there is none."""
    with closing(psycopg2.connect(dsn)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(query)
            return cursor.fetchone()[0] if cursor.description else None


def all_of(database: Database) -> Counter[tuple[str, str]]:
    return everything(database.server, database.name)


def differences(before: Counter[tuple[str, str]], database: Database) -> list[str]:
    """Name each line of a dump that is lacking now, or too many."""
    after = all_of(database)
    lacking = [f"- {line} IN {statement}" for statement, line in before - after]
    return lacking + [f"+ {line} IN {statement}" for statement, line in after - before]


def written(database: Database) -> Any:
    """Give what tells of any write, even of one that changed nothing."""
    with closing(psycopg2.connect(database.dsn)) as connection:
        return stamps(connection)
