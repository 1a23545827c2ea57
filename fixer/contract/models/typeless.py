"""Columns whose type SQLAlchemy cannot spell, as reflection leaves those of a type that it does not know."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.dialects.postgresql import psycopg2
from sqlalchemy.exc import CompileError
from sqlalchemy.schema import CreateColumn, CreateTable
from sqlalchemy.sql.elements import ClauseElement
from sqlalchemy.types import UserDefinedType

DIALECT = psycopg2.dialect(paramstyle="named")  # type: ignore[no-untyped-call]  # pyformat would double %


class _Unknown(UserDefinedType[object]):
    """Takes the place of a type, so that PostgreSQL refuses this one column and takes the others."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        return '"unknown to SQLAlchemy"'


@contextmanager
def spellable(element: ClauseElement) -> Iterator[None]:
    """Let a CREATE TABLE be spelt, whose columns without a type have one meanwhile that does not exist."""
    columns = list(element.element.columns) if isinstance(element, CreateTable) else []
    typeless = {column: column.type for column in columns if not _is_spelt(CreateColumn(column))}
    try:
        for column in typeless:
            column.type = _Unknown()
        yield
    finally:
        for column, type_ in typeless.items():
            column.type = type_


def _is_spelt(column: CreateColumn) -> bool:
    try:
        column.compile(dialect=DIALECT)
    except CompileError:
        return False
    return True
