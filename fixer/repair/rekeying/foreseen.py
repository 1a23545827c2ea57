"""The schema as it will be once columns that hold old keys are mapped to the new ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from fixer.model.contract import Contract
from fixer.model.schema import Schema
from fixer.model.table import ForeignKey, Table
from fixer.repair.constraints import online
from fixer.repair.constraints.texts import Half, standing_for
from fixer.repair.quarantine import Mover
from fixer.repair.rekeying.held import texts_of
from fixer.sql import compose as q
from fixer.sql.compose import SQL


def aside_name(table: Table, column: str) -> str:
    """Return the name of the column that keeps the texts."""
    return q.free_name(f"legacy_{column}", table.columns)


def in_turn(actual: Schema, contract: Contract) -> Iterator[tuple[ForeignKey, Schema]]:
    """Yield the wanted foreign keys, each with the schema once the column that it references is mapped itself.

    That is so where a key is a reference as well, as in joined table inheritance: those come first.
    """
    keys = [*contract.differing_foreign_keys()]
    above = {(key.table, key.columns): key for key in keys}
    order: dict[ForeignKey, None] = {}
    for key in keys:
        chain, at = dict[ForeignKey, None](), above.get((key.table, key.columns))
        while at and at not in chain and at not in order:
            chain[at] = None
            at = above.get((at.target, at.target_columns))
        order |= dict.fromkeys([*reversed(chain), key])
    referenced = {(key.target, key.target_columns) for key in keys}
    for key in order:
        yield key, actual
        if (key.table, key.columns) in referenced and texts_of(key, actual, contract):
            actual = mapped_later(key, actual, contract)


def all_mapped(actual: Schema, contract: Contract) -> Schema:
    """Return the schema after all columns of texts are renamed, their foreign keys dropped, and the new keys added."""
    for key in [key for key, then in in_turn(actual, contract) if texts_of(key, then, contract)]:
        actual = mapped_later(key, actual, contract)
        parent, new = actual.tables[key.target], contract.tables[key.target].columns[key.target_columns[0]]
        if new.name not in parent.columns:
            actual = actual.with_table(parent.with_column(replace(new, added=True)))
    return actual


def mapped_later(key: ForeignKey, actual: Schema, contract: Contract) -> Schema:
    """Return the schema after the mapping: the column holds the numbers, another one the texts."""
    name, column = key.table, key.columns[0]
    aside = aside_name(actual.tables[name], column)
    gone = frozenset((k.table, k.name) for k in actual.tables[name].foreign_keys if k.columns == key.columns)
    renamed = actual.without_foreign_keys(gone).with_renamed_column(name, column, aside)
    table = renamed.tables[name]
    if not (table.primary_key and aside in table.primary_key.columns):  # else what replaces that key frees the column
        renamed = renamed.with_nullable(name, aside)
        table = renamed.tables[name]
    texts = table.columns[aside]
    today, type_ = q.column(texts.stored_as or column), contract.tables[name].columns[column].full_type
    means_one = q.not_null([texts.stored_as or column])
    if Mover(actual, contract).policy(key) == "null" and (held := texts_of(key, actual, contract)):
        means_one = SQL("NOT ({})").format(held.unmatched(actual.tables[key.target]))
    numbers = replace(
        contract.tables[name].columns[column],
        not_null=False,
        default=None,
        mapped=aside,
        added=True,
        now=SQL("CASE WHEN {} THEN {} END").format(means_one, standing_for(today, type_)),
    )
    wanted = contract.tables[name].primary_key
    legacy = aside if wanted and wanted.columns == (column,) else table.legacy_key
    return renamed.with_table(replace(table.with_column(numbers), legacy_key=legacy))


def without_mark(half: Half, actual: Schema) -> Schema:
    """Return the schema after the last row is mapped, without the trigger and the old foreign keys."""
    texts, key, column = half.texts, half.texts.key, half.texts.column
    over = actual.tables[key.table].foreign_keys
    actual = actual.without_foreign_keys(frozenset((k.table, k.name) for k in over if k.columns == (half.aside,)))
    table, parent = actual.tables[key.table], actual.tables[key.target]
    mark = online.syncing(key.table, online.beside(column))
    kept = tuple(obstacle for obstacle in table.obstacles if obstacle.name != mark)
    number = SQL("coalesce({}, (SELECT p.number FROM {} WHERE {} LIMIT 1))").format(
        q.column(column),
        texts.carriers(SQL("{} AS t").format(q.stored(parent))),
        texts.match(q.column(half.aside)),
    )
    mapped = replace(table.columns[column], now=number)
    return actual.with_table(replace(table, obstacles=kept).with_column(mapped))
