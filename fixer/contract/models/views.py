"""Tables of models that PostgreSQL has as a view, or not at all: they are no part of a contract."""

from __future__ import annotations

import re

from sqlalchemy import MetaData
from sqlalchemy import Table as SATable
from sqlalchemy.schema import CreateTable

from fixer.contract.models.typeless import DIALECT
from fixer.model.expression.patterns import pattern

_MAKES = pattern(r"\s*CREATE\s[^(]*?\bTABLE\b", re.IGNORECASE)


def tables_of(metadata: MetaData) -> list[SATable]:
    """Return the tables of models, without those that stand for a view or are made for other databases alone."""
    tables = [table for table in metadata.tables.values() if not _is_view(table)]
    # Where nobody has told SQLAlchemy to compile it otherwise, CREATE TABLE makes a table.
    return [*filter(_is_made, tables)] if hasattr(CreateTable, "_compiler_dispatcher") else tables


def _is_view(table: SATable) -> bool:
    """Return whether a table stands for a view: SQLAlchemy's CreateView made it, or its info says so."""
    maker = vars(table).get("_creator_ddl")  # SQLAlchemy 2.1 has views, and keeps there what creates one
    return bool(table.info.get("is_view")) or getattr(maker, "__visit_name__", "") == "create_view"


def _is_made(table: SATable) -> bool:
    """Return whether the models' own CREATE TABLE makes one of PostgreSQL."""
    try:
        return _MAKES.match(str(CreateTable(table).compile(dialect=DIALECT))) is not None
    except (Exception, SystemExit):  # what others compile may raise anything: it is told where the table is made
        return True
