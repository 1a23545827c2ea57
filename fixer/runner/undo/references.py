"""Checks references while rows go back: no row that others reference leaves, none becomes an orphan."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from fixer.errors import UndoRefused
from fixer.model.plan import PlannedStep
from fixer.model.table import QName
from fixer.repair.rows import counted
from fixer.runner.journal import parentless
from fixer.runner.journal.definitions import Definitions, Item, Key
from fixer.runner.journal.parentless import as_foreign_key, forbids, lacks_parent
from fixer.runner.journal.tables import BEFORE_IMAGE
from fixer.runner.undo.images import Found, mine
from fixer.runner.undo.past import Past, name_of
from fixer.runner.undo.session import Session
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Composed
from fixer.sql.following import references
from fixer.sql.row_statements import reference_label


def look_for_references(session: Session, past: Past, step: PlannedStep, oid: int, same: Composable) -> None:
    """Refuse if rows reference a row that the run inserted; `same` is the condition that `t` is such a row.

    As many may do so as pointed at it before it came: these will point at nothing again.
    """
    table, pointed = past.after.table(oid), Counter[str]()
    session.cursor.execute(SQL('SELECT b."row" FROM {} AS b WHERE {}').format(BEFORE_IMAGE, mine(past, step)))
    for (counts,) in session.cursor.fetchall():
        pointed.update(counts or {})
    for child, key in _references(session, past, oid):
        question = SQL("SELECT count(*) FROM {} AS c, {} AS t, {} AS b WHERE {} AND {}")
        rows = session.number(question.format(q.name(child), q.name(table), BEFORE_IMAGE, _match(key), same))
        if rows > pointed[reference_label(child, key.detail["columns"])]:
            raise UndoRefused(
                f"A row that run {past.run} inserted into {table} is referenced by {counted(rows)} of {child}."
            )


def look_for_children(session: Session, past: Past, step: PlannedStep, found: Found) -> None:
    """Refuse if rows reference a key that the run gave to a row, and that undo takes from it."""
    oid = past.oid(step)
    for child, key in _references(session, past, oid) if oid else ():
        if not set(step.shape.restores) & set(key.detail["target_columns"]):
            continue
        question = SQL("{} SELECT count(*) FROM {} AS c, {} AS t, {} WHERE {} AND {}").format(
            found.rows, q.name(child), q.name(step.table), found.source, found.condition, _match(key)
        )
        if rows := session.number(question):
            raise UndoRefused(
                f"Run {past.run} rewrote {', '.join(step.shape.restores)} of a row of {step.table}, which"
                f" {', '.join(key.detail['columns'])} of {counted(rows)} of {child} references."
            )


def _match(key: Item) -> Composed:
    """Return the condition that the row `c` references the row `t`."""
    return q.equal(key.detail["columns"], key.detail["target_columns"], "c", "t", key.detail["equalities"])


def _references(session: Session, past: Past, oid: int) -> Iterator[tuple[QName, Item]]:
    """Yield the foreign keys that point at a table, also those that others made since, each with the table that has it.

    Keys over a column that undo drops are left out: `look_for_losses` checks what that column holds.
    """
    for key in past.after.of_kind("constraint"):
        if key.detail["type"] == "f" and key.detail["target"] == oid and not _goes(past, key):
            yield name_of(session.cursor, past, key.of), key


def _goes(past: Past, key: Item) -> bool:
    """Return whether a foreign key uses a column that the run added, and that replaced no other."""
    if key.of not in past.after.relations:
        return False
    columns, exchanged = past.after.columns(key.of), past.exchanged(key.of)
    return any(not past.was_there(columns[name]) and name not in exchanged for name in key.detail["columns"])


# --- rows without a parent


def look_for_parentless(session: Session, past: Past) -> None:
    """Refuse if rows had no parent under a valid foreign key, which only a superuser can bring back.

    Where the run moved parents, nobody can tell before they are back.
    """
    moved = {past.oid(done.step) for done in past.steps if done.step.effect.moves}
    for key in past.then.of_kind("constraint") if not past.superuser else ():
        if key.detail.get("target") in moved:
            continue
        name = past.then.table(key.of) if key.of in past.then.relations else ""
        if key.detail["type"] == "f" and forbids(key) and (rows := _parentless_still(session, past, key)):
            columns, parent = ", ".join(key.detail["columns"]), _parent(session, past, past.then, key)
            raise UndoRefused(
                f"Only a superuser can undo run {past.run}: the {columns} of {counted(rows)} of {name} pointed"
                f" at no row of {parent} before it, although {key.name} forbids that."
            )


def _parentless_still(session: Session, past: Past, key: Item) -> int:
    """Count the rows that a run moved or left as orphans under a foreign key, if they have no parent to this day."""
    rows = 0
    for done in past.steps:
        if noted := done.notes.orphans.get(key.id, 0):
            today = parentless.today(session.cursor, past.run, done.step, past.before, done.notes)
            rows += min(noted, today.get(key.id, 0))
    return rows


def orphans_by_key(session: Session, past: Past) -> Mapping[Key, int]:
    """Count the orphans under the foreign keys that are checked again once rows are back."""
    return {key.key: orphans(session, past, past.after, key) for key in _asked(past, past.after)}


def look_for_orphans(
    session: Session,
    past: Past,
    stood: Mapping[Key, int],
    emptied: Counter[tuple[int, frozenset[int]]],
    moved: Counter[str],
) -> None:
    """Refuse if the parent of a row that came back is gone.

    Allowed are as many orphans as `stood` before undo, and as the run had `emptied`, or `moved` or left.
    """
    for key in _asked(past, past.then):
        numbers, _ = key.detail["numbers"]
        allowed = stood.get(key.key, 0) + emptied[key.of, frozenset(numbers)] + moved[key.id]
        if orphans(session, past, past.then, key) > allowed:
            table, parent = past.then.table(key.of), _parent(session, past, past.then, key)
            raise UndoRefused(f"Rows that go back to {table} would point at nothing: their rows of {parent} are gone.")


def orphaned(session: Session, past: Past, known: Definitions, key: Item) -> Composable:
    """Return the condition that a row has no parent under a foreign key, by the names of the `known` definitions."""
    return lacks_parent(key, _parent(session, past, known, key))


def _asked(past: Past, known: Definitions) -> Iterator[Item]:
    """Yield the valid foreign keys of tables to which a superuser brings rows back, because it skips their triggers."""
    steps = (done.step for done in past.steps)
    tables = {str(s.table) for s in steps if s.effect.moves or s.shape.restores or s.lets_go}
    written = {each.oid(table) for table in tables for each in (past.before, past.left)}
    for key in known.of_kind("constraint") if past.superuser else ():
        if key.detail["type"] == "f" and key.of in written and key.of in known.relations and forbids(key):
            yield key


def orphans(session: Session, past: Past, known: Definitions, key: Item) -> int:
    """Return how many rows have no parent under a foreign key, by the names of the `known` definitions."""
    question = SQL("SELECT count(*) FROM {} AS t WHERE {}")
    lacks = orphaned(session, past, known, key)
    rows = session.number(question.format(q.name(known.table(key.of)), lacks))
    if not rows:
        return 0
    # Again, because PostgreSQL 18 leaves out IS NOT NULL where the NOT NULL of a partition alone is NOT VALID.
    lacks = SQL("{} AND {}").format(lacks, references(as_foreign_key(key, known.table(key.of))))
    return session.number(question.format(q.name(known.table(key.of)), lacks))


def _parent(session: Session, past: Past, known: Definitions, key: Item) -> QName:
    target = key.detail["target"]
    return known.table(target) if target in known.relations else name_of(session.cursor, past, target)
