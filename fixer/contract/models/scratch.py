"""The scratch place where a contract is created and read: pg_temp of the target, or a throw-away database.

What the models name without a schema means what it means to the application, unless somebody who is not trusted has
left something there that PostgreSQL would take for its own: then only PostgreSQL's own is meant.
"""

from __future__ import annotations

import logging
from contextlib import suppress

import psycopg2
from psycopg2 import errors as pg
from psycopg2.extensions import connection as Connection  # noqa: N812
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer import introspect
from fixer.connect.failures import told
from fixer.connect.link import rolled_back
from fixer.connect.settings import OUR_PATH, SAFELY, UNQUOTED
from fixer.contract.cache import Read
from fixer.contract.place import throw_away
from fixer.contract.places import Places
from fixer.contract.respelt import path_of, respelt
from fixer.contract.scratch import Scratch
from fixer.errors import ContractError, ServerError, TargetError
from fixer.introspect.declared import TEMPORARY, read_model
from fixer.model.expression.patterns import pattern

_NO_FAULT_OF_ITS = ("08", "40", "53", "57", "58")  # connection, rollback, resources, operator, system
UNKNOWN = (pg.UndefinedFunction, pg.UndefinedObject, pg.UndefinedTable, pg.InvalidSchemaName)
OPEN = f"""
BEGIN;
{SAFELY}{UNQUOTED}SELECT set_config('pgmend.schemas', %s::text[]::text, true);
"""

log = logging.getLogger("pgmend.contract")


def read(ddl: str, connection: Connection, name: str, places: Places, scratch: Scratch) -> Read:
    """Read the contract from a scratch place in the target, or else from a throw-away database."""
    try:
        return _read_temporary(ddl, connection, name, places)
    except (pg.ReadOnlySqlTransaction, pg.InsufficientPrivilege, pg.OutOfMemory):
        return _read_apart(ddl, connection, name, places, scratch)
    except psycopg2.Error as error:
        if connection.closed or (error.pgcode or "")[:2] in _NO_FAULT_OF_ITS or isinstance(error, pg.LockNotAvailable):
            raise TargetError(f"The contract {name} could not be read in the target: {told(error)}.") from None
        return _read_elsewhere(ddl, connection, name, places, scratch, _unsatisfiable(name, error))
    except ValueError as error:
        if not (isinstance(error, UnicodeError) or "NUL" in str(error)):  # characters that no statement may hold
            raise
        raise ContractError(f"The contract {name} cannot be put to the target: {error}.") from None


def _read_apart(ddl: str, connection: Connection, name: str, places: Places, scratch: Scratch) -> Read:
    with throw_away(connection.server_version // 10000, scratch) as place:
        place.add_schemas([places.schema])
        try:
            return _read_temporary(ddl, place.owner, name, places)
        except psycopg2.Error as error:
            raise _unsatisfiable(name, error) from None


def _read_elsewhere(
    ddl: str, connection: Connection, name: str, places: Places, scratch: Scratch, refusal: ContractError
) -> Read:
    """Read the contract from a throw-away database if the target has event triggers; else, or if it fails, raise."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM pg_catalog.pg_event_trigger WHERE evtenabled IN ('O', 'A'))")
        answer = cursor.fetchone()
    connection.rollback()
    if answer == (True,):
        log.info("an event trigger may have refused the contract: %s", refusal)
        with suppress(ContractError, ServerError):
            return _read_apart(ddl, connection, name, places, scratch)
    raise refusal


class Unsatisfiable(ContractError):
    """PostgreSQL refuses a statement of the models."""


_NO_CLASS = pattern(r'no default operator class for access method "(gist|gin)"')


def _unsatisfiable(name: str, error: psycopg2.Error) -> Unsatisfiable:
    first = (error.diag.message_primary or str(error)).rstrip(".")
    if found := _NO_CLASS.search(first):
        way = f"if the extension btree_{found[1]} has it, run there: CREATE EXTENSION btree_{found[1]};"
        return Unsatisfiable(f"The contract {name} needs what the target lacks: {first}; {way}")
    return Unsatisfiable(f"The contract {name} cannot be satisfied by any database: {first}.", sqlstate=error.pgcode)


def _read_temporary(ddl: str, connection: Connection, name: str, places: Places) -> Read:
    """Create the contract in pg_temp, read it, roll back."""
    with rolled_back(connection) as cursor:
        return _created(cursor, ddl, name, places)


def _created(cursor: Cursor, ddl: str, name: str, places: Places) -> Read:
    """Open a transaction, create the contract in it, and return what it looks like."""
    cursor.execute(OPEN + introspect.query("shadows"), ([places.schema, "public"],))
    shadow = cursor.fetchone()
    schemas = () if shadow else (places.schema, "public")
    path = path_of(["pg_catalog", "pg_temp", *schemas]).as_string(cursor)
    try:
        cursor.execute(f"{path}{ddl};\n{OUR_PATH}{TEMPORARY}")
    except UNKNOWN as error:
        raise overshadowed(name, error, shadow) if shadow else error from None
    return Read(read_model(cursor, places.all), respelt(cursor, places, schemas))


def overshadowed(name: str, error: psycopg2.Error, shadow: tuple[str, str, str]) -> ContractError:
    """Return the error of a name without its schema that somebody else's object may take the place of."""
    kind, spelt, owner = shadow
    return ContractError(
        f"The contract {name} names something without its schema ({told(error)}), and the {kind} {spelt} of the role"
        f" {owner} may take the place of PostgreSQL's own there: drop that one, or write the schema in the models."
    )
