"""Contracts: of a few words, or in a module as a user has it."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Column, MetaData, Table
from sqlalchemy.types import Integer, Text

CONTRACT = ("--contract", "models:metadata")


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


def models(place: Path, text: str = "") -> Path:
    """Write the contract that ships as one of the user's, which then does something to the fixer; return its place."""
    (place / "models.py").write_text(f"from contracts.trading import *\n{text}\n")
    return place
