"""Inserts the rows of an example, and reads them back as the server spells them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import psycopg2
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


class Way(NamedTuple):
    """How rows are inserted: `first` runs once before all of them, and `path` sets the search_path for each statement.

    `home` sets the one that is in force again after a refusal. With `together`, neighbours in one table are first tried
    in one statement, which takes one round trip.
    """

    first: sql.Composable = _NOTHING
    home: sql.Composable = _NOTHING
    path: sql.Composable = _NOTHING
    together: bool = False


_PLAINLY = Way()


def insert(
    cursor: Cursor,
    example: Iterable[Insertion],
    schema: str,
    returned: list[Row] | None = None,
    way: Way = _PLAINLY,
) -> list[Row]:
    """Insert the rows of an example in order, and return them as the server spells them.

    `schema` is that of tables that name none. Deferred constraints are checked at once. Errors of psycopg2 are raised
    as they are, with the savepoint pgmend_row before the row that was refused; Swallowed is raised where an insert
    returns no row. `returned` holds at any time the rows that were inserted.
    """
    returned = [] if returned is None else returned
    left, together = list(example), way.together
    before = way.first + way.home + sql.SQL("SET CONSTRAINTS ALL IMMEDIATE; SAVEPOINT pgmend_row; ")
    while left:
        some = _neighbours(left, len(returned)) if together else left[:1]
        values = [resolved(insertion.row, returned) for insertion in some]
        try:
            found = spelt(cursor, before + way.path + _statement(cursor, some[0].table, values, schema))
        except psycopg2.Error:
            if len(some) == 1 or cursor.connection.closed:
                raise
            found = []
        before = way.home + _AGAIN
        if len(found) == len(some):
            returned += found
            del left[: len(some)]
        elif len(some) > 1:
            together, before = False, _UNDONE + before
        else:
            raise Swallowed(some[0].table)
    return returned


_AGAIN = sql.SQL("SAVEPOINT pgmend_row; ")
_UNDONE = sql.SQL("ROLLBACK TO SAVEPOINT pgmend_row; ")


def _neighbours(left: Sequence[Insertion], made: int) -> Sequence[Insertion]:
    """Return the first rows, all of one table, that need nothing of a row that is not `made` yet."""
    found = [*left[:1]]
    for each in left[1:]:
        needs = any(isinstance(value, Ref) and value.index >= made for value in each.row.values())
        if each.table is not found[0].table or needs or not (each.row and found[0].row):
            break
        found.append(each)
    return found


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


def _statement(cursor: Cursor, table: Table, rows: Sequence[Row], schema: str) -> sql.Composed:
    """Return the INSERT of rows; where several name different columns, the others get their DEFAULT."""
    columns, names = columns_of(table), dict.fromkeys(name for row in rows for name in row)
    always = any(name in names and fixed(columns[name]) and columns[name].identity is not None for name in columns)
    into = sql.Composed([sql.SQL("INSERT INTO "), _spelt(cursor, table.schema or schema, table.name)])
    back = sql.SQL(" RETURNING ") + _COMMA.join([_spelt(cursor, name) for name in columns])
    if not names:
        return into + sql.SQL(" DEFAULT VALUES") + back
    each = [_COMMA.join([sql.Literal(row[n]) if n in row else _DEFAULT for n in names]) for row in rows]
    return sql.Composed([
        into,
        sql.SQL(" ("),
        _COMMA.join([_spelt(cursor, name) for name in names]),
        sql.SQL(") OVERRIDING SYSTEM VALUE VALUES (" if always else ") VALUES ("),
        sql.SQL("), (").join(each),  # a parameter would trip over "%" in a name
        sql.SQL(")"),
        back,
    ])  # fmt: skip


_COMMA, _DEFAULT = sql.SQL(", "), sql.SQL("DEFAULT")
_known: dict[tuple[str, ...], sql.SQL] = {}  # to spell a name takes longer than to send it


def _spelt(cursor: Cursor, *name: str) -> sql.SQL:
    """Return a name as an identifier."""
    if name not in _known:
        _known[name] = sql.SQL(sql.Identifier(*name).as_string(cursor))
    return _known[name]


def returning(table: Table) -> sql.Composed:
    """Return the clause that returns what the contract knows of a row: a role may lack SELECT on other columns."""
    return sql.SQL("RETURNING {}").format(sql.SQL(", ").join(map(sql.Identifier, columns_of(table))))
