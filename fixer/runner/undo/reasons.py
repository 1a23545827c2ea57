"""Reasons to refuse an undo: what others have written since, or have put on what the run made."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import psycopg2
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer.connect.failures import told
from fixer.errors import UndoRefused
from fixer.model.expression.patterns import pattern
from fixer.model.step import JOURNAL
from fixer.model.table import QName
from fixer.repair.rows import counted
from fixer.runner.journal.definitions import UNPROVED, Item, is_unproved
from fixer.runner.journal.own_values import Kept, written_since
from fixer.runner.journal.reading import DoneStep
from fixer.runner.undo.past import Past
from fixer.runner.undo.session import Session
from fixer.runner.undo.stray_values import strays
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Literal

_CHECK = pattern(rf"CHECK \((.*)\)(?: NO INHERIT)? {UNPROVED}", re.DOTALL)
# Grants that the run took over from the table are no reason, also on a column that was renamed since; nor any where
# default privileges give new views some.
_ON_A_VIEW = """
SELECT CASE WHEN obj_description(c.oid, 'pg_class') IS NOT NULL THEN 'comment'
            WHEN EXISTS (SELECT FROM pg_catalog.pg_trigger g WHERE g.tgrelid = c.oid) THEN 'trigger'
            WHEN NOT EXISTS (SELECT FROM pg_catalog.pg_default_acl) AND EXISTS (
                 SELECT g.cells <> '', a.grantee, a.privilege_type, a.is_grantable
                   FROM granted g, pg_catalog.aclexplode(g.acl) a
                  WHERE g.oid = c.oid AND a.grantee <> c.relowner
                 EXCEPT
                 SELECT g.cells <> '', a.grantee, a.privilege_type, a.is_grantable
                   FROM pg_catalog.pg_rewrite r
                   JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.objid = r.oid
                   JOIN granted g ON g.oid = d.refobjid, pg_catalog.aclexplode(g.acl) a
                  WHERE r.ev_class = c.oid AND d.refobjid <> c.oid AND d.refclassid = 'pg_catalog.pg_class'::regclass)
            THEN 'grants'
            ELSE '' END
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = %s AND c.relname = %s
"""
_GRANTED = """
WITH granted AS (
    SELECT oid, '' AS cells, relacl AS acl FROM pg_catalog.pg_class
     UNION ALL
    SELECT attrelid, attname, attacl FROM pg_catalog.pg_attribute WHERE attacl IS NOT NULL AND NOT attisdropped
)"""

_UNREADABLE = """
SELECT pg_catalog.pg_get_userbyid(n.nspowner)
  FROM pg_catalog.pg_namespace n
  LEFT JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname IN ('run', 'step', 'before_image')
 WHERE n.nspname = %s
   AND NOT (has_schema_privilege(n.oid, 'USAGE') AND (c.oid IS NULL OR has_table_privilege(c.oid, 'SELECT')))
 LIMIT 1
"""


def look_for_rights(cursor: Cursor, number: int) -> None:
    """Refuse if this role may not read what undo needs."""
    cursor.execute(_UNREADABLE, (JOURNAL,))
    for (owner,) in cursor.fetchall():
        raise UndoRefused(
            f"Only {owner}, which made the journal, a member of that role or a superuser may undo run {number}: let one"
            " of them do it."
        )


def look_for_sleepers(session: Session, past: Past) -> None:
    """Refuse if triggers of constraints must be switched off again, which only a superuser may do."""
    for key in () if past.superuser else past.then.of_kind("constraint"):
        now, slept = past.after.items.get(key.key), key.detail["asleep"]
        if slept and (now is None or now.detail["asleep"] != key.detail["asleep"]):
            raise UndoRefused(
                f"Triggers of {key.name} of {past.then.table(key.of)} were switched off before run {session.run},"
                " and only a superuser may switch them off again: let one undo the run."
            )


def look_for_strays(session: Session, past: Past) -> None:
    """Refuse if a replaced column holds values that its replacement lacks."""
    for done in past.steps:
        columns = past.columns(done.step)
        for added in done.step.shape.added:
            if added.column in columns and added.aside in columns:
                new, kept = columns[added.column], columns[added.aside]
                if why := strays(session.cursor, done.step.table, added, new, kept):
                    raise UndoRefused(f"{why}.")


def look_at_views(session: Session, past: Past) -> None:
    """Refuse if others put something on a view that the run made, because it is dropped with the view."""
    for view in past.after.of_kind("view"):
        if view.key in past.then.items:
            continue
        session.cursor.execute(_GRANTED + _ON_A_VIEW, (view.detail["schema"], view.name))
        if what := (session.cursor.fetchone() or ("",))[0]:
            raise UndoRefused(f"The {what} of the view {view.name}, which run {past.run} made, would be lost.")


# --- values that would be lost


def look_for_losses(session: Session, past: Past) -> None:
    """Refuse if values that were written since would be lost, in columns that are dropped or converted back."""
    _look_for_values_of_others(session, past)
    odd: dict[QName, list[tuple[str, Composable]]] = {}
    for done in past.steps:
        odd.setdefault(done.step.table, []).extend(_losses(past, done))
    for table, questions in odd.items():
        for column, rows in _answers(session, table, questions):
            if rows:
                raise UndoRefused(
                    f"In {counted(rows)} of {table}, {column} has what was written since run {past.run} and would be"
                    " lost."
                )


def _answers(session: Session, table: QName, questions: list[tuple[str, Composable]]) -> Iterator[tuple[str, int]]:
    """Yield each column with the number of rows that fulfil its condition, by one scan of their table."""
    if not questions:
        return
    counts = SQL(", ").join(SQL("count(*) FILTER (WHERE {})").format(condition) for _, condition in questions)
    try:
        session.cursor.execute(SQL("SELECT {} FROM {} AS t").format(counts, q.name(table)))
    except psycopg2.DataError as error:
        raise UndoRefused(f"Values of {table} do not go back to their old type: {told(error)}.") from None
    columns = (column for column, _ in questions)
    yield from zip(columns, session.cursor.fetchone() or (), strict=True)


def _losses(past: Past, done: DoneStep) -> Iterator[tuple[str, Composable]]:
    """Yield columns of a step, each with the condition that the row `t` has a value there that is not the run's."""
    columns = past.columns(done.step)
    for added in done.step.shape.added:
        if added.counts or added.column not in columns or past.was_there(columns[added.column]):
            continue
        filled = done.notes.cells.get(added.column)
        if isinstance(filled, Kept):
            continue
        if added.kept is not None:
            yield added.column, SQL("({}) IS NOT TRUE").format(SQL(added.kept))
        else:
            yield added.column, SQL("{}::text IS DISTINCT FROM {}").format(q.column(added.column), Literal(filled))
    for reverted in done.step.shape.reverts:
        if reverted.column in columns:
            cell_, type_ = q.column(reverted.column), SQL(columns[reverted.column].detail["type"])
            again = SQL("({})::{}").format(SQL(reverted.forth), type_)
            yield reverted.column, SQL("{}::text IS DISTINCT FROM {}::text").format(again, cell_)


def _look_for_values_of_others(session: Session, past: Past) -> None:
    """Refuse if a column in which each row got its own value may hold one that was written since."""
    last: dict[tuple[QName, str], Kept] = {}
    for done in past.steps:
        columns = past.columns(done.step)
        for name, kept in done.notes.cells.items():
            if isinstance(kept, Kept) and name in columns and not past.was_there(columns[name]):
                earlier = last.get((done.step.table, name), kept)
                last[done.step.table, name] = earlier.followed_by(kept)
    for (table, column), kept in last.items():
        if rows := written_since(session.cursor, table, column, kept):
            raise UndoRefused(
                f"Since run {past.run}, others wrote {counted(rows)} of {table}: what {column} has there may not be of"
                " that run, and would be lost."
            )


# --- constraints of others that old rows break


def unproved(past: Past) -> list[Item]:
    """Return the NOT VALID constraints, except the run's own, of tables in which undo rewrites rows."""
    written = {past.oid(done.step) for done in past.steps if _rewrites(done)}
    constraints = (item for item in past.theirs.values() if item.kind == "constraint" and item.of in written)
    return [key for key in constraints if key.detail["type"] in ("c", "n") and is_unproved(key)]


def _rewrites(done: DoneStep) -> bool:
    return bool(done.step.shape.restores or done.step.shape.respells) or any(
        added.aside for added in done.step.shape.added
    )


def breaches(session: Session, past: Past) -> list[tuple[Item, int]]:
    """Return the constraints of `unproved`, each with the number of rows that break it."""
    return [(key, _breaches(session, past, key)) for key in unproved(past)]


def _breaches(session: Session, past: Past, key: Item) -> int:
    if key.detail["type"] == "n":
        broken: Composable = q.is_null(key.detail["columns"][0])
    else:
        broken = SQL("NOT ({})").format(SQL(_CHECK.sub(r"\1", key.detail["definition"])))
    table = past.ran.read(session.cursor).table(key.of)
    return session.number(SQL("SELECT count(*) FROM {} AS t WHERE {}").format(q.name(table), broken))


def look_for_breaches(session: Session, past: Past, before: Iterable[tuple[Item, int]]) -> None:
    """Refuse if more rows break a constraint now than `before` undo."""
    for key, rows in before:
        if (more := _breaches(session, past, key) - rows) > 0:
            raise UndoRefused(
                f"{counted(more).capitalize()} of {past.before.table(key.of)} would break the constraint {key.name},"
                f" which is not of run {past.run}."
            )
