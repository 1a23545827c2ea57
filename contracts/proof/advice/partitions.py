"""Reads the partitions of a table in the target: their names, and the rows that they accept."""

from __future__ import annotations

from dataclasses import dataclass

from psycopg2.extensions import cursor as Cursor  # noqa: N812 - it is a class
from sqlalchemy import Table

from contracts.rows.laws.law import Law
from contracts.rows.sqltext import mentioned_in
from contracts.rows.tables import columns_of
from fixer.model.table import QName

_AT_MOST = 200  # partitions whose bounds are read, the newest

_LEAVES = """
    SELECT tree.relid::pg_catalog.regclass::text, part.relname, tree.isleaf AND part.relkind = 'r',
           pg_catalog.pg_get_partition_constraintdef(tree.relid)
      FROM pg_catalog.pg_partition_tree(pg_catalog.to_regclass(pg_catalog.format('%%I.%%I', %s, %s))) AS tree
      JOIN pg_catalog.pg_class AS part ON part.oid = tree.relid
     WHERE tree.level > 0
     ORDER BY tree.relid DESC"""


@dataclass(frozen=True)
class Partitions:
    """The partitions of a table."""

    names: frozenset[str]  # of all of them, at each level
    law: Law | None  # of a row that a partition accepts; None where they accept any row
    without: bool = False  # whether no partition can hold rows
    columns: frozenset[str] = frozenset()  # in the bounds


def partitions_of(cursor: Cursor, table: Table, name: QName) -> Partitions | None:
    """Return the partitions of a table, None where it is not partitioned."""
    cursor.execute(
        "SELECT FROM pg_catalog.pg_partitioned_table"
        " WHERE partrelid = pg_catalog.to_regclass(pg_catalog.format('%%I.%%I', %s, %s))",
        name,
    )
    if not cursor.rowcount:
        return None
    cursor.execute(_LEAVES, name)
    found = cursor.fetchall()
    names = frozenset(part for _, part, _, _ in found)
    bounds = [bound for _, _, leaf, bound in found if leaf][:_AT_MOST]
    if not bounds or any(bound is None for bound in bounds):
        return Partitions(names, None, without=not bounds)
    sql = " OR ".join(f"({bound})" for bound in bounds)
    columns = mentioned_in(sql, columns_of(table))
    words = f"the bounds of its {len(names)} partitions"
    return Partitions(names, Law(sql, columns, words=words, hints=sql, placing=True), columns=frozenset(columns))
