"""Atomic mode: one transaction, all or nothing.

It locks all tables first, in one fixed order; checks that the schema is still the one that the plan was made for; runs
the steps; checks that the ledger adds up and that the contract holds; and commits.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer import introspect
from fixer.compare.examine import look
from fixer.connect.failures import told
from fixer.connect.settings import generously, setting
from fixer.errors import ApplyFailed, PlanRefused
from fixer.introspect.coded import with_code
from fixer.model.choice import Limit
from fixer.model.contract import Contract
from fixer.model.obstacle import Standing
from fixer.model.plan import ATOMIC, Plan, PlannedStep
from fixer.model.report import Report
from fixer.model.run import Entry, Run, ledger_to_json
from fixer.model.schema import Schema
from fixer.model.step import APART, Lock, Phase
from fixer.model.step.progress import SILENT, Progress
from fixer.model.table import QName
from fixer.runner import marks
from fixer.runner.journal import definitions, ledger, parentless, tables, writing
from fixer.runner.journal.definitions import Definitions
from fixer.runner.limits import bound, see_that_it_was_announced
from fixer.runner.locking.locks import lock
from fixer.runner.locking.transaction import TRANSIENT, all_or_nothing, undone
from fixer.runner.preflight import check_schema, counted_tables, naming, preflight, watched_tables
from fixer.runner.row_places import Searches, point
from fixer.runner.settings import planned_for
from fixer.runner.standing import by_hand, changed, lost, standing
from fixer.sql.compose import SQL

FOUND_AT_ONCE = 200_000  # most places that one search returns; a full search is followed by another

log = logging.getLogger("pgmend.apply")


def run(
    connection: Connection,
    contract: Contract,
    plan: Plan,
    *,
    settings: Mapping[str, str] | None = None,
    progress: Progress = SILENT,
    limits: Sequence[Limit] = (),
    seen: Schema | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Run:
    """Apply a permitted plan in one transaction, retried after a deadlock, serialization failure or lock timeout.

    What was `seen` when the plan was made is not read anew if it must be the same.

    Raises NeedsPermission if more rows would move than the `limits` allow, PlanRefused if the schema has changed since
    the plan was made or more rows would move than it announced, TargetError if the role lacks a right, and ApplyFailed
    if a step fails or the contract does not hold at the end. Everything is rolled back then, unless the connection
    broke during COMMIT: the outcome is unknown then, and the message says so.
    """

    def work(cursor: Cursor) -> Run:
        with definitions.prepared(cursor):
            done = _transaction(cursor, contract, plan, progress, seen)
        moved = Counter({entry.table: entry.quarantined for entry in done.ledger})
        bound(moved, limits, {entry.table: entry.before for entry in done.ledger})
        see_that_it_was_announced(plan, done.ledger)
        return done

    with naming(plan.guards):
        return all_or_nothing(connection, work, settings=settings, sleep=sleep)


def _transaction(cursor: Cursor, contract: Contract, plan: Plan, progress: Progress, seen: Schema | None) -> Run:
    actual = _locked_schema(cursor, contract, plan, seen)
    generously(cursor)
    preflight(cursor, actual, plan)
    stood = standing(cursor, plan.steps, plan.schemas)
    if name := changed(stood, plan.steps):
        raise PlanRefused(f"The {name} has changed since the plan was made: plan again. Nothing was changed.")
    cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    watched = watched_tables(plan, actual)
    before = ledger.count(cursor, counted_tables(watched, actual))
    relations = definitions.oids(cursor, watched | plan.tables)
    read = partial(definitions.read, cursor, schemas=contract.homes, prepared=True, below=True, code=plan.code)
    was = read(relations)
    tables.make(cursor, plan)
    number = writing.open_run(cursor, plan, ATOMIC, was)
    inserted = _steps(cursor, plan, number, was, progress, stood.values())
    if why := lost(cursor, plan.steps, plan.schemas, stood):
        raise ApplyFailed(f"{why} Everything was rolled back.")
    entries = _balance(cursor, plan, number, before, inserted)
    report = _verified(cursor, contract, plan)
    relations |= definitions.oids(cursor, plan.tables)
    left = read(relations)
    if marks.kept(cursor, was, left, exclusive=True):
        left = read(relations)
    writing.close_run(cursor, number, ledger_to_json(entries), left)
    return Run(plan.target, plan.contract, plan, number, entries, report)


def lock_modes(plan: Plan) -> dict[QName, Lock]:
    """Return the lock mode for each table: at least SHARE ROW EXCLUSIVE, so that nobody writes until COMMIT."""
    modes: dict[QName, Lock] = {}
    for step in (step for step in plan.steps if step.phase not in APART):
        exclusive = step.lock is Lock.ACCESS_EXCLUSIVE
        dropped = step.phase is Phase.UNLINK
        touched = [(name, dropped) for name in step.touches]
        if step.lock is not Lock.NONE:  # else what it names may be a schema, a sequence or a type
            touched.append((step.table, exclusive))
        for name, strong in touched:
            mode = Lock.ACCESS_EXCLUSIVE if strong else Lock.SHARE_ROW_EXCLUSIVE
            if modes.get(name) is not Lock.ACCESS_EXCLUSIVE:
                modes[name] = mode
    return modes


def _locked_schema(cursor: Cursor, contract: Contract, plan: Plan, seen: Schema | None) -> Schema:
    """Lock all tables, in one fixed order; return the schema as it is now that nobody can change it.

    It is read again, unless no transaction has ended since.
    """
    actual = check_schema(cursor, contract, plan, seen)
    schemas = contract.schemas
    lock(cursor, {t: mode for t, mode in lock_modes(plan).items() if t in actual.tables or t.schema not in schemas})
    if introspect.sees_the_same(cursor, actual):
        return actual
    actual = with_code(cursor, introspect.read(cursor, schemas), contract)
    if actual.fingerprint != plan.fingerprint:
        raise PlanRefused("The database changed while its tables were being locked: plan again.")
    return actual


def _steps(
    cursor: Cursor, plan: Plan, number: int, was: Definitions, progress: Progress, stood: Collection[Standing]
) -> Counter[QName]:
    inserted: Counter[QName] = Counter()
    seen = {f.table: f.places for f in plan.findings if f.places and f.places.keepers and not f.left_out}
    searches = Searches(FOUND_AT_ONCE, seen)
    for step in plan.steps:
        progress.step(step, len(plan.steps))
        started = time.monotonic()
        try:
            stay = parentless.staying(cursor, step, was)
            rows = _execute(cursor, step, searches)
            searches.forget(step)
        except psycopg2.Error as error:
            if isinstance(error, TRANSIENT):
                raise
            log.error("step %s failed: %s: %s", step.number, step.title, told(error))
            raise ApplyFailed(
                f"Step {step.number} ({step.title}) failed: {told(error)}. {undone(cursor.connection)}"
                f"{by_hand(step.sql, stood)}"
            ) from None
        log.info("step %s: %s: %s rows in %.3f s", step.number, step.title, rows, time.monotonic() - started)
        if step.effect.inserts:
            inserted[step.table] += rows
        orphans = parentless.count(cursor, parentless.compose(cursor, step, was))
        writing.enter_step(cursor, number, step, rows, orphans={**stay, **orphans})
    return inserted


def _execute(cursor: Cursor, step: PlannedStep, searches: Searches) -> int:
    """Run a step; return how many rows it wrote.

    Rows are first found, then written by their places, because one statement for both is much slower. The journal reads
    the number of the step in a setting, which is set in the same round trip.
    """
    number = setting({"pgmend.step": str(step.number)}) + SQL(";\n")
    if not step.batches.find or not step.batches.batch:
        with planned_for(cursor, step):
            cursor.execute(number + SQL(step.sql))
            return max(cursor.rowcount, 0)
    written = 0
    while True:
        with planned_for(cursor, step):
            found = searches.places(cursor, step)
        point(cursor, found)
        cursor.execute(number + SQL(step.batches.batch))
        written += max(cursor.rowcount, 0)
        if len(found) < FOUND_AT_ONCE or cursor.rowcount < 1:
            return written


def _balance(
    cursor: Cursor, plan: Plan, number: int, before: Mapping[QName, int], inserted: Mapping[QName, int]
) -> tuple[Entry, ...]:
    renamed = plan.renamed
    old = {renamed.get(name, name): rows for name, rows in before.items()}
    moved = ledger.count_quarantined(cursor, tables.moving_tables(plan.steps), number)
    after = ledger.count(cursor, {*old, *plan.created})
    entries = ledger.entries(old, after, inserted, moved)
    for entry in entries:
        if not entry.adds_up:
            raise ApplyFailed(
                f"The rows of {entry.table} do not add up: {entry.before} before + {entry.inserted} inserted"
                f" ≠ {entry.after} after + {entry.quarantined} in quarantine. Everything was rolled back."
            )
    return entries


def _verified(cursor: Cursor, contract: Contract, plan: Plan) -> Report:
    """Compare the database with the contract again, inside the transaction; raise ApplyFailed if it does not hold.

    Rows that a valid constraint guarantees are read only in small tables, and where the plan found some that break it.
    """
    comparison = look(cursor, contract, doubts=plan.doubts, choice=plan.choice)
    broken = comparison.unsettled(plan.left)
    if broken:
        for finding in broken:
            log.error("after the steps: %s: %s", finding.slug, finding.message)
        more = f" (and {len(broken) - 1} more)" if len(broken) > 1 else ""
        raise ApplyFailed(
            f"The contract did not hold after the steps: {broken[0].message}{more}. Everything was rolled back."
        )
    return Report(plan.target, comparison)
