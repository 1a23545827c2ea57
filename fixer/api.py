"""The library: what the command line and applications call."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from psycopg2.extensions import TRANSACTION_STATUS_IDLE
from psycopg2.extensions import connection as Connection  # noqa: N812
from sqlalchemy import MetaData
from sqlalchemy.engine import Engine

from fixer import contract as contracts
from fixer.apply import atomic
from fixer.apply.atomic import Progress, Run
from fixer.apply.undo import Undone
from fixer.apply.undo import undo as take_back
from fixer.contract import Contract
from fixer.errors import PgmendError, PlanRefused, UsageError
from fixer.examine import Report, examine
from fixer.plan import Plan, build
from fixer.sqltext import Composable
from fixer.target import DEFAULTS, Target

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
    with _open(source) as (connection, target, settings):
        prepared = prepare(contract, connection, schema)
        return Report(target, examine(connection, prepared, deep=deep, settings=settings))


def plan(
    source: Source, contract: ContractSource = contracts.DEFAULT, *, schema: str = "public", deep: bool = False
) -> Plan:
    """Order the repairs that a database needs, and change nothing.

    Takes what `check` takes, and raises what it raises.
    """
    with _open(source) as (connection, target, settings):
        prepared = prepare(contract, connection, schema)
        return plan_with(connection, target, prepared, settings, deep=deep)


def apply(
    source: Source,
    contract: ContractSource = contracts.DEFAULT,
    *,
    schema: str = "public",
    plan: Plan | None = None,
    allow_hazards: Iterable[str] | str = (),
    deep: bool = False,
    progress: Progress = lambda step: None,
) -> Run:
    """Repair a database in one transaction, and roll everything back unless the contract holds at the end.

    Carries out `plan`, which is refused when the schema has changed since, or else a fresh one.
    `allow_hazards` names the hazards that may be taken, or is ``"all"``. Raises NeedsPermission when more
    would be needed, or a person; PlanRefused, TargetError or ApplyFailed when it could not work. Nothing is
    changed then.
    """
    allowed = [allow_hazards] if isinstance(allow_hazards, str) else list(allow_hazards)
    with _open(source) as (connection, target, settings):
        prepared = prepare(contract, connection, schema)
        chosen = plan or plan_with(connection, target, prepared, settings, deep=deep)
        atomic.permit(chosen, allowed)
        return apply_with(connection, target, prepared, settings, chosen, progress=progress)


def undo(source: Source, run: int) -> Undone:
    """Take a run back: rows, cells and definitions as they were before it, in one transaction.

    Raises UsageError where there is no such run, UndoRefused with the reason where it cannot be taken back,
    because of later writes or changes, or because what undo needs was pruned. Nothing is changed then.
    """
    with _open(source) as (connection, target, settings):
        return take_back(connection, run, target=target, settings=settings)


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
    with _open(source) as (connection, target, settings):
        prepared = prepare(contract, connection, schema)
        while True:
            try:
                report = Report(target, examine(connection, prepared, settings=settings))
                if report.ok:
                    return report
                chosen = _built(connection, report)
                atomic.permit(chosen, allowed)
                return apply_with(connection, target, prepared, settings, chosen)
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
) -> Plan:
    """Order the repairs that the database behind a connection needs."""
    return _built(connection, Report(target, examine(connection, contract, deep=deep, settings=settings)))


def _built(connection: Connection, report: Report) -> Plan:
    """Return the plan for what a report found, as the server behind the connection spells it."""

    def render(statement: Composable) -> str:
        return str(statement.as_string(connection))

    return build(report.comparison, report.target, render)


def apply_with(
    connection: Connection,
    target: str,
    contract: Contract,
    settings: Mapping[str, str],
    plan: Plan,
    *,
    progress: Progress = lambda step: None,
) -> Run:
    """Carry out a plan that was permitted; where it has no steps, see whether the contract holds indeed."""
    if not plan.steps:
        comparison = examine(connection, contract, settings=settings)
        if comparison.actual.fingerprint != plan.fingerprint:
            raise PlanRefused("The database has changed since the plan was made: plan again. Nothing was changed.")
        report = Report(target, comparison)
        if not report.ok:
            raise PlanRefused("The plan has no steps, and the contract does not hold: plan again. Nothing was changed.")
        return Run(target, contract.name, plan, report=report)
    return atomic.run(connection, contract, plan, settings=settings, progress=progress)


def prepare(contract: ContractSource, connection: Connection, schema: str = "public") -> Contract:
    """Return the contract as the server behind the connection spells it."""
    if isinstance(contract, Contract):
        return contract
    if isinstance(contract, str):
        return contracts.prepare(contracts.load(contract), connection, name=contract, schema=schema)
    metadata = contracts.metadata_of(contract)
    name = getattr(contract, "__name__", "contract")
    return contracts.prepare(metadata, connection, name=name, schema=schema)


@contextmanager
def _open(source: Source) -> Iterator[tuple[Connection, str, Mapping[str, str]]]:
    """Lend a psycopg2 connection, the target's name, and the settings for each transaction."""
    if isinstance(source, Engine) and source.driver != "psycopg2":
        source = Target.of(source)  # an application may use another driver: the fixer connects by its own
    if isinstance(source, Engine):
        pooled = source.raw_connection()
        try:
            yield pooled.driver_connection, Target.of(source).redacted, _PATIENT  # type: ignore[misc]
        finally:
            pooled.close()
    elif isinstance(source, Target):
        connection = source.connect()
        try:
            yield connection, source.redacted, source.settings
        finally:
            connection.close()
    else:
        if source.info.transaction_status != TRANSACTION_STATUS_IDLE:
            raise UsageError("The connection is inside a transaction: commit it or roll it back first.")
        yield source, _name_of(source), _PATIENT


def _name_of(connection: Connection) -> str:
    parts = connection.get_dsn_parameters()
    host = parts.get("host", "")
    return f"postgresql://{parts.get('user', '')}@{host}/{parts.get('dbname', '')}"
