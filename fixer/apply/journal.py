"""What was done, kept in the database itself: schema fixer_journal, and fixer_quarantine for rows.

Both are made in the run's own transaction, only when a run needs them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer import sqltext as q
from fixer.plan import Plan, PlannedStep, step_to_json
from fixer.schema import QName
from fixer.sqltext import SQL, Composed, Identifier, Literal
from fixer.steps import JOURNAL, QUARANTINE, quarantine_table

RUN = Identifier(JOURNAL, "run")
STEP = Identifier(JOURNAL, "step")
BEFORE_IMAGE = Identifier(JOURNAL, "before_image")


def tables(moving: Iterable[QName]) -> list[Composed]:
    """Return the statements that make the journal, and a quarantine for each table that rows leave."""
    moving = sorted(set(moving))
    statements = [
        SQL("CREATE SCHEMA IF NOT EXISTS {}").format(Identifier(JOURNAL)),
        SQL(
            "CREATE TABLE IF NOT EXISTS {} (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
            " plan text NOT NULL, contract text NOT NULL, mode text NOT NULL, version text NOT NULL,"
            " role text NOT NULL DEFAULT current_user, started_at timestamptz NOT NULL DEFAULT now(),"
            " finished_at timestamptz, hazards text[] NOT NULL, ledger jsonb)"
        ).format(RUN),
        SQL(
            "CREATE TABLE IF NOT EXISTS {} (run bigint NOT NULL REFERENCES {}, number integer NOT NULL,"
            " rows bigint, finished_at timestamptz NOT NULL DEFAULT clock_timestamp(), step jsonb NOT NULL,"
            " PRIMARY KEY (run, number))"
        ).format(STEP, RUN),
        SQL(
            "CREATE TABLE IF NOT EXISTS {} (run bigint NOT NULL, source text NOT NULL, reason text NOT NULL,"
            ' "row" jsonb NOT NULL)'
        ).format(BEFORE_IMAGE),
    ]
    if moving:
        statements.append(SQL("CREATE SCHEMA IF NOT EXISTS {}").format(Identifier(QUARANTINE)))
    for table in moving:
        statements.append(
            SQL(
                "CREATE TABLE IF NOT EXISTS {} (run bigint NOT NULL, reason text NOT NULL, source text NOT NULL,"
                ' moved_at timestamptz NOT NULL DEFAULT now(), "row" jsonb NOT NULL)'
            ).format(q.name(quarantine_table(table)))
        )
    return statements


def moving_tables(steps: Iterable[PlannedStep]) -> frozenset[QName]:
    """Return the tables that rows leave."""
    return frozenset(step.table for step in steps if step.moves)


def open_run(cursor: Cursor, plan: Plan, mode: str) -> int:
    """Make the journal where it is missing, enter a new run, and let the steps know its number."""
    cursor.execute("SET LOCAL client_min_messages = warning")  # IF NOT EXISTS speaks where all is well
    for statement in tables(moving_tables(plan.steps)):
        cursor.execute(statement)
    cursor.execute(new_run(plan, mode))
    (run,) = cursor.fetchone() or (0,)
    cursor.execute("SELECT set_config('pgmend.run', %s, true)", (str(run),))
    return int(run)


def new_run(plan: Plan, mode: str) -> Composed:
    """Return the statement that enters a new run and gives its number."""
    return SQL(
        "INSERT INTO {} (plan, contract, mode, version, hazards) VALUES ({}, {}, {}, {}, {}::text[]) RETURNING id"
    ).format(
        RUN,
        Literal(plan.identity),
        Literal(plan.contract),
        Literal(mode),
        Literal(package_version()),
        Literal(sorted(str(h) for h in plan.hazards)),
    )


def enter_step(cursor: Cursor, run: int, step: PlannedStep, rows: int) -> None:
    """Enter a step that was done."""
    cursor.execute(
        SQL("INSERT INTO {} (run, number, rows, step) VALUES (%s, %s, %s, %s)").format(STEP),
        (run, step.number, rows, json.dumps(step_to_json(step))),
    )


def close_run(cursor: Cursor, run: int, ledger: Any) -> None:
    """Enter the end of a run."""
    cursor.execute(
        SQL("UPDATE {} SET finished_at = clock_timestamp(), ledger = %s WHERE id = %s").format(RUN),
        (json.dumps(ledger), run),
    )


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


def history(cursor: Cursor) -> list[PastRun]:
    """Return the runs of the past, the newest first; none where there is no journal."""
    cursor.execute("SELECT to_regclass('fixer_journal.run') IS NOT NULL")
    if not (cursor.fetchone() or (False,))[0]:
        return []
    cursor.execute(
        SQL(
            "SELECT r.id, r.plan, r.contract, r.mode, r.role, r.started_at::text, r.finished_at::text, r.hazards,"
            " r.ledger, (SELECT count(*) FROM {} s WHERE s.run = r.id) FROM {} r ORDER BY r.id DESC"
        ).format(STEP, RUN)
    )
    return [PastRun(*row) for row in cursor.fetchall()]


def package_version() -> str:
    """Return the version of the installed package."""
    try:
        return version("pgmend")
    except PackageNotFoundError:
        return "unknown"
