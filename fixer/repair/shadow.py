"""The shadow column: how a column gets other values or another type online, while others read and write.

A second column stands beside. A trigger fills it for what others write, batches for what is there, a check proves
that no row was left out; indexes are built on it CONCURRENTLY. Then, for one moment under ACCESS EXCLUSIVE, the two
change names, and keys, defaults and checks go over. The old column stays with its cells as they were: undo takes it
back, `fixer history --prune` drops it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from fixer.model.expression import tail_of
from fixer.model.step import Added, Fill, Part, Phase, Shape, Step
from fixer.model.table import Check, Column, ForeignKey, Index, QName, Table
from fixer.repair import constraints_online as online
from fixer.repair import sync_triggers
from fixer.repair.rows import filling
from fixer.sql import compose as q
from fixer.sql import ddl
from fixer.sql.compose import SQL, Composable, Composed, Identifier
from fixer.sql.types import family

_GUARD = "pgmend_filled_"
KEPT = "pgmend_was_"  # begins the name under which the old column stays


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
        name = self.column.name
        return tuple(i for i in self.table.indexes if name in i.columns or tail_of(i.tail).names(name))

    @property
    def guard(self) -> str:
        """The name of the constraint that proves the second column filled."""
        return guard_of(self.table.name, self.beside)

    @property
    def is_stale(self) -> bool:
        """Whether an interrupted run fills a second column of another type: the contract was another then."""
        return is_ours(self.table, self.beside) and self.table.columns[self.beside].type != self.type


def filled(shadow: Shadow, fill: Step, version: int) -> Iterator[Step]:
    """Yield the steps that add the second column, fill it for others and for what is there, and prove it filled."""
    name, beside, column = shadow.table.name, shadow.beside, shadow.column.name
    if shadow.is_stale:
        yield dropped_beside(name, beside)
    guard = SQL("ALTER TABLE {} DROP CONSTRAINT IF EXISTS {}, ADD {} NOT VALID").format(
        q.name(name), Identifier(shadow.guard), _guard_clause(shadow, version)
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
    fill = replace(
        fill,
        phase=Phase.FILLS,
        title=title,
        effect=replace(fill.effect, rows=shadow.table.estimated_rows),
        shape=replace(fill.shape, reverts=()),
        action=None,
    )
    yield filling(fill, (Fill(beside, shadow.value, wrong),))
    yield alone(online.validate(Phase.FILL_PROOFS, name, shadow.guard, f"prove that {beside} is filled in every row"))


def named(shadow: Shadow, title: str) -> Step:
    """Return the step that gives the second column its name beside the first, which keeps its own."""
    table = shadow.table.name
    rename = SQL("RENAME COLUMN {} TO {}").format(Identifier(shadow.beside), Identifier(shadow.name))
    same = SQL("{} IS NOT DISTINCT FROM {}").format(q.column(shadow.name), shadow.value)
    sql = [sync_triggers.unsynced(table, shadow.beside), ddl.dropped(table, shadow.guard), ddl.altered(table, rename)]
    return Step(
        Phase.EXCHANGES, table, title, SQL(";\n").join(sql), shape=Shape(added=(Added(shadow.name, kept=same),))
    )


def cleared(table: Table, column: str) -> Iterator[Part]:
    """Yield the step that drops the second column of an interrupted run, where a column is converted in place."""
    beside = online.beside(column)
    if is_ours(table, beside):
        yield dropped_beside(table.name, beside).online_as(())


def without_beside(table: Table, column: str) -> Table:
    """Return the table without the second column of an interrupted run, and all that hangs on it."""
    beside = online.beside(column)
    if not is_ours(table, beside):
        return table
    return replace(
        table,
        columns={name: each for name, each in table.columns.items() if name != beside},
        checks=tuple(check for check in table.checks if beside not in check.columns),
        indexes=tuple(index for index in table.indexes if beside not in index.columns),
        obstacles=tuple(o for o in table.obstacles if o.name != online.syncing(table.name, beside)),
    )


def is_ours(table: Table, beside: str) -> bool:
    """Tell whether a column is one that an online repair fills."""
    return beside in table.columns and any(o.name == online.syncing(table.name, beside) for o in table.obstacles)


def dropped_beside(table: QName, beside: str) -> Step:
    """Return the step that drops a second column, and all that hangs on it."""
    drop = ddl.altered(table, SQL("DROP COLUMN {}").format(Identifier(beside)))
    title = f"drop {table.name}.{beside}, which an interrupted repair left behind"
    return Step(Phase.RELEASE, table, title, SQL(";\n").join([sync_triggers.unsynced(table, beside), drop]))


def alone(step: Step) -> Step:
    """Return the step so that no other shares its statement."""
    return replace(step, action=None)


def _definition(shadow: Shadow) -> str:
    """Return type and collation of the second column."""
    collation = shadow.column.collation
    type_ = replace(shadow.column, type=shadow.type, home=shadow.home).full_type
    return f"{type_} COLLATE {collation}" if collation and family(shadow.type) == "text" else type_


def guard_of(table: QName, beside: str) -> str:
    """Return the name of the constraint that proves a second column filled."""
    return f"{_GUARD}{online.syncing(table, beside)[-12:]}"


def is_guard(check: str) -> bool:
    """Tell whether a check is one of those that prove a second column filled."""
    return check.startswith(_GUARD)


def _guard_clause(shadow: Shadow, version: int) -> Composed:
    beside = Identifier(shadow.beside)
    if shadow.column.not_null and version >= 18:
        return SQL("CONSTRAINT {} NOT NULL {}").format(Identifier(shadow.guard), beside)
    filled = SQL("{} IS NOT NULL").format(beside)
    if not shadow.column.not_null:
        filled = SQL("{} OR {} IS NULL").format(filled, Identifier(shadow.column.name))
    return SQL("CONSTRAINT {} CHECK ({})").format(Identifier(shadow.guard), filled)


def holds_offenders(table: Table) -> bool:
    """Tell whether rows may break a constraint that is NOT VALID: no other of their cells can be written then."""
    checks = (check.name for check in table.checks if check.enforced and not check.validated)
    open_ = [*table.unproved.values(), *checks]
    return not all(map(is_guard, open_))
