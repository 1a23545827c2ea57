"""Conditions between columns: of one row, or of a child and its parent."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from dataclasses import replace

from sqlalchemy import Table

from contracts.rows.checks.checks import checks_of, conditions_of
from contracts.rows.conditions import LISTED, MIRRORED, NOT_NULL, Condition, Conditions, Other
from contracts.rows.insertions import Ref, Row
from contracts.rows.kinds.kind import Grid
from contracts.rows.kinds.text import Text
from contracts.rows.kinds.types import kind_or_none
from contracts.rows.laws.generated import generated
from contracts.rows.laws.references import foreign
from contracts.rows.tables import AnyColumn


@functools.cache
def relations_of(table: Table) -> Conditions:
    """Return the conditions that compare two columns whose values we choose."""
    bound = foreign(table) | {column.name for column in table.columns if generated(column)}
    found = (c for check in checks_of(table) for c in check.conditions if isinstance(c.value, Other))
    return tuple(c for c in found if bound.isdisjoint((c.column, c.value.column)))


@functools.cache
def related(table: Table) -> frozenset[str]:
    """Return the columns that a check compares with another."""
    return frozenset(name for c in relations_of(table) for name in (c.column, c.value.column))


def underived_checks(table: Table) -> tuple[str, ...]:
    """Return the names of the checks that could not be read in full; a generated row may break them."""
    followed = {c for check in checks_of(table) for c in check.conditions if not isinstance(c.value, Other)}
    followed |= set(relations_of(table))
    return tuple(
        check.name for check in checks_of(table) if not (check.whole and followed.issuperset(check.conditions))
    )


def inherited(column: AnyColumn, remote: str) -> Iterator[Condition]:
    """Yield what a parent's column must obey so that a child can refer to it."""
    yield Condition(remote, NOT_NULL)
    for each in conditions_of(column):
        yield replace(each, column=remote)
    kind = kind_or_none(column)
    if isinstance(kind, Text) and kind.longest is not None:
        yield Condition(remote, "<=", kind.longest, length=True)
    if isinstance(kind, Grid) and kind.family == "number" and kind.wild is None:
        yield Condition(remote, ">=", kind.value(kind.low))
        yield Condition(remote, "<=", kind.value(kind.high))


def comparisons(row: Row, column: AnyColumn, relations: Iterable[Condition]) -> Conditions:
    """Return the conditions on a column that follow from values the row already has."""
    found = []
    for each in relations:
        mirrored = each.value.column == column.name
        other = each.column if mirrored else each.value.column
        if column.name not in (each.column, each.value.column) or row.get(other) is None:
            continue
        if isinstance(row[other], Ref):
            continue
        op = MIRRORED[each.op] if mirrored else each.op
        value = (row[other],) if op in LISTED else row[other]
        found.append(Condition(column.name, LISTED.get(op, op), value))
    return tuple(found)
