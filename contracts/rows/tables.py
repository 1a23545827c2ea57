"""Looks up the columns of a table, their places, and the names of its constraints."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Column, Table


def columns_of(table: Table) -> dict[str, Column[Any]]:
    """Return the columns of a table by name."""
    return {column.name: column for column in table.columns}


def places(table: Table, names: Iterable[str]) -> tuple[int, ...]:
    """Return where these columns stand in their table."""
    order = list(columns_of(table))
    return tuple(order.index(name) for name in names)


def name_of(constraint: Any, otherwise: str) -> str:
    """Return the name of a constraint, or the other where it has none."""
    return str(constraint.name) if isinstance(constraint.name, str) else otherwise
