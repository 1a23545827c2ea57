"""What forbids a column another type: what is taken down and brought back around the change, and what is not."""

from __future__ import annotations

from collections.abc import Iterator

from fixer.model.expression import names_column
from fixer.model.obstacle import BROUGHT_BACK, Bound, Dependent, PartitionKey, Standing, View
from fixer.model.step import Repair, refuse
from fixer.model.table import Column, Table
from fixer.sql.by_hand import around, recomputed

_AGAIN = "drop it, and create it again afterwards"


def bound(table: Table, column: str, version: int) -> Repair | None:
    """Return the refusal if something forbids the column another type, and cannot be brought back; None if not."""
    here, standing = f"{table.name.name}.{column}", stands(table, column)
    again = f"{_AGAIN}{_pasted(standing)}"
    for each in standing:
        if each.hindrance:
            why = f", and {each.hindrance}" if each.kind in BROUGHT_BACK else ""
            return refuse(f"the {each.name} depends on {here}{why}: {again}")
    if name := next(_others(table, column, standing), None):
        return refuse(f"the {name} depends on {here}: {_AGAIN}")
    for theirs in (each for each in table.obstacles if isinstance(each, Dependent) and column in each.columns):
        if theirs.way:
            why = "would come back as this role's, which may not give it to its owner"
            return refuse(f"the {theirs.name} depends on {here}, and {why}: {theirs.way}; then plan again")
    for other in _computed(table, column):
        why = f"the generated column {other.name} depends on {here}"
        return refuse(f"{why}: {_AGAIN}: {recomputed(table.name, other, version)}")
    for each in standing:
        if renamed := _renamed(table, each):
            old, new = renamed
            return refuse(f"the {each.name} depends on {here}, and names {old}, which is renamed to {new}: {again}")
    return None


def unfit(name: str, table: Table, column: str, why: str, again: str = "") -> Repair:
    """Return the refusal of another type, with which something that depends on the column does not go.

    `again` are the statements that bring it back, if it does not stand over the column.
    """
    pasted = f": {again}" if again else ""
    if any(each.name == name for each in stands(table, column)):
        pasted = _pasted(stands(table, column))
    here = f"{table.name.name}.{column}"
    return refuse(f"the {name} depends on {here}, and does not go with its new type: {why}: {_AGAIN}{pasted}")


def _pasted(standing: tuple[Standing, ...]) -> str:
    statements = around(standing)
    return f": {statements}" if statements else ""


def _renamed(table: Table, each: Standing) -> tuple[str, str] | None:
    """Return what the plan renames that its definition names, and how, as far as the table knows; None if nothing."""
    if table.stored_as:
        return str(table.stored_as), str(table.name)
    names = ((column.stored_as, column.name) for column in table.columns.values() if column.stored_as)
    return next(((old, new) for old, new in names if any(names_column(text, old) for text in each.back)), None)


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


def _computed(table: Table, column: str) -> Iterator[Column]:
    """Yield the generated columns that a column is used for."""
    for other in table.columns.values():
        if other.generated and other.default and other.name != column and names_column(str(other.default), column):
            yield other
