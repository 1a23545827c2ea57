"""Old keys that fit the type of the new one: the cells are rewritten where they are, and kept in the journal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from fixer.model.contract import Contract
from fixer.model.schema import Schema
from fixer.model.step import Hazard, Part, Phase
from fixer.model.table import ForeignKey, Table
from fixer.repair.constraints.texts import Texts
from fixer.repair.probe import parents
from fixer.repair.quarantine import unreferenced
from fixer.repair.rows import counted, identity, rewrite
from fixer.sql import compose as q
from fixer.sql.alter import drop_foreign_key, letting_go
from fixer.sql.compose import SQL, Composable, Composed


def held(texts: Texts, parents: Composable | None = None) -> Composed:
    """Return the condition that a row holds an old key, and no new one; `parents` may stand in for the parent table."""
    rows = parents or SQL("{} AS p").format(q.name(texts.key.target))
    cell, new = q.column(texts.column), texts.key.target_columns[0]
    return SQL(
        "EXISTS (SELECT FROM {rows} WHERE {old} = {cell}) AND NOT EXISTS (SELECT FROM {rows} WHERE {new} = {cell})"
    ).format(rows=rows, old=q.column(texts.legacy, "p"), new=q.column(new, "p"), cell=cell)


def doubtful(texts: Texts, actual: Schema) -> Composed:
    """Return the condition that a row holds a key that means several parents, if any row holds an old one."""
    rows, child = parents(actual.tables[texts.key.target]), q.rows_of(actual.tables[texts.key.table])
    cell, old = q.column(texts.column), q.column(texts.legacy, "p")
    new = q.column(texts.key.target_columns[0], "p")
    return SQL(
        "({cell} IN (SELECT {old} FROM {rows} GROUP BY 1 HAVING count(DISTINCT {new}) > 1)"
        " OR {cell} IN (SELECT {old} FROM {rows} WHERE {old} <> {new}) AND {cell} IN (SELECT {new} FROM {rows}))"
        " AND EXISTS (SELECT FROM {child} WHERE {held})"
    ).format(cell=cell, old=old, new=new, rows=rows, child=child, held=held(texts, rows))


def mapped_in_place(texts: Texts, rows: int, actual: Schema, contract: Contract) -> Iterator[Part]:
    """Yield the steps that give rows the new key that their old one means, after dropping keys that forbid it."""
    key, table, column = texts.key, actual.tables[texts.key.table], texts.column
    unreferenced(actual, table.name, [column])
    for old in _over(texts, table):
        drop = drop_foreign_key(old, "its column is mapped to the new key", hazard=Hazard.REPLACES_CONSTRAINT)
        yield letting_go(drop, old)
    new = key.target_columns[0]
    yield rewrite(
        Phase.REFERENCES,
        table,
        f"map {column} of {counted(rows)} of {table.name.name} to the {new} of {key.target.name} that carries"
        f" its {texts.legacy}",
        {column: _meant(texts, SQL("{} AS p").format(q.name(key.target)))},
        held(texts),
        rows=rows,
        known_by=identity(table, contract.tables[table.name], Phase.REFERENCES),
    )


def mapped_as_foreseen(texts: Texts, actual: Schema) -> Schema:
    """Return the schema with the new keys in the column, and without the foreign keys that are dropped for it."""
    gone = frozenset((old.table, old.name) for old in _over(texts, actual.tables[texts.key.table]))
    schema = actual.without_foreign_keys(gone)
    table, rows = schema.tables[texts.key.table], parents(actual.tables[texts.key.target])
    cell = q.today(table.columns[texts.column])
    meant, old = (q.over(each, texts.column, cell) for each in (_meant(texts, rows), held(texts, rows)))
    now = SQL("CASE WHEN {} THEN {} ELSE {} END").format(old, meant, cell)
    return schema.with_table(table.with_column(replace(table.columns[texts.column], now=now, rekeyed=True)))


def _meant(texts: Texts, rows: Composable) -> Composed:
    return SQL("(SELECT {} FROM {} WHERE {} = {} LIMIT 1)").format(
        q.column(texts.key.target_columns[0], "p"), rows, q.column(texts.legacy, "p"), q.column(texts.column)
    )


def _over(texts: Texts, table: Table) -> list[ForeignKey]:
    """Return the foreign keys on the column that a new key would break."""
    return [old for old in table.foreign_keys if old.columns == (texts.column,) and not old.points_as(texts.key)]
