"""Words for the evidence of a failure: errors of the database, rows, and what is bad about them."""

from __future__ import annotations

from collections.abc import Sequence

import psycopg2

from contracts.rows import Bad, Insertion


def said(error: psycopg2.Error) -> str:
    """Return the message and the SQLSTATE of an error."""
    message = error.diag.message_primary or str(error).strip().partition("\n")[0]
    return f"{message} ({error.pgcode})"


def shown(family: Sequence[Insertion], limit: int = 400) -> str:
    """Return the rows of an example as inserts, cut at a limit."""
    text = "; ".join(f"INSERT INTO {each.table.name} {each.row!r}" for each in family)
    return text if len(text) <= limit else f"{text[:limit]}…"


def named(bad: Bad) -> str:
    """Return what is bad about a row, in words."""
    columns = f"{bad.table.name}.{', '.join(bad.columns)}"
    kinds = {
        "null": f"NULL in {columns}",
        "orphan": f"a row whose {columns} points at nothing",
        "duplicate": f"a second row with the same {columns}",
        "check": f"a row that breaks the check on {columns}",
        "too-long": f"a text that is too long for {columns}",
        "overflow": f"a number that is too large for {columns}",
    }
    return kinds.get(bad.kind, f"a row that is bad by {bad}")
