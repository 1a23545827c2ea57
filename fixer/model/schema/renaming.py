"""The parts of a table after a column or a table was renamed, as PostgreSQL renames it wherever it is named."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from fixer.model.expression import respelt
from fixer.model.table import Column, ForeignKey, Index, QName, Table

Part = TypeVar("Part", Index, ForeignKey)


def old_key_of(column: Column, table: Table) -> str:
    """Return the column that keeps the old keys of one whose rows the plan gives new ones; empty if there is none."""
    return column.mapped or (column.numbered and column.added and table.legacy_key) or ""


def renamed_in(each: Table, table: QName, old: str, new: str) -> Table:
    """Return a table after a column was renamed, its own or another's that it references."""
    keys = tuple(renamed_key(key, table, old, new) for key in each.foreign_keys)
    if each.name != table:
        return replace(each, foreign_keys=keys)
    columns = {
        new if name == old else name: replace(column, name=new, stored_as=column.stored_as or old)
        if name == old
        else _respelt_in(column, old, new)
        for name, column in each.columns.items()
    }
    names = {old: new}
    indexes = tuple(
        replace(
            i,
            columns=tuple(names.get(c, c) for c in i.columns),
            tail=respelt(i.tail, old, new),
            exclusion=respelt(i.exclusion, old, new),
        )
        for i in each.indexes
    )
    checks = tuple(
        replace(c, columns=tuple(names.get(n, n) for n in c.columns), expression=respelt(c.expression, old, new))
        if old in c.columns
        else c
        for c in each.checks
    )
    return replace(
        each,
        columns=columns,
        indexes=indexes,
        checks=checks,
        foreign_keys=keys,
        parted_by=respelt(each.parted_by, old, new),
        unproved={names.get(column, column): said for column, said in each.unproved.items()},
        uninherited={names.get(column, column): said for column, said in each.uninherited.items()},
        unproved_below={names.get(column, column): said for column, said in each.unproved_below.items()},
    )


def _respelt_in(column: Column, old: str, new: str) -> Column:
    """Return a column that another one's new name stands in, if it is generated from that."""
    if not column.generated or column.default is None:
        return column
    return replace(column, default=respelt(column.default, old, new))


def renamed_key(key: ForeignKey, table: QName, old: str, new: str) -> ForeignKey:
    """Return a foreign key after a column at either end was renamed."""
    names = {old: new}
    columns, targets, emptied = key.columns, key.target_columns, key.emptied
    if key.table == table:
        columns, emptied = (tuple(names.get(c, c) for c in each) for each in (columns, emptied))
    if key.target == table:
        targets = tuple(names.get(c, c) for c in targets)
    return replace(key, columns=columns, target_columns=targets, emptied=emptied)


def moved_in(each: Table, old: QName, new: QName) -> Table:
    """Return a table after a table, it or another, was renamed."""
    names = {old: new}
    return replace(
        each,
        part_of=names.get(each.part_of, each.part_of) if each.part_of else None,
        parents=tuple(names.get(parent, parent) for parent in each.parents),
        unlogged_parts=tuple(names.get(part, part) for part in each.unlogged_parts),
        unproved_below={
            column: tuple((names.get(below, below), constraint) for below, constraint in there)
            for column, there in each.unproved_below.items()
        },
        indexes=tuple(_asleep(index, old, new) for index in each.indexes),
        foreign_keys=tuple(moved_key(key, old, new) for key in each.foreign_keys),
    )


def moved_key(key: ForeignKey, old: QName, new: QName) -> ForeignKey:
    """Return a foreign key after a table, at either end or neither, was renamed."""
    names = {old: new}
    moved = replace(key, table=names.get(key.table, key.table), target=names.get(key.target, key.target))
    return _asleep(moved, old, new)


def _asleep(part: Part, old: QName, new: QName) -> Part:
    disabled = tuple((new if on == old else on, trigger) for on, trigger in part.disabled_triggers)
    return replace(part, disabled_triggers=disabled)
