"""The exchange: for one moment under ACCESS EXCLUSIVE, a second column that is filled takes the place of the first.

The two swap names, and the second one takes over keys, defaults and checks. The old column keeps its cells: undo
restores it, and `fixer history --prune` drops it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

from fixer.model.expression import column_of, quoted, tail_of
from fixer.model.obstacle import Bound, Dependent
from fixer.model.schema import Schema
from fixer.model.step import Added, Lock, Phase, Shape, Step
from fixer.model.table import Index, QName
from fixer.repair import sync_triggers
from fixer.repair.constraints import online, references
from fixer.repair.conversion.standing import stands
from fixer.repair.shadow import Shadow, alone, filled, holds_offenders, is_ours
from fixer.sql import compose as q
from fixer.sql import ddl
from fixer.sql.compose import SQL, Composable, Composed, Identifier, Literal

_ALIKE = "NULLS NOT DISTINCT"
_INCOMPARABLE = ("json", "xml")  # types without equality: a batch could not compare their cells


def exchanged(shadow: Shadow, convert: Step, actual: Schema) -> tuple[Step, ...] | None:
    """Return the steps that replace online the step `convert`, which converts a column in place.

    None if something depends on the column that a second one cannot take over: then it is converted in place.
    """
    name = shadow.table.name
    if _is_tied(shadow, actual):
        return None
    steps = [*filled(shadow, convert, actual.version)]
    for index in shadow.indexes:
        tail = _tail_on(index, shadow)
        if tail is None:
            return None
        steps += _built(shadow, index, tail)
    others = tuple(sorted({t for key in shadow.keys for t in (key.table, key.target)} - {name}))
    change = Step(
        Phase.EXCHANGES,
        name,
        f"put {shadow.beside} in place of {name.name}.{shadow.column.name}, which is kept as {shadow.kept}",
        SQL(";\n").join(_change(shadow, actual.version, others)),
        shape=Shape(
            renames=((shadow.column.name, shadow.kept),),
            added=(Added(shadow.column.name, kept=_same(shadow), aside=shadow.kept, back=shadow.back),),
        ),
        touches=others,
    )
    return (*steps, change, *_proofs(shadow))


def _built(shadow: Shadow, index: Index, tail: str) -> Iterator[Step]:
    """Yield the steps that build an index over the second column, after dropping a different one left behind."""
    name, table = online.index_beside(index.name, shadow.column.name), shadow.table
    # If another column of the index is exchanged too, that comes first, so that this index is over the new one.
    phase = Phase.EXCHANGES if len(index.columns) > 1 else Phase.FITTINGS
    there = next((each for each in table.indexes if each.name == name and not shadow.is_stale), None)
    if there and (there.tail, there.unique, there.valid) == (tail, index.unique, True):
        return
    if there and there.valid:  # an invalid one is dropped as the remains of a failed build
        drop = SQL("DROP INDEX CONCURRENTLY {}").format(Identifier(table.name.schema, name))
        title = f"drop the index {name}, which an interrupted repair left behind"
        yield Step(phase, table.name, title, drop, Lock.SHARE_UPDATE_EXCLUSIVE, concurrent=True)
    title = f"build the index {index.name} over {shadow.beside}"
    for step in online.index(name, table, replace(index, tail=tail), title) or ():
        yield replace(step, phase=phase)


def _is_tied(shadow: Shadow, actual: Schema) -> bool:
    """Return whether something on the column cannot move to another one, or rows cannot be filled."""
    table, column = shadow.table, shadow.column
    near = {t for key in shadow.keys for t in (key.table, key.target)} | {table.name}
    return bool(
        column.identity
        or any(each.generated for each in table.columns.values())
        or shadow.type.removesuffix("[]") in _INCOMPARABLE
        or any(isinstance(o, Bound | Dependent) and column.name in o.columns for o in table.obstacles)
        or stands(table, column.name)
        or any(index.deferrable or index.overlaps_not for index in shadow.indexes)  # CONCURRENTLY cannot build these
        or online.is_outrun(table, shadow.beside)
        or (shadow.beside in table.columns and not is_ours(table, shadow.beside))
        or holds_offenders(table)
        or any(not key.enforced or key.disabled_triggers for key in shadow.keys)
        or any(t not in actual.tables or actual.tables[t].inherits or not actual.tables[t].owned for t in near)
    )


def _tail_on(index: Index, shadow: Shadow) -> str | None:
    """Return the tail of an index, rewritten for the second column; None if the index is not a plain one."""
    tail = tail_of(index.tail)
    if tail.condition or tail.options not in ("", _ALIKE) or not index.valid or (index.constraint and not index.unique):
        return None
    elements = [column_of(element) for element in tail.elements]
    if tuple(name for name, _ in elements) != index.columns or any("(" in rest for _, rest in elements):
        return None
    new = {**dict(zip(index.columns, index.columns, strict=True)), shadow.column.name: shadow.beside}
    keys = ", ".join(quoted(new[name]) + rest for name, rest in elements)
    return f"{tail.method} ({keys}) {tail.options}".rstrip()


def _change(shadow: Shadow, version: int, others: tuple[QName, ...]) -> Iterator[Composable]:
    """Yield the statements that put the second column in the place of the first, all in one transaction."""
    name, column = shadow.table.name, shadow.column.name
    for each in sorted({name, *others}):
        yield SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(q.name(each))
    yield _as_planned(shadow)
    yield from _released(shadow, version)
    yield ddl.handed_over(name, column, shadow.beside)
    yield _handed_over(shadow)
    for old_name, new_name in ((column, shadow.kept), (shadow.beside, column)):
        yield ddl.altered(name, SQL("RENAME COLUMN {} TO {}").format(Identifier(old_name), Identifier(new_name)))
    yield from _taken_over(shadow)
    yield sync_triggers.taken_in(name, shadow.kept, _placed(shadow))


def _released(shadow: Shadow, version: int) -> Iterator[Composable]:
    """Yield the statements that drop what is on the first column, and what only filled the second."""
    name, column = shadow.table.name, shadow.column
    for key in shadow.keys:
        yield ddl.dropped(key.table, key.name)
    for index in shadow.indexes:
        if index.constraint:
            yield ddl.dropped(name, index.name)
        else:
            yield SQL("DROP INDEX {}").format(Identifier(name.schema, index.name))
    for old, _ in shadow.checks:
        yield ddl.dropped(name, old.name)
    yield sync_triggers.unsynced(name, shadow.beside)
    if column.not_null and version < 18:  # proved by the guard: no row is read
        yield ddl.altered(name, SQL("ALTER COLUMN {} SET NOT NULL").format(Identifier(shadow.beside)))
    if not (column.not_null and version >= 18):
        yield ddl.dropped(name, shadow.guard)
    if column.default is not None:
        yield ddl.altered(name, SQL("ALTER COLUMN {} DROP DEFAULT").format(Identifier(column.name)))


def _taken_over(shadow: Shadow) -> Iterator[Composable]:
    """Yield the statements that give the second column, under its new name, what was on the first."""
    name, column = shadow.table.name, shadow.column.name
    if shadow.default is not None:
        yield ddl.altered(name, SQL("ALTER COLUMN {} SET DEFAULT {}").format(Identifier(column), SQL(shadow.default)))
    for index in shadow.indexes:
        built = online.index_beside(index.name, column)
        if index.constraint:
            yield ddl.altered(name, SQL("ADD {}").format(online.using(index.name, index, built)))
        else:
            yield SQL("ALTER INDEX {} RENAME TO {}").format(Identifier(name.schema, built), Identifier(index.name))
    for _, new in shadow.checks:
        yield ddl.altered(name, SQL("ADD {} NOT VALID").format(ddl.check_clause(new.name, new)))
    for key in shadow.keys:
        yield ddl.altered(key.table, SQL("ADD {} NOT VALID").format(ddl.foreign_key_clause(key.name, key)))


def _placed(shadow: Shadow) -> Composable:
    """Return the body of a trigger for rows of an INSERT that does not name its columns.

    Such an INSERT puts the value into the old column, which still has the old position. The trigger moves it to the
    new column if that got no other value. Otherwise it rejects the row, because nobody would ever read the value.
    """
    column, kept = shadow.column.name, q.column(shadow.kept, "new")
    value, understood = (q.over(each, column, kept) for each in (shadow.value, shadow.understood))
    new = q.column(column, "new")
    absent = SQL("{} IS NULL").format(new)
    if shadow.default is not None and "(" not in shadow.default:
        absent = SQL("{} OR {}::text = ({})::text").format(absent, new, SQL(shadow.default))
    return q.written(
        "columns/came_in_by_place",
        understood=understood,
        absent=absent,
        new=new,
        value=value,
        kept=kept,
        column=Literal(column),
        aside=Literal(shadow.kept),
    )


def _as_planned(shadow: Shadow) -> Composable:
    """Return the block that fails if something depends on the column that the plan does not know.

    What others made meanwhile would stay on the old column, to which nobody writes any more.
    """
    table, column = shadow.table, shadow.column
    constraints = [*(i.name for i in shadow.indexes), *(old.name for old, _ in shadow.checks), shadow.guard]
    return q.block(
        "columns/as_planned",
        table=Literal(q.quoted(table.name)),
        column=Literal(column.name),
        constraints=Literal(constraints),
        keys=Literal([key.name for key in shadow.keys]),
        indexes=Literal(json.dumps([*_indexes(shadow)])),
        not_null=Literal(column.not_null or column.name in table.unproved),
        default=Literal(column.default),
        sync=Literal(online.syncing(table.name, shadow.beside)),
        syncs=Literal(online.SYNC),
    )


def _indexes(shadow: Shadow) -> Iterator[dict[str, object]]:
    """Yield the facts that each index over the column, and the one built in its place, must still have."""
    for index in shadow.indexes:
        new = [shadow.beside if column == shadow.column.name else column for column in index.columns]
        built = online.index_beside(index.name, shadow.column.name)
        for name, columns in ((index.name, index.columns), (built, new)):
            yield {"name": name, "keyed": index.unique, "columns": columns}


def _handed_over(shadow: Shadow) -> Composable:
    """Return the block that hands over the parts of the column that `Shadow` does not list.

    These are the statistics target, owned sequences and the name of the NOT NULL.
    """
    return q.block(
        "columns/hand_over_parts",
        table=Literal(q.quoted(shadow.table.name)),
        column=Literal(shadow.column.name),
        beside=Literal(shadow.beside),
    )


def _proofs(shadow: Shadow) -> Iterator[Step]:
    """Yield the steps that prove for old rows the constraints that the exchange added for new ones."""
    name = shadow.table.name
    for old, new in shadow.checks:
        if old.validated:
            title = f"prove the check {new.name} of {name.name} again"
            yield alone(online.validate(Phase.EXCHANGE_PROOFS, name, new.name, title))
    for key in shadow.keys:
        if key.validated:
            title, rows = f"prove the foreign key {key.name} of {key.table.name} again", shadow.table.estimated_rows
            proof = references.proved(key.table, key.name, key.target, title, rows)
            yield replace(proof, phase=Phase.EXCHANGE_PROOFS)


def _same(shadow: Shadow) -> Composed:
    """Return the condition, in the names after the exchange, that the new cell is still the old one converted."""
    column = shadow.column.name
    old = q.over(shadow.value, column, q.column(shadow.kept))
    return SQL("{} IS NOT DISTINCT FROM {}").format(q.column(column), old)
