"""Models of which PostgreSQL refuses a part: made statement by statement, so that the rest is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

import psycopg2
from psycopg2 import errors as pg
from psycopg2.extensions import connection as Connection  # noqa: N812
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer import introspect
from fixer.connect.link import attempt, rolled_back
from fixer.connect.settings import OUR_PATH
from fixer.contract import refusing
from fixer.contract.cache import Read
from fixer.contract.models.scratch import OPEN, UNKNOWN, overshadowed
from fixer.contract.place import bring_over, throw_away
from fixer.contract.places import Places
from fixer.contract.refusing import Said
from fixer.contract.respelt import path_of, respelt
from fixer.contract.scratch import Scratch
from fixer.errors import ContractError, ServerError
from fixer.introspect.declared import TEMPORARY, read_model
from fixer.model.table import QName

_AT_ONCE = 50  # statements


def read(
    statements: Mapping[str, str],
    connection: Connection,
    name: str,
    places: Places,
    scratch: Scratch,
    refusal: ContractError,
) -> tuple[Read, list[Said]]:
    """Read what PostgreSQL takes of statements, each with the key of its table: in a scratch place of the target.

    Where the role may not create one, in a throw-away place. Raises the refusal where nothing can be made.
    """
    try:
        with rolled_back(connection) as cursor:
            return _read(cursor, statements, name, places, refusal)
    except (pg.ReadOnlySqlTransaction, pg.InsufficientPrivilege):
        return _read_apart(statements, connection, name, places, scratch, refusal)
    except psycopg2.Error as error:
        if connection.closed:
            raise
        raise refusal from error


def _read_apart(
    statements: Mapping[str, str],
    connection: Connection,
    name: str,
    places: Places,
    scratch: Scratch,
    refusal: ContractError,
) -> tuple[Read, list[Said]]:
    try:
        with throw_away(connection.server_version // 10000, scratch) as place:
            bring_over(connection, place, made=())
            place.add_schemas([places.schema])
            with rolled_back(place.owner) as cursor:
                return _read(cursor, statements, name, places, refusal)
    except (psycopg2.Error, ServerError) as error:
        raise refusal from error


def _read(
    cursor: Cursor, statements: Mapping[str, str], name: str, places: Places, refusal: ContractError
) -> tuple[Read, list[Said]]:
    cursor.execute(OPEN + introspect.query("shadows"), ([places.schema, "public"],))
    shadow = cursor.fetchone()
    schemas = () if shadow else (places.schema, "public")
    cursor.execute(path_of(["pg_catalog", "pg_temp", *schemas]))
    said = list[Said]()
    for key, each in _refusals(cursor, statements):
        if shadow and isinstance(each.error, UNKNOWN):
            raise overshadowed(name, each.error, shadow)
        table = places.tables[key] if key else QName(places.schema, each.apart.named[-1])
        said.append((refusing.refused(each, table), each.statement))
    cursor.execute(OUR_PATH + TEMPORARY)
    schema = read_model(cursor, places.all)
    if not schema.tables:
        raise refusal
    return Read(schema, respelt(cursor, places, schemas)), said


def _refusals(cursor: Cursor, statements: Mapping[str, str]) -> Iterator[tuple[str, refusing.Refusal]]:
    """Run statements, many at once and one by one only where some are refused; yield what is, with the table's key."""
    waiting = [*statements]
    for begin in range(0, len(waiting), _AT_ONCE):
        some = waiting[begin : begin + _AT_ONCE]
        if attempt(cursor, ";\n".join(some)):
            for text in some:
                yield from ((statements[text], each) for each in refusing.make(text, partial(attempt, cursor)))
