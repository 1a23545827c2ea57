"""Asks what stands over the columns of findings, only where something does."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer import introspect
from fixer.model.finding import Finding
from fixer.model.obstacle import Bound, View
from fixer.model.schema import Schema
from fixer.model.table import QName

Stood = Callable[[Schema, Iterable[Finding]], Schema]  # returns a schema with what stands over these findings' columns


def unasked(future: Schema, findings: Iterable[Finding]) -> Schema:
    """Return the schema as it is, where nobody asks what stands over columns."""
    return future


def stood(cursor: Cursor, schemas: Iterable[str], future: Schema, findings: Iterable[Finding]) -> Schema:
    """Return the schema with what stands over the columns of these findings; ask nothing if nothing does."""
    wanted = {place: f.table for f in findings if not f.repair.refusal and (place := _place(future, f))}
    if not wanted:
        return future
    found = introspect.standing(cursor, wanted, [*schemas, "public"])
    for (today, column), name in wanted.items():
        table = future.tables[name]
        standing = {**table.standing, column: found.get((today, column), ())}
        future = future.with_table(replace(table, standing=standing))
    return future


def _place(future: Schema, finding: Finding) -> tuple[QName, str] | None:
    """Return the table and column of a finding by their names of today; None if nothing stands there, or it is known.

    What stands over the same column of a partition or heir is no obstacle of the table.
    """
    table = future.tables.get(finding.table)
    found = table.columns.get(finding.column or "") if table else None
    if table is None or found is None:
        return None
    column = found.stored_as or found.name
    over = (o for o in table.obstacles if isinstance(o, View | Bound) and {column, found.name} & set(o.columns))
    if column in table.standing or not (table.inherits or any(over)):
        return None
    return table.stored_as or table.name, column
