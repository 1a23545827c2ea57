"""Builders of probes: SELECTs for the rows behind a finding, as the plan so far leaves them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from fixer.model.finding import Probe
from fixer.model.schema import Schema
from fixer.model.table import QName, Sequence, Table
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Composed, Literal
from fixer.sql.types import family

_SORTED = (
    *("integer", "numeric", "float", "text", "boolean", "uuid", "bytea", "inet", "date", "interval"),
    *("timestamp", "timestamptz"),
)


def rows_where(actual: Schema, table: QName, condition: Composable, *, own: bool = False) -> Probe:
    """Return the probe for the rows of a table, as the plan so far leaves them, that fulfil a condition."""
    future = actual.tables[table]
    return Probe(q.rows_of(future, own=own), condition, shown(future))


def rows_apart(actual: Schema, table: QName, condition: Composable, asked: Callable[[Table], bool]) -> Probe:
    """Return the probe for the rows of a table that fulfil a condition, but for those of heirs which are `asked`.

    Those, and what they show of heirs of their own, have findings that are told, repaired and left out there.
    """
    below = [*actual.below(table)] if actual.tables[table].heirs else []
    own = {heir.name for heir in below if asked(heir)}
    shown_there = (heir for heir in below if not heir.created and own & {heir.name, *actual.above(heir.name)})
    if apart := [q.quoted(heir.stored_as or heir.name) for heir in shown_there]:
        heirs = SQL(", ").join(map(Literal, apart))
        condition = SQL("({}) AND t.tableoid <> ALL (ARRAY[{}]::regclass[])").format(condition, heirs)
    return rows_where(actual, table, condition)


def counted_by(table: Table, sequence: Sequence) -> Composed:
    """Return a FROM item `t`: the rows of a table, and those of heirs that take their numbers from its sequence.

    Its keys do not bind those, but whoever reads it finds them beside its own. Where the sequence is still to be
    created, all heirs count.
    """
    if not table.heirs:
        return q.rows_of(table, own=True)
    if sequence.created:
        return q.rows_of(table)
    sharing = SQL(
        "SELECT d.adrelid FROM pg_catalog.pg_attrdef AS d JOIN pg_catalog.pg_depend AS p ON p.objid = d.oid"
        " AND p.classid = 'pg_catalog.pg_attrdef'::regclass JOIN pg_catalog.pg_class AS c ON c.oid = p.refobjid"
        " JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace WHERE (n.nspname, c.relname) = ({}, {})"
    ).format(*map(Literal, sequence.name))
    mine = Literal(q.quoted(table.stored_as or table.name))
    counted = SQL("t.tableoid = {}::regclass OR t.tableoid IN ({})").format(mine, sharing)
    cells = q.columns(table.columns)
    return SQL("(SELECT t.tableoid, t.ctid, {} FROM {} WHERE {}) AS t").format(cells, q.rows_of(table), counted)


def next_number(sequence: Sequence) -> Composable:
    """Return the first number that a sequence has not given, beyond its end if none is left; what the role may read."""
    if sequence.created:
        return Literal(sequence.start)
    if sequence.readable or sequence.last_value is None:
        return SQL("(SELECT s.last_value::numeric + s.is_called::integer * {} FROM {} AS s)").format(
            Literal(sequence.increment), q.name(sequence.name)
        )
    return Literal(sequence.last_value + sequence.increment)


def rivals_where(
    table: Table,
    keys: tuple[str, ...],
    order: Iterable[Composable],
    condition: Composable,
    show: tuple[Composable, ...],
) -> Probe:
    """Return the probe for rows that share a key with others; probes over the same keys share one search.

    `order` sorts the different rows under one key, the one that stays first.
    """
    probe = Probe(q.rivals(q.rows_of(table, own=True), table, keys, order), condition, show, costly=True)
    return replace(probe, table=table.name, places=q.PLACES) if q.is_stored(table) else probe


def parents(table: Table, *, own: bool = True) -> Composed:
    """Return the FROM item `p`: the rows of a table, as the plan so far leaves them, that others may reference."""
    return SQL("(SELECT t.* FROM {}) AS p").format(q.rows_of(table, own=own))


def within(part: str) -> Composed:
    """Return the condition that a row lies in a partition, given as SQL spells its name, or below it."""
    tree = SQL("(SELECT p.relid FROM pg_catalog.pg_partition_tree({}::text::regclass) AS p)").format(Literal(part))
    return SQL("t.tableoid IN {}").format(tree)


def shown(table: Table) -> tuple[Composable, ...]:
    """Return what identifies a row of this table to a person: its key, else its first columns."""
    keys = sorted(table.plain_keys, key=lambda key: (not key.primary, len(key.columns)))
    wanted = keys[0].columns if keys else (("id",) if "id" in table.columns else tuple(table.columns)[:2])
    return tuple(ordered(table, column) for column in wanted)


def ordered(table: Table, column: str) -> Composable:
    """Return a cell of the row in a form that can be sorted: its text, if its type has no order."""
    cell, found = q.column(column), table.columns[column]
    sorts = found.enum or family((found.base or found.type).removesuffix("[]")) in _SORTED
    return cell if sorts else SQL("{}::text").format(cell)
