"""A contract that a database declares: its own catalogue, or that of another database."""

from __future__ import annotations

from psycopg2.extensions import connection as Connection  # noqa: N812

from fixer.connect.link import rolled_back
from fixer.connect.settings import SAFELY, UNQUOTED
from fixer.errors import ContractError
from fixer.introspect.declared import read_declared
from fixer.model.contract import Contract, Hints

_BEGIN = f"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;\n{SAFELY}{UNQUOTED}"


def prepare(connection: Connection, name: str, *, proved: bool = False) -> Contract:
    """Return what the database behind a connection declares, as if each constraint had just been added.

    Where it shall be `proved`, NOT VALID is no part of what it declares. Raises ContractError if it has no tables.
    """
    with rolled_back(connection) as cursor:
        cursor.execute(_BEGIN)
        schema = read_declared(cursor, proved=proved)
    if not schema.tables:
        raise ContractError(f"The contract {name} has no tables: is it the right database?")
    return Contract(name, schema, Hints())
