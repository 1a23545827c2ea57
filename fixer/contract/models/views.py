"""Views that models have among their tables, which are no part of a contract."""

from __future__ import annotations

from sqlalchemy import MetaData
from sqlalchemy import Table as SATable


def tables_of(metadata: MetaData) -> list[SATable]:
    """Return the tables of models, without those that stand for a view."""
    return [table for table in metadata.tables.values() if not _is_view(table)]


def _is_view(table: SATable) -> bool:
    """Return whether a table stands for a view: SQLAlchemy's CreateView made it, or its info says so."""
    maker = vars(table).get("_creator_ddl")  # SQLAlchemy 2.1 has views, and keeps there what creates one
    return bool(table.info.get("is_view")) or getattr(maker, "__visit_name__", "") == "create_view"
