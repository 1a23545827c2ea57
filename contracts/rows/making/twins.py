"""Makes twins: two good rows that are alike wherever no key needs them to differ."""

from __future__ import annotations

import functools

from hypothesis.errors import UnsatisfiedAssumption
from hypothesis.strategies import SearchStrategy
from sqlalchemy import Table

from contracts.rows.checks.checks import conditions_of
from contracts.rows.conditions import NOT_NULL, Condition
from contracts.rows.insertions import Insertion, Ref, Row
from contracts.rows.kinds.types import kind_or_none
from contracts.rows.laws.apart import spread
from contracts.rows.laws.generated import fixed, generated
from contracts.rows.laws.groups import Adviser
from contracts.rows.laws.keys import keys_of
from contracts.rows.laws.references import foreign, local_of, references
from contracts.rows.laws.relations import related
from contracts.rows.making.columns import fields
from contracts.rows.making.drafts import Clash
from contracts.rows.making.draws import Draws, made_by
from contracts.rows.making.family import Family
from contracts.rows.tables import columns_of


@functools.cache
def twins(table: Table, advice: Adviser | None = None) -> SearchStrategy[tuple[Insertion, ...]]:
    """Give families that end with twins; of each key, they differ in one column."""
    return made_by(functools.partial(_twins, table, advice))


def _twins(table: Table, advice: Adviser | None, draws: Draws) -> tuple[Insertion, ...]:
    family = Family(draws, advice)
    grouped = {name for group in family.drafter.groups(table) for name in group.columns}
    try:
        first = family.add(table, None, tuple(Condition(n, NOT_NULL) for n in fields(table) if n not in grouped))
        family.add(table, _pins(family, table, first, _apart(family, table), grouped))
    except Clash:
        raise UnsatisfiedAssumption from None
    return tuple(family.insertions)


def _apart(family: Family, table: Table) -> set[str]:
    """Choose columns in which the rows differ: one of each key, and those of a foreign key together."""
    columns, chosen = columns_of(table), set(spread(table))
    for key in keys_of(table):
        if chosen.isdisjoint(key.columns) and not any(generated(columns[name]) for name in key.columns):
            chosen.add(family.draws.one_of(key.columns))
    together = [set(local_of(key)) for key in references(table)]
    return chosen.union(*(names for names in together if not names.isdisjoint(chosen)))


def _pins(family: Family, table: Table, first: int, apart: set[str], grouped: set[str]) -> Row:
    """Return the values of the second row that are settled by the first."""
    columns, pins = columns_of(table), Row()
    for name, column in columns.items():
        value = family.earlier.told(first, name)
        if name not in apart:
            if not (generated(column) or fixed(column)):
                pins[name] = value
        elif name not in foreign(table) | related(table) | grouped and not (value is None or isinstance(value, Ref)):
            kind = kind_or_none(column)
            if kind is not None:
                pins[name] = kind.fresh(conditions_of(column), value, family.drafter.number(f"{name} apart"))
    return pins
