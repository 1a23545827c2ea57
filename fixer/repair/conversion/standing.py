"""What forbids a column another type: what is taken down and brought back around the change, and what is not."""

from __future__ import annotations

from collections.abc import Iterator

from fixer.model.expression import names_column
from fixer.model.obstacle import BROUGHT_BACK, Bound, PartitionKey, Standing, View
from fixer.model.step import Repair, refuse
from fixer.model.table import Table
from fixer.sql.by_hand import around

_AGAIN = "drop it, and create it again afterwards"


def bound(table: Table, column: str) -> Repair | None:
    """Return the refusal if something forbids the column another type, and cannot be brought back; None if not."""
    here, standing = f"{table.name.name}.{column}", stands(table, column)
    for each in standing:
        if each.hindrance:
            why = f", and {each.hindrance}" if each.kind in BROUGHT_BACK else ""
            return refuse(f"the {each.name} depends on {here}{why}: {_AGAIN}: {around(standing)}")
    if name := next(_others(table, column, standing), None):
        return refuse(f"the {name} depends on {here}: {_AGAIN}")
    if standing and (table.stored_as or table.columns[column].stored_as):
        return refuse(f"the {standing[0].name} depends on {here}, which is renamed: {_AGAIN}: {around(standing)}")
    return None


def stands(table: Table, column: str) -> tuple[Standing, ...]:
    """Return what stands over a column, by the name that it has today."""
    found = table.columns.get(column)
    return table.standing.get(found.stored_as or column, ()) if found else ()


def _others(table: Table, column: str, standing: tuple[Standing, ...]) -> Iterator[str]:
    """Yield the descriptions of what else forbids it; of views and the like only where nobody asked for more."""
    known = {each.name for each in standing}
    for each in table.obstacles:
        if isinstance(each, View) and column in each.columns and not standing:
            yield f"view {each.name}"
        elif isinstance(each, Bound | PartitionKey) and column in each.columns and each.name not in known:
            yield each.name
    for other in table.columns.values():
        if other.generated and other.default and other.name != column and names_column(str(other.default), column):
            yield f"generated column {other.name}"
