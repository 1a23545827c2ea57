"""Online mode: many short transactions, none of which keeps other sessions waiting for long.

A strong lock is requested with a short timeout, again and again, because all other sessions queue behind the request.
Rows are written in batches; indexes are built concurrently. What others write meanwhile is repaired by the next plan,
made from the catalogue; an interrupted run resumes in the same way. The journal keeps one run for all of it, unfinished
until the contract holds.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812

from fixer.compare.examine import examine
from fixer.connect.failures import told
from fixer.connect.settings import MODESTLY
from fixer.errors import ApplyFailed
from fixer.model.contract import Contract
from fixer.model.finding import Finding
from fixer.model.plan import Plan, PlannedStep
from fixer.model.report import Report
from fixer.model.run import Run
from fixer.model.step import Lock, Phase
from fixer.model.step.progress import SILENT, Progress
from fixer.model.values import dataclass
from fixer.runner.locking.sole_fixer import floor
from fixer.runner.online.batches import in_batches
from fixer.runner.online.builds import concurrently
from fixer.runner.online.overtaken import OvertakenError
from fixer.runner.online.pace import Pace, Pacer
from fixer.runner.online.rehearsal import rehearse
from fixer.runner.online.steps import Standing, Work, at_once
from fixer.runner.online.transactions import Transactions
from fixer.runner.online.verify import begin, finish, settle, widen
from fixer.runner.preflight import naming, permit

ROUNDS = 12  # most plans of one call; each repairs what came in during the one before
MOMENTS = 16  # most brief steps under one strong lock; each takes a fraction of a millisecond

Replan = Callable[[Report], Plan]
log = logging.getLogger("pgmend.apply")


def run(
    connection: Connection,
    contract: Contract,
    plan: Plan,
    *,
    another: Callable[[], Connection],
    replan: Replan | None,
    allowed: Sequence[str],
    settings: Mapping[str, str] | None = None,
    progress: Progress = SILENT,
    pace: Pace | None = None,
    pooled: bool = False,
    sleep: Callable[[float], None] = time.sleep,
) -> Run:
    """Apply a permitted plan, then those that `replan` makes of what came in meanwhile, until the contract holds.

    `another` opens a second connection, which keeps other fixers out. Raises what atomic mode raises, and
    NeedsPermission if a later plan needs more than is `allowed`. Committed steps are kept, and the next run continues
    from there.
    """
    pace = pace or Pace()
    with naming(plan.guards), floor(another, connection) as held:
        transactions = Transactions(connection, settings or {}, contract.schemas, homes=contract.homes, pooled=pooled)
        work = Work(transactions, Pacer(transactions, held, pace, progress, sleep), progress, sleep)
        before, connection.autocommit = connection.autocommit, False
        try:
            rehearse(work, contract, plan)
            standing = begin(transactions, contract, plan, pace)
            return _carry_out(work, standing, contract, plan, replan, allowed)
        except psycopg2.Error as error:
            raise ApplyFailed(f"The run broke off: {told(error)}. {transactions.stands()}") from None
        except KeyboardInterrupt as heard:
            raise KeyboardInterrupt(str(heard) or f"Interrupted. {transactions.stands()}") from None
        finally:
            with suppress(psycopg2.Error):
                if not connection.closed:
                    connection.rollback()
                    connection.autocommit = before


@dataclass(frozen=True)
class _Ending:
    """How a plan ended: why it stopped early, if it did, and whether the reason may pass by itself."""

    reason: str = ""
    passes: bool = True

    @property
    def failure(self) -> str:
        """The reason, if it would recur as long as nobody writes or changes anything."""
        return "" if self.passes else self.reason


def _carry_out(
    work: Work, standing: Standing, contract: Contract, plan: Plan, replan: Replan | None, allowed: Sequence[str]
) -> Run:
    """Carry out plan after plan until the contract holds."""
    doubts, failure, transactions, choice, left = plan.doubts, "", work.transactions, plan.choice, plan.left
    for _ in range(ROUNDS):
        ending = _round(work, standing, plan)
        doubts |= plan.doubts
        settings = {**transactions.settings, **MODESTLY}
        found = examine(transactions.connection, contract, doubts=doubts, choice=choice, settings=settings)
        report, unsettled = Report(plan.target, found), found.unsettled(left)
        further = replan(report) if replan else None
        if not unsettled and not (further and further.steps):
            settle(work, standing)
            return finish(work, standing, plan, report)
        reason, stands = ending.reason or _broken(unsettled), transactions.stands()
        if further is None:
            raise ApplyFailed(f"{reason}: rows came in meanwhile. Apply again: {stands}")
        again = ending.failure == failure != "" and plan.fingerprint == further.fingerprint
        if again and not standing.stirred:
            raise ApplyFailed(f"A step failed twice, and nothing had changed meanwhile: {failure}. {stands}")
        failure, plan = ending.failure, further
        work.progress.again(reason)
        permit(plan, allowed, so_far=stands)
        widen(transactions, standing, plan)
    stands = transactions.stands()
    raise ApplyFailed(f"After {ROUNDS} plans the contract does not hold: {_broken(unsettled)}. {stands}")


def _round(work: Work, standing: Standing, plan: Plan) -> _Ending:
    """Carry out one plan; stop early if other sessions overtake a step."""
    count, offset, standing.stirred = len(plan.steps), standing.offset, False
    standing.offset += count
    for group in _side_by_side(plan.steps):
        for step in group:
            work.progress.step(step, count)
        work.pacer.keep_the_floor()
        work.pacer.breathe()
        started = time.monotonic()
        titles = "; ".join(step.title for step in group)
        try:
            rows = _do(work, standing, [replace(step, number=offset + step.number) for step in group])
        except OvertakenError as overtaken:
            log.info("step %s: %s: %s: planning again", group[0].number, titles, overtaken)
            return _Ending(f"{titles}: {overtaken}", overtaken.passes)
        log.info("step %s: %s: %s rows in %.3f s", group[0].number, titles, rows, time.monotonic() - started)
    return _Ending()


def _do(work: Work, standing: Standing, steps: Sequence[PlannedStep]) -> int:
    """Run steps that share one transaction, or one step that takes several; return how many rows it wrote."""
    if steps[0].concurrent:
        concurrently(work, standing, steps[0])
        return 0
    if steps[0].batches.find:
        return in_batches(work, standing, steps[0])
    return at_once(work, standing, steps)


def _side_by_side(steps: Iterable[PlannedStep]) -> Iterator[list[PlannedStep]]:
    """Yield groups of steps to run in one transaction: steps that work jointly, successive brief steps on one table.

    So other sessions wait for the lock on that table only once, and reload its definition only once.
    """
    group: list[PlannedStep] = []
    for step in steps:
        joint = bool(group) and step.effect.jointly and group[0].effect.jointly
        if group and not (joint or (_is_brief(step) and _is_brief(group[0]) and step.table == group[0].table)):
            yield group
            group = []
        group.append(step)
        if len(group) == MOMENTS and not step.effect.jointly:
            yield group
            group = []
    if group:
        yield group


def _is_brief(step: PlannedStep) -> bool:
    """Return whether a step changes a definition without reading rows; steps of sequences read the highest id."""
    apart = (
        step.concurrent
        or step.batches.find
        or step.effect.writes_rows
        or step.cost.reads
        or step.cost.writes
        or step.touches
        or step.shape.added
    )
    return step.lock is Lock.ACCESS_EXCLUSIVE and step.phase is not Phase.GENERATORS and not apart


def _broken(unsettled: Sequence[Finding]) -> str:
    return unsettled[0].message if unsettled else "steps are left"
