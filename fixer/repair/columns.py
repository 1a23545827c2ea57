"""Steps for the defaults of columns."""

from __future__ import annotations

from fixer.model.schema import Schema
from fixer.model.step import Phase, Step
from fixer.model.table import Column, QName
from fixer.sql.alter import alter
from fixer.sql.compose import SQL, Identifier


def set_default(table: QName, column: Column, actual: Schema) -> Step:
    """Return the step that gives a column the contract's default."""
    action = SQL("ALTER COLUMN {} SET DEFAULT {}").format(Identifier(column.name), SQL(column.default or "NULL"))
    title = f"let {table.name}.{column.name} default to {column.default}"
    return alter(Phase.DEFAULTS, table, title, action, only=actual.tables[table].inherits)
