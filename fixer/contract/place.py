"""The throw-away place: a database on a server of our own, where a contract is made and read.

Its superuser only makes what is brought over: names and shapes, without any code. What a contract says is run by a role
that may do nothing outside this database.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection as Connection  # noqa: N812
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer.connect.failures import told
from fixer.connect.link import rolled_back
from fixer.connect.settings import READING, SAFE_PATH, UNQUOTED, setting
from fixer.introspect import borrowing
from fixer.model.expression import quoted
from fixer.model.table import QName

ROLE = "pgmend_contract"  # which runs what the contract says
_OPENING = f"CREATE ROLE {ROLE} LOGIN; ALTER DATABASE {{}} OWNER TO {ROLE}; ALTER SCHEMA public OWNER TO {ROLE}"
# Listeners of models may replace functions, and alter sequences, that stand in the target already.
_HANDED_OVER = """DO $$
DECLARE
    statement text;
BEGIN
    FOR statement IN
        SELECT format('ALTER FUNCTION %s OWNER TO pgmend_contract', p.oid::regprocedure)
          FROM pg_catalog.pg_proc p WHERE p.oid >= 16384 AND p.prokind = 'f'
           AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                            WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
         UNION ALL
        SELECT format('ALTER SEQUENCE %s OWNER TO pgmend_contract', c.oid::regclass)
          FROM pg_catalog.pg_class c WHERE c.oid >= 16384 AND c.relkind = 'S'
           AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                            WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i', 'e'))
    LOOP
        EXECUTE statement;
    END LOOP;
END $$"""

log = logging.getLogger("pgmend.contract")


@dataclass(frozen=True)
class Place:
    """An empty database: the connection of its superuser, and that of the role that owns it."""

    admin: Connection
    owner: Connection

    def add_role(self, name: str) -> None:
        """Create a role of which the owner is a member."""
        words = sql.SQL("CREATE ROLE {0}; GRANT {0} TO {1}").format(sql.Identifier(name), sql.Identifier(ROLE))
        with self.admin.cursor() as cursor:
            cursor.execute(words)

    def add_schemas(self, names: Iterable[str]) -> None:
        """Create schemas that are not there, and give them to the owner."""
        with self.admin.cursor() as cursor:
            for name in names:
                words = sql.SQL("CREATE SCHEMA IF NOT EXISTS {0}; ALTER SCHEMA {0} OWNER TO {1}")
                cursor.execute(words.format(sql.Identifier(name), sql.Identifier(ROLE)))


@contextmanager
def throw_away(version: int) -> Iterator[Place]:
    """Lend an empty database on a server of our own: of this major version, or else of the newest there is.

    Raises ServerError if no server can be started.
    """
    from fixer.connect import servers  # a server is only started where nobody has kept the contract
    from fixer.connect.binaries import binaries

    nearest = version if version in binaries() else None
    with servers.embedded(nearest) as server, closing(psycopg2.connect(server.dsn)) as admin:
        admin.autocommit = True
        with admin.cursor() as cursor:
            cursor.execute(sql.SQL(_OPENING).format(sql.Identifier(admin.info.dbname)))
        with closing(psycopg2.connect(server.database_dsn(admin.info.dbname, ROLE))) as owner:
            owner.autocommit = True
            yield Place(admin, owner)


def bring_over(target: Connection, place: Place, *, made: Collection[QName] | None) -> None:
    """Make in the place what a contract may need of the target: its extensions, and its own types and functions.

    An extension that the place cannot have gets a stand-in. What the contract has `made` itself is left out; None
    leaves out all that is no extension's.
    """
    with rolled_back(target) as cursor, place.admin.cursor() as there:
        cursor.execute(READING + UNQUOTED)
        installed, could = borrowing.extensions(cursor), borrowing.available(there)
        needs = borrowing.needed(cursor) if made is not None else []
        lacking = sorted(installed.keys() - could)
        stand_ins = borrowing.stand_ins(cursor, lacking) if lacking else []
        there.execute(setting({"search_path": SAFE_PATH, "check_function_bodies": "off"}, local=False))
        place.add_schemas(each.name.schema for each in needs if not each.name.name)
        _create(there, [_extension(name, installed[name]) for name in sorted(installed.keys() & could)])
        wanted = [each.statement for each in needs if each.name.name and each.name not in (made or ())]
        _create(there, [*stand_ins, *wanted])
        there.execute(_HANDED_OVER)


def _extension(name: str, schema: str) -> str:
    home = f"CREATE SCHEMA IF NOT EXISTS {quoted(schema)}; " if not schema.startswith("pg_") else ""
    return f"{home}CREATE EXTENSION IF NOT EXISTS {quoted(name)} SCHEMA {quoted(schema)}"


def _create(cursor: Cursor, statements: Iterable[str]) -> None:
    """Run statements, those that fail again once others have run, until none of them does more."""
    left = [*statements]
    while left:
        failed = []
        for statement in left:
            try:
                cursor.execute(statement)
            except psycopg2.Error as error:
                log.debug("not brought over yet: %s", told(error))
                failed.append(statement)
        if len(failed) == len(left):
            log.info("%d parts of the target were not brought over", len(failed))
            return
        left = failed
