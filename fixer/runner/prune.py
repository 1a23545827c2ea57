"""Deletes what undo needs of finished runs: images of rows, definitions, and columns that others replaced."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from psycopg2.extensions import connection as Connection  # noqa: N812
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer.errors import ApplyFailed
from fixer.model.step import JOURNAL, Added, Lock
from fixer.model.table import QName
from fixer.model.values import dataclass
from fixer.repair.constraints.online import is_syncing
from fixer.repair.shadow import KEPT
from fixer.runner.journal import definitions, reading, tables, writing
from fixer.runner.journal.definitions import Definitions, Item
from fixer.runner.journal.reading import Account
from fixer.runner.locking.locks import lock
from fixer.runner.locking.transaction import all_or_nothing
from fixer.runner.undo.stray_values import strays
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Identifier


@dataclass(frozen=True)
class _Kept:
    """A replaced column that is kept only for undo, with its present name."""

    table: QName
    column: Item
    new: Item | None  # the column that replaced it
    added: Added[str]


def prune(connection: Connection, *, settings: Mapping[str, str] | None = None) -> int:
    """Delete what undo needs of all finished runs; return the number of runs. The quarantine is kept.

    Raises ApplyFailed if a table with a replaced column cannot be locked, if others made something that PostgreSQL
    would drop with that column, or if it holds values that its replacement lacks. Nothing is deleted then.
    """
    return all_or_nothing(connection, _forget, settings=settings)


def _forget(cursor: Cursor) -> int:
    going = [each for done in reading.prunable(cursor) for each in _kept_columns(cursor, done)]
    lock(cursor, {each.table: Lock.ACCESS_EXCLUSIVE for each in going})
    for each in going:
        if each.new and (why := strays(cursor, each.table, each.added, each.new, each.column)):
            raise ApplyFailed(f"{why}. Nothing was forgotten.")
        for what in _hanging_on(cursor, each.column):
            raise ApplyFailed(
                f"{what} hangs on {each.column.name} of {each.table} and would go with it: drop it first, or make it"
                f" anew for {each.added.column}. Nothing was forgotten."
            )
    for each in going:
        for trigger in _watching(cursor, each.column):
            cursor.execute(SQL("DROP TRIGGER {} ON {}").format(Identifier(trigger), q.name(each.table)))
            cursor.execute(SQL("DROP FUNCTION IF EXISTS {}()").format(Identifier(JOURNAL, trigger)))
        drop = SQL("ALTER TABLE {} DROP COLUMN {}")
        cursor.execute(drop.format(q.name(each.table), Identifier(each.column.name)))
    if why := tables.identify_rows(cursor):
        raise ApplyFailed(f"{why}. Nothing was forgotten.")
    return writing.prune(cursor)


def _watching(cursor: Cursor, column: Item) -> list[str]:
    """Return the fixer's own triggers that depend on a column."""
    return [trigger for _, trigger, _ in _depending(cursor, column) if trigger and is_syncing(trigger)]


def _kept_columns(cursor: Cursor, done: Account) -> Iterator[_Kept]:
    """Yield the replaced columns of a run that are kept only for undo."""
    if done.after is None:
        return
    read: dict[int, Definitions] = {}
    for table, added in ((step.step.table, added) for step in done.steps for added in step.step.shape.added):
        oid = done.after.oid(str(table))
        left = done.after.columns(oid) if oid else {}
        if oid is None or added.aside not in left:
            continue
        now = read[oid] = read.get(oid) or definitions.read(cursor, [oid], [])
        kept, new = (now.items.get(left[name].key) if name in left else None for name in (added.aside, added.column))
        if kept and kept.name.startswith(KEPT):
            yield _Kept(now.table(oid), kept, new, added)


def _hanging_on(cursor: Cursor, column: Item) -> list[str]:
    """Return descriptions of what PostgreSQL would drop with a column without an error (deptype a)."""
    return [what for kind, _, what in _depending(cursor, column) if kind == "a"]


def _depending(cursor: Cursor, column: Item) -> list[tuple[str, str | None, str]]:
    """Return what depends on a column: the deptype of pg_depend, the name if it is a trigger, and a description."""
    cursor.execute(
        "SELECT DISTINCT d.deptype::text, g.tgname::text, pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid)"
        "  FROM pg_catalog.pg_depend d"
        "  LEFT JOIN pg_catalog.pg_trigger g ON d.classid = 'pg_catalog.pg_trigger'::regclass AND d.objid = g.oid"
        " WHERE d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = %s AND d.refobjsubid = %s ORDER BY 3",
        (column.of, column.number),
    )
    return cursor.fetchall()
