"""What would refuse the new cells of rows whose parents go: asked before anything moves, so that a person decides."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from fixer.model.contract import Contract
from fixer.model.schema import Schema
from fixer.model.step import Refusing
from fixer.model.table import ForeignKey
from fixer.repair.constraints.rewriting import Asks, Rewriting, new_cell
from fixer.repair.rows import Going
from fixer.repair.twins import hint
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable


def hindrances(
    key: ForeignKey, values: Mapping[str, Composable], going: Going, actual: Schema, contract: Contract
) -> Iterator[Refusing]:
    """Yield why rows that reference others that go cannot get these values, each with what makes the SELECT whether.

    Orphans of today are findings, which ask for themselves. Nothing is yielded for a table that the plan changes as
    well: what stands in its columns by then is asked by nobody.
    """
    table = actual.tables[key.table]
    changes = not q.is_stored(table) or any(column.added for column in table.columns.values())
    if not going.after or changes or table.name not in contract.tables:
        return
    cells = {name: new_cell(table.columns[name], value, where_null=False) for name, value in values.items()}
    adopted = any(value != SQL("NULL") for value in values.values())
    columns, way = ", ".join(key.columns), hint(table.name, key.columns[0], "orphans", '"quarantine"', contract)
    deed = "the default row instead" if adopted else "NULL instead"
    rewriting = Rewriting(table, cells, going.expected, fills=adopted)
    for what, asks in (*rewriting.of_itself(contract), *rewriting.excluded(contract)):
        why = f"{table.name.name}.{columns} references rows of {key.target.name} that go; {what} would refuse {deed}"
        yield f"{why}: change these rows, or declare {way} for {columns}", partial(_whether, asks)


def _whether(asks: Asks) -> Composable:
    probe = asks()
    return SQL("SELECT EXISTS (SELECT FROM {} WHERE {})").format(probe.source, probe.condition)
