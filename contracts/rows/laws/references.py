"""The foreign keys of a table."""

from __future__ import annotations

import functools

from sqlalchemy import ForeignKeyConstraint, Table
from sqlalchemy.exc import SQLAlchemyError

from contracts.rows.tables import columns_of, places, takes_null
from fixer.errors import ContractError

APART = "pgmend_apart"  # in the info of a table that is no part of the contract, and takes no row of ours


def is_apart(table: Table) -> bool:
    """Return whether rows may only refer to the rows that a table has: the contract leaves it out."""
    return bool(table.info.get(APART))


@functools.cache
def references(table: Table) -> tuple[ForeignKeyConstraint, ...]:
    """Return the foreign keys, the widest first, because it settles the columns that others share with it."""
    for column in table.columns:
        for key in column.foreign_keys:
            try:
                _ = key.column
            except SQLAlchemyError as error:
                raise ContractError(
                    f"{table.name}.{column.name} references what the contract lacks: {error}."
                ) from None
    return tuple(
        sorted(table.foreign_key_constraints, key=lambda key: (-len(key.elements), places(table, local_of(key))))
    )


def local_of(key: ForeignKeyConstraint) -> tuple[str, ...]:
    """Return the columns that refer."""
    return tuple(element.parent.name for element in key.elements)


def remote_of(key: ForeignKeyConstraint) -> tuple[str, ...]:
    """Return the columns referred to."""
    return tuple(element.column.name for element in key.elements)


@functools.cache
def foreign(table: Table) -> frozenset[str]:
    """Return the columns that are part of a foreign key."""
    return frozenset(name for key in references(table) for name in local_of(key))


def is_full(key: ForeignKeyConstraint) -> bool:
    """Return whether a key is MATCH FULL: its columns are NULL together, or none is."""
    return (key.match or "").upper() == "FULL"


def _mandatory(table: Table, key: ForeignKeyConstraint) -> bool:
    nullable = [takes_null(columns_of(table)[name]) for name in local_of(key)]
    return not (all(nullable) if is_full(key) else any(nullable))


def attainable(table: Table, path: tuple[Table, ...]) -> bool:
    """Return whether a table's parents can be made without the tables that are being made."""
    if is_apart(table):
        return False
    wanted = {key.referred_table for key in references(table) if _mandatory(table, key)} - {table}
    return all(parent not in path and attainable(parent, (*path, table)) for parent in wanted)
