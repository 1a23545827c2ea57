"""Examples of good rows, and good changes to them."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from hypothesis import reject
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy
from sqlalchemy import Table

from contracts.rows.columns import simple, values
from contracts.rows.families import Clash, Family
from contracts.rows.insertions import Insertion, Row
from contracts.rows.keys import keys_of
from contracts.rows.references import foreign
from contracts.rows.tables import columns_of
from fixer.errors import ContractError


@functools.cache
def example_for(table: Table, *, size: int = 3) -> SearchStrategy[tuple[Insertion, ...]]:
    """Give families of good rows: 1 to `size` rows of the table, each after the parents it needs.

    The last insertion is always a row of the table.
    """
    return _example(table, size)


@st.composite
def _example(draw: DrawFn, table: Table, size: int) -> tuple[Insertion, ...]:
    family, made = Family(draw), 0
    for _ in range(draw(st.integers(1, size))):
        try:
            made = family.add(table) + 1
        except Clash:
            continue
    return tuple(family.insertions[:made]) if made else reject()


def rows(table: Table, *, parents: Mapping[str, Any] | None = None) -> SearchStrategy[Row]:
    """Give single good rows; `parents` holds the values of foreign key columns, absent ones are NULL."""
    known = {name: value for name, value in (parents or {}).items() if name in foreign(table)}
    for name in foreign(table) - set(known):
        if not columns_of(table)[name].nullable:
            raise ContractError(f"{table.name}.{name} needs a value in parents.")
        known[name] = None
    return _single(table, known)


@st.composite
def _single(draw: DrawFn, table: Table, known: Row) -> Row:
    return Family(draw).row(table, known, ())


@functools.cache
def changes(table: Table) -> SearchStrategy[Row]:
    """Give good updates: values for one or more columns that are neither keys, generated nor compared.

    Only the empty update where the table has no such column.
    """
    keyed = {name for key in keys_of(table) for name in key.columns}
    fields = {column.name: values(column) for column in simple(table) if column.name not in keyed}
    return _update(fields) if fields else st.just({})


@st.composite
def _update(draw: DrawFn, fields: dict[str, SearchStrategy[Any]]) -> Row:
    first = draw(st.sampled_from(list(fields)))
    rest = {name: strategy for name, strategy in fields.items() if name != first}
    return {first: draw(fields[first]), **draw(st.fixed_dictionaries({}, optional=rest))}
