"""Spells the expressions of hints so that they mean the same under any search_path, and tells which are volatile."""

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
Spelt = tuple[str, bool]  # an expression, and whether it may give each row another value
_VIEW = "CREATE VIEW {} AS SELECT ({}) AS pgmend_value FROM {} AS t;\n"
# A function that is volatile may give each row another value (PostgreSQL manual, Function Volatility Categories).
_SPELT = """
SELECT pg_catalog.pg_get_viewdef(v.name::regclass),
       EXISTS (SELECT FROM pg_catalog.pg_rewrite r
                CROSS JOIN LATERAL regexp_matches(r.ev_action::text, ':(?:func|opfunc)id (\\d+)', 'g') AS called (ids)
                 JOIN pg_catalog.pg_proc f ON f.oid = called.ids[1]::oid
                WHERE r.ev_class = v.name::regclass AND f.provolatile = 'v')
  FROM unnest(%s::text[]) WITH ORDINALITY v (name, place)
 ORDER BY v.place
"""

log = logging.getLogger("pgmend.contract")


def path_of(schemas: Iterable[str], *, local: bool = True) -> sql.Composed:
    """Return the statement that lets names without a schema be looked for in these."""
    names = sql.SQL(", ").join(map(sql.Identifier, dict.fromkeys(schemas)))
    return sql.SQL("SET {}search_path = {};\n").format(sql.SQL("LOCAL " if local else ""), names)


def respelt(
    cursor: Cursor, places: Places, schemas: tuple[str, ...], home: str = "pg_temp"
) -> dict[str, dict[str, Spelt]]:
    """Return the expressions of hints by table: in full where they name something without its schema, else as said.

    `home` is where the tables stand; empty: where they are wanted. What PostgreSQL does not understand is left out.
    """
    found: dict[str, dict[str, Spelt]] = {}
    said = [(table, text) for table, texts in places.said.items() for text in texts]
    plain = _views(cursor, said, (), home) if said else []
    for number, (table, text) in enumerate(said):
        known = plain[number : number + 1] if plain else _views(cursor, [(table, text)], (), home)
        for _, volatile in known or ():
            found.setdefault(str(table), {})[text] = (text, volatile)
        for spelt in () if known else _views(cursor, [(table, text)], schemas, home) or ():
            found.setdefault(str(table), {})[text] = spelt
    return found


def _views(cursor: Cursor, said: list[Said], schemas: tuple[str, ...], home: str) -> list[Spelt] | None:
    """Return how PostgreSQL spells expressions over tables in full, when it looks for names in these schemas too.

    None where it does not understand one. A view keeps an expression parsed, and changes nothing of it.
    """
    views = [f"pgmend_hint_{number}" for number in range(len(said))]
    create = sql.Composed(
        sql.SQL(_VIEW).format(
            sql.Identifier("pg_temp", view), sql.SQL(text), sql.Identifier(home or at.schema, at.name)
        )
        for view, (at, text) in zip(views, said, strict=True)
    )
    spelt = None
    cursor.execute("SAVEPOINT pgmend_hints")  # alone: of what is no SQL, PostgreSQL runs no statement
    try:
        cursor.execute(path_of(["pg_catalog", *schemas, "pg_temp"]) + create)
        cursor.execute(OUR_PATH + _SPELT, ([f"pg_temp.{view}" for view in views],))
        spelt = [(_value_of(definition), volatile) for definition, volatile in cursor.fetchall()]
    except psycopg2.Error as error:
        if cursor.connection.closed:
            raise
        log.info("hints are not understood as they are: %s", told(error))
    cursor.execute("ROLLBACK TO SAVEPOINT pgmend_hints")
    return spelt


def _value_of(view: str) -> str:
    """Return the expression that a view shows under the name pgmend_value."""
    return view.rpartition(" AS pgmend_value")[0].strip().removeprefix("SELECT").strip()
