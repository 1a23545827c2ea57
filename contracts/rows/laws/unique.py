"""Chooses what keeps rows apart: columns with fresh values, foreign keys with a new parent for each row."""

from __future__ import annotations

import functools

from sqlalchemy import ForeignKeyConstraint, Table

from contracts.rows.checks.checks import conditions_of
from contracts.rows.kinds.types import kind_or_none
from contracts.rows.laws.generated import generated
from contracts.rows.laws.keys import keys_of
from contracts.rows.laws.references import foreign, local_of, references
from contracts.rows.laws.relations import related
from contracts.rows.tables import AnyColumn, columns_of

ROOMY = 1000  # so many values make a collision unlikely


@functools.cache
def tokens(table: Table) -> frozenset[str]:
    """Return the columns that take fresh values, so that no key is duplicated."""
    columns, found = columns_of(table), set[str]()
    for key in keys_of(table):
        roomy = any(room(columns[name]) >= ROOMY for name in found & set(key.columns))
        if roomy or any(generated(columns[name]) for name in key.columns):
            continue
        rooms = {name: room(columns[name]) for name in key.columns if name not in foreign(table) | related(table)}
        if any(rooms.values()):
            found.add(max(rooms, key=lambda name: rooms[name]))
    return frozenset(found)


def room(column: AnyColumn) -> int:
    """Return about how many fresh values a column has."""
    kind = kind_or_none(column)
    return kind.room(conditions_of(column)) if kind else 0


@functools.cache
def exclusive(table: Table) -> frozenset[ForeignKeyConstraint]:
    """Return the foreign keys that need a parent of their own for each row, so that no key is duplicated."""
    columns, found = columns_of(table), set[ForeignKeyConstraint]()
    for key in keys_of(table):
        roomy = any(name in tokens(table) and room(columns[name]) >= ROOMY for name in key.columns)
        if roomy or any(generated(columns[name]) for name in key.columns):
            continue
        inside = [each for each in references(table) if set(local_of(each)) <= set(key.columns)]
        found |= set(inside[:1])
    return frozenset(found)
