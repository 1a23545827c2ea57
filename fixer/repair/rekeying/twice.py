"""Rows of the parent that share one old key: identical copies, of which one stays, or rows that differ."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from fixer.model.finding import Probe
from fixer.model.schema import Schema
from fixer.model.step import Part
from fixer.model.table import Table
from fixer.repair.constraints.texts import Texts
from fixer.repair.quarantine.copies import move_copies
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Composed


def copies_of(texts: Texts, actual: Schema) -> Probe:
    """Return the probe for identical rows under one old key, but for the first of each."""
    return _numbered(texts, actual, SQL("t.pgmend_copy > 1"))


def rivals_of(texts: Texts, actual: Schema) -> Probe:
    """Return the probe for rows under an old key that differ from the first row under it."""
    return _numbered(texts, actual, SQL("t.pgmend_rival > 1 AND {}").format(_is_held(texts, actual)))


def clashes_of(texts: Texts, actual: Schema) -> Probe:
    """Return the probe for rows whose old key is the new key of another row."""
    parent, new = actual.tables[texts.key.target], texts.key.target_columns[0]
    other = SQL("EXISTS (SELECT FROM (SELECT t.* FROM {}) AS o WHERE {}::text = {} AND {} <> {})").format(
        q.rows_of(parent),
        q.column(new, "o"),
        texts.spelt(q.column(texts.legacy)),
        q.column(new, "o"),
        q.column(new),
    )
    clash = SQL("{} AND {}").format(other, _is_held(texts, actual))
    return Probe(q.rows_of(parent), clash, (q.column(texts.legacy),), shared=False, costly=True)


def _is_held(texts: Texts, actual: Schema) -> Composable:
    """Return the condition that a row references the parent `t` by its old key; where all do, it is always true."""
    if not texts.mixed:
        return SQL("true")
    child = SQL("SELECT {} FROM {}").format(
        texts.spelt(q.column(texts.column)), q.rows_of(actual.tables[texts.key.table])
    )
    return SQL("{} IN ({})").format(texts.spelt(q.column(texts.legacy)), child)


def _numbered(texts: Texts, actual: Schema, condition: Composable) -> Probe:
    table = _kept(actual.tables[texts.key.target])
    return Probe(q.rivals(q.rows_of(table), table, (texts.legacy,)), condition, (q.column(texts.legacy),), costly=True)


def _kept(table: Table) -> Table:
    """Return a table with those columns that identical rows share: without those that the plan adds."""
    return replace(table, columns={name: column for name, column in table.columns.items() if not column.added})


def without_copies(texts: Texts, rows: int, actual: Schema) -> Iterator[Part]:
    """Yield the step that moves the copies; online, columns have the names of today until the old key is replaced."""
    parent = actual.tables[texts.key.target]
    guards, kept, today = actual.incoming(parent.name), _kept(parent), _of_today(parent)
    step = move_copies(kept, (texts.legacy,), rows, guards)
    legacy = parent.columns[texts.legacy].stored_as or texts.legacy
    yield step.atomic.online_as(each.before_numbering() for each in move_copies(today, (legacy,), rows, guards).online)


def _of_today(table: Table) -> Table:
    columns = [replace(c, name=c.stored_as or c.name) for c in table.columns.values() if not c.added]
    return replace(table, columns={column.name: column for column in columns})


def copies_leave(texts: Texts, actual: Schema) -> Schema:
    """Return the schema without the copies, so that nothing else is found wrong with them."""
    parent = actual.tables[texts.key.target]
    table = _kept(parent)
    gone: Composed = q.among(q.copies(q.rows_of(table), table, (texts.legacy,)), SQL("t.pgmend_copy > 1"))
    return actual.with_table(replace(parent, leaving=(*parent.leaving, gone)))
