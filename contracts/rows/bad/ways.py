"""The ways in which a row must be refused."""

from __future__ import annotations

import functools
from collections.abc import Iterator

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from sqlalchemy import ForeignKeyConstraint, Table
from sqlalchemy import types as sa

from contracts.rows.cells import Cell
from contracts.rows.checks.checks import checks_of, conditions_of
from contracts.rows.conditions import NOT_NULL, Condition, Other
from contracts.rows.insertions import Bad
from contracts.rows.kinds.kind import Grid, shared
from contracts.rows.kinds.text import Text
from contracts.rows.kinds.types import kind_of, kind_or_none
from contracts.rows.laws.generated import fixed, generated
from contracts.rows.laws.keys import keys_of
from contracts.rows.laws.references import foreign, local_of, references
from contracts.rows.laws.relations import relations_of
from contracts.rows.laws.unique import ROOMY, room
from contracts.rows.tables import AnyColumn, columns_of, name_of, places, takes_null


@functools.cache
def bad_ways(table: Table) -> tuple[Bad, ...]:
    """Return every way in which a row of this table must be refused, as far as it can be derived."""
    return (*_nulls(table), *_orphans(table), *_duplicates(table), *_broken(table))


def _nulls(table: Table) -> Iterator[Bad]:
    for column in table.columns:
        if not takes_null(column) and not fixed(column):
            yield Bad(table, "null", (column.name,), f"{table.name}_{column.name}_not_null", "23502")


def _orphans(table: Table) -> Iterator[Bad]:
    for key in sorted(references(table), key=lambda key: places(table, local_of(key))):
        if loose_ends(table, key):
            usual = f"{table.name}_{'_'.join(local_of(key))}_fkey"
            yield Bad(table, "orphan", local_of(key), name_of(key, usual), "23503")


def loose_ends(table: Table, key: ForeignKeyConstraint) -> list[str]:
    """Return the columns of a foreign key that can point nowhere, those of this key alone first."""
    columns = columns_of(table)
    shared = [name for each in references(table) for name in local_of(each)]
    able = [name for name in local_of(key) if not fixed(columns[name]) and room(columns[name]) >= ROOMY]
    return sorted(able, key=shared.count)


def _duplicates(table: Table) -> Iterator[Bad]:
    columns = columns_of(table)
    for key in keys_of(table):
        known = all(kind_or_none(columns[name]) for name in key.columns)
        pointed = any(c.column in foreign(table) and c.op != NOT_NULL for c in key.where)
        empty = any(c.column in key.columns and c.op == "null" for c in key.where)
        if key.certain and known and not pointed and not empty and not any(fixed(columns[n]) for n in key.columns):
            yield Bad(table, "duplicate", key.columns, key.name, "23505")


def _broken(table: Table) -> Iterator[Bad]:
    for check in checks_of(table):
        if any(breakable(table, condition) for condition in check.conditions):
            yield Bad(table, "check", check.columns, check.name, "23514")


def breakable(table: Table, condition: Condition) -> bool:
    """Return whether a row can break this condition."""
    column = columns_of(table)[condition.column]
    if fixed(column):
        return False
    if isinstance(condition.value, Other):
        return condition in relations_of(table)
    return not breaking(column, condition).is_empty


@functools.cache
def breaking(column: AnyColumn, condition: Condition) -> SearchStrategy[Cell]:
    """Give values that break this condition, and if possible no other one."""
    negated = condition.negated()
    if negated.op == "null":
        return st.none() if takes_null(column) else st.nothing()
    others = tuple(c for c in conditions_of(column) if c != condition)
    found = shared(kind_of(column), (*others, negated))
    return shared(kind_of(column), (negated,)) if found.is_empty else found


@functools.cache
def edges(table: Table) -> tuple[Bad, ...]:
    """Return the ways of overstepping a type; a target with a wider column may accept such a row."""
    found = []
    for column in table.columns:
        if not beyond(column).is_empty:
            kind, sqlstate = ("too-long", "22001") if isinstance(kind_of(column), Text) else ("overflow", "22003")
            found.append(Bad(table, kind, (column.name,), column.name, sqlstate))
    return tuple(found)


@functools.cache
def beyond(column: AnyColumn) -> SearchStrategy[Cell]:
    """Give values that overstep the type of a column; nothing where no value does, or the database makes it."""
    kind = None if generated(column) else kind_or_none(column)
    if isinstance(kind, Text) and kind.longest is not None:
        return _too_long(kind, kind.longest + 1)
    if isinstance(kind, Grid) and isinstance(column.type, sa.Integer | sa.Numeric) and kind.high < 10**29:
        return _too_far(kind)
    return st.nothing()


@functools.cache
def _too_long(kind: Text, size: int) -> SearchStrategy[Cell]:
    return kind.long(st.sampled_from("xé'\U0001f600"), size)


@functools.cache
def _too_far(kind: Grid) -> SearchStrategy[Cell]:
    return st.sampled_from([kind.high + 1, kind.low - 1]).map(kind.value)
