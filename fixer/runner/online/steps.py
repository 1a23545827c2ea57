"""Runs one step, or several brief ones, in one short transaction."""

from __future__ import annotations

import dataclasses
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import field
from itertools import count
from types import MappingProxyType

import psycopg2
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer.connect.failures import told
from fixer.connect.settings import IN_FRONT
from fixer.errors import ApplyFailed
from fixer.model.plan import PlannedStep
from fixer.model.step import APART, Lock
from fixer.model.step.progress import Progress
from fixer.model.table import QName
from fixer.model.values import dataclass
from fixer.runner import marks
from fixer.runner.journal import definitions, parentless, writing
from fixer.runner.journal.definitions import Definitions
from fixer.runner.locking.transaction import TRANSIENT
from fixer.runner.online.numbers import Aside, left_aside
from fixer.runner.online.overtaken import OvertakenError, failed
from fixer.runner.online.pace import Pacer
from fixer.runner.online.transactions import Transactions
from fixer.runner.settings import planned_for
from fixer.runner.standing import by_hand_at, changed, lost
from fixer.runner.standing import standing as stands
from fixer.sql import compose as q

PATIENCE = 600.0  # seconds after which a step gives up on a lock
_WEAK = (Lock.NONE, Lock.ROW_EXCLUSIVE, Lock.SHARE_UPDATE_EXCLUSIVE)
_BLOCKERS = """
SELECT DISTINCT a.pid, a.usename, coalesce(a.state, ''), date_trunc('second', a.query_start)::text
  FROM pg_catalog.pg_locks l
  JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
 WHERE l.relation = ANY (SELECT to_regclass(n)::oid FROM unnest(%s) AS n) AND l.granted
   AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
   AND (l.mode NOT IN ('AccessShareLock', 'RowShareLock') OR %s) AND a.pid <> pg_backend_pid()
 ORDER BY 4 LIMIT 3
"""


@dataclass(frozen=True)
class Work:
    """What the steps of a run need: transactions, a pacer, a way to sleep, and the progress that they report to."""

    transactions: Transactions
    pacer: Pacer
    progress: Progress
    sleep: Callable[[float], None]


@dataclasses.dataclass
class Standing:
    """How far a run is; updated after each commit."""

    was: Definitions = field(default_factory=Definitions)  # the definitions before the run
    relations: frozenset[int] = frozenset()  # oids of the tables that it may change
    offset: int = 0  # the highest number of a step before this plan
    aside: dict[QName, Aside] = field(default_factory=dict)
    stirred: bool = False  # whether this plan wrote rows, or found some locked by others

    def set_aside(self, table: QName, left: Aside | None) -> None:
        """Remember the reserved numbers that are left for a table, if there are any."""
        if left is not None:
            self.aside[table] = left


def is_strong(step: PlannedStep) -> bool:
    """Return whether the lock of a step keeps writers out, so that they queue behind it."""
    return step.lock not in _WEAK


def at_once(work: Work, standing: Standing, steps: Sequence[PlannedStep]) -> int:
    """Run steps in one short transaction, retried until it gets their lock; return how many rows the last one wrote."""
    begun = time.monotonic()
    for attempt in count():
        step = steps[0]
        timeout = IN_FRONT if is_strong(step) else None
        try:
            with work.transactions.short(step, aside=standing.aside.get(step.table), lock_timeout=timeout) as cursor:
                rows, relations = _all_or_none(cursor, work, standing, steps)
                left = left_aside(cursor, steps[-1])
        except TRANSIENT as error:
            waits(work, step, error, since=begun)
            pause(work, attempt)
        except psycopg2.Error as error:
            raise failed(step, error, work.transactions.stands(), is_aside=step.table in standing.aside) from None
        else:
            break
    standing.relations |= relations
    standing.set_aside(steps[-1].table, left)
    standing.stirred |= steps[-1].effect.writes_rows and rows > 0
    return rows


def _all_or_none(
    cursor: Cursor, work: Work, standing: Standing, steps: Sequence[PlannedStep]
) -> tuple[int, frozenset[int]]:
    """Run steps that share a transaction; see that all that stands over their columns is then as before."""
    schemas = work.transactions.schemas
    stood = stands(cursor, steps, schemas)
    if name := changed(stood, steps):
        raise OvertakenError(f"the {name} has changed since the plan was made")
    run_them = _jointly if steps[0].effect.jointly else _briefly
    try:
        done = run_them(cursor, work, standing, steps)
    except psycopg2.Error as error:
        if how := by_hand_at(error, cursor, stood.values()):
            raise failed(steps[-1], error, f"{work.transactions.stands()}{how}") from None
        raise
    if why := lost(cursor, steps, schemas, stood):
        raise ApplyFailed(f"{why} {work.transactions.stands()}")
    return done


def _briefly(
    cursor: Cursor, work: Work, standing: Standing, steps: Sequence[PlannedStep]
) -> tuple[int, frozenset[int]]:
    """Run steps of which only the last may write rows; return how many it wrote, and the oids of its tables."""
    stay = [parentless.staying(cursor, each, standing.was) for each in steps]
    for each, orphans in zip(steps[:-1], stay, strict=False):  # before the lock is taken, to hold it for less time
        writing.enter_step(cursor, work.transactions.run, each, 0, orphans=orphans)
    for step in steps:
        rows, _ = execute(cursor, step)
    return rows, enter(cursor, work, standing, step, rows, stay[-1])


def _jointly(
    cursor: Cursor, work: Work, standing: Standing, steps: Sequence[PlannedStep]
) -> tuple[int, frozenset[int]]:
    """Run steps that all write rows; return how many they wrote, and the oids of their tables."""
    written, relations = 0, frozenset[int]()
    for step in steps:
        cursor.execute("SELECT set_config('pgmend.step', %s, true)", (str(step.number),))
        rows, _ = execute(cursor, step)
        written += rows
        relations |= enter(cursor, work, standing, step, rows)
    return written, relations


def enter(
    cursor: Cursor,
    work: Work,
    standing: Standing,
    step: PlannedStep,
    rows: int,
    stay: parentless.Orphans = MappingProxyType({}),
) -> frozenset[int]:
    """Enter a finished step, with the definitions that it left; return the oids of the tables that it touched.

    `stay` is the number of orphans that stay under foreign keys that it let go.
    """
    touched = definitions.oids(cursor, [step.table, *step.touches] if step.phase not in APART else ())
    exclusive = step.lock is Lock.ACCESS_EXCLUSIVE
    below = exclusive and bool(standing.was.below.items)
    left = work.transactions.defined(cursor, touched, below=below, code=step.shape.code)
    if is_strong(step) and marks.kept(cursor, standing.was, left, exclusive=exclusive):
        left = work.transactions.defined(cursor, touched, below=below, code=step.shape.code)
    orphans = parentless.count(cursor, parentless.compose(cursor, step, standing.was))
    writing.enter_step(cursor, work.transactions.run, step, rows, left.above, orphans={**stay, **orphans})
    return touched


def execute(cursor: Cursor, step: PlannedStep) -> tuple[int, list[str]]:
    """Run a step, or a batch of it; return how many rows it wrote, and the places in quarantine of those it moved."""
    places: list[str] = []
    for off, _ in step.batches.asleep:
        cursor.execute(off)
    if step.batches.known and not step.batches.batch:
        cursor.execute(step.batches.known)
    with planned_for(cursor, step):
        statement = step.batches.batch or step.sql
        if step.composes:
            statement = composed(cursor, step)
        elif step.batches.batch and step.effect.moves:
            statement = f"{step.batches.batch}\nRETURNING ctid"
        cursor.execute(statement)
        rows = max(cursor.rowcount, 0)
        if step.batches.batch and step.effect.moves:
            places = [place for (place,) in cursor.fetchall()]
    for _, on in step.batches.asleep:
        cursor.execute(on)
    return rows, places


def composed(cursor: Cursor, step: PlannedStep) -> str:
    """Return the statement that a step's query composes."""
    cursor.execute(step.sql)
    return str((cursor.fetchone() or ("",))[0])


def waits(work: Work, step: PlannedStep, error: psycopg2.Error, *, since: float) -> None:
    """Report which sessions block a step; raise ApplyFailed once it has waited for PATIENCE seconds."""
    waited = time.monotonic() - since
    if waited > PATIENCE:
        why = f"Step {step.number} ({step.title}): {told(error)}"
        raise ApplyFailed(f"{why}. {work.transactions.stands()}") from None
    if waited > 1.0:
        work.progress.waits(_blockers(work, step) or f"for a lock: {told(error)}")


def pause(work: Work, attempt: int) -> None:
    """Wait before the next attempt to get a lock: longer each time, up to about a second."""
    work.sleep(min(0.02 * 1.5**attempt, 1.0) * (0.5 + random.random()))


def _blockers(work: Work, step: PlannedStep) -> str:
    """Return which sessions hold locks that block a step; an empty string if there are none."""
    tables = [q.quoted(name) for name in (step.table, *step.touches)]
    with work.transactions.short() as cursor:
        # Only ACCESS EXCLUSIVE waits for readers.
        cursor.execute(_BLOCKERS, (tables, step.lock is Lock.ACCESS_EXCLUSIVE))
        found = cursor.fetchall()
    held_by = ", ".join(f"{pid} ({user}, {state}, since {since})" for pid, user, state, since in found)
    return f"for a lock on {step.table.name}, held by {held_by}" if found else ""
