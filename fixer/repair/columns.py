"""Steps for the defaults of columns, and columns whose types are missing."""

from __future__ import annotations

from fixer.model.schema import Schema
from fixer.model.step import Phase, Step
from fixer.model.table import Column, QName
from fixer.sql.alter import alter
from fixer.sql.compose import SQL, Identifier
from fixer.sql.types import element


def untyped(column: Column, actual: Schema) -> str:
    """Return what a person does about the type of a column, if it is missing; empty if it is there, or will be."""
    type_ = column.full_type
    if type_ not in actual.lacking:
        return ""
    if not column.base or element(column.type):
        return f"{column.name} is of the type {type_}, which does not exist: create it, then plan again"
    domain = " ".join([f"CREATE DOMAIN {type_} AS {column.base}", *column.guards])
    return f"{column.name} is of the domain {type_}, which does not exist: {domain}; then plan again"


def set_default(table: QName, column: Column, actual: Schema) -> Step:
    """Return the step that gives a column the contract's default."""
    action = SQL("ALTER COLUMN {} SET DEFAULT {}").format(Identifier(column.name), SQL(column.default or "NULL"))
    title = f"let {table.name}.{column.name} default to {column.default}"
    return alter(Phase.DEFAULTS, table, title, action, only=actual.tables[table].inherits)
