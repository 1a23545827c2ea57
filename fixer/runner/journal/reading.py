"""Reads what past runs entered: the line of each in the history, and the account that undo needs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import reduce

from psycopg2.extensions import connection as Connection  # noqa: N812
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer.connect.settings import SAFELY
from fixer.errors import UndoRefused
from fixer.model.plan import PlannedStep, step_from_json
from fixer.model.run import PastRun
from fixer.model.table import QName
from fixer.model.values import dataclass
from fixer.runner.journal import definitions, notes
from fixer.runner.journal.definitions import Definitions, DefinitionsJson
from fixer.runner.journal.notes import Notes
from fixer.runner.journal.tables import RUN, STEP
from fixer.sql.compose import SQL


def is_there(cursor: Cursor) -> bool:
    """Return whether there is a journal."""
    cursor.execute("SELECT to_regclass('fixer_journal.run') IS NOT NULL")
    return bool((cursor.fetchone() or (False,))[0])


def history(cursor: Cursor) -> list[PastRun]:
    """Return the past runs, the newest first; none if there is no journal."""
    if not is_there(cursor):
        return []
    cursor.execute(
        SQL(
            "SELECT r.id, r.plan, r.contract, r.mode, r.role, r.started_at::text, r.finished_at::text, r.hazards,"
            " r.ledger, (SELECT count(*) FROM {} s WHERE s.run = r.id), r.undone_by,"
            " r.before IS NOT NULL AND r.undone_by IS NULL AND r.mode <> 'undo' FROM {} r ORDER BY r.id DESC"
        ).format(STEP, RUN)
    )
    return [PastRun(*row) for row in cursor.fetchall()]


@dataclass(frozen=True)
class Account:
    """What a run entered so that it can be undone."""

    run: int
    plan: str
    contract: str
    mode: str
    finished: bool
    undone_by: int | None
    settings: Mapping[str, str]
    before: Definitions | None
    after: Definitions | None
    steps: tuple[DoneStep, ...]


@dataclass(frozen=True)
class DoneStep:
    """A finished step, with its notes."""

    step: PlannedStep
    notes: Notes


def account(cursor: Cursor, run: int) -> Account | None:
    """Return the account of a run; None if there is no such run.

    Raises UndoRefused if another version of the fixer entered it in a way that this one cannot read.
    """
    if not is_there(cursor):
        return None
    cursor.execute(
        SQL(
            "SELECT plan, contract, mode, finished_at IS NOT NULL, undone_by, settings, before, after"
            " FROM {} WHERE id = %s"
        ).format(RUN),
        (run,),
    )
    row = cursor.fetchone()
    if row is None:
        return None
    steps, parts = _steps(cursor, run)
    *facts, settings, before, after = row
    was, left = (definitions.from_json(each) if each else None for each in (before, after))
    if was and left is None:  # interrupted: add up what its steps left, one after the other
        left = reduce(Definitions.followed_by, map(definitions.from_json, parts), was)
    plan, contract, mode, finished, undone_by = facts
    return Account(run, plan, contract, mode, finished, undone_by, settings or {}, was, left, steps)


def _steps(cursor: Cursor, run: int) -> tuple[tuple[DoneStep, ...], list[DefinitionsJson]]:
    """Return the steps of a run, and the definitions that steps left, as far as they were entered."""
    query = SQL("SELECT number, step, filled, left_behind FROM {} WHERE run = %s ORDER BY number")
    cursor.execute(query.format(STEP), (run,))
    entered = cursor.fetchall()
    try:
        steps = [
            DoneStep(replace(step_from_json(step), number=number), notes.from_json(filled))
            for number, step, filled, _ in entered
        ]
    except (LookupError, TypeError, ValueError, AttributeError):
        raise UndoRefused(
            f"Run {run} was entered by another version of the fixer, which this one cannot read: finish it, undo"
            " or prune it with that version. Nothing was changed."
        ) from None
    return tuple(steps), [part for *_, part in entered if part]


def left_open(steps: Iterable[PlannedStep]) -> list[PlannedStep]:
    """Return those of these done steps that began what no later one of them ended: their plan was interrupted."""
    begun = dict[str, PlannedStep]()
    for step in steps:
        begun.pop(step.sql, None)
        if step.shape.closing:
            begun[step.shape.closing] = step
    return list(begun.values())


def begun(cursor: Cursor) -> tuple[int, PlannedStep] | None:
    """Return an interrupted online run with a step that began what only it ends; None where this role sees none."""
    cursor.execute(
        "SELECT to_regclass('fixer_journal.run') IS NOT NULL AND bool_and(has_schema_privilege(n.oid, 'USAGE')"
        " AND has_table_privilege(c.oid, 'SELECT')) FROM pg_catalog.pg_namespace n"
        " JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname IN ('run', 'step')"
        " WHERE n.nspname = 'fixer_journal'"
    )
    if not (cursor.fetchone() or (False,))[0]:
        return None
    for past in (past for past in reversed(history(cursor)) if past.interrupted):
        with suppress(UndoRefused):  # of another version: nobody knows what it began
            done, _ = _steps(cursor, past.run)
            for step in left_open(each.step for each in done):
                return past.run, step
    return None


def later_runs(cursor: Cursor, run: int) -> list[tuple[int, Definitions]]:
    """Return the runs after this one that were not undone, each with the definitions before it."""
    cursor.execute(
        SQL(
            "SELECT id, before FROM {} WHERE id > %s AND mode <> 'undo' AND undone_by IS NULL AND before IS NOT NULL"
            " ORDER BY id"
        ).format(RUN),
        (run,),
    )
    return [(number, definitions.from_json(before)) for number, before in cursor.fetchall()]


def prunable(cursor: Cursor) -> Iterator[Account]:
    """Yield the accounts of the finished runs that can still be undone."""
    for past in history(cursor):
        if past.undoable and past.finished_at and (done := account(cursor, past.run)):
            yield done


def unfinished(cursor: Cursor) -> tuple[int, int] | None:
    """Return the online run that was interrupted, and the number of its last step; None if there is none."""
    cursor.execute(
        SQL(
            "SELECT r.id, (SELECT coalesce(max(s.number), 0) FROM {} s WHERE s.run = r.id) FROM {} r"
            " WHERE r.mode = 'online' AND r.finished_at IS NULL AND r.undone_by IS NULL ORDER BY r.id DESC LIMIT 1"
        ).format(STEP, RUN)
    )
    row = cursor.fetchone()
    return (int(row[0]), int(row[1])) if row else None


def spelling(connection: Connection, run: int) -> dict[str, str]:
    """Return the settings by which a run spells values, so that all of it spells them alike."""
    with connection.cursor() as cursor:
        cursor.execute(SAFELY)
        cursor.execute(SQL("SELECT settings FROM {} WHERE id = %s").format(RUN), (run,))
        row = cursor.fetchone()
    connection.rollback()
    return dict(row[0]) if row and row[0] else {}


def created_by(cursor: Cursor, run: int) -> dict[int, QName]:
    """Return the tables that an unfinished run has created so far, by oid."""
    done = account(cursor, run)
    if not (done and done.before and done.after):
        return {}
    tables = (table.of for table in done.after.of_kind("table") if table.of not in done.before.relations)
    return {oid: done.after.table(oid) for oid in tables}
