"""The contract of the tables that bench/catalog.py makes, as many as PGMEND_BENCH_TABLES says."""

from __future__ import annotations

import os

from sqlalchemy import (
    TIMESTAMP,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Numeric,
    String,
    Table,
    Text,
    text,
)


def of(tables: int) -> MetaData:
    """Return the contract of so many tables, each with a foreign key to another, ten to one."""
    metadata = MetaData(
        naming_convention={
            "pk": "%(table_name)s_pkey",
            "fk": "%(table_name)s_%(column_0_name)s_fkey",
            "uq": "%(table_name)s_%(column_0_name)s_key",
            "ck": "%(table_name)s_%(constraint_name)s_check",
            "ix": "%(table_name)s_%(column_0_name)s_idx",
        }
    )
    for number in range(1, tables + 1):
        Table(
            f"t{number}",
            metadata,
            Column("id", Integer, primary_key=True),
            Column("parent", Integer, ForeignKey(f"t{max(number // 10, 1)}.id", ondelete="CASCADE")),
            Column("name", String(50), nullable=False, unique=True),
            Column("status", String(20), nullable=False, server_default="active"),
            Column("amount", Numeric(15, 2)),
            Column("quantity", Integer, nullable=False),
            Column("note", Text),
            Column("created_at", TIMESTAMP(timezone=True), nullable=False, server_default=text("now()")),
            CheckConstraint("quantity > 0", name="quantity"),
            Index(None, "parent"),
            Index(None, "created_at"),
        )
    return metadata


metadata = of(int(os.environ.get("PGMEND_BENCH_TABLES", "300")))
