"""Examples whose last row is bad in one way."""

from __future__ import annotations

import functools
from collections.abc import Callable

from hypothesis.errors import UnsatisfiedAssumption
from hypothesis.strategies import SearchStrategy

from contracts.rows.bad.ways import beyond, breakable, breaking, loose_ends
from contracts.rows.checks.checks import checks_of, conditions_of
from contracts.rows.conditions import NOT_NULL, Condition, Other
from contracts.rows.insertions import Bad, Insertion
from contracts.rows.kinds.types import kind_of
from contracts.rows.laws.groups import Adviser
from contracts.rows.laws.keys import keys_of
from contracts.rows.laws.references import local_of, references
from contracts.rows.laws.relations import comparisons
from contracts.rows.making.columns import good
from contracts.rows.making.drafts import Clash
from contracts.rows.making.draws import Draws, made_by
from contracts.rows.making.family import Family
from contracts.rows.tables import columns_of, name_of


@functools.cache
def bad_example(bad: Bad, advice: Adviser | None = None) -> SearchStrategy[tuple[Insertion, ...]]:
    """Give families whose last row is bad in exactly this way, and whose other rows are good."""
    return made_by(functools.partial(_bad_example, bad, advice))


def _bad_example(bad: Bad, advice: Adviser | None, draws: Draws) -> tuple[Insertion, ...]:
    family = Family(draws, advice)
    try:
        _WAYS[bad.kind](family, bad)
    except Clash:
        raise UnsatisfiedAssumption from None
    return tuple(family.insertions)


def _add_null(family: Family, bad: Bad) -> None:
    family.add(bad.table)
    family.spoil(dict.fromkeys(bad.columns))


def _add_orphan(family: Family, bad: Bad) -> None:
    key = next(k for k in references(bad.table) if local_of(k) == bad.columns and bad.name == name_of(k, bad.name))
    loose = loose_ends(bad.table, key)[0]
    column = columns_of(bad.table)[loose]
    pins = {loose: kind_of(column).fresh(conditions_of(column), "", family.drafter.number("orphan"))}
    more = tuple(Condition(name, NOT_NULL) for name in bad.columns)
    family.add(bad.table, pins, more, loose=loose)
    family.spoil(
        {
            n: family.draws.value(good(columns_of(bad.table)[n]))
            for n in bad.columns
            if family.earlier.told(-1, n) is None
        }
    )


def _add_duplicate(family: Family, bad: Bad) -> None:
    key = next(k for k in keys_of(bad.table) if (k.name, k.columns) == (bad.name, bad.columns))
    more = (*(Condition(name, NOT_NULL) for name in key.columns), *key.where)
    first = family.add(bad.table, None, more)
    tied = [
        n for g in family.drafter.groups(bad.table) if not set(key.columns).isdisjoint(g.columns) for n in g.columns
    ]
    names = dict.fromkeys([*key.columns, *tied])
    family.add(bad.table, {name: family.earlier.told(first, name) for name in names}, key.where, repeats=True)


def _add_broken(family: Family, bad: Bad) -> None:
    checks = [check for check in checks_of(bad.table) if (check.name, check.columns) == (bad.name, bad.columns)]
    conditions = [each for check in checks for each in check.conditions if breakable(bad.table, each)]
    condition = family.draws.one_of(conditions)
    column = columns_of(bad.table)[condition.column]
    if not isinstance(condition.value, Other):
        family.add(bad.table)
        family.spoil({column.name: family.draws.value(breaking(column, condition))})
        return
    place = family.add(bad.table, None, tuple(Condition(name, NOT_NULL) for name in bad.columns))
    against = comparisons(family.insertions[place].row, column, [condition.negated()])
    family.spoil({column.name: family.drafter.choose(good(column, against))})


def _add_oversized(family: Family, bad: Bad) -> None:
    (name,) = bad.columns
    family.add(bad.table)
    family.spoil({name: family.draws.value(beyond(columns_of(bad.table)[name]))})


_WAYS: dict[str, Callable[[Family, Bad], None]] = {
    "null": _add_null,
    "orphan": _add_orphan,
    "duplicate": _add_duplicate,
    "check": _add_broken,
    "too-long": _add_oversized,
    "overflow": _add_oversized,
}
