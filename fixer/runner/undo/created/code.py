"""Takes back what a run did to functions, views, triggers, policies and grants."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

from fixer.model.schema.code import Key, Kind
from fixer.model.step import Phase
from fixer.runner.journal.definitions import CODE, Item
from fixer.runner.undo.past import Past
from fixer.runner.undo.session import Session
from fixer.sql.compose import SQL, Composable
from fixer.sql.ddl import view_anew

# The views that read one of these columns, each given as `oid.number`.
_OVER = """
SELECT DISTINCT n.nspname::text, v.relname::text
  FROM pg_catalog.pg_depend d
  JOIN pg_catalog.pg_rewrite r ON r.oid = d.objid
  JOIN pg_catalog.pg_class v ON v.oid = r.ev_class
  JOIN pg_catalog.pg_namespace n ON n.oid = v.relnamespace
 WHERE d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass
   AND d.refobjid || '.' || d.refobjsubid = ANY (%s)
"""
_UNCHECKED = SQL("SET LOCAL check_function_bodies = off")


def drop_code(session: Session, past: Past) -> Past:
    """Drop the code that the run created over tables, the last first; return the past without it.

    Functions that it created first, so that defaults could call them, go last. Views that the run put over its own
    tables and columns come back before those go: they, and views over them, would go as well.
    """
    going, moved = [*_created(past, early=False)], [*_moved(session, past)]
    for item in going:
        session.do(SQL(item.detail["drop"]), f"drop {_told(item)}")
    for item in moved:
        _bring_back(session, past, item)
    if not (going or moved):
        return past
    return replace(past, after=past.ran.read(session.cursor), below=past.ran.read_below(session.cursor))


def bring_code_back(session: Session, past: Past) -> None:
    """Bring back the definitions that the run replaced; drop the functions that it created first."""
    for item in _replaced(past):
        _bring_back(session, past, item)
    for item in _created(past, early=True):
        session.do(SQL(item.detail["drop"]), f"drop {_told(item)}")


def _replaced(past: Past) -> Iterator[Item]:
    """Yield the definitions that the run replaced, the last first: one may be built on what the next will take away."""
    steps = (json.dumps(key) for done in past.steps for key in done.step.shape.code)
    places = {(CODE, id_): place for place, id_ in enumerate(steps)}
    for item in sorted(past.before.of_kind(CODE), key=lambda each: -places.get(each.key, -1)):
        is_ = past.after.items.get(item.key)
        if item.key in past.ours and item.detail and is_ and is_.detail:
            yield item


def _moved(session: Session, past: Past) -> Iterator[Item]:
    """Yield the definitions of the views that the run put over its own tables, where none was, or its own columns."""
    over = (view for view in past.after.of_kind("view") if view.key not in past.then.items)
    names = {(view.detail["schema"], view.detail["name"]) for view in over}
    views = [(Key(*json.loads(item.id)), item) for item in _replaced(past)]
    views = [(key, item) for key, item in views if key.kind == Kind.VIEW]
    names |= _over_new_columns(session, past) if views else set()
    yield from (item for key, item in views if (key.schema, key.home) in names)


def _over_new_columns(session: Session, past: Past) -> set[tuple[str, str]]:
    """Return the views that read columns that the run added, and that took the place of none."""
    new = [column for column in past.after.of_kind("column") if column.key not in past.then.items]
    named = {(column.of, column.name) for column in past.then.of_kind("column")}
    added = [column.id for column in new if (column.of, column.name) not in named]
    session.cursor.execute(_OVER, (added,))
    return set(session.cursor.fetchall())


def _bring_back(session: Session, past: Past, was: Item) -> None:
    session.do(_UNCHECKED, "")
    for statement in _replacing(was, past.after.items[was.key]):
        session.do(statement, f"bring {_told(was)} back")


def _created(past: Past, *, early: bool) -> Iterator[Item]:
    """Yield the code that the run created, the last first: early in the run, or late."""
    steps = [done.step for done in past.steps if (done.step.phase is Phase.FUNCTIONS) == early]
    ids = [json.dumps(key) for step in steps for key in step.shape.code]
    for id_ in dict.fromkeys(reversed(ids)):
        was, is_ = past.before.items.get((CODE, id_)), past.after.items.get((CODE, id_))
        if was and not was.detail and is_ and is_.detail:
            yield is_


def _replacing(was: Item, is_: Item) -> Iterator[Composable]:
    """Yield the statements that let a definition take the place of another, with its comment."""
    create, kind = was.detail["create"], Key(*json.loads(was.id)).kind
    if kind == Kind.VIEW:
        if was.detail["definition"] != is_.detail["definition"]:
            yield view_anew(is_.detail["drop"].removeprefix("DROP VIEW "), create[0])
    elif kind == Kind.FUNCTION:
        if was.detail["definition"] != is_.detail["definition"]:
            yield SQL(f"CREATE OR REPLACE {create[0].removeprefix('CREATE OR REPLACE ').removeprefix('CREATE ')}")
        if is_.detail["closed"] and not was.detail["closed"]:
            yield SQL(f"GRANT EXECUTE ON {is_.detail['drop'].removeprefix('DROP ')} TO PUBLIC")
    else:
        yield from map(SQL, (is_.detail["drop"], *create, *was.detail["rest"]))


def _told(item: Item) -> str:
    return f"the {Key(*json.loads(item.id)).kind} {item.name}"
