"""Conditions for rows that leave a table after others, and the reason that is kept with each."""

from __future__ import annotations

from collections.abc import Sequence

from fixer.model.table import ForeignKey, Table
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Composed, Literal


def orphaned(key: ForeignKey, parents: Composable | None = None) -> Composed:
    """Return the condition that the row has no parent; `parents` may stand in for the parent table."""
    given = q.not_null(key.columns)
    if key.match == "f":  # a row with only some of its columns NULL is an orphan too
        given = q.any_of(SQL("{} IS NOT NULL").format(q.column(column)) for column in key.columns)
    return SQL("({}) AND NOT EXISTS (SELECT FROM {} WHERE {})").format(
        given,
        parents or SQL("{} AS p").format(q.name(key.target)),
        q.equal(key.target_columns, key.columns, "p", "t", key.equalities),
    )


def truly_orphaned(key: ForeignKey, table: Table | None, parents: Composable | None = None) -> Composable:
    """Return `orphaned`, also where PostgreSQL 18 leaves out IS NOT NULL although a partition's is NOT VALID."""
    if table is None or not set(key.columns) & table.unproved_below.keys():
        return orphaned(key, parents)
    return SQL("{} AND {}").format(orphaned(key, parents), references(key))


def references(key: ForeignKey) -> Composed:
    """Return the condition that the row references something, which PostgreSQL always looks at."""
    counted = "pg_catalog.num_nonnulls({}) > 0" if key.match == "f" else "pg_catalog.num_nulls({}) = 0"
    return SQL(counted).format(q.columns(key.columns))


def under(key: ForeignKey, condition: Composable, *, itself_stays: bool = False) -> Composed:
    """Return the condition that the row references one that fulfils `condition`, and with `itself_stays` is not one."""
    gone = SQL("SELECT {} FROM {} AS t WHERE {}").format(q.columns(key.target_columns), q.name(key.target), condition)
    among = q.among_values(key.columns, gone, key.equalities, "gone")
    return SQL("{} AND ({}) IS NOT TRUE").format(among, condition) if itself_stays else among


def with_descendants(keys: Sequence[ForeignKey], condition: Composable) -> Composable:
    """Return the condition for these rows and their descendants within the same table, by any of its keys to itself.

    It compares table and place, because the same place is another row in each partition.
    """
    if not keys:
        return condition
    targets = dict.fromkeys(column for key in keys for column in key.target_columns)
    return SQL(
        "(t.tableoid, t.ctid) IN (WITH RECURSIVE gone AS"
        " (SELECT t.tableoid AS part, t.ctid AS place, {columns} FROM {table} AS t WHERE {condition}"
        " UNION SELECT t.tableoid, t.ctid, {columns} FROM {table} AS t JOIN gone ON {link})"
        " SELECT part, place FROM gone)"
    ).format(
        columns=q.columns(targets),
        table=q.name(keys[0].table),
        condition=condition,
        link=q.any_of(q.referencing(key, "t", "gone") for key in keys),
    )


def reason_under(key: ForeignKey) -> Composed:
    """Return the reason for a row that goes after its parent; it names the parent by what the row holds."""
    parts: list[Composable] = []
    for target, column in zip(key.target_columns, key.columns, strict=True):
        parts += [Literal(f"{', ' if parts else ''}{target} "), q.column(column)]
    return SQL("pg_catalog.concat({}, {}, {})").format(
        Literal(f"its row of {key.target.name} ("), SQL(", ").join(parts), Literal(") is in quarantine")
    )


def reason_of(keys: Sequence[ForeignKey], condition: Composable, reason: Composable, whole: Composable) -> Composable:
    """Return the reason for each row of a table and its descendants: its own, or the parent that goes as well."""
    if not keys:
        return reason
    ways = [SQL("WHEN {} THEN {}").format(under(key, whole), reason_under(key)) for key in keys[:-1]]
    return SQL("CASE WHEN {} THEN {} {} ELSE {} END").format(
        condition, reason, SQL(" ").join(ways), reason_under(keys[-1])
    )
