"""A contract that a database declares: its own catalogue, or that of another database."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from psycopg2.extensions import connection as Connection  # noqa: N812

from fixer.connect.link import rolled_back
from fixer.connect.settings import READING, UNQUOTED, manners, setting
from fixer.errors import ContractError
from fixer.introspect import coded
from fixer.introspect.declared import read_declared, read_itself
from fixer.model.contract import Contract, Hints
from fixer.model.schema.code import Key


def prepare(
    connection: Connection,
    name: str,
    *,
    itself: bool = False,
    brought: Collection[Key] = (),
    like: Connection | None = None,
    lone_types: bool = True,
) -> Contract:
    """Return what the database behind a connection declares, as if each constraint had just been added.

    `itself` says that this database is the target: what is NOT VALID there is wanted of all rows, and its code is not
    compared with itself. What was `brought` there is left out of the code. Constants are spelt as in the session
    `like`. Types that no table needs belong to it if `lone_types`. Raises ContractError if it has nothing that
    is compared, or, as its own contract, no tables.
    """
    with rolled_back(connection) as cursor:
        cursor.execute(READING + UNQUOTED)
        if like is not None:
            cursor.execute(setting(manners(like)))
        seen = None
        if itself:
            schema, seen = read_itself(cursor)
        else:
            schema = read_declared(cursor, lone_types=lone_types)
            schema = replace(schema, code=coded.declared(cursor, brought), stored=coded.stored(cursor, schema.tables))
    if itself and not schema.tables:
        raise ContractError("The target has no tables of its own: is it the right database?")
    if schema.is_bare:
        raise ContractError(f"The contract {name} declares nothing that is compared: is it the right database?")
    return Contract(name, schema, Hints(), itself=itself, seen=seen)
