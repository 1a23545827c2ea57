"""Inserts the rows of an example, and reads them back as the server spells them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - it is a class
from psycopg2.extensions import new_type, register_type, string_types
from sqlalchemy import Table

from contracts.rows.insertions import Insertion, Ref, Row, Swallowed
from contracts.rows.laws.generated import fixed
from contracts.rows.tables import columns_of

# Cells stay texts, because Python confuses JSON null with NULL and 1.0 with 1, and lacks some moments.
_NOTHING = sql.SQL("")
_AS_SPELT = new_type(tuple(string_types), "AS_SPELT", lambda value, _: value)


def insert(
    cursor: Cursor,
    example: Iterable[Insertion],
    schema: str,
    returned: list[Row] | None = None,
    *,
    home: sql.Composable = _NOTHING,
    path: sql.Composable = _NOTHING,
) -> list[Row]:
    """Insert the rows of an example in order, and return them as the server spells them.

    `schema` is that of tables that name none. Deferred constraints are checked at once. Errors of psycopg2 are raised
    as they are, with the savepoint pgmend_row before the row that was refused; Swallowed is raised where an insert
    returns no row. `returned` holds at any time the rows that were inserted. `path` sets the search_path for the
    inserts, `home` the one that is in force again after a refusal.
    """
    returned = [] if returned is None else returned
    before = sql.SQL("SET CONSTRAINTS ALL IMMEDIATE; SAVEPOINT pgmend_row; ")  # in one round trip with the first
    for insertion in example:
        statement = _statement(cursor, insertion.table, resolved(insertion.row, returned), schema)
        found = spelt(cursor, sql.Composed([home, before, path, statement]))
        before = sql.SQL("SAVEPOINT pgmend_row; ")
        if not found:
            raise Swallowed(insertion.table)
        returned += found
    return returned


def spelt(cursor: Cursor, statement: sql.Composable) -> list[Row]:
    """Run a statement and return its rows, each cell as the server spells it; None is NULL and nothing else."""
    with cursor.connection.cursor() as plain:
        register_type(_AS_SPELT, plain)
        plain.execute(statement)
        names = [each.name for each in plain.description or ()]
        return [dict(zip(names, record, strict=True)) for record in plain.fetchall()]


def resolved(row: Row, returned: Sequence[Row]) -> Row:
    """Return a row with what earlier insertions returned."""
    return {n: returned[v.index][v.column] if isinstance(v, Ref) else v for n, v in row.items()}


def _statement(cursor: Cursor, table: Table, row: Row, schema: str) -> sql.Composable:
    before, after = _frame(cursor, table, tuple(row), schema)
    values = sql.SQL(", ").join(map(sql.Literal, row.values()))  # a parameter would trip over "%" in a name
    return sql.Composed([before, values, after])


_frames: dict[
    tuple[Table, tuple[str, ...], str], tuple[sql.SQL, sql.SQL]
] = {}  # to spell one takes as long as to send it


def _frame(cursor: Cursor, table: Table, names: tuple[str, ...], schema: str) -> tuple[sql.SQL, sql.SQL]:
    """Return what stands before and after the values of these columns."""
    known = table, names, schema
    if known not in _frames:
        before, after = (sql.SQL(part.as_string(cursor)) for part in _framed(table, names, schema))
        _frames[known] = before, after
    return _frames[known]


def _framed(table: Table, names: tuple[str, ...], schema: str) -> tuple[sql.Composed, sql.Composed]:
    name = sql.Identifier(table.schema or schema, table.name)
    if not names:
        return sql.SQL("INSERT INTO {} DEFAULT VALUES ").format(name), returning(table)
    columns = columns_of(table)
    always = any(name in names and fixed(columns[name]) and columns[name].identity is not None for name in columns)
    before = sql.SQL("INSERT INTO {} ({}) {} VALUES (").format(
        name,
        sql.SQL(", ").join(map(sql.Identifier, names)),
        sql.SQL("OVERRIDING SYSTEM VALUE" if always else ""),
    )
    return before, sql.SQL(") ") + returning(table)


def returning(table: Table) -> sql.Composed:
    """Return the clause that returns what the contract knows of a row: a role may lack SELECT on other columns."""
    return sql.SQL("RETURNING {}").format(sql.SQL(", ").join(map(sql.Identifier, columns_of(table))))
