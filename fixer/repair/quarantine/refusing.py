"""What would refuse the new cells of rows whose parents go: asked before anything moves, so that a person decides."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from fixer.model.contract import Contract
from fixer.model.schema import Schema
from fixer.model.step import Refusing
from fixer.model.table import ForeignKey, Table
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
    rewriting, deed = instead(table, values, going.expected)
    columns = ", ".join(key.columns)
    for what, asks in (*rewriting.of_itself(contract), *rewriting.excluded(contract)):
        why = f"{table.name.name}.{columns} references rows of {key.target.name} that go; {what} would refuse {deed}"
        yield f"{why}: {way_out(key, contract)}", partial(_whether, asks)


def instead(table: Table, values: Mapping[str, Composable], where: Composable) -> tuple[Rewriting, str]:
    """Return the rewriting of rows that get these values for a parent that is not there, and what that is, in words."""
    cells = {name: new_cell(table.columns[name], value, where_null=False) for name, value in values.items()}
    adopted = any(value != SQL("NULL") for value in values.values())
    deed = "the default row instead" if adopted else "NULL instead"
    return Rewriting(table, cells, where, fills=adopted), deed


def way_out(key: ForeignKey, contract: Contract) -> str:
    """Return what a person can do where something refuses what rows under a foreign key would get."""
    way = hint(key.table, key.columns[0], "orphans", '"quarantine"', contract)
    return f"change these rows, or declare {way} for {', '.join(key.columns)}"


def _whether(asks: Asks) -> Composable:
    probe = asks()
    return SQL("SELECT EXISTS (SELECT FROM {} WHERE {})").format(probe.source, probe.condition)
