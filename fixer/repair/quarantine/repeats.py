"""Rows that repeat what a unique of the contract tells apart: which one of them stays, and why the others go."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from fixer.model.table import Index, QName, Table
from fixer.repair.numbers import numbers_itself
from fixer.repair.quarantine import Mover
from fixer.repair.quarantine.keepers import Age, Keeper, age, keeper
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Composed, Gone, Identifier, Literal
from fixer.sql.conditions import tail_meaning

Fault = tuple[Composable, Composable]  # the condition for rows `t`, and their reason


def is_special(key: Index) -> bool:
    """Return whether a unique is partial or over expressions, so that its definition says what repeats."""
    return key.partial or "" in key.columns


def is_proved(key: Index, table: Table) -> bool:
    """Return whether an index proves that no two rows agree in these columns, or in what a special unique says."""
    if is_special(key):
        return any(
            i.unique and i.valid and tail_meaning(i.tail, table) == tail_meaning(key.tail, table) for i in table.indexes
        )
    return table.tells_all_apart(key.columns) if key.nulls_not_distinct else table.tells_apart(key.columns)


def numbered(rows: Composable, key: Index, table: Table, first: Keeper, *last: Sequence[Composable]) -> Composed:
    """Return the rows that share values with others, numbered within each group; identical copies count once.

    Rows that fulfil one of the conditions `last` come after the others of their group, tier by tier (see `_late`).
    """
    identity = first.identity
    signs = q.equalities(table, key.columns)
    repeating = q.repeating(rows, key.columns, signs, nulls_repeat=key.nulls_not_distinct)
    if identity and not table.has_key_on(identity):
        copies = q.numbered_copies(repeating, table, identity)
        repeating = SQL("(SELECT t.* FROM {} WHERE t.pgmend_copy = 1) AS t").format(copies)
    marks = [*_late(rows, last), *([SQL("h.pgmend_place IS NULL")] if first.holders else [])]
    told = [SQL("{} AS {}").format(mark, Identifier(f"pgmend_last_{n}")) for n, mark in enumerate(marks)]
    order = [*(q.column(f"pgmend_last_{n}") for n in range(len(marks))), *first.order]
    return SQL(
        "(SELECT t.*, row_number() OVER alike AS pgmend_repeat, first_value(t.pgmend_place) OVER alike AS pgmend_first"
        " FROM {rows} WINDOW alike AS (PARTITION BY {keys} ORDER BY {order})) AS t"
    ).format(
        keys=q.columns(key.columns),
        order=SQL(", ").join(order),
        rows=_marked(repeating, SQL(", ").join([SQL("t.*"), *told]), first, key.columns) if told else repeating,
    )


def _marked(repeating: Composable, cells: Composable, first: Keeper, keys: Sequence[str]) -> Composed:
    """Return rows with further cells, for which `h` holds the place of the row if another references it.

    It does not look for what references a row whose `keys` no other of these rows has: it stays whatever that is.
    OFFSET has these asked before the window, whose cost would mislead PostgreSQL to compare all rows with all others.
    What references them is joined, because for one row after another PostgreSQL may read all of its table.
    """
    if not first.holders:
        return SQL("(SELECT {} FROM {} OFFSET 0) AS t").format(cells, repeating)
    alike = SQL("SELECT t.*, count(*) OVER (PARTITION BY {}) AS pgmend_alike FROM pgmend_few AS t")
    held = SQL("SELECT DISTINCT t.pgmend_part, t.pgmend_place FROM pgmend_rivals AS t JOIN {} ON {}")
    return SQL(
        "(WITH pgmend_few AS MATERIALIZED (SELECT t.* FROM {repeating}), pgmend_rivals AS MATERIALIZED"
        " (SELECT t.* FROM ({alike}) AS t WHERE t.pgmend_alike > 1), pgmend_held AS MATERIALIZED ({held})"
        " SELECT {cells} FROM pgmend_few AS t LEFT JOIN pgmend_held AS h USING (pgmend_part, pgmend_place)"
        " OFFSET 0) AS t"
    ).format(
        repeating=repeating,
        alike=alike.format(q.columns(keys)),
        held=SQL(" UNION ").join(held.format(*each) for each in first.holders),
        cells=cells,
    )


def _late(rows: Composable, tiers: Iterable[Sequence[Composable]]) -> list[Composable]:
    """Return what sorts rows with their places so that those that fulfil a condition come last.

    Those that fulfil one of the first of the `tiers` come after all others, then those of the second.
    """
    late = [q.any_of(SQL("({})").format(each) for each in tier) for tier in tiers if tier]
    found = (Gone(SQL("SELECT t.tableoid, t.ctid FROM {} WHERE {}").format(rows, each)) for each in late)
    return [SQL("(t.pgmend_part, t.pgmend_place) IN ({})").format(each) for each in found]


def repeats(mover: Mover, name: QName, key: Index | None, last: Sequence[Composable]) -> Iterator[Fault]:
    """Yield why rows go that repeat others in a unique of the table other than `key`; those of `last` go first.

    None goes for what all rows get in a column that the plan adds: a person decides (see compare/feasibility.py).
    """
    rows, first = SQL("{} AS t").format(q.name(name)), keeper(mover.actual, mover.contract, name)
    table, wanted = mover.actual.tables[name], mover.contract.tables[name]
    for other in wanted.indexes:
        special = other.primary or not other.unique or is_special(other) or is_proved(other, table)
        columns = [table.columns.get(column) for column in other.columns]
        there = all(c and (c.mapped or c.numbered or not c.added) for c in columns)
        if there and not special and (key is None or other.columns != key.columns):
            losers = q.among(numbered(rows, other, table, first, last), SQL("t.pgmend_repeat > 1"))
            yield losers, Literal(first.told(other.columns, sound=False))


def of_key(mover: Mover, name: QName, last: Sequence[Composable]) -> list[Fault]:
    """Return why rows go that share a primary key with others, if nothing numbers it; those of `last` go first."""
    table, wanted = mover.actual.tables[name], mover.contract.tables[name]
    key = wanted.primary_key
    if not key or not set(key.columns) <= table.columns.keys() or table.has_key_on(key.columns):
        return []
    if any(numbers_itself(wanted, c) for c in key.columns):
        return []
    first = age(table, mover.contract)
    rivals = rivals_of(table, key, first, last)
    return [(q.among(rivals, SQL("t.pgmend_rival > 1")), Literal(first.told(key, sound=False)))]


def rivals_of(table: Table, key: Index, first: Age, *last: Sequence[Composable]) -> Composed:
    """Return the rows that share a primary key, numbered within each group; identical copies count once.

    Rows that fulfil one of the conditions `last` come after the others of their group, tier by tier (see `_late`).
    """
    rows = SQL("{} AS t").format(q.name(table.name))
    late = _late(rows, last)
    order = [SQL("t.pgmend_copy > 1"), *late, *first.order] if late else first.order
    return q.rivals(rows, table, key.columns, order)


def of_its_own(wrong: Sequence[Fault], reason: str) -> Composed:
    """Return the reason that is kept with each row: its own fault, if it has one, for all rows of its group may."""
    if not wrong:
        return SQL("{}").format(Literal(reason))
    ways = [SQL("WHEN {} THEN {}").format(condition, why) for condition, why in wrong]
    return SQL("CASE {} ELSE {} END").format(SQL(" ").join(ways), Literal(reason))
