"""The way through check, plan and apply on one connection; what plans and runs is imported where it works."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from fixer import introspect
from fixer.compare.examine import beginning, examine, snapshot
from fixer.connect.link import Link
from fixer.connect.settings import MODESTLY, ROLE
from fixer.errors import PlanRefused, UsageError
from fixer.model.choice import ATOMIC, EVERYTHING, ONLINE, Choice, MaxMoved
from fixer.model.contract import Contract
from fixer.model.report import Report
from fixer.model.schema import Schema, Shut
from fixer.model.step.progress import SILENT, Progress
from fixer.model.values import dataclass
from fixer.sql.compose import Composable

if TYPE_CHECKING:
    from fixer.model.plan import Plan
    from fixer.model.run import PastRun, Run
    from fixer.runner.limits import Bounds
    from fixer.runner.online.pace import Pace
    from fixer.runner.script.moment import Moment


def past_runs(link: Link) -> list[PastRun]:
    """Return the past runs on a database, the newest first."""
    from fixer.runner.journal import reading

    with snapshot(link.connection) as cursor:
        cursor.execute(beginning(link.connection, link.settings))
        return reading.history(cursor)


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
        from fixer.planner.build import build
        from fixer.runner.preflight import needs

        plan = build(report.comparison, report.target, self.render, mode=mode)
        actual = report.comparison.actual
        return self.published(replace(plan, needs=needs(actual, plan, self._shut(actual, plan))))

    def _shut(self, actual: Schema, plan: Plan) -> tuple[Shut, ...]:
        """Return what the role may not use; ask nothing where it may use all, or the plan does nothing."""
        if not plan.steps or not actual.session or actual.session.superuser:
            return ()
        with snapshot(self.link.connection) as cursor:
            cursor.execute(beginning(self.link.connection, None))
            return introspect.shut(cursor)

    def render(self, statement: Composable) -> str:
        """Spell a statement as the server does."""
        return str(statement.as_string(self.link.connection))

    def published(self, plan: Plan) -> Plan:
        """Return the plan for this target, with what publications publish of it today."""
        plan = replace(plan, target=self.link.target)  # a file may name the one that it was made on
        if not plan.steps:
            return plan
        from fixer.runner.audience import with_audience

        with snapshot(self.link.connection) as cursor:
            return with_audience(cursor, plan, beginning(self.link.connection, None))

    def moment(self, plan: Plan) -> Moment:
        """Return what the database is now that a script is made of a plan."""
        from fixer.runner.script.moment import Moment

        with snapshot(self.link.connection) as cursor:
            cursor.execute(beginning(self.link.connection, None))
            return Moment.of(cursor, plan)

    def bounds(self, most: MaxMoved) -> Bounds:
        """Return how many rows may move; raise UsageError if that is no limit, or names no table of the contract."""
        from fixer.runner.limits import Bounds

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
        from fixer.runner import atomic, online
        from fixer.runner.preflight import permit

        if plan.mode == ATOMIC:
            self._see_that_nothing_is_begun()
        if not plan.steps and not (plan.mode == ONLINE and any(run.interrupted for run in past_runs(self.link))):
            return self._without_steps(plan, report or self.check(choice=plan.choice))
        plan = self.published(plan)  # a publication may have come since it was made
        permit(plan, allowed)
        bounds = bounds or self.bounds(None)
        there = bounds.permit(plan)
        link, given = self.link, (self.link.connection, self.contract, plan)
        if plan.mode == ATOMIC:
            seen = report.comparison.actual if report else None
            return atomic.run(*given, settings=link.settings, progress=progress, limits=bounds.limits, seen=seen)
        further = bounds.again(plan, there, partial(self.planned, mode=ONLINE)) if report else None
        carry = partial(online.run, *given, another=link.another, pooled=link.pooled, replan=further)
        return carry(allowed=list(allowed), settings=link.settings, progress=progress, pace=pace)

    def _see_that_nothing_is_begun(self) -> None:
        """Raise PlanRefused where an interrupted online run began what only it, or its undo, ends."""
        from fixer.runner.journal import reading

        with snapshot(self.link.connection) as cursor:
            cursor.execute(beginning(self.link.connection, self.link.settings))
            open_ = reading.begun(cursor)
        if open_:
            raise PlanRefused(
                f"Run {open_[0]} was interrupted, and has not ended what it began: {open_[1].title}."
                f" Finish it with `fixer apply --mode online`, or take it back with `fixer undo {open_[0]}`."
                " Nothing was changed."
            )

    def _without_steps(self, plan: Plan, report: Report) -> Run:
        """Return a run of no steps; raise PlanRefused unless the contract holds, as such a plan says."""
        from fixer.model.run import Run

        if report.comparison.actual.fingerprint != plan.fingerprint:
            raise PlanRefused("The database has changed since the plan was made: plan again. Nothing was changed.")
        if report.comparison.unsettled(plan.left):
            raise PlanRefused("The plan has no steps, and the contract does not hold: plan again. Nothing was changed.")
        return Run(self.link.target, self.contract.name, plan, report=report)
