"""Enters runs and their steps in the journal, and deletes what undo needs of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from psycopg2.extensions import cursor as Cursor  # noqa: N812
from psycopg2.extras import Json

from fixer.errors import ApplyFailed
from fixer.model.plan import Plan, PlannedStep, created_tables, renamed_tables, step_to_json
from fixer.model.run import Entry, LedgerJson, package_version
from fixer.model.table import QName
from fixer.runner.journal import definitions, notes
from fixer.runner.journal.definitions import Definitions
from fixer.runner.journal.ledger import count, count_quarantined, entries
from fixer.runner.journal.notes import Notes
from fixer.runner.journal.reading import Account, is_there
from fixer.runner.journal.tables import BEFORE_IMAGE, RUN, STEP, moving_tables
from fixer.sql.compose import SQL, Composed, Literal

# Settings by which values are spelt: undo must spell them as the run did.
_SPELLING = ("TimeZone", "DateStyle", "IntervalStyle", "extra_float_digits", "bytea_output", "lc_monetary")


def open_run(cursor: Cursor, plan: Plan, mode: str, before: Definitions) -> int:
    """Enter a new run; return its number, which the SQL of steps reads from the setting pgmend.run."""
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
        # Not from a sequence, because a rolled-back run must leave no gap. Only one fixer works at a time.
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
    imaged: Mapping[str, int] | None = None,
) -> None:
    """Enter a finished step, or one more batch of it; `left` are the definitions of its tables after it.

    `orphans` is the number of orphans that it has moved so far, by foreign key; `imaged` are the columns in its images,
    if they were read before.
    """
    kept = Json(left.to_json()) if left else None
    columns = notes.imaged(cursor, step) if imaged is None else imaged
    told = Notes(notes.filled(cursor, step), orphans or {}, columns).to_json()
    filled = Json(told) if told else None
    cursor.execute(
        SQL(
            "INSERT INTO {} AS s (run, number, rows, step, filled, left_behind) VALUES (%s, %s, %s, %s, %s, %s)"
            " ON CONFLICT (run, number) DO UPDATE SET rows = s.rows + excluded.rows, finished_at = clock_timestamp(),"
            " filled = coalesce(excluded.filled, s.filled),"
            " left_behind = coalesce(excluded.left_behind, s.left_behind)"
        ).format(STEP),
        (run, step.number, rows, Json(step_to_json(step)), filled, kept),
    )


def close_run(cursor: Cursor, run: int, ledger: LedgerJson, after: Definitions) -> None:
    """Enter the end of a run, with its ledger and the definitions after it."""
    cursor.execute(
        SQL("UPDATE {} SET finished_at = clock_timestamp(), ledger = %s, after = %s WHERE id = %s").format(RUN),
        (Json(ledger), Json(after.to_json()), run),
    )


def widen(cursor: Cursor, run: int, plan: Plan, was: Definitions) -> Definitions:
    """Note the definitions of tables that are new to a run; return those of all its tables, as they were before it."""
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


def note_rows(cursor: Cursor, run: int, rows: Mapping[QName, int]) -> None:
    """Note the row counts of tables that are new to a run; earlier counts are kept."""
    cursor.execute(
        SQL("UPDATE {} SET ledger = %s::jsonb || coalesce(ledger, '{{}}') WHERE id = %s").format(RUN),
        (Json({_label(table): count for table, count in rows.items()}), run),
    )


def balance(cursor: Cursor, run: int, steps: Sequence[PlannedStep]) -> tuple[Entry, ...]:
    """Return the ledger of an online run; rows that others inserted or deleted meanwhile count as inserted.

    So it always adds up. Raises ApplyFailed unless quarantine holds exactly the rows that the steps moved.
    """
    cursor.execute(SQL("SELECT ledger FROM {} WHERE id = %s").format(RUN), (run,))
    (rows,) = cursor.fetchone() or ({},)
    renamed = renamed_tables(steps)
    before = {renamed.get(table, table): count for table, count in ((_qname(label), rows[label]) for label in rows)}
    after = count(cursor, {*before, *created_tables(steps)})
    moved = count_quarantined(cursor, moving_tables(steps), run)
    cursor.execute(SQL("SELECT number, rows FROM {} WHERE run = %s").format(STEP), (run,))
    done = dict(cursor.fetchall())
    for table, quarantined in moved.items():
        told = sum(done[step.number] for step in steps if step.effect.moves and step.table == table)
        if told != quarantined:
            raise ApplyFailed(f"Rows of {table} that steps moved: {told}; in quarantine: {quarantined}.")
    inserted = {table: rows + moved.get(table, 0) - before.get(table, 0) for table, rows in after.items()}
    return entries(before, after, inserted, moved)


def _label(table: QName) -> str:
    """Return a name as the key of a JSON object: schema.table, or an array if that could not be read back."""
    return json.dumps(table) if "." in table.schema or table.schema.startswith("[") else str(table)


def _qname(label: str) -> QName:
    if label.startswith("["):
        return QName(*json.loads(label))
    schema, _, table = label.partition(".")
    return QName(schema, table)


def open_undo(cursor: Cursor, done: Account) -> int:
    """Enter a run that undoes another; return its number."""
    cursor.execute("SET LOCAL client_min_messages = warning")
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


def close_undo(cursor: Cursor, number: int, done: Account, ledger: LedgerJson) -> None:
    """Enter the end of an undo, and delete what it needed."""
    cursor.execute(
        SQL("UPDATE {} SET finished_at = clock_timestamp(), ledger = %s WHERE id = %s").format(RUN),
        (Json(ledger), number),
    )
    cursor.execute(
        SQL("UPDATE {} SET undone_by = %s, before = NULL, after = NULL WHERE id = %s").format(RUN),
        (number, done.run),
    )
    cursor.execute(SQL("DELETE FROM {} WHERE run = %s").format(BEFORE_IMAGE), (done.run,))


def prune(cursor: Cursor) -> int:
    """Delete what undo needs of all finished runs; return the number of runs. The quarantine is kept."""
    if not is_there(cursor):
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
