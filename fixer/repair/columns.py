"""Comparisons and steps for what a column demands and offers: defaults, NOT NULL."""

from __future__ import annotations

from collections.abc import Iterator

from fixer.contract.build import Contract
from fixer.model.schema import Column, QName, Schema
from fixer.model.step import Phase, Step
from fixer.repair.alter import alter
from fixer.sql.compose import SQL, Identifier


def columns_with_default(actual: Schema, contract: Contract) -> Iterator[tuple[QName, Column, Column]]:
    """Yield the columns for which the contract has a default of its own: table, wanted, found."""
    for name, wanted in contract.differing():
        table = actual.tables.get(name)
        for column in wanted.columns.values() if table else ():
            found = table.columns.get(column.name) if table else None
            if found and column.default is not None and not column.generates and not column.generated:
                yield name, column, found


def set_default(table: QName, column: Column, actual: Schema) -> Step:
    """Return the step that gives a column the contract's default."""
    action = SQL("ALTER COLUMN {} SET DEFAULT {}").format(Identifier(column.name), SQL(column.default or "NULL"))
    title = f"let {table.name}.{column.name} default to {column.default}"
    return alter(Phase.DEFAULTS, table, title, action, only=actual.tables[table].inherits)


def open_columns(actual: Schema, contract: Contract) -> Iterator[tuple[QName, Column]]:
    """Yield the columns that may be NULL and should not be; those of a primary key get that with their key."""
    for name, wanted in contract.differing():
        table = actual.tables.get(name)
        in_key = wanted.primary_key.columns if wanted.primary_key else ()
        for column in wanted.columns.values() if table else ():
            found = table.columns.get(column.name) if table else None
            if found and column.not_null and not found.not_null and column.name not in in_key:
                yield name, column
