"""The throw-away place: a database that nobody else uses, where a contract is made and read.

On a server of our own, a superuser only makes what is brought over: names and shapes, without any code. What a contract
says is run by a role that may do nothing outside this database.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import field

import psycopg2
from psycopg2 import errors, sql
from psycopg2.extensions import connection as Connection  # noqa: N812
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer.connect.failures import told
from fixer.connect.link import rolled_back
from fixer.connect.settings import READING, SAFE_PATH, UNQUOTED, setting
from fixer.contract import declared
from fixer.contract.anew import by_target
from fixer.contract.scratch import OUR_OWN, SERVER, Scratch
from fixer.contract.scratch.opened import ROLE
from fixer.errors import ContractError, option
from fixer.introspect import borrowing
from fixer.model.expression import quoted
from fixer.model.expression.patterns import pattern
from fixer.model.schema import Schema
from fixer.model.schema.code import Key
from fixer.model.table import QName
from fixer.model.values import dataclass

# What may be the extension's that is not there, and what another version may not have, understand or do.
_UNKNOWN = ("42704", "42883", "42P01", "3F000", "22023")
_UNLIKE = ("42704", "42883", "42601", "0A000")
_EXTENSIONS = """
SELECT format('%s %s %s', e.extname, e.extversion, n.nspname) FROM pg_catalog.pg_extension AS e
  JOIN pg_catalog.pg_namespace AS n ON n.oid = e.extnamespace ORDER BY 1
"""
# As ICU, libxml or lz4, without which a server may be built.
_UNBUILT = pattern(r"not supported (?:in|by) this build|requires the server to be built with")
_SHOWN = 3  # extensions that a message names
_ROLE = pattern(r'\brole ".*" does not exist')
# Listeners of models may replace functions, and alter sequences, that stand in the target already.
_HANDED_OVER = """DO $$
DECLARE
    statement text;
BEGIN
    FOR statement IN
        SELECT format('ALTER FUNCTION %s OWNER TO %s', p.oid::regprocedure, {0})
          FROM pg_catalog.pg_proc p WHERE p.oid >= 16384 AND p.prokind = 'f'
           AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                            WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
         UNION ALL
        SELECT format('ALTER SEQUENCE %s OWNER TO %s', c.oid::regclass, {0})
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
    """An empty database: the connection of the role that prepares it, and that of the role that owns its schemas.

    On a server of our own, the first is a superuser.
    """

    admin: Connection
    owner: Connection
    role: str = ROLE
    mark: str = ""  # the comment on roles that are dropped with it
    lacking: list[str] = field(default_factory=list)  # extensions of the target that it cannot have

    @property
    def version(self) -> int:
        """The major version of its server."""
        return self.admin.server_version // 10000

    def declares(
        self, target: Connection, name: str, brought: Collection[Key] = (), *, lone_types: bool = True
    ) -> Schema:
        """Return what it declares, but for code that was `brought`, spelt as the target spells it.

        Types that no table needs belong to it if `lone_types`. Raises ContractError if it declares nothing.
        """
        made = declared.prepare(self.owner, name, brought=brought, like=target, lone_types=lone_types).schema
        return by_target(target, made, self.version, stand_ins=bool(self.lacking))

    def add_role(self, name: str) -> None:
        """Create a role of which the owner is a member, unless another run just has, or nobody here may create any."""
        words = sql.SQL("CREATE ROLE {0}; COMMENT ON ROLE {0} IS {2}; GRANT {0} TO {1}").format(
            sql.Identifier(name), sql.Identifier(self.role), sql.Literal(self.mark)
        )
        idle = errors.DuplicateObject, errors.UniqueViolation, errors.InsufficientPrivilege
        with self.admin.cursor() as cursor, suppress(*idle):
            cursor.execute(words)

    def add_schemas(self, names: Iterable[str]) -> None:
        """Create schemas that are not there, and give them to the owner."""
        with self.admin.cursor() as cursor:
            for name in names:
                home, role = sql.Identifier(name), sql.Identifier(self.role)
                cursor.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(home))
                with suppress(errors.InsufficientPrivilege):  # of public, up to PostgreSQL 14, where all may create
                    cursor.execute(sql.SQL("ALTER SCHEMA {} OWNER TO {}").format(home, role))

    def explained(self, error: ContractError, wanted: int) -> ContractError:
        """Return an error of what runs here, with what the place lacks of a target of that major version."""
        if error.sqlstate in _UNKNOWN and self.mark and _ROLE.search(str(error)):
            why = f"The role {self.admin.info.user} may not create it on the server of {option('scratch')}"
            way = "create it there, or name a role that has CREATEROLE."
            return ContractError(f"{error} {why}: {way}", sqlstate=error.sqlstate)
        if error.sqlstate in _UNKNOWN and self.lacking:
            words = re.findall(r"[\w-]+", str(error))
            named = [each for each in self.lacking if each in words] or self.lacking
            more = f" and {len(named) - _SHOWN} more" if len(named) > _SHOWN else ""
            why = f"The throw-away database cannot have what the target has of {', '.join(named[:_SHOWN])}{more}"
        elif _UNBUILT.search(str(error)):
            why = "The throw-away server was built without it"
        elif error.sqlstate in _UNLIKE and self.version != wanted:
            why = f"The throw-away database is of PostgreSQL {self.version}, the target of {wanted}"
        else:
            return error
        way = f"name a server that is like the target: {option('scratch', SERVER)}, where USER has CREATEDB."
        return ContractError(f"{error} {why}: {way}", sqlstate=error.sqlstate)


@contextmanager
def throw_away(version: int, scratch: Scratch = OUR_OWN) -> Iterator[Place]:
    """Lend an empty database on a server that `scratch` names: of this major version, or else of the newest there is.

    Raises ServerError if no server can be started, TargetError if the one that is named lends none. What the place
    lacks is added to a ContractError.
    """
    with scratch.lend(version) as opened:
        place = Place(*opened)
        try:
            yield place
        except ContractError as error:
            raise place.explained(error, version) from None


def extensions_of(target: Connection) -> list[str]:
    """Return the extensions of the target, with their versions and homes: what a throw-away place depends on."""
    with rolled_back(target) as cursor:
        cursor.execute(READING + _EXTENSIONS)
        return [text for (text,) in cursor.fetchall()]


def bring_over(target: Connection, place: Place, *, made: Collection[QName] | None) -> None:
    """Make in the place what a contract may need of the target: its extensions, and its own types and functions.

    An extension that the place cannot have gets a stand-in. What the contract has `made` itself is left out; None
    leaves out all that is no extension's.
    """
    with rolled_back(target) as cursor, place.admin.cursor() as there:
        cursor.execute(READING + UNQUOTED)
        installed, could = borrowing.extensions(cursor), borrowing.available(there)
        needs = borrowing.needed(cursor) if made is not None else []
        there.execute(setting({"search_path": SAFE_PATH, "check_function_bodies": "off"}, local=False))
        place.add_schemas(each.name.schema for each in needs if not each.name.name)
        place.add_schemas(sorted({home for home in installed.values() if not home.startswith("pg_")}))
        _create(there, [_extension(name, installed[name]) for name in sorted(installed.keys() & could)])
        place.lacking.extend(sorted(installed.keys() - borrowing.extensions(there).keys()))
        stand_ins = borrowing.stand_ins(cursor, place.lacking) if place.lacking else []
        wanted = [each.statement for each in needs if each.name.name and each.name not in (made or ())]
        _create(there, [*stand_ins, *wanted])
        there.execute(sql.SQL(_HANDED_OVER).format(sql.Literal(quoted(place.role))))


def _extension(name: str, schema: str) -> str:
    return f"CREATE EXTENSION IF NOT EXISTS {quoted(name)} SCHEMA {quoted(schema)}"


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
