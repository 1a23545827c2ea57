"""Restores rows from quarantine and cells from the images in the journal, the last step first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import field
from itertools import groupby

from fixer.connect.settings import ASLEEP, AWAKE
from fixer.errors import UndoRefused
from fixer.model.plan import PlannedStep
from fixer.model.values import dataclass
from fixer.repair.constraints.online import BESIDE
from fixer.repair.rows import counted, quarantine_table
from fixer.runner.audience import stopped_by
from fixer.runner.journal import tables
from fixer.runner.journal.definitions import read_columns
from fixer.runner.journal.reading import DoneStep
from fixer.runner.undo import images
from fixer.runner.undo.images import kept_cells, key_of, mine, types_now
from fixer.runner.undo.names import now_called
from fixer.runner.undo.past import Past
from fixer.runner.undo.references import look_for_children, look_for_references
from fixer.runner.undo.session import Session
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Composed, Identifier, Literal
from fixer.sql.row_image import cell, likeness, whole


@dataclass(frozen=True)
class Returned:
    """How many rows came back to each table, how many left it, and how many were orphans before the run already.

    Orphans in which the run rewrote columns are counted by these columns, the others by foreign key.
    """

    back: Counter[int] = field(default_factory=Counter)
    gone: Counter[int] = field(default_factory=Counter)
    emptied: Counter[tuple[int, frozenset[int]]] = field(default_factory=Counter)
    parentless: Counter[str] = field(default_factory=Counter)

    def __add__(self, other: Returned) -> Returned:
        return Returned(
            self.back + other.back,
            self.gone + other.gone,
            self.emptied + other.emptied,
            self.parentless + other.parentless,
        )


def parentless(past: Past) -> Counter[str]:
    """Return how many rows were orphans, by foreign key: moved before it went, or under it when it went."""
    found, gone = Counter[str](), set[str]()
    for done in past.steps:
        found.update({key: rows for key, rows in done.notes.orphans.items() if key not in gone})
        gone |= done.notes.orphans.keys() if done.step.lets_go else set()
    return found


def take_back(session: Session, past: Past, steps: Iterable[DoneStep]) -> Returned:
    """Undo what steps did to rows, the last one first; for a superuser, the triggers of foreign keys are off."""
    returned = Returned()
    touching = [done for done in reversed([*steps]) if _touches(done.step)]
    if touching and past.superuser:
        session.cursor.execute(ASLEEP)
    # Respelt cells found by a key come last: the key is spelt as in their images once its own step is undone.
    touching.sort(key=lambda done: bool(done.step.shape.respells and done.step.shape.known_by))
    for jointly, some in groupby(touching, key=lambda done: done.step.effect.jointly and done.step.effect.moves):
        for together in [[*some]] if jointly else [[done] for done in some]:
            returned += _taken_back(session, past, together)
    if touching and past.superuser:
        session.cursor.execute(AWAKE)
    return returned


def _touches(step: PlannedStep) -> bool:
    return bool(step.effect.moves or step.shape.restores or step.shape.respells or step.effect.inserts)


def _taken_back(session: Session, past: Past, together: Sequence[DoneStep]) -> Returned:
    """Undo what a step did to rows, or which rows several moved in one transaction."""
    there = [(done, oid) for done in together if (oid := past.oid(done.step)) is not None]
    for done, _ in there:
        session.progress(f"undo: {done.step.title}")
    if not there:
        return Returned()
    done, oid = there[0]
    if done.step.effect.moves:
        return _return_rows(session, past, there)
    if done.step.effect.inserts:
        return _remove_rows(session, past, done, oid)
    return _return_cells(session, past, done, oid)


def _return_rows(session: Session, past: Past, there: Sequence[tuple[DoneStep, int]]) -> Returned:
    """Move rows from quarantine back to their tables, in one statement, because they may reference each other."""
    returned, parts, oids = Returned(), list[Composable](), list[int]()
    for done, oid in there:
        if (part := _way_back(session, past, done, oid, len(parts))) is not None:
            parts.append(part)
            oids.append(oid)
    if not parts:
        return returned
    counts = [SQL("(SELECT count(*) FROM {})").format(Identifier(f"came_{n}")) for n in range(len(parts))]
    back = SQL("WITH {} SELECT {}").format(SQL(", ").join(parts), SQL(", ").join(counts))
    names = ", ".join(dict.fromkeys(str(past.after.table(oid)) for oid in oids))
    session.do(back, f"bring rows back to {names}")
    for oid, rows in zip(oids, session.cursor.fetchone() or (), strict=True):
        returned += Returned(back=Counter({oid: rows}))
    return returned


def _way_back(session: Session, past: Past, done: DoneStep, oid: int, number: int) -> Composable | None:
    """Return the CTEs that move the rows of a step back, the last one named by `number`; None if it moved none."""
    table, place = past.after.table(oid), q.name(quarantine_table(done.step.table))
    of_step = SQL("run = {} AND step = {}").format(Literal(past.run), Literal(done.step.number))
    session.cursor.execute(
        SQL(
            "SELECT e.key, count(*) FILTER (WHERE e.value <> 'null') FROM {} AS q, jsonb_each(q.\"row\") AS e WHERE {}"
            " GROUP BY e.key"
        ).format(place, of_step)
    )
    kept = dict(session.cursor.fetchall())
    if not kept:
        return None
    now = now_called(past, done, oid, kept, read_columns(session.cursor, oid))
    into = {name: column for name, column in now.items() if not column.detail["generated"]}
    for name, values in kept.items():
        if name not in into and values and not _may_go(past, oid, name):
            raise UndoRefused(
                f"The column {name} of {table} is gone, and {counted(values)} would need it for a value that goes back."
            )
    return SQL(
        '{back} AS (DELETE FROM {} WHERE {} RETURNING "row"), {came} AS ('
        "INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT {} FROM {back} RETURNING 1)"
    ).format(
        place,
        of_step,
        q.name(table),
        q.names(column.name for column in into.values()),
        SQL(", ").join(cell(SQL('"row"'), name, column.detail["type"]) for name, column in into.items()),
        back=Identifier(f"back_{number}"),
        came=Identifier(f"came_{number}"),
    )


def _may_go(past: Past, oid: int, column: str) -> bool:
    """Return whether a cell in quarantine need not come back: it is generated, or was in a shadow column."""
    there = past.after.columns(oid).get(column) or past.then.columns(oid).get(column)
    return column.startswith(BESIDE) or bool(there and there.detail["generated"])


def _return_cells(session: Session, past: Past, done: DoneStep, oid: int) -> Returned:
    """Restore cells in rows that still hold what the run wrote; raise UndoRefused if some rows do not.

    A converted value that was written since is kept, in the old type.
    """
    cursor, step, table = session.cursor, done.step, past.after.table(oid)
    rows = images.count(cursor, past, step)
    if not rows:
        return Returned()
    names, types = step.shape.restores or step.shape.respells, types_now(cursor, oid)
    columns = kept_cells(cursor, past, done, oid, names)
    key = kept_cells(cursor, past, done, oid, step.shape.known_by)
    others = images.other_cells(past, step, oid, types) if step.shape.restores else []
    found = images.by_key(past, step, key, columns, others) if key else images.by_whole_row(past, table, step)
    look_for_children(session, past, step, found)
    written = images.written_since(cursor, past, table, step, key, columns) if step.shape.respells and key else 0
    update = SQL("{} UPDATE {} AS t SET {} FROM {} WHERE {}").format(
        found.rows, q.name(table), images.as_it_was(columns), found.source, found.condition
    )
    returned = session.do(update, f"give cells of {table} back what they held")
    lacking = rows - returned - written
    if step.shape.respells and not step.shape.known_by:
        lacking = images.lacking(cursor, past, table, step, types)
    if lacking:
        raise UndoRefused(
            f"{lacking} of {rows} rows of {table} whose {', '.join(names)} run {past.run} rewrote"
            " were changed or deleted since, or look like others by now."
        )
    return Returned(emptied=_emptied(past, step, oid, returned))


def _emptied(past: Past, step: PlannedStep, oid: int, rows: int) -> Counter[tuple[int, frozenset[int]]]:
    """Count the rows that were orphans before the run already, by the columns of their foreign key."""
    by = set(step.shape.orphans_by)
    earlier = (done.step for done in past.steps if done.step.number < step.number and done.step.table == step.table)
    if any(each.lets_go and set(each.shape.orphans_by) == by for each in earlier):
        return Counter()  # they were counted when the foreign key went
    known = [each.columns(oid) for each in (past.before, past.left) if by and oid in each.relations]
    there = [columns for columns in known if columns.keys() >= by]
    # By its numbers before and after the run, which differ if a column was replaced.
    numbers = {frozenset(columns[name].number for name in step.shape.orphans_by) for columns in there}
    return Counter({(oid, each): rows for each in numbers})


def _remove_rows(session: Session, past: Past, done: DoneStep, oid: int) -> Returned:
    """Move rows that the run inserted to quarantine, if nobody changed or referenced them since."""
    cursor, step, table = session.cursor, done.step, past.after.table(oid)
    same = _as_inserted(session, past, done, oid)
    look_for_references(session, past, done.step, oid, same)
    if why := stopped_by(cursor, {table}):
        raise UndoRefused(why)
    tables.make_for(cursor, {table})
    remove = SQL(
        'WITH gone AS (DELETE FROM {} AS t USING {} AS b WHERE {} RETURNING {} AS "row")'
        ' INSERT INTO {} (run, step, source, reason, "row")'
        " SELECT current_setting('pgmend.run')::bigint, {}, {}, {}, \"row\" FROM gone"
    ).format(
        q.name(table),
        tables.BEFORE_IMAGE,
        same,
        whole({name: column.detail["type"] for name, column in past.after.columns(oid).items()}),
        q.name(quarantine_table(table)),
        Literal(step.number),
        Literal(str(table)),
        Literal(f"run {past.run} had inserted it"),
    )
    removed = session.do(remove, f"take inserted rows out of {table}")
    if removed != images.count(cursor, past, step):
        raise UndoRefused(f"A row that run {past.run} inserted into {table} was changed or deleted since.")
    return Returned(gone=Counter({oid: removed}))


def _as_inserted(session: Session, past: Past, done: DoneStep, oid: int) -> Composed:
    """Return the condition that the row `t` is still as the run inserted it, by its image `b`."""
    match = key_of(kept_cells(session.cursor, past, done, oid, done.step.shape.known_by), "b")
    now = SQL("({} - {}::text[])").format(likeness(), Literal(past.unknown(oid)))
    # IS TRUE, so that PostgreSQL does not join by it: that would first make an image of every row.
    return SQL("{} AND {} AND ({} = b.mark) IS TRUE").format(mine(past, done.step), match, now)
