"""The second half of an undo: restores names, then all other definitions, and checks that they are as before."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace

from fixer.connect.settings import ASLEEP, AWAKE
from fixer.errors import UndoRefused
from fixer.model.step import JOURNAL
from fixer.model.table import QName
from fixer.runner.journal.definitions import Definitions, Item, Key
from fixer.runner.journal.parentless import forbids, proves
from fixer.runner.undo.below import Enabled, inherited, triggers_below
from fixer.runner.undo.created import created, renamed, replaced
from fixer.runner.undo.created.bases import bases
from fixer.runner.undo.facts import constraint, switched
from fixer.runner.undo.past import Past
from fixer.runner.undo.references import orphaned, orphans
from fixer.runner.undo.rows import Returned
from fixer.runner.undo.session import Session
from fixer.runner.undo.shapes import Whole
from fixer.runner.undo.spellings import as_read
from fixer.sql import compose as q
from fixer.sql.block import block
from fixer.sql.compose import SQL, Composable, Identifier, Literal

_PARSED = ("constraint", "index")  # kinds that are recreated from the text of their definition

log = logging.getLogger("pgmend.undo")


def _hold_again(session: Session, whole: Whole) -> None:
    """Add the NOT NULL of a whole as it was; SET NOT NULL does so where ADD CONSTRAINT may not."""
    body = block(
        "columns/not_null_again",
        table=Literal(q.quoted(whole.table)),
        column=Literal(whole.column),
        name=Literal(whole.name),
        comment=Literal(whole.comment),
    )
    session.do(body, f"forbid NULL in {whole.table}.{whole.column}")


def _without(then: Definitions, wholes: Iterable[Whole], others: Iterable[Key]) -> Definitions:
    """Return the definitions without the NOT NULLs of wholes, which come last, and without others."""
    held = {(whole.of, whole.column) for whole in wholes}
    items = {
        key: replace(item, detail={**item.detail, "not_null": False})
        if item.kind == "column" and _is_held(item, held)
        else item
        for key, item in then.items.items()
        if not (item.kind == "constraint" and item.detail["type"] == "n" and _is_held(item, held))
    }
    return replace(then, items=items).without_items(others)


def _is_held(item: Item, columns: set[tuple[int, str]]) -> bool:
    """Return whether an item is one of these columns, or a constraint of it."""
    if item.kind == "constraint":
        return (item.of, (item.detail["columns"] or [""])[0]) in columns
    return item.kind == "column" and (item.of, item.name) in columns


def bring_back(
    session: Session, past: Past, awake: Enabled, returned: Returned, wholes: Iterable[Whole]
) -> frozenset[Key]:
    """Restore names, then every definition that differs; return the constraints and indexes that were recreated."""
    for statement in renamed(past.after, past.then, inherited(session, sorted(past.after.relations))):
        session.do(statement, "bring a name back")
    now = past.ran.read(session.cursor)
    for oid in sorted(now.relations - past.then.relations):
        _see_that_it_is_empty(session, now.table(oid))
    anew = frozenset(key for key in past.then.items.keys() - now.items.keys() if key[0] in _PARSED)
    then = as_read(session.cursor, past.then, anew)
    made = [key for key in then.of_kind("constraint") if key.key in anew]
    apart = {
        key.key: orphaned(session, past, past.then, key) for key in made if _has_orphans(session, past, key, returned)
    }
    apart |= {key.key: _repeated(past.then, key) for key in made if _has_repeats(session, past, key)}
    alone = _above_heirs(session, [key for key in made if key.detail["type"] == "p"])
    for title, statement in created(now, _without(then, wholes, apart), past.left, alone):
        session.progress(title)
        session.do(statement, title)
    for whole in wholes:
        _hold_again(session, whole)
    for place, broken in apart.items():
        _add_beside(session, past, past.then.items[place], broken, only=place in alone)
    below = triggers_below(session, sorted(past.written)) if awake else {}
    for (table, trigger), enabled in awake.items():
        if below.get((table, trigger), enabled) != enabled:
            session.do(switched(table, trigger, enabled), f"trigger {trigger} of {table} as it was")
    for title, statement in replaced(session.cursor, past.ran.read(session.cursor), past.then):
        if not past.superuser:
            raise UndoRefused(f"Only a superuser may {title}, as it was before run {past.run}.")
        session.do(statement, title)
    return anew


_BASES = ("type", "sequence", "schema")


def drop_bases(session: Session, past: Past) -> None:
    """Drop the types, sequences and schemas of the run, which code that it created may have needed; so attributes."""
    kept, was = past.left.items.items(), past.then.items
    if all(key in was and (key[0] != "type" or was[key] == item) for key, item in kept if key[0] in _BASES):
        return
    for title, statement in bases(past.ran.read(session.cursor), past.then, past.left):
        session.progress(title)
        session.do(statement, title)


def _above_heirs(session: Session, keys: Sequence[Item]) -> frozenset[Key]:
    """Return those of these primary keys that would set NOT NULL in tables that INHERIT from theirs: up to 17.

    There heirs may do without, and have it back as they had it.
    """
    if not keys or session.cursor.connection.server_version >= 180000:
        return frozenset()
    named = (
        "SELECT oid::bigint FROM pg_catalog.pg_class WHERE relhassubclass AND relkind = 'r' AND oid = ANY (%s::oid[])"
    )
    session.cursor.execute(named, (sorted({key.of for key in keys}),))
    above = {oid for (oid,) in session.cursor.fetchall()}
    return frozenset(key.key for key in keys if key.of in above)


def _see_that_it_is_empty(session: Session, table: QName) -> None:
    session.cursor.execute(SQL("SELECT EXISTS (SELECT FROM {})").format(q.name(table)))
    if (session.cursor.fetchone() or (False,))[0]:
        raise UndoRefused(f"The table {table}, which run {session.run} created, holds rows by now.")


def _has_orphans(session: Session, past: Past, key: Item, returned: Returned) -> bool:
    """Return whether a superuser has brought orphans back under a foreign key that forbids them, if only in words."""
    if key.detail["type"] != "f" or not (past.superuser and proves(key)):
        return False
    if not forbids(key):  # its triggers slept, and nobody counted
        return orphans(session, past, past.then, key) > 0
    return bool(returned.parentless[key.id] or returned.emptied[key.of, frozenset(key.detail["numbers"][0])])


def _has_repeats(session: Session, past: Past, key: Item) -> bool:
    """Return whether rows repeat under a key that slept."""
    if key.detail["type"] not in ("p", "u") or not key.detail["asleep"]:
        return False
    rows = SQL("SELECT count(*) FROM {} AS t WHERE {}").format(
        q.name(past.then.table(key.of)), _repeated(past.then, key)
    )
    return session.number(rows) > 0


def _repeated(then: Definitions, key: Item) -> Composable:
    """Return the condition that the row `t` repeats what an earlier one has in the columns of a key."""
    columns = q.columns(key.detail["columns"])
    alike = "NULLS NOT DISTINCT" in key.detail["definition"]
    filled = SQL("true") if alike else q.not_null(key.detail["columns"])
    ranked = SQL(
        "(t.tableoid, t.ctid) IN (SELECT n.tableoid, n.ctid FROM (SELECT t.tableoid, t.ctid, row_number() OVER"
        " (PARTITION BY {} ORDER BY t.tableoid, t.ctid) AS place FROM {} AS t WHERE {}) AS n WHERE n.place > 1)"
    )
    return ranked.format(columns, q.name(then.table(key.of)), filled)


def _add_beside(session: Session, past: Past, key: Item, broken: Composable, *, only: bool) -> None:
    """Add a constraint while rows `t` that break it are in a table aside; then put these back, with triggers off."""
    table, title = past.then.table(key.of), f"add the constraint {key.name} beside rows that break it"
    own = (name for name, column in past.then.columns(key.of).items() if not column.detail["generated"])
    names = {"table": q.name(table), "held": Identifier(JOURNAL, "held"), "columns": q.names(own)}

    def unasked(statement: str) -> int:
        return session.do(SQL(statement).format(**names, broken=broken), title)

    session.do(SQL(ASLEEP), title)
    unasked("CREATE TABLE {held} AS SELECT {columns} FROM {table} WITH NO DATA")
    while unasked("INSERT INTO {held} SELECT {columns} FROM {table} AS t WHERE {broken}"):
        unasked("DELETE FROM {table} AS t WHERE {broken}")
    session.do(SQL(AWAKE), title)
    for _, statement in constraint(past.then, key, only=only):
        session.do(statement, title)
    session.do(SQL(ASLEEP), title)
    unasked("INSERT INTO {table} ({columns}) OVERRIDING SYSTEM VALUE SELECT {columns} FROM {held}")
    unasked("DROP TABLE {held}")
    session.do(SQL(AWAKE), title)


def prove(session: Session, past: Past, anew: frozenset[Key]) -> None:
    """Read the definitions again; raise UndoRefused unless they are those before the run plus what others made."""
    now = past.ran.read(session.cursor)
    for key in sorted(past.theirs.keys() - now.items.keys()):
        lost = past.theirs[key]
        raise UndoRefused(f"The {lost.kind} {lost.name}, which is not of run {past.run}, would be lost.")
    for key in sorted(past.ours):
        was, is_ = past.before.items.get(key), now.items.get(key)
        if key in anew and was and is_:  # recreated from its text, which may be spelt differently now
            was = replace(was, detail={**was.detail, "definition": is_.detail["definition"]})
        if was != is_ and (item := was or is_):
            log.error("%s %s: was %s, is %s", item.kind, item.name, was and was.detail, is_ and is_.detail)
            raise UndoRefused(f"The {item.kind} {item.name} could not be brought back as it was.")
