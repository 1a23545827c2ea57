"""Finds the columns whose values the database makes."""

from __future__ import annotations

import functools

from sqlalchemy import FetchedValue, Identity, Sequence

from contracts.rows.laws.keys import keys_of
from contracts.rows.sqltext import default_of, sql_of
from contracts.rows.tables import AnyColumn


@functools.cache
def generated(column: AnyColumn) -> bool:
    """Return whether the database makes the value: serial, identity, computed, a sequence, a random key."""
    if column.computed is not None or column.identity is not None:
        return True
    if column.server_default is not None:
        given = default_of(column)
        text = "" if given is None else sql_of(given)
        called = type(column.server_default) is FetchedValue or "nextval" in text or "uuid" in text
        return called and any(column.name in key.columns for key in keys_of(column.table))
    serial = column.table.autoincrement_column is column and not column.foreign_keys
    return serial and (column.default is None or (isinstance(column.default, Sequence) and column.default.optional))


def fixed(column: AnyColumn) -> bool:
    """Return whether the database refuses any value that a client gives."""
    return column.computed is not None or (isinstance(column.identity, Identity) and bool(column.identity.always))
