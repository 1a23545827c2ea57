"""What a contract needs of a database and does not make: read as the statements that make it in a throw-away place."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer.introspect.questions import query
from fixer.model.table import QName


class Needed(NamedTuple):
    """A schema, type, collation, sequence or function, and the statement that makes it."""

    name: QName  # that of a schema is empty
    statement: str


def needed(cursor: Cursor) -> list[Needed]:
    """Return what models may need of a database and do not make, in an order in which most of it can be made."""
    cursor.execute(query("borrowed"))
    return [Needed(QName(schema, name), statement) for _, schema, name, statement in cursor.fetchall()]


def extensions(cursor: Cursor) -> dict[str, str]:
    """Return the extensions of a database, each with its schema."""
    cursor.execute(
        "SELECT e.extname::text, n.nspname::text FROM pg_catalog.pg_extension e"
        " JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace"
    )
    return dict(cursor.fetchall())


def available(cursor: Cursor) -> set[str]:
    """Return the extensions that a server could install."""
    cursor.execute("SELECT name::text FROM pg_catalog.pg_available_extensions")
    return {name for (name,) in cursor.fetchall()}


def stand_ins(cursor: Cursor, names: Iterable[str]) -> list[str]:
    """Return the statements that make stand-ins of extensions, which have their names and shapes and do nothing."""
    choose = "SELECT set_config('pgmend.extensions', %s::text[]::text, true);\n"
    cursor.execute(choose + query("standins").replace("%", "%%"), (list(names),))
    return [statement for _, statement in cursor.fetchall()]
