"""Spells the expressions of hints so that they mean the same under any search_path."""

from __future__ import annotations

import logging
from collections.abc import Iterable

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer.connect.failures import told
from fixer.connect.settings import OUR_PATH
from fixer.contract.places import Places
from fixer.model.table import QName

Said = tuple[QName, str]  # a table, and an expression over its rows
_VIEW = "CREATE VIEW {} AS SELECT ({}) AS pgmend_value FROM {} AS t;\n"
_SPELT = """
SELECT pg_catalog.pg_get_viewdef(v.name::regclass) FROM unnest(%s::text[]) WITH ORDINALITY v (name, place)
 ORDER BY v.place
"""

log = logging.getLogger("pgmend.contract")


def path_of(schemas: Iterable[str], *, local: bool = True) -> sql.Composed:
    """Return the statement that lets names without a schema be looked for in these."""
    names = sql.SQL(", ").join(map(sql.Identifier, dict.fromkeys(schemas)))
    return sql.SQL("SET {}search_path = {};\n").format(sql.SQL("LOCAL " if local else ""), names)


def respelt(cursor: Cursor, places: Places, schemas: tuple[str, ...]) -> dict[str, dict[str, str]]:
    """Return in full the expressions of hints that name something without its schema, by table."""
    found: dict[str, dict[str, str]] = {}
    said = [(table, text) for table, texts in places.said.items() for text in texts]
    if not said or _views(cursor, said, ()) is not None:
        return found
    for table, text in said:
        if _views(cursor, [(table, text)], ()) is None:
            for spelt in _views(cursor, [(table, text)], schemas) or ():
                found.setdefault(str(table), {})[text] = spelt
    return found


def _views(cursor: Cursor, said: list[Said], schemas: tuple[str, ...]) -> list[str] | None:
    """Return how PostgreSQL spells expressions over tables in full, when it looks for names in these schemas too.

    None where it does not understand one. A view keeps an expression parsed, and changes nothing of it.
    """
    views = [f"pgmend_hint_{number}" for number in range(len(said))]
    create = sql.Composed(
        sql.SQL(_VIEW).format(sql.Identifier("pg_temp", view), sql.SQL(text), sql.Identifier("pg_temp", table.name))
        for view, (table, text) in zip(views, said, strict=True)
    )
    spelt = None
    try:
        cursor.execute(sql.SQL("SAVEPOINT pgmend_hints;\n") + path_of(["pg_catalog", *schemas, "pg_temp"]) + create)
        cursor.execute(OUR_PATH + _SPELT, ([f"pg_temp.{view}" for view in views],))
        spelt = [_value_of(definition) for (definition,) in cursor.fetchall()]
    except psycopg2.Error as error:
        if cursor.connection.closed:
            raise
        log.info("hints are not understood as they are: %s", told(error))
    cursor.execute("ROLLBACK TO SAVEPOINT pgmend_hints")
    return spelt


def _value_of(view: str) -> str:
    """Return the expression that a view shows under the name pgmend_value."""
    return view.rpartition(" AS pgmend_value")[0].strip().removeprefix("SELECT").strip()
