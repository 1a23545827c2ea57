"""The ledger: before + inserted = after + quarantined, for every table of a run."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer.model.run import Entry
from fixer.model.table import QName
from fixer.repair.rows import quarantine_table
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Literal

_ABOVE = """
SELECT n.nspname, c.relname
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'r' AND c.relhassubclass
"""


def count(cursor: Cursor, tables: Iterable[QName]) -> dict[QName, int]:
    """Return the number of rows of each table, in one statement; without those of tables that INHERIT from it."""
    names = sorted(tables)
    if not names:
        return {}
    cursor.execute(_ABOVE)
    above = {QName(*each) for each in cursor.fetchall()}
    scans = [
        SQL("SELECT {}, count(*) FROM {}{}").format(Literal(n), SQL("ONLY " if t in above else ""), q.name(t))
        for n, t in enumerate(names)
    ]
    cursor.execute(SQL("\nUNION ALL\n").join(scans))
    return {names[number]: rows for number, rows in cursor.fetchall()}


def count_quarantined(cursor: Cursor, tables: Iterable[QName], run: int) -> dict[QName, int]:
    """Return the number of rows of each table that this run moved, counted in quarantine."""
    names = sorted(tables)
    if not names:
        return {}
    scans = [
        SQL("SELECT {}, count(*) FROM {} WHERE run = {} AND source = {}").format(
            Literal(number), q.name(quarantine_table(table)), Literal(run), Literal(str(table))
        )
        for number, table in enumerate(names)
    ]
    cursor.execute(SQL("\nUNION ALL\n").join(scans))
    return {names[number]: rows for number, rows in cursor.fetchall()}


def entered(cursor: Cursor, tables: Iterable[int], moving: Collection[int]) -> list[int]:
    """Return the tables, by oid, that a ledger names: of a partition and its whole, the one that is in `moving`.

    Else the whole: a row whose cells change may go from one partition into another.
    """
    counted = {*tables}
    cursor.execute(
        "SELECT t.oid::bigint, ARRAY (SELECT a.relid::bigint FROM pg_catalog.pg_partition_ancestors(t.oid) a"
        " WHERE a.relid <> t.oid) FROM pg_catalog.unnest(%s::oid[]) AS t (oid)",
        (sorted(counted | {*moving}),),
    )
    above = {oid: set(wholes) for oid, wholes in cursor.fetchall()}
    wholes = {whole for oid in moving for whole in above[oid]} - {*moving}
    counted -= wholes
    return [oid for oid in sorted(counted) if not above[oid] & (counted | {*moving})]


def within(cursor: Cursor, tables: Iterable[QName], moving: Collection[QName]) -> frozenset[QName]:
    """Return those of these tables that a ledger does not name, because it names their wholes or partitions."""
    pairs = sorted(tables)
    cursor.execute(
        "SELECT n.nspname::text, c.relname::text, c.oid::bigint"
        " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " JOIN unnest(%s::text[], %s::text[]) AS w (schema, name)"
        " ON (w.schema, w.name) = (n.nspname::text, c.relname::text)",
        ([name.schema for name in pairs], [name.name for name in pairs]),
    )
    there = {QName(schema, name): oid for schema, name, oid in cursor.fetchall()}
    kept = entered(cursor, there.values(), [oid for name, oid in there.items() if name in moving])
    return frozenset(name for name, oid in there.items() if oid not in kept)


def entries(
    before: Mapping[QName, int],
    after: Mapping[QName, int],
    inserted: Mapping[QName, int],
    quarantined: Mapping[QName, int],
) -> tuple[Entry, ...]:
    """Return one entry for each table that was counted afterwards."""
    return tuple(
        Entry(name, before.get(name, 0), rows, inserted.get(name, 0), quarantined.get(name, 0))
        for name, rows in sorted(after.items())
    )
