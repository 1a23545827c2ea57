"""Tells which columns hold an old key of their parent, by their types and by what a repair has left."""

from __future__ import annotations

import re
from dataclasses import replace

from fixer.model.contract import Contract
from fixer.model.expression import as_needed
from fixer.model.schema import Schema
from fixer.model.table import Column, ForeignKey, QName
from fixer.repair.constraints import online
from fixer.repair.constraints.foreign_keys import old_text_key
from fixer.repair.constraints.texts import Half, Texts, mapped_texts, meant_by, mixed
from fixer.sql import compose as q
from fixer.sql.types import family


def texts_of(key: ForeignKey, actual: Schema, contract: Contract) -> Texts | None:
    """Return the texts that a column holds in place of the new key of its parent; None if it holds none.

    Where it may hold old and new keys in one type, only its rows can say: see text-reference.
    """
    child, parent = actual.tables.get(key.table), actual.tables.get(key.target)
    if child is None or parent is None or len(key.columns) != 1 or child.created or parent.created:
        return None
    found = child.columns.get(key.columns[0])
    if found is None or found.now is not None:
        return None
    held, new = family(found.base or found.type), family(contract.tables[key.table].columns[found.name].type)
    if held == new or new not in ("integer", "uuid", "text") or held not in ("text", "uuid", "integer"):
        return None
    legacy = old_text_key(key, found.name, actual, contract, numbers=new != "integer")
    return Texts(key, legacy, mixed(key, actual, contract)) if legacy else None


def half_of(key: ForeignKey, actual: Schema, contract: Contract) -> Half | None:
    """Return what an interrupted run has half mapped: its trigger still exists, its column has the final name."""
    child, column = actual.tables.get(key.table), key.columns[0]
    if child is None or not child.obstacles or key.target not in actual.tables or len(key.columns) != 1:
        return None
    beside = online.beside(column)
    if all(obstacle.name != online.syncing(key.table, beside) for obstacle in child.obstacles):
        return None
    asides = [name for name in child.columns if re.fullmatch(rf"legacy_{re.escape(column)}(_\d+)?", name)]
    if beside in child.columns or not asides:
        return None
    aside = max(asides, key=lambda name: (len(name), name))  # the highest number, given last
    texts = mapped_texts(key, aside, actual, contract)
    return Half(aside, texts) if texts else None


def by_hand(key: ForeignKey, legacy: str, found: Column) -> str:
    """Return why a person has to map old numbers, with the statement that does."""
    table, target = q.quoted(key.table), q.quoted(key.target)
    column, new = as_needed(key.columns[0]), as_needed(key.target_columns[0])
    return (
        f"an old number may be the new one of another row; map these by hand, and plan again: UPDATE {table} AS t"  # noqa: S608 - to be read
        f" SET {column} = p.{new}::{found.full_type} FROM {target} AS p"
        f" WHERE p.{as_needed(legacy)}::text = t.{column}::text"
    )


def by_old_keys(name: QName, column: Column, actual: Schema, contract: Contract) -> Column:
    """Return a key column that the plan adds; if references hold old keys of it, with what stands for its values."""
    for key in contract.foreign_keys() if contract.tables[name].tells_apart((column.name,)) else ():
        if key.target == name and key.target_columns == (column.name,) and key.table in actual.tables:
            child = actual.tables[key.table].columns.get(key.columns[0])
            late = child and child.mapped and mapped_texts(key, child.mapped, actual, contract)
            if column.now is not None and (texts := late or texts_of(key, actual, contract)):
                old = q.today(actual.tables[name].columns[texts.legacy])
                return replace(column, now=meant_by(old, column.full_type, column.now))
    return column
