"""The shadow column: how a column gets other values or another type online, while others read and write.

A second column stands beside. A trigger fills it for what others write, batches for what is there, a check proves
that no row was left out; indexes are built on it CONCURRENTLY. Then, for one moment under ACCESS EXCLUSIVE, the two
change names, and keys, defaults and checks go over. The old column stays with its cells as they were: undo takes it
back, `fixer history --prune` drops it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace

from fixer.model.expression import column_of, quoted, tail_of
from fixer.model.schema import Check, Column, ForeignKey, Index, QName, Schema, Table
from fixer.model.step import Added, Fill, Lock, Phase, Step
from fixer.repair import constraints_online as online
from fixer.repair import sync_triggers
from fixer.repair.rows import filling
from fixer.sql import compose as q
from fixer.sql import ddl
from fixer.sql.compose import SQL, Composable, Composed, Identifier, Literal
from fixer.sql.types import family

_GUARD = "pgmend_filled_"
KEPT = "pgmend_was_"  # begins the name under which the old column stays
_ALIKE = "NULLS NOT DISTINCT"
_INCOMPARABLE = ("json",)  # types without equality: nobody could tell whether a cell is filled


@dataclass(frozen=True)
class Shadow:
    """What is to stand in a column: `value` over the row `t`, for every row that is `understood`."""

    table: Table
    column: Column  # as it is found
    type: str
    value: Composable
    understood: Composable
    back: Composable  # the old value over the new cell, for rows that are written once the new one stands
    default: str | None = None
    checks: tuple[tuple[Check, Check], ...] = ()  # those that speak of it, each with what takes its place
    keys: tuple[ForeignKey, ...] = ()  # the foreign keys at either end, to be had again
    name: str = ""  # of the second column in the end, where it is not that of the first
    home: str = ""  # the schema of its type, where the type's name does not say it

    @property
    def beside(self) -> str:
        """The name of the second column until the change."""
        return online.beside(self.name or self.column.name)

    @property
    def kept(self) -> str:
        """The name of the old column after it."""
        return q.free_name(q.fitting(f"{KEPT}{self.column.name}"), self.table.columns)

    @property
    def indexes(self) -> tuple[Index, ...]:
        """The indexes over the column."""
        return tuple(index for index in self.table.indexes if _mentions(index, self.column.name))


def exchanged(shadow: Shadow, convert: Step, actual: Schema) -> tuple[Step, ...] | None:
    """Return the steps that stand online for the step which converts a column in place.

    None where something hangs on the column that a second one cannot take over: then it is converted in place.
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
        f"let {shadow.beside} take the place of {name.name}.{shadow.column.name}, which stays as {shadow.kept}",
        SQL(";\n").join(_change(shadow, actual.version, others)),
        renames=((shadow.column.name, shadow.kept),),
        touches=others,
        added=(Added(shadow.column.name, kept=_same(shadow), aside=shadow.kept, back=shadow.back),),
    )
    return (*steps, change, *_proofs(shadow))


def _built(shadow: Shadow, index: Index, tail: str) -> Iterator[Step]:
    """Yield the steps that build an index over the second column; one that was left behind and differs goes first."""
    name, table = online.index_beside(index.name, shadow.column.name), shadow.table
    # Where another column of the index may be exchanged as well, that comes first: this one is over what it leaves.
    phase = Phase.EXCHANGES if len(index.columns) > 1 else Phase.FITTINGS
    there = next((each for each in table.indexes if each.name == name and not _is_stale(shadow)), None)
    if there and (there.tail, there.unique, there.valid) == (tail, index.unique, True):
        return
    if there and there.valid:  # else it goes as what is left of a failed build
        drop = SQL("DROP INDEX CONCURRENTLY {}").format(Identifier(table.name.schema, name))
        title = f"drop the index {name}, which an interrupted repair left behind"
        yield Step(phase, table.name, title, drop, Lock.SHARE_UPDATE_EXCLUSIVE, concurrent=True)
    title = f"build the index {index.name} over {shadow.beside}"
    for step in online.index(name, table, replace(index, tail=tail), title) or ():
        yield replace(step, phase=phase)


def filled(shadow: Shadow, fill: Step, version: int) -> Iterator[Step]:
    """Yield the steps that add the second column, fill it for others and for what is there, and prove it filled."""
    name, beside, column = shadow.table.name, shadow.beside, shadow.column.name
    if _is_stale(shadow):
        yield replace(dropped_beside(name, beside), online=None)
    guard = SQL("ALTER TABLE {} DROP CONSTRAINT IF EXISTS {}, ADD {} NOT VALID").format(
        q.name(name), Identifier(_guard(shadow)), _guard_clause(shadow, version)
    )
    add = SQL("ALTER TABLE {} ADD COLUMN IF NOT EXISTS {} {}").format(
        q.name(name), Identifier(beside), SQL(_definition(shadow))
    )
    new = q.over(shadow.value, column, q.column(column, "new"))
    understood = q.over(shadow.understood, column, q.column(column, "new"))
    value = SQL("CASE WHEN {} THEN {} END").format(understood, new)
    sync = sync_triggers.synced(Phase.SHADOWS, name, beside, value, reads_others=False)
    begin = f"add {beside} to {name.name}; others fill it from now on when they write {column}"
    yield replace(sync, title=begin, sql=SQL(";\n").join([add, sync.sql, guard]))
    # In CASE, so that a value which is not understood is never converted to be compared.
    wrong = SQL("CASE WHEN {} THEN {} IS DISTINCT FROM {} ELSE false END").format(
        shadow.understood, q.column(beside), shadow.value
    )
    title = f"{fill.title}, in {beside}"
    fill = replace(fill, phase=Phase.FILLS, title=title, rows=shadow.table.estimated_rows, reverts=(), action=None)
    yield filling(fill, (Fill(beside, shadow.value, wrong),))
    yield _alone(
        online.validate(Phase.FILL_PROOFS, name, _guard(shadow), f"prove that {beside} is filled in every row")
    )


def named(shadow: Shadow, title: str) -> Step:
    """Return the step that gives the second column its name beside the first, which keeps its own."""
    table = shadow.table.name
    rename = SQL("RENAME COLUMN {} TO {}").format(Identifier(shadow.beside), Identifier(shadow.name))
    same = SQL("{} IS NOT DISTINCT FROM {}").format(q.column(shadow.name), shadow.value)
    sql = [sync_triggers.unsynced(table, shadow.beside), _dropped(table, _guard(shadow)), _altered(table, rename)]
    return Step(Phase.EXCHANGES, table, title, SQL(";\n").join(sql), added=(Added(shadow.name, kept=same),))


def cleared(table: Table, column: str) -> Iterator[Step]:
    """Yield the step that drops the second column of an interrupted run, where a column is converted in place."""
    beside = online.beside(column)
    if _is_ours(table, beside):
        yield dropped_beside(table.name, beside)


def without_beside(table: Table, column: str) -> Table:
    """Return the table without the second column of an interrupted run, and all that hangs on it."""
    beside = online.beside(column)
    if not _is_ours(table, beside):
        return table
    return replace(
        table,
        columns={name: each for name, each in table.columns.items() if name != beside},
        checks=tuple(check for check in table.checks if beside not in check.columns),
        indexes=tuple(index for index in table.indexes if beside not in index.columns),
        obstacles=tuple(o for o in table.obstacles if o.name != online.syncing(table.name, beside)),
    )


def _is_ours(table: Table, beside: str) -> bool:
    """Tell whether a column is one that an online repair fills."""
    return beside in table.columns and any(o.name == online.syncing(table.name, beside) for o in table.obstacles)


def _is_stale(shadow: Shadow) -> bool:
    """Tell whether an interrupted run fills a second column of another type: the contract was another then."""
    table, beside = shadow.table, shadow.beside
    return _is_ours(table, beside) and table.columns[beside].type != shadow.type


def dropped_beside(table: QName, beside: str) -> Step:
    """Return the step that drops a second column, and all that hangs on it."""
    drop = _altered(table, SQL("DROP COLUMN {}").format(Identifier(beside)))
    title = f"drop {table.name}.{beside}, which an interrupted repair left behind"
    return Step(Phase.RELEASE, table, title, SQL(";\n").join([sync_triggers.unsynced(table, beside), drop]), online=())


def _alone(step: Step) -> Step:
    """Return the step so that no other shares its statement."""
    return replace(step, action=None)


def _definition(shadow: Shadow) -> str:
    """Return type and collation of the second column."""
    collation = shadow.column.collation
    type_ = replace(shadow.column, type=shadow.type, home=shadow.home).full_type
    return f"{type_} COLLATE {collation}" if collation and family(shadow.type) == "text" else type_


def _guard(shadow: Shadow) -> str:
    return guard_of(shadow.table.name, shadow.beside)


def guard_of(table: QName, beside: str) -> str:
    """Return the name of the constraint that proves a second column filled."""
    return f"{_GUARD}{online.syncing(table, beside)[-12:]}"


def is_guard(check: str) -> bool:
    """Tell whether a check is one of those that prove a second column filled."""
    return check.startswith(_GUARD)


def _guard_clause(shadow: Shadow, version: int) -> Composed:
    beside = Identifier(shadow.beside)
    if shadow.column.not_null and version >= 18:
        return SQL("CONSTRAINT {} NOT NULL {}").format(Identifier(_guard(shadow)), beside)
    filled = SQL("{} IS NOT NULL").format(beside)
    if not shadow.column.not_null:
        filled = SQL("{} OR {} IS NULL").format(filled, Identifier(shadow.column.name))
    return SQL("CONSTRAINT {} CHECK ({})").format(Identifier(_guard(shadow)), filled)


def _same(shadow: Shadow) -> Composed:
    """Return the condition, once names are changed, that the new cell still says what the old one says."""
    column = shadow.column.name
    old = q.over(shadow.value, column, q.column(shadow.kept))
    return SQL("{} IS NOT DISTINCT FROM {}").format(q.column(column), old)


# --- what hangs on the column


def _is_tied(shadow: Shadow, actual: Schema) -> bool:
    """Tell whether something hangs on the column that cannot go over to another, or rows cannot be filled."""
    table, column = shadow.table, shadow.column
    near = {t for key in shadow.keys for t in (key.table, key.target)} | {table.name}
    return bool(
        column.identity
        or any(each.generated for each in table.columns.values())
        or shadow.type.startswith(_INCOMPARABLE)
        or any(o.kind in ("bound", "dependent") and column.name in o.columns for o in table.obstacles)
        or any(index.deferrable for index in shadow.indexes)  # what is built CONCURRENTLY is not, for a while
        or online.is_outrun(table, shadow.beside)
        or (shadow.beside in table.columns and not _is_ours(table, shadow.beside))
        or holds_offenders(table)
        or any(not key.enforced or key.disabled_triggers for key in shadow.keys)
        or any(t not in actual.tables or actual.tables[t].inherits or not actual.tables[t].owned for t in near)
    )


def holds_offenders(table: Table) -> bool:
    """Tell whether rows may break a constraint that is NOT VALID: no other of their cells can be written then."""
    checks = (check.name for check in table.checks if check.enforced and not check.validated)
    open_ = [*table.unproved.values(), *checks]
    return not all(map(is_guard, open_))


def _mentions(index: Index, column: str) -> bool:
    return column in index.columns or tail_of(index.tail).names(column)


def _tail_on(index: Index, shadow: Shadow) -> str | None:
    """Return the tail of an index as it is over the second column; None where that is not plain to see."""
    tail = tail_of(index.tail)
    if tail.condition or tail.options not in ("", _ALIKE) or not index.valid or (index.constraint and not index.unique):
        return None
    elements = [column_of(element) for element in tail.elements]
    if tuple(name for name, _ in elements) != index.columns or any("(" in rest for _, rest in elements):
        return None
    new = {**dict(zip(index.columns, index.columns, strict=True)), shadow.column.name: shadow.beside}
    keys = ", ".join(quoted(new[name]) + rest for name, rest in elements)
    return f"{tail.method} ({keys}) {tail.options}".rstrip()


# --- the change of names


def _change(shadow: Shadow, version: int, others: tuple[QName, ...]) -> Iterator[Composable]:
    """Yield the statements of the moment in which the second column takes the place of the first."""
    name, column = shadow.table.name, shadow.column.name
    for each in sorted({name, *others}):
        yield SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(q.name(each))
    yield _as_planned(shadow)
    for key in shadow.keys:
        yield _dropped(key.table, key.name)
    for index in shadow.indexes:
        if index.constraint:
            yield _dropped(name, index.name)
        else:
            yield SQL("DROP INDEX {}").format(Identifier(name.schema, index.name))
    for old, _ in shadow.checks:
        yield _dropped(name, old.name)
    yield sync_triggers.unsynced(name, shadow.beside)
    if shadow.column.not_null and version < 18:  # proved by the guard: no row is read
        yield _altered(name, SQL("ALTER COLUMN {} SET NOT NULL").format(Identifier(shadow.beside)))
    if not (shadow.column.not_null and version >= 18):
        yield _dropped(name, _guard(shadow))
    if shadow.column.default is not None:
        yield _altered(name, SQL("ALTER COLUMN {} DROP DEFAULT").format(Identifier(column)))
    yield ddl.handed_over(name, column, shadow.beside)
    yield _handed_over(shadow)
    for old_name, new_name in ((column, shadow.kept), (shadow.beside, column)):
        yield _altered(name, SQL("RENAME COLUMN {} TO {}").format(Identifier(old_name), Identifier(new_name)))
    if shadow.default is not None:
        yield _altered(name, SQL("ALTER COLUMN {} SET DEFAULT {}").format(Identifier(column), SQL(shadow.default)))
    for index in shadow.indexes:
        built = online.index_beside(index.name, column)
        if index.constraint:
            yield _altered(name, SQL("ADD {}").format(online.using(index.name, index, built)))
        else:
            yield SQL("ALTER INDEX {} RENAME TO {}").format(Identifier(name.schema, built), Identifier(index.name))
    for _, new in shadow.checks:
        yield _altered(name, SQL("ADD {} NOT VALID").format(ddl.check_clause(new.name, new)))
    for key in shadow.keys:
        yield _altered(key.table, SQL("ADD {} NOT VALID").format(ddl.foreign_key_clause(key.name, key)))
    yield sync_triggers.taken_in(name, shadow.kept, _placed(shadow))


def _placed(shadow: Shadow) -> Composable:
    """Return what a trigger does with a row that was inserted by the places of its columns, not by their names.

    The value for the column stands in the old one then, whose place it still is: it goes over where nothing else
    was given, and else the row is refused, so that nobody writes for months what nobody reads.
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
    """Return the block that fails where something hangs on the column that the plan does not know: plan again.

    What others made meanwhile would stay with the old column, and hold or show what nobody writes any more.
    """
    table, column = shadow.table, shadow.column
    constraints = [*(i.name for i in shadow.indexes), *(old.name for old, _ in shadow.checks), _guard(shadow)]
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
    """Yield what tells each index over the column, and what was built in its place, from what others made of it."""
    for index in shadow.indexes:
        new = [shadow.beside if column == shadow.column.name else column for column in index.columns]
        built = online.index_beside(index.name, shadow.column.name)
        for name, columns in ((index.name, index.columns), (built, new)):
            yield {"name": name, "keyed": index.unique, "columns": columns}


def _dropped(table: QName, constraint: str) -> Composable:
    return _altered(table, SQL("DROP CONSTRAINT {}").format(Identifier(constraint)))


def _altered(table: QName, action: Composable) -> Composable:
    return SQL("ALTER TABLE {} {}").format(q.name(table), action)


def _handed_over(shadow: Shadow) -> Composable:
    """Return the block that hands over what is not told apart here.

    That is statistics target, owned sequences and the name of the NOT NULL.
    """
    return q.block(
        "columns/hand_over_parts",
        table=Literal(q.quoted(shadow.table.name)),
        column=Literal(shadow.column.name),
        beside=Literal(shadow.beside),
    )


def _proofs(shadow: Shadow) -> Iterator[Step]:
    """Yield the steps that prove for old rows what is wanted of new ones since the change."""
    name = shadow.table.name
    for old, new in shadow.checks:
        if old.validated:
            title = f"prove the check {new.name} of {name.name} again"
            yield _alone(online.validate(Phase.EXCHANGE_PROOFS, name, new.name, title))
    for key in shadow.keys:
        if key.validated:
            title, rows = f"prove the foreign key {key.name} of {key.table.name} again", shadow.table.estimated_rows
            proof = online.proved(key.table, key.name, key.target, title, rows)
            yield replace(proof, phase=Phase.EXCHANGE_PROOFS)
