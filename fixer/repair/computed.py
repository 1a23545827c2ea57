"""Columns whose value is computed from other columns of the row: generated ones, and those with such a backfill."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from fixer.model.expression import names_column
from fixer.model.step import Added, Effect, Hazard, Lock, Part, Phase, RefusalError, Step
from fixer.model.table import Column, QName, Table
from fixer.repair.own_values import added
from fixer.sql import compose as q
from fixer.sql.alter import alter
from fixer.sql.compose import SQL, Composable, Identifier


def read_by(value: Composable | None, columns: Iterable[str]) -> list[str]:
    """Return those of the columns that a value of the contract names."""
    return [each for each in columns if isinstance(value, SQL) and names_column(value.string, each)]


def in_order(columns: Iterable[tuple[Column, Composable | None]]) -> Iterator[Column]:
    """Yield columns, given with their values, so that each comes after those that its value names."""
    waiting = {column.name: (column, value) for column, value in columns}
    while waiting:
        ready = [n for n, (_, value) in waiting.items() if not set(read_by(value, waiting)) - {n}] or list(waiting)
        yield from (waiting.pop(name)[0] for name in ready)


def foreseen(column: Column, value: Composable | None, table: Table, wanted: Table) -> Column:
    """Return a column that the plan adds, with the value that it will have in today's row `t`."""
    now: Composable = SQL("({})::{}").format(value or SQL("NULL"), SQL(column.full_type))
    if column.labels:  # the plan may also be the one that creates its type
        now = SQL("NULL")
    elif names := read_by(value, wanted.columns):
        read = [table.columns.get(name) for name in names]
        unknown = not all(each and not (each.numbered or each.mapped) for each in read)
        type_ = SQL(column.full_type)
        now = SQL("NULL::{}").format(type_) if unknown else over_row(value, type_, filter(None, read))
    return replace(column, now=now, added=True)


def over_row(value: Composable | None, type_: Composable, columns: Iterable[Column], alias: str = "t") -> Composable:
    """Return a value that names columns, as an expression over the row `alias`, which today may lack them."""
    cells = SQL(", ").join(
        SQL("{} AS {}").format(q.today(c) if alias == "t" else q.column(c.name, alias), Identifier(c.name))
        for c in columns
    )
    return SQL("(SELECT ({})::{} FROM (SELECT {}) AS t)").format(value or SQL("NULL"), type_, cells)


def filled(table: Table, wanted: Table, column: Column, value: Composable, definition: Composable) -> Iterator[Part]:
    """Yield the steps that add a NOT NULL column and fill it from other columns of the row."""
    name, read = table.name, [wanted.columns[each] for each in read_by(value, wanted.columns)]
    if late := [each.name for each in read if each.name not in table.columns and each.generated]:
        raise RefusalError(f"the backfill of {column.name} reads {late[0]}, which is missing and generated")
    title = f"add {column.name} to {name.name}"
    same = SQL("{} IS NOT DISTINCT FROM ({})::{}").format(q.column(column.name), value, SQL(column.full_type))
    kept = Added(column.name, kept=same)
    action = SQL("ADD COLUMN {}").format(definition)
    add = alter(Phase.CONVERT, name, title, action, merge=True, added=(kept,))
    fill = Step(
        phase=Phase.COPY,
        table=name,
        title=f"fill {name.name}.{column.name} from other columns of its row",
        sql=SQL("UPDATE {} AS t SET {} = {}").format(q.name(name), Identifier(column.name), value),
        lock=Lock.ROW_EXCLUSIVE,
        hazard=Hazard.REWRITES_TABLE,
        effect=Effect(rows=table.estimated_rows, changes=(column.name,)),
    )
    of_new = over_row(value, SQL(column.full_type), read, alias="new")
    lightly = tuple(added(table, column, value, replace(add, hazard=fill.hazard), of_new))
    yield add.online_as(lightly)
    yield fill.online_as(())
    if column.default is not None:
        default = SQL("ALTER COLUMN {} SET DEFAULT {}").format(Identifier(column.name), SQL(column.default))
        yield alter(
            Phase.DEFAULTS, name, f"let {name.name}.{column.name} default to {column.default}", default
        ).online_as(())
    forbid = SQL("ALTER COLUMN {} SET NOT NULL").format(Identifier(column.name))
    yield alter(Phase.RULES, name, f"forbid NULL in {name.name}.{column.name}", forbid, merge=True).online_as(())


def untold(table: QName, column: Column, rows: str) -> str:
    """Return why rows get no value in a NOT NULL column that is computed."""
    what = "the expression" if column.generated else "the backfill"
    return (
        f"{what} of {column.name} gives NULL in {rows} of {table.name}: correct the values that it reads,"
        f" or let {column.name} be nullable in the contract"
    )
