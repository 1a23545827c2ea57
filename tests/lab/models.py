"""Contracts of a few words."""

from __future__ import annotations

from sqlalchemy import Column, MetaData, Table
from sqlalchemy.types import Integer, Text


def contract(**tables: tuple[Column[object], ...]) -> MetaData:
    """Return the contract of these tables."""
    metadata = MetaData()
    for name, columns in tables.items():
        Table(name, metadata, *columns)
    return metadata


def once_called(wanted: MetaData, table: str, legacy: str) -> MetaData:
    wanted.tables[table].info["legacy_names"] = [legacy]
    return wanted


def key(name: str = "id", **words: object) -> Column[object]:
    return Column(name, Integer, primary_key=True, **words)


def integer(name: str, *parts: object, **words: object) -> Column[object]:
    return Column(name, Integer, *parts, **words)


def text(name: str, *parts: object, **words: object) -> Column[object]:
    return Column(name, Text, *parts, **words)
