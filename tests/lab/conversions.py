"""What a server makes of one value that gets another type."""

from __future__ import annotations

from typing import Any

from psycopg2.extensions import cursor as Cursor  # noqa: N812 - it is a class

from fixer.model.contract import ColumnHints
from fixer.model.table import Column
from fixer.sql.compose import SQL, Literal
from fixer.sql.conversions import Conversion, conversion


def text(cursor: Cursor, value: str, kind: str) -> str:
    cursor.execute(f"SELECT %s::{kind}::text", [value])
    return str((cursor.fetchone() or [""])[0])


def column(kind: str, labels: tuple[str, ...] = ()) -> Column:
    return Column(name="v", type=kind, not_null=False, default=None, labels=labels)


def converted(cursor: Cursor, found: str, wanted: str, value: str | None, zone: str | None = None) -> Any:
    """Give the text of the new value; None where it is not understood."""
    made = conversion(column(found), column(wanted), ColumnHints(timezone=zone))
    assert isinstance(made, Conversion)
    cursor.execute(
        SQL("SELECT CASE WHEN {} THEN ({})::text END FROM (SELECT {}::{} AS v) AS t").format(
            made.fits, made.value, Literal(value), SQL(found)
        )
    )
    return (cursor.fetchone() or [None])[0]
