"""What was done, kept in the database itself: schema fixer_journal, and fixer_quarantine for rows.

Both are made in the run's own transaction, only when a run needs them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from psycopg2.extensions import connection as Connection  # noqa: N812
from psycopg2.extensions import cursor as Cursor  # noqa: N812
from psycopg2.extras import Json

from fixer import introspect
from fixer.connect.settings import QUIETLY, SAFELY, assigning
from fixer.errors import ApplyFailed, UndoRefused
from fixer.model.plan import Plan, PlannedStep, created_tables, renamed_tables, step_from_json, step_to_json
from fixer.model.step import JOURNAL, QUARANTINE
from fixer.model.table import QName
from fixer.repair.rows import quarantine_table
from fixer.runner.journal import definitions, own_values
from fixer.runner.journal.definitions import Definitions
from fixer.runner.journal.ledger import Entry, count, count_quarantined, entries
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Composed, Identifier, Literal

RUN = Identifier(JOURNAL, "run")
STEP = Identifier(JOURNAL, "step")
BEFORE_IMAGE = Identifier(JOURNAL, "before_image")


def tables(moving: Iterable[QName]) -> list[Composable]:
    """Return the statements that make the journal, and a quarantine for each table that rows leave."""
    return [*made(places(moving)), TOLD_BY_ALL]


def places(moving: Iterable[QName]) -> list[QName]:
    """Return the tables of ours that a run needs which moves rows out of these."""
    return [*(QName(JOURNAL, name) for name in _JOURNAL), *map(quarantine_table, sorted(set(moving)))]


def made(tables: Iterable[QName]) -> list[Composable]:
    """Return the statements that make these tables of ours, and their schemas."""
    tables = list(tables)
    schema, table = SQL("CREATE SCHEMA IF NOT EXISTS {}"), SQL("CREATE TABLE IF NOT EXISTS {} ({})")
    return [
        *(schema.format(Identifier(name)) for name in sorted({table.schema for table in tables})),
        *(
            table.format(q.name(each), _JOURNAL[each.name] if each.schema == JOURNAL else _QUARANTINE)
            for each in tables
        ),
    ]


_JOURNAL = {
    "run": SQL(
        "id bigint PRIMARY KEY,"
        " plan text NOT NULL, contract text NOT NULL, mode text NOT NULL, version text NOT NULL,"
        " role text NOT NULL DEFAULT current_user, started_at timestamptz NOT NULL DEFAULT now(),"
        " finished_at timestamptz, hazards text[] NOT NULL, ledger jsonb,"
        " settings jsonb, before jsonb, after jsonb, undone_by bigint, pruned_at timestamptz"
    ),
    "step": SQL(
        "run bigint NOT NULL REFERENCES {}, number integer NOT NULL,"
        " rows bigint, finished_at timestamptz NOT NULL DEFAULT clock_timestamp(), step jsonb NOT NULL,"
        " filled jsonb, left_behind jsonb, PRIMARY KEY (run, number)"
    ).format(RUN),
    "before_image": SQL(
        "run bigint NOT NULL, step integer NOT NULL, source text NOT NULL,"
        ' reason text NOT NULL, "row" jsonb, mark jsonb'
    ),
}
_QUARANTINE = SQL(
    "run bigint NOT NULL, step integer NOT NULL, reason text NOT NULL,"
    ' source text NOT NULL, moved_at timestamptz NOT NULL DEFAULT now(), "row" jsonb NOT NULL'
)

# Rows of a table without a key can be deleted where a publication publishes deletes, if all their columns tell them.
# It costs nothing until rows are deleted, as a key would with each row. An older version left its tables without.
TOLD_BY_ALL = q.Block(
    SQL(
        "DECLARE\n    bare record;\nBEGIN\n"
        "    FOR bare IN\n"
        "        SELECT n.nspname, c.relname FROM pg_catalog.pg_class c\n"
        "          JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace\n"
        "         WHERE n.nspname = ANY ({schemas}::name[])\n"
        "           AND c.relkind = 'r' AND c.relreplident = 'd'\n"
        "           AND pg_catalog.pg_has_role(c.relowner, 'USAGE')\n"
        "           AND NOT EXISTS (SELECT FROM pg_catalog.pg_index i\n"
        "                            WHERE i.indrelid = c.oid AND i.indisprimary)\n"
        "    LOOP\n"
        "        EXECUTE pg_catalog.format('ALTER TABLE %I.%I REPLICA IDENTITY FULL', bare.nspname, bare.relname);\n"
        "    END LOOP;\nEND"
    ).format(schemas=Literal([JOURNAL, QUARANTINE]))
)


def tell_apart(cursor: Cursor) -> str:
    """See to it that rows of journal and quarantine can be deleted, whoever publishes that; return why they cannot."""
    cursor.execute(TOLD_BY_ALL)
    cursor.execute(
        "SELECT c.oid::bigint FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = ANY (%s::name[]) AND c.relkind = 'r'",
        ([JOURNAL, QUARANTINE],),
    )
    for mute in introspect.mute(cursor, [oid for (oid,) in cursor.fetchall()]):
        return (
            f"The publication {mute.publication} could not tell which rows of {mute.table} are deleted: let its owner"
            f" say ALTER TABLE {q.quoted(mute.table)} REPLICA IDENTITY FULL"
        )
    return ""


def moving_tables(steps: Iterable[PlannedStep]) -> frozenset[QName]:
    """Return the tables that rows leave."""
    return frozenset(step.table for step in steps if step.effect.moves)


def leaving(steps: Iterable[PlannedStep]) -> frozenset[QName]:
    """Return the tables that rows leave, some of them only when undo takes out what was inserted."""
    return frozenset(step.table for step in steps if step.effect.moves or step.effect.inserts)


def make(cursor: Cursor, plan: Plan) -> None:
    """Make the journal, and a quarantine for each table that rows leave, where they are missing.

    Where subscribers are told, those are made now that only undo needs: it must not stop a subscriber later.
    """
    cursor.execute(assigning(QUIETLY))
    for statement in tables(leaving(plan.steps) if plan.published else moving_tables(plan.steps)):
        cursor.execute(statement)


# How values are spelt: undo must spell them as the run did.
_SPELLING = ("TimeZone", "DateStyle", "IntervalStyle", "extra_float_digits", "bytea_output", "lc_monetary")


def open_run(cursor: Cursor, plan: Plan, mode: str, before: Definitions) -> int:
    """Enter a new run, and let the steps know its number."""
    cursor.execute(new_run(plan, mode))
    (run,) = cursor.fetchone() or (0,)
    cursor.execute("SELECT jsonb_object_agg(name, current_setting(name)) FROM unnest(%s) AS name", (list(_SPELLING),))
    (settings,) = cursor.fetchone() or ({},)
    cursor.execute(
        SQL("UPDATE {} SET settings = %s, before = %s WHERE id = %s").format(RUN),
        (Json(settings), Json(before.to_json()), run),
    )
    cursor.execute("SELECT set_config('pgmend.run', %s, true)", (str(run),))
    return int(run)


def new_run(plan: Plan, mode: str) -> Composed:
    """Return the statement that enters a new run and gives its number."""
    return SQL(
        # Not by a sequence: a run that is rolled back leaves no trace. Only one fixer works at a time.
        "INSERT INTO {} (id, plan, contract, mode, version, hazards)"
        " SELECT coalesce(max(id), 0) + 1, {}, {}, {}, {}, {}::text[] FROM {} RETURNING id"
    ).format(
        RUN,
        Literal(plan.identity),
        Literal(plan.contract),
        Literal(mode),
        Literal(package_version()),
        Literal(sorted(str(h) for h in plan.hazards)),
        RUN,
    )


def enter_step(
    cursor: Cursor,
    run: int,
    step: PlannedStep,
    rows: int,
    left: Definitions | None = None,
    orphans: Mapping[str, int] | None = None,
) -> None:
    """Enter a step that was done, or one more batch of it; `left` are the definitions after it, of its tables.

    `orphans` are the rows that it has moved so far and that had no parent, by foreign key.
    """
    kept = Json(left.to_json()) if left else None
    notes = {"cells": _filled(cursor, step), "orphans": dict(orphans or {})}
    filled = Json(notes) if any(notes.values()) else None
    cursor.execute(
        SQL(
            "INSERT INTO {} AS s (run, number, rows, step, filled, left_behind) VALUES (%s, %s, %s, %s, %s, %s)"
            " ON CONFLICT (run, number) DO UPDATE SET rows = s.rows + excluded.rows, finished_at = clock_timestamp(),"
            " filled = coalesce(excluded.filled, s.filled),"
            " left_behind = coalesce(excluded.left_behind, s.left_behind)"
        ).format(STEP),
        (run, step.number, rows, Json(step_to_json(step)), filled, kept),
    )


def _filled(cursor: Cursor, step: PlannedStep) -> dict[str, Any]:
    """Return what rows got in the columns that a step added, by which undo knows that nothing else stands there."""
    own_named = {added.column: own_values.named(cursor) for added in step.shape.added if added.beside == added.column}
    rest = (
        added for added in step.shape.added if not added.counts and added.kept is None and added.column not in own_named
    )
    columns = {added.beside or added.column: added for added in rest}
    if not columns:
        return own_named
    beside = [column for column, added in columns.items() if added.beside]
    written = [] if beside else _written_anew(cursor, step.table, list(columns))
    found = own_values.note(cursor, step.table, [*beside, *written], own=bool(written)) if beside or written else {}
    if alike := [column for column in columns if column not in found]:
        texts = SQL(", ").join(SQL("{}::text").format(Identifier(column)) for column in alike)
        cursor.execute(SQL("SELECT {} FROM {} LIMIT 1").format(texts, q.name(step.table)))
        found |= dict(zip(alike, cursor.fetchone() or (), strict=False))
    return {columns[column].column: value for column, value in found.items()}


def _written_anew(cursor: Cursor, table: QName, columns: Sequence[str]) -> list[str]:
    """Return the columns whose default PostgreSQL has written into every row: it may have given each another value."""
    cursor.execute(
        "SELECT attname FROM pg_catalog.pg_attribute WHERE attrelid = %s::pg_catalog.regclass AND attname = ANY (%s)"
        " AND atthasdef AND NOT atthasmissing",
        (q.quoted(table), list(columns)),
    )
    return [column for (column,) in cursor.fetchall()]


def close_run(cursor: Cursor, run: int, ledger: Any, after: Definitions) -> None:
    """Enter the end of a run, and how everything is defined now."""
    cursor.execute(
        SQL("UPDATE {} SET finished_at = clock_timestamp(), ledger = %s, after = %s WHERE id = %s").format(RUN),
        (Json(ledger), Json(after.to_json()), run),
    )


# --- runs in many transactions


def unfinished(cursor: Cursor) -> tuple[int, int] | None:
    """Return the run that was interrupted, and the number of its last step."""
    cursor.execute(
        SQL(
            "SELECT r.id, (SELECT coalesce(max(s.number), 0) FROM {} s WHERE s.run = r.id) FROM {} r"
            " WHERE r.mode = 'online' AND r.finished_at IS NULL AND r.undone_by IS NULL ORDER BY r.id DESC LIMIT 1"
        ).format(STEP, RUN)
    )
    row = cursor.fetchone()
    return (int(row[0]), int(row[1])) if row else None


def spelling(connection: Connection, run: int) -> dict[str, str]:
    """Return how values are spelt in a run, so that all of it spells alike."""
    with connection.cursor() as cursor:
        cursor.execute(SAFELY)
        cursor.execute(SQL("SELECT settings FROM {} WHERE id = %s").format(RUN), (run,))
        row = cursor.fetchone()
    connection.rollback()
    return dict(row[0]) if row and row[0] else {}


def widen(cursor: Cursor, run: int, plan: Plan, was: Definitions) -> Definitions:
    """Note how tables were defined that a run has not touched so far, and return how all were that it knows now."""
    cursor.execute(SQL("SELECT before FROM {} WHERE id = %s").format(RUN), (run,))
    (kept,) = cursor.fetchone() or (None,)
    known = (definitions.from_json(kept) if kept else Definitions()).with_more(was)
    cursor.execute(
        SQL(
            "UPDATE {} SET before = %s, plan = %s, hazards = ARRAY(SELECT DISTINCT unnest(hazards || %s::text[])"
            " ORDER BY 1) WHERE id = %s"
        ).format(RUN),
        (Json(known.to_json()), plan.identity, sorted(str(h) for h in plan.hazards), run),
    )
    return known


def created_by(cursor: Cursor, run: int) -> dict[int, QName]:
    """Return the tables that an unfinished run created, by their oids: before it, nothing was there."""
    done = account(cursor, run)
    if not (done and done.before and done.after):
        return {}
    tables = (table.of for table in done.after.of_kind("table") if table.of not in done.before.relations)
    return {oid: done.after.table(oid) for oid in tables}


def note_rows(cursor: Cursor, run: int, rows: Mapping[QName, int]) -> None:
    """Note how many rows stood in tables that a run has not touched so far."""
    cursor.execute(
        SQL("UPDATE {} SET ledger = %s::jsonb || coalesce(ledger, '{{}}') WHERE id = %s").format(RUN),
        (Json({str(table): count for table, count in rows.items()}), run),
    )


def balance(cursor: Cursor, run: int, steps: Sequence[PlannedStep]) -> tuple[Entry, ...]:
    """Return the ledger of a run beside which others wrote: what they inserted counts as inserted.

    So it adds up by itself, and what is proved is that quarantine holds exactly what the steps moved.
    """
    cursor.execute(SQL("SELECT ledger FROM {} WHERE id = %s").format(RUN), (run,))
    (rows,) = cursor.fetchone() or ({},)
    renamed = renamed_tables(steps)
    before = {renamed.get(table, table): rows[str(table)] for table in map(_qname, rows)}
    after = count(cursor, {*before, *created_tables(steps)})
    moved = count_quarantined(cursor, moving_tables(steps), run)
    cursor.execute(SQL("SELECT number, rows FROM {} WHERE run = %s").format(STEP), (run,))
    done = dict(cursor.fetchall())
    for table, quarantined in moved.items():
        told = sum(done[step.number] for step in steps if step.effect.moves and step.table == table)
        if told != quarantined:
            raise ApplyFailed(f"Steps moved {told} rows of {table}, {quarantined} are in quarantine.")
    inserted = {table: rows + moved.get(table, 0) - before.get(table, 0) for table, rows in after.items()}
    return entries(before, after, inserted, moved)


def _qname(label: str) -> QName:
    schema, _, table = label.partition(".")
    return QName(schema, table)


@dataclass(frozen=True)
class PastRun:
    """One line of `fixer history`."""

    run: int
    plan: str
    contract: str
    mode: str
    role: str
    started_at: str
    finished_at: str | None
    hazards: list[str]
    ledger: Any
    steps: int
    undone_by: int | None = None
    undoable: bool = False  # whether what undo needs is there


def history(cursor: Cursor) -> list[PastRun]:
    """Return the runs of the past, the newest first; none where there is no journal."""
    cursor.execute("SELECT to_regclass('fixer_journal.run') IS NOT NULL")
    if not (cursor.fetchone() or (False,))[0]:
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
    """What a run wrote down so that it can be taken back."""

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
    """A step that was done; what it put into the columns that it added, and how many orphans it moved, by their key."""

    step: PlannedStep
    filled: Mapping[str, Any]
    orphans: Mapping[str, int]


def account(cursor: Cursor, run: int) -> Account | None:
    """Return the account of a run; None where there is no such run."""
    cursor.execute("SELECT to_regclass('fixer_journal.run') IS NOT NULL")
    if not (cursor.fetchone() or (False,))[0]:
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
    query = SQL("SELECT number, step, filled, left_behind FROM {} WHERE run = %s ORDER BY number")
    cursor.execute(query.format(STEP), (run,))
    entered = cursor.fetchall()
    try:
        steps = [
            DoneStep(replace(step_from_json(step), number=number), notes.get("cells", {}), notes.get("orphans", {}))
            for number, step, filled, _ in entered
            for notes in [filled or {}]
        ]
    except (LookupError, TypeError, ValueError, AttributeError):
        raise UndoRefused(
            f"Run {run} was entered by another version of the fixer, which this one cannot read: finish it, take it"
            " back or prune it with that version. Nothing was changed."
        ) from None
    *facts, settings, before, after = row
    was, left = (definitions.from_json(each) if each else None for each in (before, after))
    if was and left is None:  # interrupted: what its steps left, one after the other
        parts = (definitions.from_json(part) for *_, part in entered if part)
        left = reduce(Definitions.followed_by, parts, was)
    plan, contract, mode, finished, undone_by = facts
    return Account(run, plan, contract, mode, finished, undone_by, settings or {}, was, left, tuple(steps))


def later_runs(cursor: Cursor, run: int) -> list[tuple[int, Definitions]]:
    """Return the runs after this one that were not taken back, with what they found before them."""
    cursor.execute(
        SQL(
            "SELECT id, before FROM {} WHERE id > %s AND mode <> 'undo' AND undone_by IS NULL AND before IS NOT NULL"
            " ORDER BY id"
        ).format(RUN),
        (run,),
    )
    return [(number, definitions.from_json(before)) for number, before in cursor.fetchall()]


def open_undo(cursor: Cursor, done: Account) -> int:
    """Enter a run that takes another back."""
    cursor.execute(assigning(QUIETLY))
    cursor.execute(
        SQL(
            "INSERT INTO {} (id, plan, contract, mode, version, hazards)"
            " SELECT max(id) + 1, %s, %s, 'undo', %s, '{{}}' FROM {} RETURNING id"
        ).format(RUN, RUN),
        (done.plan, done.contract, package_version()),
    )
    (number,) = cursor.fetchone() or (0,)
    cursor.execute("SELECT set_config('pgmend.run', %s, true)", (str(number),))
    return int(number)


def close_undo(cursor: Cursor, number: int, done: Account, ledger: Any) -> None:
    """Enter the end of an undo, and forget what it needed."""
    cursor.execute(
        SQL("UPDATE {} SET finished_at = clock_timestamp(), ledger = %s WHERE id = %s").format(RUN),
        (Json(ledger), number),
    )
    cursor.execute(
        SQL("UPDATE {} SET undone_by = %s, before = NULL, after = NULL WHERE id = %s").format(RUN),
        (number, done.run),
    )
    cursor.execute(SQL("DELETE FROM {} WHERE run = %s").format(BEFORE_IMAGE), (done.run,))


def prunable(cursor: Cursor) -> Iterator[Account]:
    """Yield the accounts of the finished runs that can still be taken back."""
    for past in history(cursor):
        if past.undoable and past.finished_at and (done := account(cursor, past.run)):
            yield done


def prune(cursor: Cursor) -> int:
    """Forget what undo needs of all finished runs; return how many. The quarantine stays."""
    cursor.execute("SELECT to_regclass('fixer_journal.run') IS NOT NULL")
    if not (cursor.fetchone() or (False,))[0]:
        return 0
    cursor.execute(
        SQL(
            "WITH pruned AS (UPDATE {} SET before = NULL, after = NULL, pruned_at = clock_timestamp()"
            " WHERE before IS NOT NULL AND finished_at IS NOT NULL RETURNING id),"
            " forgotten AS (DELETE FROM {} WHERE run IN (SELECT id FROM pruned))"
            " SELECT count(*) FROM pruned"
        ).format(RUN, BEFORE_IMAGE)
    )
    (count,) = cursor.fetchone() or (0,)
    return int(count)


def package_version() -> str:
    """Return the version of the installed package."""
    try:
        return version("pgmend")
    except PackageNotFoundError:
        return "unknown"
