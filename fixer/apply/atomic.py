"""Atomic mode: one transaction, all or nothing.

It takes all its locks first, in one fixed order, and fails fast; looks whether the schema is still the one
the plan was made for; does the steps; lets the ledger add up; looks whether the contract holds; commits.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer import catalog
from fixer import sqltext as q
from fixer.apply import definitions, journal, ledger
from fixer.apply.transaction import TRANSIENT, all_or_nothing
from fixer.contract import Contract
from fixer.errors import ApplyFailed, NeedsPermission, PlanRefused, TargetError
from fixer.examine import Report, look
from fixer.explain import told
from fixer.plan import Plan, PlannedStep
from fixer.schema import QName, Schema
from fixer.sqltext import SQL
from fixer.steps import Lock, Phase

log = logging.getLogger("pgmend.apply")
Progress = Callable[[PlannedStep], None]


@dataclass(frozen=True)
class Run:
    """What `apply` did; no number where there was nothing to do."""

    target: str
    contract: str
    plan: Plan
    run: int | None = None
    ledger: tuple[ledger.Entry, ...] = ()
    report: Report | None = None

    @property
    def steps(self) -> tuple[PlannedStep, ...]:
        """The steps that were done."""
        return self.plan.steps

    @property
    def ok(self) -> bool:
        """Whether the contract holds now."""
        return self.report is None or self.report.ok


def permit(plan: Plan, allowed: Iterable[str]) -> None:
    """Raise NeedsPermission when a plan needs a person, or hazards that were not allowed."""
    if plan.refusals:
        more = f" (and {len(plan.refusals) - 1} more)" if len(plan.refusals) > 1 else ""
        raise NeedsPermission(f"A person has to decide: {plan.refusals[0]}{more}. Nothing was changed.")
    lacking = plan.lacks(allowed)
    if lacking:
        names = ",".join(sorted(lacking))
        raise NeedsPermission(f"The plan needs --allow-hazards {names}. Nothing was changed.")


def run(
    connection: Connection,
    contract: Contract,
    plan: Plan,
    *,
    settings: Mapping[str, str] | None = None,
    progress: Progress = lambda step: None,
    sleep: Callable[[float], None] = time.sleep,
) -> Run:
    """Carry out a plan that was permitted, trying again where a failure is likely to pass.

    Raises PlanRefused when the schema has changed since, TargetError when the role lacks a right,
    ApplyFailed when a step failed or the contract did not hold at the end: all is rolled back then.
    """

    def work(cursor: Cursor) -> Run:
        return _transaction(cursor, contract, plan, progress)

    return all_or_nothing(connection, work, settings=settings, sleep=sleep)


def _transaction(cursor: Cursor, contract: Contract, plan: Plan, progress: Progress) -> Run:
    actual = _locked_schema(cursor, contract, plan)
    preflight(actual, plan)
    cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    watched = _watched(plan, actual)
    before = ledger.count(cursor, watched)
    relations = definitions.oids(cursor, watched | plan.tables)
    was = definitions.read(cursor, relations, contract.schemas)
    number = journal.open_run(cursor, plan, "atomic", was)
    inserted = _steps(cursor, plan, number, progress)
    entries = _balance(cursor, plan, number, before, inserted)
    report = _verified(cursor, contract, plan)
    relations |= definitions.oids(cursor, plan.tables)
    journal.close_run(cursor, number, ledger.to_json(entries), definitions.read(cursor, relations, contract.schemas))
    return Run(plan.target, plan.contract, plan, number, entries, report)


def lock_modes(plan: Plan) -> dict[QName, Lock]:
    """Return the lock that each table needs: at least one that keeps writers out until the proof is made."""
    modes: dict[QName, Lock] = {}
    for step in plan.steps:
        exclusive = step.lock is Lock.ACCESS_EXCLUSIVE
        dropped = step.phase is Phase.UNLINK
        for name, strong in ((step.table, exclusive), *((t, dropped) for t in step.touches)):
            mode = Lock.ACCESS_EXCLUSIVE if strong else Lock.SHARE_ROW_EXCLUSIVE
            if modes.get(name) is not Lock.ACCESS_EXCLUSIVE:
                modes[name] = mode
    return modes


def _locked_schema(cursor: Cursor, contract: Contract, plan: Plan) -> Schema:
    """Take all locks in one fixed order, and read the schema that they keep as it is."""
    actual = catalog.read(cursor, contract.schemas)
    if actual.fingerprint != plan.fingerprint:
        raise PlanRefused(_why_not(cursor, plan))
    preflight(actual, plan)
    for name, mode in sorted(lock_modes(plan).items()):
        if name in actual.tables or name.schema not in contract.schemas:
            cursor.execute(SQL("LOCK TABLE {} IN {} MODE").format(q.name(name), SQL(mode)))
    actual = catalog.read(cursor, contract.schemas)
    if actual.fingerprint != plan.fingerprint:
        raise PlanRefused("The database changed while its tables were being locked: plan again.")
    return actual


def _why_not(cursor: Cursor, plan: Plan) -> str:
    runs = journal.history(cursor)
    done = next(
        (past.run for past in runs if past.plan == plan.identity and past.finished_at and not past.undone_by), None
    )
    if done is not None:
        return f"This plan was applied already, as run {done}: nothing was changed."
    return "The database has changed since the plan was made: plan again. Nothing was changed."


def preflight(actual: Schema, plan: Plan) -> None:
    """Raise TargetError, with the SQL that helps, before the first change where the role lacks a right."""
    session = actual.session
    if session is None:
        return
    if session.standby:
        raise TargetError("The target is a standby, which cannot be written: name the primary.")
    if session.read_only:
        raise TargetError(
            "The target only lets this session read (default_transaction_read_only): nothing was changed."
        )
    needs: dict[str, None] = {}
    for name in sorted(plan.tables):
        table = actual.tables.get(name)
        if table and not table.owned:
            needs[f"GRANT {_quoted(table.owner)} TO {_quoted(session.role)};"] = None
    for schema in sorted({name.schema for name in plan.tables} & session.schemas - session.creatable):
        needs[f"GRANT CREATE ON SCHEMA {_quoted(schema)} TO {_quoted(session.role)};"] = None
    if not session.can_create and not session.journaled:
        needs[f"GRANT CREATE ON DATABASE {_quoted(session.database)} TO {_quoted(session.role)};"] = None
    if needs:
        grants = "\n  ".join(needs)
        raise TargetError(
            f"The role {session.role} lacks rights for this plan, and nothing was changed;"
            f" their owner may say:\n  {grants}"
        )


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _watched(plan: Plan, actual: Schema) -> frozenset[QName]:
    """Return the tables whose rows are counted: those touched, and all that hang on them."""
    watched = {name for name in plan.tables if name in actual.tables}
    grown = True
    while grown:
        below = {key.table for key in actual.foreign_keys() if key.target in watched}
        grown = not below <= watched
        watched |= below
    return frozenset(name for name in watched if name in actual.tables)


def _steps(cursor: Cursor, plan: Plan, number: int, progress: Progress) -> Counter[QName]:
    inserted: Counter[QName] = Counter()
    for step in plan.steps:
        progress(step)
        started = time.monotonic()
        try:
            cursor.execute("SELECT set_config('pgmend.step', %s, true)", (str(step.number),))
            cursor.execute(step.sql)
        except psycopg2.Error as error:
            if isinstance(error, TRANSIENT):
                raise
            log.error("step %s failed: %s: %s", step.number, step.title, told(error))
            raise ApplyFailed(
                f"Step {step.number} ({step.title}) failed: {told(error)}. Everything was rolled back."
            ) from None
        rows = max(cursor.rowcount, 0)
        log.info("step %s: %s: %s rows in %.3f s", step.number, step.title, rows, time.monotonic() - started)
        if step.inserts:
            inserted[step.table] += rows
        journal.enter_step(cursor, number, step, rows)
    return inserted


def _balance(
    cursor: Cursor, plan: Plan, number: int, before: Mapping[QName, int], inserted: Mapping[QName, int]
) -> tuple[ledger.Entry, ...]:
    renamed = renamed_tables(plan)
    old = {renamed.get(name, name): rows for name, rows in before.items()}
    created = {step.table for step in plan.steps if step.phase is Phase.TABLES} - set(renamed)
    moved = ledger.count_quarantined(cursor, journal.moving_tables(plan.steps), number)
    after = ledger.count(cursor, {*old, *created})
    entries = ledger.entries(old, after, inserted, moved)
    for entry in entries:
        if not entry.adds_up:
            raise ApplyFailed(
                f"The rows of {entry.table} do not add up: {entry.before} before + {entry.inserted} inserted"
                f" ≠ {entry.after} after + {entry.quarantined} in quarantine. Everything was rolled back."
            )
    return entries


def renamed_tables(plan: Plan) -> dict[QName, QName]:
    """Return the tables that a plan renames, old name to new."""
    return {step.table: step.touches[0] for step in plan.steps if step.phase is Phase.TABLES and step.touches}


def _verified(cursor: Cursor, contract: Contract, plan: Plan) -> Report:
    """Look again, inside the transaction: the contract must hold now."""
    comparison = look(cursor, contract, deep=True)
    broken = [finding for finding in comparison.findings if finding.breaks]
    if broken:
        for finding in broken:
            log.error("after the steps: %s: %s", finding.slug, finding.message)
        more = f" (and {len(broken) - 1} more)" if len(broken) > 1 else ""
        raise ApplyFailed(
            f"The contract did not hold after the steps: {broken[0].message}{more}. Everything was rolled back."
        )
    return Report(plan.target, comparison)
