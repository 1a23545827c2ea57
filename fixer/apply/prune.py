"""Forgets what undo needs of finished runs: images, definitions, and the columns whose place others took."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from psycopg2.extensions import connection as Connection  # noqa: N812
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer import sqltext as q
from fixer.apply import journal
from fixer.apply.atomic import lock
from fixer.apply.journal import Account
from fixer.apply.transaction import all_or_nothing
from fixer.online import is_syncing
from fixer.schema import QName
from fixer.shadow import KEPT
from fixer.sqltext import SQL, Identifier
from fixer.steps import JOURNAL, Lock


def prune(connection: Connection, *, settings: Mapping[str, str] | None = None) -> int:
    """Forget what undo needs of all finished runs; return how many. The quarantine stays.

    Raises ApplyFailed when a table whose old column is to go could not be locked: nothing is forgotten then.
    """
    return all_or_nothing(connection, _forget, settings=settings)


def _forget(cursor: Cursor) -> int:
    going = [each for done in journal.prunable(cursor) for each in _kept_columns(cursor, done)]
    lock(cursor, {table: Lock.ACCESS_EXCLUSIVE for table, _ in going})
    for table, column in going:
        for trigger in _watching(cursor, table, column):
            cursor.execute(SQL("DROP TRIGGER {} ON {}").format(Identifier(trigger), q.name(table)))
            cursor.execute(SQL("DROP FUNCTION IF EXISTS {}()").format(Identifier(JOURNAL, trigger)))
        cursor.execute(SQL("ALTER TABLE {} DROP COLUMN {}").format(q.name(table), Identifier(column)))
    return journal.prune(cursor)


def _watching(cursor: Cursor, table: QName, column: str) -> list[str]:
    """Return the triggers of ours that look after a column."""
    cursor.execute(
        "SELECT g.tgname FROM pg_catalog.pg_trigger g"
        "  JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_trigger'::regclass AND d.objid = g.oid"
        "  JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid"
        " WHERE d.refclassid = 'pg_catalog.pg_class'::regclass AND a.attrelid = %s::regclass AND a.attname = %s",
        (q.quoted(table), column),
    )
    return [trigger for (trigger,) in cursor.fetchall() if is_syncing(trigger)]


def _kept_columns(cursor: Cursor, done: Account) -> Iterator[tuple[QName, str]]:
    """Yield the columns, with their tables, that stay only so that a run can be taken back."""
    assert done.after is not None
    for table, added in ((step.step.table, added) for step in done.steps for added in step.step.added):
        oid = done.after.oid(str(table))
        kept = done.after.columns(oid).get(added.aside) if oid else None
        if kept is None:
            continue
        cursor.execute(
            "SELECT n.nspname, c.relname, a.attname FROM pg_catalog.pg_attribute a"
            " JOIN pg_catalog.pg_class c ON c.oid = a.attrelid"
            " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
            " WHERE a.attrelid = %s AND a.attnum = %s AND NOT a.attisdropped AND starts_with(a.attname, %s)",
            (oid, kept.number, KEPT),
        )
        for schema, name, column in cursor.fetchall():
            yield QName(schema, name), column
