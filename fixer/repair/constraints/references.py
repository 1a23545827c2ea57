"""Steps that add a foreign key, prove it, and put it in the place of others, in which no session waits long."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from fixer.model.schema import Schema
from fixer.model.step import Hazard, Lock, Phase, Step
from fixer.model.table import ForeignKey, QName
from fixer.repair.constraints import online
from fixer.sql import compose as q
from fixer.sql import ddl
from fixer.sql.alter import alter, letting_go
from fixer.sql.compose import SQL, Identifier


def foreign_key(name: str, wanted: ForeignKey, actual: Schema, title: str) -> tuple[Step, ...] | None:
    """Return the steps that add a foreign key; None if it cannot be NOT VALID: on partitions before PostgreSQL 18."""
    table = actual.tables.get(wanted.table)
    if table is None or (table.inherits and actual.version < 18):
        return None
    add = alter(
        Phase.GUARDS,
        wanted.table,
        f"{title}, for new rows",
        SQL("ADD {} NOT VALID").format(ddl.foreign_key_clause(name, wanted)),
        lock=Lock.SHARE_ROW_EXCLUSIVE,
        touches=(wanted.target,),
    )
    return add, proved(wanted.table, name, wanted.target, f"{title}, for old rows", table.estimated_rows)


def proved(table: QName, constraint: str, target: QName, title: str, rows: int) -> Step:
    """Return the step that proves a foreign key for old rows."""
    step = online.validate(Phase.FOREIGN_KEYS, table, constraint, title, touches=(target,))
    return replace(step, effect=replace(step.effect, rows=rows))


def replaced(old: Iterable[ForeignKey], beside: str, name: str, wanted: ForeignKey) -> Iterator[Step]:
    """Yield the steps that drop the foreign keys that one `beside` them replaced, and give it the wanted name."""
    for each in old:
        drop = SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(q.name(each.table), Identifier(each.name))
        title = f"drop the foreign key {each.name}, which another has replaced"
        if each.name == name != beside:
            rename = SQL(";\nALTER TABLE {} RENAME CONSTRAINT {} TO {}")
            drop += rename.format(q.name(each.table), Identifier(beside), Identifier(name))
        step = Step(
            Phase.REPLACED,
            each.table,
            title,
            drop,
            hazard=Hazard.REPLACES_CONSTRAINT,
            touches=(each.target,),
        )
        yield step if each.points_as(wanted) else letting_go(step, each)
