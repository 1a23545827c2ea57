"""Looks up the columns of a table, their places, and the names of its constraints."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from typing import Any  # SQLAlchemy's, of any Python type

from sqlalchemy import ARRAY, Column, Float, Numeric, Table
from sqlalchemy.dialects.postgresql import DOMAIN
from sqlalchemy.schema import Constraint
from sqlalchemy.types import TypeEngine

# SQLAlchemy's types are generic over the Python type of the values, which no contract declares.
AnyColumn = Column[Any]
AnyType = TypeEngine[Any]
AnyArray = ARRAY[Any]
AnyFloat = Float[Any]
AnyNumeric = Numeric[Any]


@functools.cache
def columns_of(table: Table) -> Mapping[str, AnyColumn]:
    """Return the columns of a table by name."""
    return {column.name: column for column in table.columns}


def takes_null(column: AnyColumn) -> bool:
    """Return whether a column takes NULL: a primary key takes none, nor does a domain that forbids it."""
    domain = column.type
    while isinstance(domain, DOMAIN) and not domain.not_null:
        domain = domain.data_type
    return bool(column.nullable) and not column.primary_key and not isinstance(domain, DOMAIN)


def places(table: Table, names: Iterable[str]) -> tuple[int, ...]:
    """Return where these columns stand in their table."""
    order = list(columns_of(table))
    return tuple(order.index(name) for name in names)


def name_of(constraint: Constraint, otherwise: str) -> str:
    """Return the name of a constraint, or the other where it has none."""
    return str(constraint.name) if isinstance(constraint.name, str) else otherwise
