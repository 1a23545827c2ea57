"""Inserts the rows of an example."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - it is a class
from psycopg2.extras import Json
from sqlalchemy import Table

from contracts.rows.insertions import Insertion, Ref, Row, Swallowed
from contracts.rows.literals import Array


def insert(cursor: Cursor, example: Iterable[Insertion], schema: str) -> list[Row]:
    """Insert the rows of an example in order, and return them as the database returned them.

    Tables without a schema of their own stand in `schema`. Deferred constraints speak at once. Errors of
    psycopg2 come as they are; Swallowed is raised where an insert returns no row.
    """
    returned: list[Row] = []
    before = sql.SQL("SET CONSTRAINTS ALL IMMEDIATE; ")  # in one round trip with the first
    for insertion in example:
        row = {name: _resolve(value, returned) for name, value in insertion.row.items()}
        cursor.execute(before + _statement(insertion.table, row, schema))
        before = sql.SQL("")
        record = cursor.fetchone()
        if record is None:
            raise Swallowed(insertion.table)
        returned.append(dict(zip([each.name for each in cursor.description or ()], record, strict=True)))
    return returned


def _resolve(value: Any, returned: list[Row]) -> Any:
    if not isinstance(value, Ref):
        return value
    found = returned[value.index][value.column]
    return Json(found) if isinstance(found, dict) else Array(found) if isinstance(found, list) else found


def _statement(table: Table, row: Row, schema: str) -> sql.Composed:
    name = sql.Identifier(table.schema or schema, table.name)
    if not row:
        return sql.SQL("INSERT INTO {} DEFAULT VALUES RETURNING *").format(name)
    return sql.SQL("INSERT INTO {} ({}) VALUES ({}) RETURNING *").format(
        name,
        sql.SQL(", ").join(map(sql.Identifier, row)),
        sql.SQL(", ").join(map(sql.Literal, row.values())),  # a parameter would trip over "%" in a name
    )
