"""Reads existing rows of the target: patterns of good rows, and parents."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from psycopg2 import errors as pg
from sqlalchemy import Table

from contracts.proof.advice.facts import Facts
from contracts.rows.cells import Cell
from contracts.rows.conditions import NOT_NULL, Condition, Conditions
from contracts.rows.insertions import Ref, Row
from contracts.rows.kinds.kind import Grid, Labels
from contracts.rows.kinds.literals import Array
from contracts.rows.kinds.text import Text
from contracts.rows.kinds.types import kind_or_none
from contracts.rows.laws.groups import Group
from contracts.rows.tables import columns_of
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Identifier, Literal

_KNOWN = 40  # rows of the target that are read


def known_rows(facts: Facts, group: Group) -> list[Row]:
    """Return the values of a group in some existing rows."""
    table, kinds = group.table, {n: kind_or_none(columns_of(group.table)[n]) for n in group.columns}
    cells = [
        SQL("{}" if isinstance(kind, Grid | Labels | Text) else "{}::text").format(Identifier(n))
        for n, kind in kinds.items()
    ]
    query = SQL("SELECT DISTINCT {} FROM (SELECT {} FROM {} LIMIT {}) AS looked").format(
        SQL(", ").join(map(Identifier, group.columns)),
        SQL(", ").join(SQL("{} AS {}").format(c, Identifier(n)) for c, n in zip(cells, kinds, strict=True)),
        q.name(facts.name(table)),
        Literal(_KNOWN),
    )
    found = _asked(facts, query)
    return [dict(zip(group.columns, map(_as_value, row), strict=True)) for row in found]


def known_parents(
    facts: Facts,
    table: Table,
    names: Sequence[str],
    settled: Row,
    more: Conditions,
    apart: tuple[Table, Sequence[str]] | None,
) -> list[Row]:
    """Return the values of some columns in existing rows of a table.

    The rows have the `settled` values and obey `more`. If `apart` names a table and its columns, no row of it refers to
    them yet.
    """
    if any(isinstance(value, Ref) for value in settled.values()):
        return []
    tests = [SQL("p.{} IS NOT NULL").format(Identifier(name)) for name in names]
    tests += [SQL("p.{} = {}").format(Identifier(name), Literal(value)) for name, value in settled.items()]
    if apart is not None:
        child, columns = apart
        pairs = zip(columns, names, strict=True)
        pointing = (SQL("c.{} = p.{}").format(Identifier(c), Identifier(n)) for c, n in pairs)
        tests.append(SQL("NOT EXISTS (SELECT FROM {} AS c WHERE {})").format(
            q.name(facts.name(child)), SQL(" AND ").join(pointing)))  # fmt: skip
    query = SQL("SELECT {} FROM {} AS p WHERE {} LIMIT {}").format(
        SQL(", ").join(SQL("p.{}").format(Identifier(n)) for n in names),
        q.name(facts.name(table)),
        SQL(" AND ").join(tests),
        Literal(_KNOWN),
    )
    held = [c for c in more if c.op != NOT_NULL and c.column in names]
    rows = [dict(zip(names, row, strict=True)) for row in _asked(facts, query)]
    return [row for row in rows if all(holds(c, row[c.column]) for c in held)]


def _asked(facts: Facts, query: Composable) -> list[tuple[Cell, ...]]:
    """Return the rows of a query; none where the role may not read the table, or the table or a column is missing."""
    with facts.cursor() as cursor:
        cursor.execute("SAVEPOINT pgmend_asked")
        try:
            cursor.execute(query)
            return cursor.fetchall()
        except (pg.InsufficientPrivilege, pg.UndefinedTable, pg.UndefinedColumn):
            cursor.execute("ROLLBACK TO SAVEPOINT pgmend_asked")
            return []


def holds(condition: Condition, value: Cell) -> bool:
    """Return whether a value meets a condition; True where Python cannot compare them."""
    if condition.op in ("null", NOT_NULL):
        return bool(condition.holds(value))
    with suppress(TypeError):
        return value is None or bool(condition.holds(value))
    return True  # the server compares them later


def _as_value(value: Cell) -> Cell:
    return Array(value) if isinstance(value, list) else value
