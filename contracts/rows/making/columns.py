"""Good values of the columns, one by one."""

from __future__ import annotations

import functools
from enum import Enum

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from sqlalchemy import Table

from contracts.rows.cells import Cell
from contracts.rows.checks.checks import checks_of, conditions_of
from contracts.rows.conditions import NOT_NULL, Conditions
from contracts.rows.kinds.kind import shared
from contracts.rows.kinds.types import kind_of
from contracts.rows.laws.generated import generated
from contracts.rows.laws.keys import keys_of
from contracts.rows.laws.references import foreign
from contracts.rows.laws.relations import related
from contracts.rows.laws.unique import tokens
from contracts.rows.tables import AnyColumn, takes_null
from fixer.errors import ContractError


class Instead(Enum):
    """What a row may hold in place of a value."""

    NULL = "NULL"
    OMISSION = "nothing: the default of the column fills it"
    NOTHING_ELSE = "a value only"


@functools.cache
def good(column: AnyColumn, more: Conditions = ()) -> SearchStrategy[Cell]:
    """Give values of a column that are not NULL and obey its checks."""
    conditions = (*conditions_of(column), *more)
    if any(c.op == "null" for c in conditions):
        return st.none()
    kind = kind_of(column)
    found = shared(kind, conditions)
    held = [c for c in conditions if c.op != NOT_NULL]
    examples = [kind.take(value) for value in column.info.get("examples", ())]
    examples = [value for value in examples if value is not None and all(c.holds(value) for c in held)]
    if not examples or found.is_empty:
        return found
    opaque = any(column.name in check.columns and not check.whole for check in checks_of(column.table))
    return st.sampled_from(examples) if opaque else found | st.sampled_from(examples)


def fresh_number(column: AnyColumn, number: int) -> Cell:
    """Return a number for a column that would take it from a sequence, by a random number."""
    return kind_of(column).fresh(conditions_of(column), None, number)


def nullable(column: AnyColumn) -> bool:
    """Return whether the column and its checks allow NULL."""
    return takes_null(column) and not any(c.op == NOT_NULL for c in conditions_of(column))


@functools.cache
def values(column: AnyColumn) -> SearchStrategy[Cell]:
    """Give good values of one column; None only where it is nullable."""
    found = good(column)
    if found.is_empty:
        raise ContractError(f"{column.table.name}.{column.name} has checks that no value satisfies.")
    return _or_none(found) if nullable(column) else found


@functools.cache
def _or_none(found: SearchStrategy[Cell]) -> SearchStrategy[Cell]:
    return st.none() | found


@functools.cache
def simple(table: Table) -> tuple[AnyColumn, ...]:
    """Return the columns whose values depend on no other column and no other row."""
    chosen = []
    for column in table.columns:
        if generated(column) or column.name in foreign(table) | related(table):
            continue
        try:
            values(column)
        except ContractError:
            if column.server_default is None and not nullable(column):
                raise
            continue
        chosen.append(column)
    return tuple(chosen)


@functools.cache
def fields(table: Table) -> dict[str, tuple[SearchStrategy[Cell], Instead]]:
    """Return for each simple column its values and what a row may hold in place of them."""
    found: dict[str, tuple[SearchStrategy[Cell], Instead]] = {}
    single = {name for key in keys_of(table) if not key.distinct_nulls for name in key.columns}
    for column in simple(table):
        if column.server_default is not None and column.name not in tokens(table):
            found[column.name] = values(column), Instead.OMISSION
        else:
            optional = nullable(column) and column.name not in single
            found[column.name] = good(column), Instead.NULL if optional else Instead.NOTHING_ELSE
    return found
