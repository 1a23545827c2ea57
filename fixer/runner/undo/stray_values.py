"""Finds values that only a replaced column holds, because a client inserts by position and names no columns."""

from __future__ import annotations

from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer.model.expression.patterns import pattern
from fixer.model.step import JOURNAL, Added
from fixer.model.table import QName
from fixer.repair.rows import counted
from fixer.runner.journal.definitions import Item
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Identifier

_CONSTANT = pattern(r"(?:\(?-?[\d.]+\)?|'(?:[^']|'')*'|true|false|NULL)(?:::[\w\s\"(),.\[\]]+)?")


def strays(cursor: Cursor, table: QName, added: Added[str], new: Item, kept: Item) -> str:
    """Return why the replaced column `kept` must not be overwritten or dropped; an empty string if it may be.

    A row that was inserted by position has its value in `kept`, and the default in the new column. A row whose new
    value was emptied since looks the same, unless a trigger of the fixer forbids writes by position.
    """
    if added.kept is None or _is_guarded(cursor, kept):
        return ""
    both = ((added.column, new.name), (added.aside, kept.name))
    cells = SQL(", ").join(SQL("{} AS {}").format(Identifier(name), Identifier(known)) for known, name in both)
    cursor.execute(
        SQL("SELECT count(*) FROM (SELECT {} FROM {}) AS t WHERE {} IS NOT NULL AND ({}) IS NOT TRUE AND {}").format(
            cells, q.name(table), q.column(added.aside), SQL(added.kept), _unset(added.column, new)
        )
    )
    (rows,) = cursor.fetchone() or (0,)
    if not rows:
        return ""
    return (
        f"In {counted(rows)} of {table}, {kept.name} has what {new.name} has not: they were written by position, or"
        f" {new.name} was emptied since. Give {new.name} the value there, or let {kept.name} be NULL, and try again"
    )


def _unset(column: str, new: Item) -> Composable:
    """Return the condition that a cell may be what a row gets if it is inserted without a value."""
    default = new.detail["default"]
    if default is None:
        return q.is_null(column)
    if _CONSTANT.fullmatch(default):
        return SQL("{} IS NOT DISTINCT FROM {}").format(q.column(column), SQL(default))
    return SQL("true")


def _is_guarded(cursor: Cursor, kept: Item) -> bool:
    """Return whether an enabled trigger of the fixer watches over the kept column."""
    cursor.execute(
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_trigger g JOIN pg_catalog.pg_proc p ON p.oid = g.tgfoid"
        " WHERE g.tgrelid = %s AND g.tgenabled IN ('O', 'A') AND p.pronamespace = to_regnamespace(%s)"
        " AND position(quote_ident(%s) IN pg_catalog.pg_get_triggerdef(g.oid) || p.prosrc) > 0)",
        (kept.of, JOURNAL, kept.name),
    )
    return bool((cursor.fetchone() or (False,))[0])
