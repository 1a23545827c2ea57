"""A missing column in which each row gets a value of its own, added while others read and write.

Adding it with its default would rewrite the whole table, under ACCESS EXCLUSIVE. So it has another name at first: a
trigger gives new rows their value, batches give old rows theirs, and a check proves that no row was missed. Then it
gets its own name, to which nobody can have written before.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from fixer.model.step import Added, Effect, Fill, Phase, Shape, Step
from fixer.model.table import Column, Table
from fixer.repair import constraints_online as online
from fixer.repair import sync_triggers
from fixer.repair.rows import filling
from fixer.repair.shadow import dropped_beside, guard_of
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Identifier

# Calls that give all rows of a statement one value, and types that are written like a call.
_SETTLED = re.compile(
    "now|(statement|transaction)_timestamp|to_(timestamp|date|char)|date_trunc|make_(date|interval)|age|timezone|extract"
    "|coalesce|nullif|greatest|least|concat|lower|upper|md5|cast|array|row|jsonb?_build_(object|array)"
    "|numeric|decimal|(var)?char|character|varying|bit|time|timestamp|interval",
    re.IGNORECASE,
)
_CALL = re.compile(r"(\w+)\"?\s*\(")


def may_differ(value: Composable) -> bool:
    """Return whether a value of the contract may differ from row to row, judged by its text alone."""
    if not isinstance(value, SQL):
        return False
    bare = re.sub(r"'(?:[^']|'')*'", "''", value.string)
    return any(not _SETTLED.fullmatch(name) for name in _CALL.findall(bare))


def added(
    table: Table, column: Column, value: Composable, add: Step, of_new: Composable | None = None
) -> Iterator[Step]:
    """Yield the steps that replace online the step `add`, which adds a column with a value for each row.

    `of_new` is the value over the row `new`, if it differs from row to row because of other columns.
    """
    name, beside = table.name, online.beside(column.name)
    guard, empty = guard_of(name, beside), q.is_null(beside)
    there = table.columns.get(beside)
    if there and there.type != column.type:
        yield dropped_beside(name, beside)
    type_ = SQL(f"{column.full_type} COLLATE {column.collation}" if column.collation else column.full_type)
    sync = sync_triggers.synced(Phase.SHADOWS, name, beside, of_new or value, reads_others=False, once=True)
    new = [
        SQL("ALTER TABLE {} ADD COLUMN IF NOT EXISTS {} {}").format(q.name(name), Identifier(beside), type_),
        sync.sql,
        SQL("ALTER TABLE {} DROP CONSTRAINT IF EXISTS {}, ADD CONSTRAINT {} CHECK ({} IS NOT NULL) NOT VALID").format(
            q.name(name), Identifier(guard), Identifier(guard), Identifier(beside)
        ),
    ]
    yield Step(Phase.SHADOWS, name, f"add {beside} to {name.name}, with a value for each new row", SQL(";\n").join(new))
    fill = Step(
        Phase.FILLS,
        name,
        f"{add.title}, in {beside}",
        SQL(""),
        hazard=add.hazard,
        effect=Effect(rows=table.estimated_rows),
    )
    yield filling(fill, (Fill(beside, value, empty),))
    proof = online.validate(Phase.FILL_PROOFS, name, guard, f"prove that {beside} is filled in every row")
    yield replace(proof, action=None, shape=replace(proof.shape, added=(Added(column.name, beside=beside),)))
    title = f"let {beside} be {name.name}.{column.name}"
    noted = (Added(column.name, beside=column.name),)
    yield Step(Phase.EXCHANGES, name, title, SQL(";\n").join(_named(table, column)), shape=Shape(added=noted))


def _named(table: Table, column: Column) -> Iterator[Composable]:
    """Yield the statements that give the column its name, its default and its NOT NULL, which the check proves."""
    name, beside = table.name, online.beside(column.name)
    alter = SQL("ALTER TABLE {} {}")
    rename = SQL("RENAME COLUMN {} TO {}").format(Identifier(beside), Identifier(column.name))
    yield sync_triggers.unsynced(name, beside)
    yield alter.format(q.name(name), rename)
    if column.default is not None:
        default = SQL("ALTER COLUMN {} SET DEFAULT {}").format(Identifier(column.name), SQL(column.default))
        yield alter.format(q.name(name), default)
    if column.not_null:
        yield alter.format(q.name(name), SQL("ALTER COLUMN {} SET NOT NULL").format(Identifier(column.name)))
    yield alter.format(q.name(name), SQL("DROP CONSTRAINT {}").format(Identifier(guard_of(name, beside))))
