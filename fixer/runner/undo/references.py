"""Foreign keys while rows go back: none that others reference goes, and none that comes points at nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from fixer.errors import UndoRefused
from fixer.model.plan import PlannedStep
from fixer.model.table import QName
from fixer.runner.journal.definitions import Definitions, Item, Key
from fixer.runner.journal.parentless import forbids, lacks_parent
from fixer.runner.journal.tables import BEFORE_IMAGE
from fixer.runner.undo.images import Found
from fixer.runner.undo.past import Past, name_of
from fixer.runner.undo.session import Session
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Composed


def look_for_references(session: Session, past: Past, oid: int, same: Composable) -> None:
    """Refuse where rows reference one that the run inserted and that is to go."""
    table = past.after.table(oid)
    for child, key in _references(session, past, oid):
        question = SQL("SELECT count(*) FROM {} AS c, {} AS t, {} AS b WHERE {} AND {}")
        if rows := session.number(question.format(q.name(child), q.name(table), BEFORE_IMAGE, _match(key), same)):
            raise UndoRefused(f"{rows} rows of {child} reference a row that run {past.run} inserted into {table}.")


def look_for_children(session: Session, past: Past, step: PlannedStep, found: Found) -> None:
    """Refuse where rows reference a key that the run gave a row, and that the row is to lose."""
    oid = past.oid(step)
    for child, key in _references(session, past, oid) if oid else ():
        if not set(step.shape.restores) & set(key.detail["target_columns"]):
            continue
        question = SQL("{} SELECT count(*) FROM {} AS c, {} AS t, {} WHERE {} AND {}").format(
            found.rows, q.name(child), q.name(step.table), found.source, found.condition, _match(key)
        )
        if rows := session.number(question):
            raise UndoRefused(
                f"{rows} rows of {child} reference by {', '.join(key.detail['columns'])} a row of {step.table}"
                f" whose {', '.join(step.shape.restores)} run {past.run} rewrote."
            )


def _match(key: Item) -> Composed:
    """Return the condition that the row `c` references the row `t`."""
    return q.equal(key.detail["columns"], key.detail["target_columns"], "c", "t", key.detail["equalities"])


def _references(session: Session, past: Past, oid: int) -> Iterator[tuple[QName, Item]]:
    """Yield the foreign keys that point at a table, each with its own, which others may have made since.

    Not those by a column that goes: whether it holds what was written since is looked at by itself.
    """
    for key in past.after.of_kind("constraint"):
        if key.detail["type"] == "f" and key.detail["target"] == oid and not _goes(past, key):
            yield name_of(session.cursor, past, key.of), key


def _goes(past: Past, key: Item) -> bool:
    """Return whether a foreign key is by a column that the run added, and in no other's place."""
    if key.of not in past.after.relations:
        return False
    columns, exchanged = past.after.columns(key.of), past.exchanged(key.of)
    return any(not past.was_there(columns[name]) and name not in exchanged for name in key.detail["columns"])


# --- rows without a parent


def orphans_by_key(session: Session, past: Past) -> Mapping[Key, int]:
    """Count the rows without a parent under the keys that are looked at again once rows are back."""
    return {key.key: _orphans(session, past, past.after, key) for key in _asked(past, past.after)}


def look_for_orphans(
    session: Session,
    past: Past,
    stood: Mapping[Key, int],
    emptied: Counter[tuple[int, frozenset[int]]],
    parentless: Counter[str],
) -> None:
    """Refuse where the parent of a row that came back has gone since; some `stood` without one, or were orphans."""
    for key in _asked(past, past.then):
        numbers, _ = key.detail["numbers"]
        allowed = stood.get(key.key, 0) + emptied[key.of, frozenset(numbers)] + parentless[key.id]
        if _orphans(session, past, past.then, key) > allowed:
            table, parent = past.then.table(key.of), _parent(session, past, past.then, key)
            raise UndoRefused(f"Rows that go back to {table} would point at nothing: their rows of {parent} are gone.")


def orphaned(session: Session, past: Past, known: Definitions, key: Item) -> Composable:
    """Return the condition that a row has no parent under a foreign key, by the names of some time."""
    return lacks_parent(key, _parent(session, past, known, key))


def _asked(past: Past, known: Definitions) -> Iterator[Item]:
    """Yield the proved foreign keys of tables to which rows go back: a superuser brings them there unasked."""
    tables = {str(done.step.table) for done in past.steps if done.step.effect.moves or done.step.shape.restores}
    written = {each.oid(table) for table in tables for each in (past.before, past.left)}
    for key in known.of_kind("constraint") if past.superuser else ():
        if key.detail["type"] == "f" and key.of in written and key.of in known.relations and forbids(key):
            yield key


def _orphans(session: Session, past: Past, known: Definitions, key: Item) -> int:
    question = SQL("SELECT count(*) FROM {} AS t WHERE {}")
    lacks = orphaned(session, past, known, key)
    return session.number(question.format(q.name(known.table(key.of)), lacks))


def _parent(session: Session, past: Past, known: Definitions, key: Item) -> QName:
    target = key.detail["target"]
    return known.table(target) if target in known.relations else name_of(session.cursor, past, target)
