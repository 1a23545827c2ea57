"""Runs one step that cannot run in a transaction, such as CREATE INDEX CONCURRENTLY."""

from __future__ import annotations

from collections.abc import Mapping

import psycopg2
from psycopg2 import errors as pg
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer import introspect
from fixer.connect.failures import told
from fixer.connect.settings import SAFE_PATH, generously, unhurried
from fixer.errors import ApplyFailed
from fixer.model.plan import PlannedStep
from fixer.runner.journal import writing
from fixer.runner.locking.transaction import TRANSIENT
from fixer.runner.online.overtaken import OvertakenError, failed
from fixer.runner.online.steps import Standing, Work, composed, enter
from fixer.runner.online.transactions import Transactions

_BORROWED = ("maintenance_work_mem", "work_mem", "max_parallel_maintenance_workers")


def concurrently(work: Work, standing: Standing, step: PlannedStep) -> None:
    """Run a step that cannot run in a transaction; it waits for other sessions, and none waits for it.

    It is entered in the journal beforehand, so that undo recognizes its index even if the fixer dies during the build.
    """
    transactions, aside = work.transactions, standing.aside.get(step.table)
    with transactions.short(step, aside=aside) as cursor:
        if transactions.pooled:
            _trust_the_path(cursor, transactions.stands())
        writing.enter_step(cursor, transactions.run, step, 0)
        statement = composed(cursor, step) if step.composes else step.sql
    try:
        with transactions.outside() as cursor:
            _execute(cursor, transactions, statement)
    except psycopg2.Error as error:
        # "tuple concurrently updated": the backend of a killed fixer is still building the same index.
        if isinstance(error, (*TRANSIENT, pg.InternalError_)):
            raise OvertakenError(told(error), passes=True) from None
        raise failed(step, error, transactions.stands(), is_aside=aside is not None) from None
    with transactions.short(step, aside=aside) as cursor:
        relations = enter(cursor, work, standing, step, 0)
    standing.relations |= relations


def _trust_the_path(cursor: Cursor, stands: str) -> None:
    """Raise ApplyFailed if code of untrusted roles on the session's own search_path could replace PostgreSQL's.

    Through a pooler, a statement outside a transaction runs under that path.
    """
    choose = "SELECT set_config('pgmend.schemas', current_setting('pgmend.own_path'), true);\n"
    cursor.execute(choose + introspect.query("shadows"))
    if shadow := cursor.fetchone():
        raise ApplyFailed(
            f"The {shadow[0]} {shadow[1]} of the role {shadow[2]} may take the place of PostgreSQL's own in"
            f" an index that is built through a pooler: name the server's direct port, or drop it. {stands}"
        )


def _execute(cursor: Cursor, transactions: Transactions, statement: str) -> None:
    """Execute a statement outside a transaction, under settings of the session that are restored afterwards."""
    if transactions.pooled:  # settings of a session would reach the pooler's next client
        cursor.execute(statement)
        return
    bound = {name: value for name, value in transactions.settings.items() if name == "statement_timeout"}
    # No lock timeout: a build that waits blocks no other session.
    chosen = {**unhurried(cursor.connection), **bound, "lock_timeout": "0", "search_path": SAFE_PATH}
    names = [*chosen, *_BORROWED]
    cursor.execute("SELECT " + ", ".join(["pg_catalog.current_setting(%s)"] * len(names)), names)
    was = dict(zip(names, cursor.fetchone() or (), strict=True))
    _set(cursor, chosen)
    try:
        generously(cursor, local=False)
        _set(cursor, {"max_parallel_maintenance_workers": "0"})
        cursor.execute(statement)
    finally:
        if not cursor.connection.closed:
            _set(cursor, was)


def _set(cursor: Cursor, settings: Mapping[str, str]) -> None:
    """Set these for the session."""
    each = ", ".join(["pg_catalog.set_config(%s, %s, false)"] * len(settings))
    cursor.execute(f"SELECT {each}", [part for setting in settings.items() for part in setting])
