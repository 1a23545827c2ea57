"""The library: what the command line and applications call."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from fixer.compare.examine import beginning, examine, snapshot
from fixer.connect.failures import doing
from fixer.connect.link import Link, Source, opened
from fixer.connect.settings import MODESTLY, ROLE
from fixer.contract import ContractSource
from fixer.contract import prepare as prepare  # the contract suite calls it here
from fixer.errors import PgmendError, PlanRefused, UsageError
from fixer.model.choice import EVERYTHING, Choice, MaxMoved
from fixer.model.contract import Contract
from fixer.model.plan import ATOMIC, ONLINE, Plan, see_that_it_is_a_mode
from fixer.model.progress import SILENT, Progress
from fixer.model.report import Report
from fixer.model.run import PastRun, Run, Undone
from fixer.model.step import JOURNAL
from fixer.planner.build import build
from fixer.runner import atomic, online
from fixer.runner import prune as forgetting
from fixer.runner import undo as undoing
from fixer.runner.audience import with_audience
from fixer.runner.journal import reading
from fixer.runner.limits import Bounds
from fixer.runner.online.pace import Pace
from fixer.runner.preflight import listed, permit
from fixer.sql.compose import Composable

PATIENCE = 60.0  # seconds for which `ensure` waits for another worker that repairs

log = logging.getLogger("pgmend")


def check(
    source: Source,
    contract: ContractSource = None,
    *,
    schema: str = "public",
    scratch: str | None = None,
    deep: bool = False,
    role: str | None = None,
) -> Report:
    """Compare a database with its contract and change nothing.

    `source` is an Engine, a Target or a psycopg2 connection. `contract` is a MetaData, a declarative base, a callable
    that returns one, or a text: ``"module:attribute"``, ``"schema.sql"``, a directory of such files, the URL of another
    database, or ``"self"``: what the catalogue of the target declares. None takes PGMEND_CONTRACT, else [tool.pgmend]
    contract of the nearest pyproject.toml, else ``"self"``. `schema` is that of tables that name none. `deep` also
    reads rows that a valid constraint guarantees. `role` is the application's, whose lacking rights are findings too.
    `scratch` is the server of throw-away databases, if not one of our own: a DSN, or ``"docker:IMAGE"``.

    Raises ContractError when no database can satisfy the contract, TargetError when the database cannot be read.
    """
    with session(source, contract, schema=schema, scratch=scratch) as work:
        return work.check(deep=deep, role=role)


def plan(
    source: Source,
    contract: ContractSource = None,
    *,
    schema: str = "public",
    scratch: str | None = None,
    deep: bool = False,
    mode: str = ATOMIC,
    skip: Iterable[str] = (),
    only: Iterable[str] = (),
    max_moved: MaxMoved = None,
) -> Plan:
    """Order the repairs that a database needs, and change nothing.

    Takes what `check` takes, and raises what it raises; `mode` is ``"atomic"`` or ``"online"``. `skip` names findings
    to leave out, with all that depends on them, each as ``"SLUG"`` or ``"SLUG:OBJECT"``; `only` names those to repair.
    Raises UsageError if a name fits no finding, NeedsPermission if more than `max_moved` rows would go to quarantine:
    so many in all, ``"5%"`` of each table, or ``{"users": 100}`` of one.
    """
    see_that_it_is_a_mode(mode)
    with session(source, contract, schema=schema, scratch=scratch) as work:
        bounds = work.bounds(max_moved)
        _, made = work.made(deep=deep, mode=mode, choice=Choice(tuple(skip), tuple(only)))
        bounds.bound(made)
    return made


def apply(
    source: Source,
    contract: ContractSource = None,
    *,
    schema: str = "public",
    scratch: str | None = None,
    plan: Plan | None = None,
    mode: str = ATOMIC,
    allow_hazards: Iterable[str] | str = (),
    deep: bool = False,
    skip: Iterable[str] = (),
    only: Iterable[str] = (),
    max_moved: MaxMoved = None,
    progress: Progress = SILENT,
    pace: Pace | None = None,
) -> Run:
    """Repair a database until the contract holds, but for what `skip` and `only` leave out, as in `plan`.

    ``"atomic"``, the default mode, repairs in one transaction, and commits only if the contract holds at the end.
    ``"online"`` works in many short transactions, at a `pace`, so that nobody waits for long. If interrupted,
    finished steps are kept, and the next call goes on from there.

    Runs `plan` in the mode it was made for, or a fresh plan if none is given. A given plan is refused if the schema
    has changed since. `allow_hazards` names the hazards that may be taken, or is ``"all"``.

    Raises NeedsPermission when the plan needs other hazards or a human decision, or would move more than `max_moved`
    rows to quarantine, as in `plan`; PlanRefused, TargetError or ApplyFailed when it could not work. In atomic mode
    nothing is changed then.
    """
    see_that_it_is_a_mode(mode)
    allowed, choice = listed(allow_hazards), Choice(tuple(skip), tuple(only))
    if plan and choice != EVERYTHING:
        raise UsageError("What a plan leaves out is chosen when it is made: skip and only go without a plan.")
    with session(source, contract, schema=schema, scratch=scratch) as work:
        bounds = work.bounds(max_moved)
        report, chosen = (None, plan) if plan else work.made(deep=deep, mode=mode, choice=choice)
        permit(chosen, allowed)
        return work.apply(chosen, report, allowed=allowed, bounds=bounds, progress=progress, pace=pace)


def undo(source: Source, run: int, *, progress: Callable[[str], None] = lambda title: None) -> Undone:
    """Take a run back: rows, cells and definitions as they were before it, in one transaction.

    `progress` is called with the title of each step. Raises UsageError where there is no such run, UndoRefused with
    the reason where later writes or changes, or a prune, forbid it. Nothing is changed then.
    """
    with _at_journal(source, f"Run {run} could not be taken back") as link:
        return undoing.undo(link.connection, run, target=link.target, settings=link.settings, progress=progress)


def history(source: Source) -> list[PastRun]:
    """Return the past runs on a database, the newest first."""
    with _at_journal(source, "The history could not be read") as link:
        return _runs(link)


def _runs(link: Link) -> list[PastRun]:
    with snapshot(link.connection) as cursor:
        cursor.execute(beginning(link.connection, link.settings))
        return reading.history(cursor)


def prune(source: Source) -> int:
    """Forget what undo needs of all finished runs; return how many. The quarantine stays.

    Raises ApplyFailed with the reason where that would lose a value; nothing is forgotten then.
    """
    with _at_journal(source, "What undo needs could not be forgotten") as link:
        return forgetting.prune(link.connection, settings=link.settings)


def ensure(
    source: Source,
    contract: ContractSource = None,
    *,
    schema: str = "public",
    scratch: str | None = None,
    allow_hazards: Iterable[str] | str = (),
    max_moved: MaxMoved = None,
) -> Run | Report:
    """Make the contract hold, at the start of an application; all its workers may call it at once.

    Returns the Report if the contract holds already, which takes milliseconds, or the Run that repaired it. One worker
    repairs, the others wait for it. Raises NeedsPermission if the repair needs a hazard that was not allowed, or would
    move more than `max_moved` rows, as in `plan`: nothing is changed then, and the application should not start.
    """
    allowed, deadline = listed(allow_hazards), time.monotonic() + PATIENCE
    with session(source, contract, schema=schema, scratch=scratch) as work:
        bounds = work.bounds(max_moved)
        while True:
            try:
                return _ensured(work, allowed, bounds)
            except PgmendError as error:  # which passes if it comes of another worker that repairs
                if time.monotonic() > deadline or not (error.busy or isinstance(error, PlanRefused)):
                    raise
                log.info("another worker repairs the database: waiting")
                time.sleep(0.1 + random.random() / 5)


def _ensured(work: Session, allowed: list[str], bounds: Bounds) -> Run | Report:
    report = work.check()
    if report.ok:
        return report
    chosen = work.planned(report)
    permit(chosen, allowed)
    return work.apply(chosen, report, allowed=allowed, bounds=bounds)


@contextmanager
def _at_journal(source: Source, failed: str) -> Iterator[Link]:
    """Lend a link for work on the journal; `failed` begins the sentence of an error."""
    with opened(source) as link, doing(failed, schema=JOURNAL):
        yield link


# --- the way through check, plan and apply


@contextmanager
def session(
    source: Source, contract: ContractSource, *, schema: str = "public", scratch: str | None = None
) -> Iterator[Session]:
    """Lend a session: one connection on which one can check, plan and apply."""
    with opened(source) as link, doing("The target could not be read"):
        yield Session(link, prepare(contract, link.connection, schema, scratch))


@dataclass(frozen=True)
class Session:
    """A link to a database, and the contract as its server spells it."""

    link: Link
    contract: Contract

    def check(
        self, *, deep: bool = False, modestly: bool = False, choice: Choice = EVERYTHING, role: str | None = None
    ) -> Report:
        """Compare the database with the contract, and the rights of a role; `modestly` uses one processor."""
        settings = {**self.link.settings, **(MODESTLY if modestly else {}), **({ROLE: role} if role else {})}
        comparison = examine(self.link.connection, self.contract, deep=deep, choice=choice, settings=settings)
        return Report(self.link.target, comparison)

    def made(self, *, deep: bool = False, mode: str = ATOMIC, choice: Choice = EVERYTHING) -> tuple[Report, Plan]:
        """Check the database, and order the repairs that it needs; raise UsageError if a choice fits nothing."""
        report = self.check(deep=deep, modestly=mode == ONLINE, choice=choice)
        if choice.unmatched(report.comparison.every):  # what one leaves out may be why others are not found
            everything = self.check(deep=deep, modestly=mode == ONLINE).comparison.every
            if unmatched := choice.unmatched((*report.comparison.every, *everything)):
                raise UsageError(f"{unmatched[0]} names no finding: `fixer check --format json` gives slug and object.")
        return report, self.planned(report, mode)

    def planned(self, report: Report, mode: str = ATOMIC) -> Plan:
        """Order the repairs of what was found."""
        return self.published(build(report.comparison, report.target, self.render, mode=mode))

    def render(self, statement: Composable) -> str:
        """Spell a statement as the server does."""
        return str(statement.as_string(self.link.connection))

    def published(self, plan: Plan) -> Plan:
        """Return the plan with what publications publish of it today."""
        if not plan.steps:
            return plan
        with snapshot(self.link.connection) as cursor:
            return with_audience(cursor, plan, beginning(self.link.connection, None))

    def bounds(self, most: MaxMoved) -> Bounds:
        """Return how many rows may move; raise UsageError if that is no limit, or names no table of the contract."""
        return Bounds.of(most, self.contract, self.link.connection, self.link.settings)

    def apply(
        self,
        plan: Plan,
        report: Report | None = None,
        *,
        allowed: Iterable[str] = (),
        bounds: Bounds | None = None,
        progress: Progress = SILENT,
        pace: Pace | None = None,
    ) -> Run:
        """Carry out a plan that was permitted, unless it moves more rows than may go, or unknown many.

        A plan that was made of this `report` just now may be followed by one for what came in meanwhile; a plan without
        a report, which was made earlier, is carried out as it is.
        """
        if not plan.steps and not (plan.mode == ONLINE and any(run.interrupted for run in _runs(self.link))):
            return self._without_steps(plan, report or self.check(choice=plan.choice))
        plan = self.published(plan)  # a publication may have come since it was made
        permit(plan, allowed)
        bounds = bounds or self.bounds(None)
        there = bounds.permit(plan)
        link, given = self.link, (self.link.connection, self.contract, plan)
        if plan.mode == ATOMIC:
            return atomic.run(*given, settings=link.settings, progress=progress, limits=bounds.limits)
        further = bounds.again(plan, there, partial(self.planned, mode=ONLINE)) if report else None
        carry = partial(online.run, *given, another=link.another, pooled=link.pooled, replan=further)
        return carry(allowed=list(allowed), settings=link.settings, progress=progress, pace=pace)

    def _without_steps(self, plan: Plan, report: Report) -> Run:
        """Return a run of no steps; raise PlanRefused unless the contract holds, as such a plan says."""
        if report.comparison.actual.fingerprint != plan.fingerprint:
            raise PlanRefused("The database has changed since the plan was made: plan again. Nothing was changed.")
        if report.comparison.unsettled(plan.left):
            raise PlanRefused("The plan has no steps, and the contract does not hold: plan again. Nothing was changed.")
        return Run(self.link.target, self.contract.name, plan, report=report)
