"""Examples of good rows, and good changes to them."""

from __future__ import annotations

import functools
from collections.abc import Mapping

from hypothesis import reject
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy
from sqlalchemy import Table

from contracts.rows.cells import Cell
from contracts.rows.insertions import Insertion, Row
from contracts.rows.laws.apart import apart_of
from contracts.rows.laws.generated import generated
from contracts.rows.laws.groups import Adviser
from contracts.rows.laws.references import foreign
from contracts.rows.making.columns import simple, values
from contracts.rows.making.drafts import Clash, Drafter
from contracts.rows.making.family import Family
from contracts.rows.tables import columns_of, takes_null
from fixer.errors import ContractError


@functools.cache
def example_for(
    table: Table, *, size: int = 3, advice: Adviser | None = None, draws: bool = False
) -> SearchStrategy[tuple[Insertion, ...]]:
    """Give families of good rows: 1 to `size` rows of the table, each after the parents it needs.

    The last insertion is always a row of the table. Its rows take numbers from sequences only with `draws`, because no
    rollback gives those back.
    """
    return _example(table, size, advice, draws)


@st.composite
def _example(draw: DrawFn, table: Table, size: int, advice: Adviser | None, draws: bool) -> tuple[Insertion, ...]:
    family, made = Family(draw, advice), 0
    for _ in range(draw(st.integers(1, size))):
        try:
            made = family.add(table, draws=draws) + 1
        except Clash:
            continue
    return tuple(family.insertions[:made]) if made else reject()


def rows(table: Table, *, parents: Mapping[str, Cell] | None = None) -> SearchStrategy[Row]:
    """Give single good rows; `parents` has the values of foreign key columns; columns that it lacks are NULL."""
    known = {name: value for name, value in (parents or {}).items() if name in foreign(table)}
    for name in foreign(table) - set(known):
        if not takes_null(columns_of(table)[name]):
            raise ContractError(f"{table.name}.{name} needs a value in parents.")
        known[name] = None
    return _single(table, known)


@st.composite
def _single(draw: DrawFn, table: Table, known: Row) -> Row:
    return Drafter(draw).row(table, known, ())


@functools.cache
def changes(table: Table, advice: Adviser | None = None) -> SearchStrategy[Row]:
    """Give good updates: values for one or more columns that are neither keys, generated nor compared.

    Columns that a law ties together change together. Only the empty update where the table has no such column.
    """
    groups = advice.groups(table) if advice else ()
    settled = {name for each in apart_of(table) for name in each.columns} | foreign(table)
    settled |= {column.name for column in table.columns if generated(column)}
    grouped = {name for group in groups for name in group.columns}
    fields: dict[tuple[str, ...], SearchStrategy[tuple[Cell, ...]]] = {}
    fields |= {(c.name,): st.tuples(values(c)) for c in simple(table) if c.name not in settled | grouped}
    for group in groups:
        if advice and settled.isdisjoint(group.columns):
            found = [tuple(row.values()) for row in advice.patterns(group, {}, ())]
            fields[group.columns] = st.sampled_from(found)
    return _update(fields) if fields else st.just({})


@st.composite
def _update(draw: DrawFn, fields: dict[tuple[str, ...], SearchStrategy[tuple[Cell, ...]]]) -> Row:
    first = draw(st.sampled_from(list(fields)))
    rest = {names: strategy for names, strategy in fields.items() if names != first}
    chosen = {first: draw(fields[first]), **draw(st.fixed_dictionaries({}, optional=rest))}
    return {name: value for names, found in chosen.items() for name, value in zip(names, found, strict=True)}
