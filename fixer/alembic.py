"""For the env.py of an Alembic project: what autogenerate leaves alone of what the fixer keeps in a database.

context.configure(..., include_name=fixer.alembic.include_name)
"""

from __future__ import annotations

from collections.abc import Mapping

from fixer.model.step import JOURNAL, QUARANTINE

_PREFIX = "pgmend_"  # of columns, indexes and constraints that a repair keeps, or needs until it is done


def include_name(name: str | None, type_: str, parent_names: Mapping[str, str | None]) -> bool:
    """Return whether autogenerate should look at a schema, table, column, index or constraint of the database."""
    schema = name if type_ == "schema" else parent_names.get("schema_name")
    return schema not in (JOURNAL, QUARANTINE) and not (name or "").startswith(_PREFIX)
