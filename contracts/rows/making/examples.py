"""Examples of good rows, and good changes to them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping

from hypothesis.errors import UnsatisfiedAssumption
from hypothesis.strategies import SearchStrategy
from sqlalchemy import Table

from contracts.rows.cells import Cell
from contracts.rows.insertions import Insertion, Row
from contracts.rows.laws.apart import apart_of
from contracts.rows.laws.generated import generated
from contracts.rows.laws.groups import Adviser
from contracts.rows.laws.references import foreign
from contracts.rows.making.columns import good, nullable, simple
from contracts.rows.making.drafts import Clash, Drafter
from contracts.rows.making.draws import Draws, made_by
from contracts.rows.making.family import Family
from contracts.rows.tables import AnyColumn, columns_of, takes_null
from fixer.errors import ContractError


@functools.cache
def example_for(
    table: Table, *, size: int = 3, advice: Adviser | None = None, draws: bool = False
) -> SearchStrategy[tuple[Insertion, ...]]:
    """Give families of good rows: 1 to `size` rows of the table, each after the parents it needs.

    The last insertion is always a row of the table. Its rows take numbers from sequences only with `draws`, because no
    rollback gives those back.
    """
    return made_by(functools.partial(_example, table, size, advice, draws))


def _example(table: Table, size: int, advice: Adviser | None, counts: bool, draws: Draws) -> tuple[Insertion, ...]:
    family, made = Family(draws, advice), 0
    for _ in range(1 + draws.below(size)):
        try:
            made = family.add(table, draws=counts) + 1
        except Clash:
            continue
    if not made:
        raise UnsatisfiedAssumption
    return tuple(family.insertions[:made])


def rows(table: Table, *, parents: Mapping[str, Cell] | None = None) -> SearchStrategy[Row]:
    """Give single good rows; `parents` has the values of foreign key columns; columns that it lacks are NULL."""
    known = {name: value for name, value in (parents or {}).items() if name in foreign(table)}
    for name in foreign(table) - set(known):
        if not takes_null(columns_of(table)[name]):
            raise ContractError(f"{table.name}.{name} needs a value in parents.")
        known[name] = None
    return made_by(lambda draws: Drafter(draws).row(table, known, ()))


@functools.cache
def changes(table: Table, advice: Adviser | None = None) -> SearchStrategy[Row]:
    """Give good updates: values for one or more columns that are neither keys, generated nor compared.

    Columns that a law ties together change together. Only the empty update where the table has no such column.
    """
    groups = advice.groups(table) if advice else ()
    settled = {name for each in apart_of(table) for name in each.columns} | foreign(table)
    settled |= {column.name for column in table.columns if generated(column)}
    grouped = {name for group in groups for name in group.columns}
    fields: _Fields = {(c.name,): functools.partial(_cell, c) for c in simple(table) if c.name not in settled | grouped}
    for group in groups:
        if advice and settled.isdisjoint(group.columns):
            found = [tuple(row.values()) for row in advice.patterns(group, {}, ())]
            fields[group.columns] = functools.partial(_one_of, found)
    return made_by(functools.partial(_update, fields)) if fields else made_by(lambda draws: {})


def _update(fields: _Fields, draws: Draws) -> Row:
    first = draws.one_of(list(fields))
    chosen = {first: fields[first](draws)}
    chosen |= {names: fields[names](draws) for names in fields if names != first and draws.below(2)}
    return {name: value for names, found in chosen.items() for name, value in zip(names, found, strict=True)}


_Fields = dict[tuple[str, ...], Callable[[Draws], tuple[Cell, ...]]]


def _cell(column: AnyColumn, draws: Draws) -> tuple[Cell, ...]:
    empty = nullable(column) and not draws.below(3)
    return (None if empty else draws.value(good(column)),)


def _one_of(patterns: list[tuple[Cell, ...]], draws: Draws) -> tuple[Cell, ...]:
    return draws.one_of(patterns)
