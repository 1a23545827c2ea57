"""The shadow column: how a column gets other values or another type online, while others read and write.

A second column is added. A trigger fills it in new rows, batches fill it in old rows, a check proves that no row was
missed; indexes are built on it CONCURRENTLY. Then, for one moment under ACCESS EXCLUSIVE, the two columns swap names,
and the second one takes over keys, defaults and checks. The old column keeps its cells: undo restores it, and `fixer
history --prune` drops it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from fixer.model.expression import tail_of
from fixer.model.step import Added, Fill, Part, Phase, Shape, Step
from fixer.model.table import Check, Column, ForeignKey, Index, QName, Table
from fixer.model.values import dataclass
from fixer.repair import sync_triggers
from fixer.repair.constraints import online
from fixer.repair.rows import filling
from fixer.sql import compose as q
from fixer.sql import ddl
from fixer.sql.compose import SQL, Composable, Composed, Identifier
from fixer.sql.types import family

_GUARD = "pgmend_filled_"
KEPT = "pgmend_was_"  # prefix of the old column's name after the exchange


@dataclass(frozen=True)
class Shadow:
    """The new content of a column: `value` over the row `t`, for every row for which `understood` holds."""

    table: Table
    column: Column  # as found
    type: str
    value: Composable
    understood: Composable
    back: Composable  # the old value over the new cell, for rows written after the exchange
    default: str | None = None
    checks: tuple[tuple[Check, Check], ...] = ()  # those that name it, each with its replacement
    keys: tuple[ForeignKey, ...] = ()  # the foreign keys at either end, which are added again
    name: str = ""  # the final name of the second column, if not that of the first
    home: str = ""  # the schema of its type, if the name of the type lacks it

    @property
    def beside(self) -> str:
        """The name of the second column until the exchange."""
        return online.beside(self.name or self.column.name)

    @property
    def kept(self) -> str:
        """The name of the old column after the exchange."""
        return q.free_name(q.fitting(f"{KEPT}{self.column.name}"), self.table.columns)

    @property
    def indexes(self) -> tuple[Index, ...]:
        """The indexes over the column."""
        name = self.column.name
        return tuple(i for i in self.table.indexes if name in i.columns or tail_of(i.tail).names(name))

    @property
    def guard(self) -> str:
        """The name of the constraint that proves that the second column is filled."""
        return guard_of(self.table.name, self.beside)

    @property
    def is_stale(self) -> bool:
        """Whether an interrupted run left a second column of another type, under another contract."""
        return is_ours(self.table, self.beside) and self.table.columns[self.beside].type != self.type


def filled(shadow: Shadow, fill: Step, version: int) -> Iterator[Step]:
    """Yield the steps that add the second column, fill it in new and old rows, and prove that it is filled."""
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
    # CASE keeps a value that does not convert from being converted for the comparison.
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
    """Return the step that gives the second column its final name; the first one keeps its own."""
    table = shadow.table.name
    rename = SQL("RENAME COLUMN {} TO {}").format(Identifier(shadow.beside), Identifier(shadow.name))
    same = SQL("{} IS NOT DISTINCT FROM {}").format(q.column(shadow.name), shadow.value)
    sql = [sync_triggers.unsynced(table, shadow.beside), ddl.dropped(table, shadow.guard), ddl.altered(table, rename)]
    return Step(
        Phase.EXCHANGES, table, title, SQL(";\n").join(sql), shape=Shape(added=(Added(shadow.name, kept=same),))
    )


def cleared(table: Table, column: str) -> Iterator[Part]:
    """Yield the step that drops the second column of an interrupted run, before a column is converted in place."""
    beside = online.beside(column)
    if is_ours(table, beside):
        yield dropped_beside(table.name, beside).online_as(())


def without_beside(table: Table, column: str) -> Table:
    """Return the table without the second column of an interrupted run, its checks, indexes and trigger."""
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
    """Return whether a column is a second one that an online repair fills."""
    return beside in table.columns and any(o.name == online.syncing(table.name, beside) for o in table.obstacles)


def dropped_beside(table: QName, beside: str) -> Step:
    """Return the step that drops a second column and its trigger."""
    drop = ddl.altered(table, SQL("DROP COLUMN {}").format(Identifier(beside)))
    title = f"drop {table.name}.{beside}, which an interrupted repair left behind"
    return Step(Phase.RELEASE, table, title, SQL(";\n").join([sync_triggers.unsynced(table, beside), drop]))


def alone(step: Step) -> Step:
    """Return the step with a statement that no other step shares."""
    return replace(step, action=None)


def _definition(shadow: Shadow) -> str:
    """Return the type and collation of the second column."""
    collation = shadow.column.collation
    type_ = replace(shadow.column, type=shadow.type, home=shadow.home).full_type
    return f"{type_} COLLATE {collation}" if collation and family(shadow.type) == "text" else type_


def guard_of(table: QName, beside: str) -> str:
    """Return the name of the constraint that proves that a second column is filled."""
    return f"{_GUARD}{online.syncing(table, beside)[-12:]}"


def is_guard(check: str) -> bool:
    """Return whether a check is one that proves that a second column is filled."""
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
    """Return whether rows may break a constraint that is NOT VALID; PostgreSQL rejects every UPDATE of such a row."""
    checks = (check.name for check in table.checks if check.enforced and not check.validated)
    open_ = [*table.unproved.values(), *checks]
    return not all(map(is_guard, open_))
