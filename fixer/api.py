"""The library: what the command line and applications call."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import psycopg2
from psycopg2.extensions import TRANSACTION_STATUS_IDLE, make_dsn
from psycopg2.extensions import connection as Connection  # noqa: N812
from sqlalchemy import MetaData
from sqlalchemy.engine import Engine

from fixer.compare.examine import Report, beginning, examine, snapshot
from fixer.connect.target import DEFAULTS, Target
from fixer.contract import build as contracts
from fixer.contract.build import Contract
from fixer.errors import PgmendError, PlanRefused, UsageError, refuse_empty
from fixer.model.progress import SILENT, Progress
from fixer.model.run import Run, Undone
from fixer.planner.build import ATOMIC, MODES, ONLINE, Plan, build
from fixer.runner import atomic, online
from fixer.runner.audience import with_audience
from fixer.runner.journal import reading
from fixer.runner.online.pace import Pace
from fixer.runner.preflight import permit
from fixer.runner.settings import MODESTLY
from fixer.runner.undo import undo as take_back
from fixer.sql.compose import Composable

Source = Engine | Target | Connection
ContractSource = Contract | MetaData | type | Callable[[], Any] | str
PATIENCE = 60.0  # seconds for which `ensure` waits for another worker that repairs

_PATIENT = {"lock_timeout": DEFAULTS["lock_timeout"]}

log = logging.getLogger("pgmend")


def check(
    source: Source, contract: ContractSource = contracts.DEFAULT, *, schema: str = "public", deep: bool = False
) -> Report:
    """Compare a database with its contract and change nothing.

    `source` is an Engine, a Target or a psycopg2 connection; `contract` a MetaData, a declarative base, a
    callable that returns one, or ``"module:attribute"``, by default the trading contract that ships;
    `schema` where its tables without a schema of their own stand; `deep` reads rows even where the
    catalogue vouches for them. Raises ContractError when
    no database can satisfy the contract, TargetError when the database cannot be read.
    """
    with _open(source) as link:
        prepared = prepare(contract, link.connection, schema)
        return Report(link.target, examine(link.connection, prepared, deep=deep, settings=link.settings))


def plan(
    source: Source,
    contract: ContractSource = contracts.DEFAULT,
    *,
    schema: str = "public",
    deep: bool = False,
    mode: str = ATOMIC,
) -> Plan:
    """Order the repairs that a database needs, and change nothing.

    Takes what `check` takes, and raises what it raises; `mode` is ``"atomic"`` or ``"online"``.
    """
    _known(mode)
    with _open(source) as link:
        prepared = prepare(contract, link.connection, schema)
        return plan_with(link.connection, link.target, prepared, link.settings, deep=deep, mode=mode)


def apply(
    source: Source,
    contract: ContractSource = contracts.DEFAULT,
    *,
    schema: str = "public",
    plan: Plan | None = None,
    mode: str = ATOMIC,
    allow_hazards: Iterable[str] | str = (),
    deep: bool = False,
    progress: Progress = SILENT,
    pace: Pace | None = None,
) -> Run:
    """Repair a database until the contract holds.

    ``"atomic"``, the default mode, does so in one transaction, rolled back unless the contract holds at the
    end. ``"online"`` keeps nobody waiting: it works in many short transactions, at a `pace`; what is done
    stands when it is interrupted, and the next call goes on from there.

    Carries out `plan`, in the mode it was made for, which is refused when the schema has changed since; or
    else a fresh one. `allow_hazards` names the hazards that may be taken, or is ``"all"``. Raises
    NeedsPermission when more would be needed, or a person; PlanRefused, TargetError or ApplyFailed when it
    could not work. Nothing is changed then in atomic mode.
    """
    _known(mode)
    allowed = [allow_hazards] if isinstance(allow_hazards, str) else list(allow_hazards)
    with _open(source) as link:
        prepared = prepare(contract, link.connection, schema)
        fresh = partial(plan_with, link.connection, link.target, prepared, link.settings, deep=deep, mode=mode)
        chosen = plan or fresh()
        permit(chosen, allowed)
        return apply_with(link, prepared, chosen, allowed=allowed, fixed=plan is not None, progress=progress, pace=pace)


def _known(mode: str) -> None:
    if mode not in MODES:
        raise UsageError(f"There is no mode {mode!r}: say {' or '.join(MODES)}.")


def undo(source: Source, run: int) -> Undone:
    """Take a run back: rows, cells and definitions as they were before it, in one transaction.

    Raises UsageError where there is no such run, UndoRefused with the reason where it cannot be taken back,
    because of later writes or changes, or because what undo needs was pruned. Nothing is changed then.
    """
    with _open(source) as link:
        return take_back(link.connection, run, target=link.target, settings=link.settings)


def ensure(
    source: Source,
    contract: ContractSource = contracts.DEFAULT,
    *,
    schema: str = "public",
    allow_hazards: Iterable[str] | str = (),
) -> Run | Report:
    """See to it that the contract holds, at the start of an application; safe from all its workers at once.

    Returns the Report when it holds already, which takes milliseconds, or the Run that repaired it. One
    worker repairs, the others wait for it. Raises NeedsPermission when the repair needs a hazard that was
    not allowed: then nothing was changed, and the application should not start.
    """
    allowed = [allow_hazards] if isinstance(allow_hazards, str) else list(allow_hazards)
    deadline = time.monotonic() + PATIENCE
    with _open(source) as link:
        prepared = prepare(contract, link.connection, schema)
        while True:
            try:
                report = Report(link.target, examine(link.connection, prepared, settings=link.settings))
                if report.ok:
                    return report
                chosen = _built(link.connection, report, ATOMIC)
                permit(chosen, allowed)
                return apply_with(link, prepared, chosen, allowed=allowed)
            except PgmendError as error:
                if time.monotonic() > deadline or not _passes(error):
                    raise
                log.info("another worker repairs the database: waiting")
                time.sleep(0.1 + random.random() / 5)


def _passes(error: PgmendError) -> bool:
    """Tell whether a failure comes of another worker that repairs the same database."""
    return error.busy or isinstance(error, PlanRefused)


def plan_with(
    connection: Connection,
    target: str,
    contract: Contract,
    settings: Mapping[str, str],
    *,
    deep: bool = False,
    mode: str = ATOMIC,
) -> Plan:
    """Order the repairs that the database behind a connection needs."""
    if mode == ONLINE:
        settings = {**settings, **MODESTLY}
    return _built(connection, Report(target, examine(connection, contract, deep=deep, settings=settings)), mode)


def _built(connection: Connection, report: Report, mode: str) -> Plan:
    """Return the plan for what a report found, as the server behind the connection spells it."""

    def render(statement: Composable) -> str:
        return str(statement.as_string(connection))

    return with_subscribers(connection, build(report.comparison, report.target, render, mode=mode))


def with_subscribers(connection: Connection, plan: Plan) -> Plan:
    """Return the plan with what publications publish of it today."""
    if not plan.steps:
        return plan
    begin = beginning(connection, None)
    with snapshot(connection) as cursor:
        return with_audience(cursor, plan, begin)


@dataclass(frozen=True)
class Link:
    """A psycopg2 connection to a target, the target's name, the settings for each transaction, and a way to another."""

    connection: Connection
    target: str
    settings: Mapping[str, str]
    another: Callable[[], Connection]
    pooled: bool = False  # whether a pooler stands between, so that nothing may be set for a session


def apply_with(
    link: Link,
    contract: Contract,
    plan: Plan,
    *,
    allowed: Iterable[str] = (),
    fixed: bool = False,
    progress: Progress = SILENT,
    pace: Pace | None = None,
) -> Run:
    """Carry out a plan that was permitted; where it has no steps, see whether the contract holds indeed.

    A `fixed` plan is carried out as it is; another may be followed by one for what came in meanwhile.
    """
    connection, settings = link.connection, link.settings
    if not plan.steps and not (plan.mode == ONLINE and _interrupted(connection)):
        comparison = examine(connection, contract, settings=settings)
        if comparison.actual.fingerprint != plan.fingerprint:
            raise PlanRefused("The database has changed since the plan was made: plan again. Nothing was changed.")
        report = Report(link.target, comparison)
        if not report.ok:
            raise PlanRefused("The plan has no steps, and the contract does not hold: plan again. Nothing was changed.")
        return Run(link.target, contract.name, plan, report=report)
    plan = with_subscribers(connection, plan)  # one may have come since it was made
    permit(plan, allowed)
    if plan.mode == ATOMIC:
        return atomic.run(connection, contract, plan, settings=settings, progress=progress)

    def replan(report: Report) -> Plan:
        return _built(connection, report, ONLINE)

    return online.run(
        connection,
        contract,
        plan,
        another=link.another,
        replan=None if fixed else replan,
        allowed=list(allowed),
        settings=settings,
        progress=progress,
        pace=pace,
        pooled=link.pooled,
    )


def _interrupted(connection: Connection) -> bool:
    """Tell whether a run was interrupted whose end is still to be entered."""
    with snapshot(connection) as cursor:
        cursor.execute(beginning(connection, None))
        return any(run.mode == ONLINE and not run.finished_at and not run.undone_by for run in reading.history(cursor))


def prepare(contract: ContractSource, connection: Connection, schema: str = "public") -> Contract:
    """Return the contract as the server behind the connection spells it."""
    if isinstance(contract, Contract):
        return contract
    refuse_empty("The schema", schema)
    if isinstance(contract, str):
        refuse_empty("The contract", contract)
        return contracts.prepare(contracts.load(contract), connection, name=contract, schema=schema)
    metadata = contracts.metadata_of(contract)
    name = getattr(contract, "__name__", "contract")
    return contracts.prepare(metadata, connection, name=name, schema=schema)


@contextmanager
def _open(source: Source) -> Iterator[Link]:
    """Lend a link to a target."""
    if isinstance(source, Engine) and source.driver != "psycopg2":
        source = Target.of(source)  # an application may use another driver: the fixer connects by its own
    if isinstance(source, Engine):
        engine, pooled = source, source.raw_connection()
        try:
            connection = cast(Connection, pooled.driver_connection)
            _see_that_strings_are_plain(connection)
            target = Target.of(engine)
            yield Link(connection, target.redacted, _PATIENT, partial(_of_its_own, engine), target.pooled)
        finally:
            pooled.close()
    elif isinstance(source, Target):
        connection = source.connect()
        try:
            yield Link(connection, source.redacted, source.settings, source.connect, source.pooled)
        finally:
            connection.close()
    else:
        if source.info.transaction_status != TRANSACTION_STATUS_IDLE:
            raise UsageError("The connection is inside a transaction: commit it or roll it back first.")
        _see_that_strings_are_plain(source)
        yield Link(source, _name_of(source), _PATIENT, partial(_beside, source))


def _see_that_strings_are_plain(connection: Connection) -> None:
    """Refuse a connection that others opened so that a backslash is not one."""
    if connection.get_parameter_status("standard_conforming_strings") == "off":
        raise UsageError("The connection has standard_conforming_strings off: open it with it on.")


def _of_its_own(engine: Engine) -> Connection:
    """Return a connection of an engine that the pool gives away for good."""
    pooled = engine.raw_connection()
    connection = cast(Connection, pooled.driver_connection)
    pooled.detach()
    return connection


def _beside(connection: Connection) -> Connection:
    """Return another connection like this one."""
    parts = {**connection.info.dsn_parameters, "password": connection.info.password}
    return psycopg2.connect(make_dsn(**parts))


def _name_of(connection: Connection) -> str:
    parts = connection.get_dsn_parameters()
    host = parts.get("host", "")
    return f"postgresql://{parts.get('user', '')}@{host}/{parts.get('dbname', '')}"
