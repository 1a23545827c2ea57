"""What a command tells machines, in any format: findings, what is planned or done, or why it could not work."""

from __future__ import annotations

from collections.abc import Sequence

from fixer.model.baseline import Known
from fixer.model.finding import POINTS, UNREADABLE, Accepted, Finding
from fixer.model.plan import Plan, PlannedStep
from fixer.model.report import Report, fails
from fixer.model.run import Entry, Run
from fixer.model.values import dataclass
from fixer.report.findings import CURES, beyond, cure_of, unread, without_count
from fixer.report.words import counted

ORDER = {"error": 0, "warning": 1, "info": 2}


@dataclass(frozen=True)
class Account:
    """The result of a check, a plan or an apply, or of a command that failed.

    `ok` says whether the contract holds, `passed` whether the command exits 0. `place` is the file that declares the
    contract, from the root of its repository; empty if there is none. `following` is the command that repairs.
    """

    command: str
    target: str | None
    contract: str | None
    findings: tuple[Finding, ...] = ()
    ok: bool = True
    passed: bool = True
    fail_on: str = "error"
    baseline: str = ""  # its file
    stale: tuple[Accepted, ...] = ()
    gone: tuple[Known, ...] = ()
    steps: tuple[PlannedStep, ...] = ()
    refusals: tuple[str, ...] = ()
    ledger: tuple[Entry, ...] = ()
    run: int | None = None
    limits: tuple[tuple[str, str], ...] = ()  # what was not counted, compared or read: "warning" or "note", a sentence
    following: str = ""
    place: str = ""
    undone: str = ""  # why nothing was applied
    error: str = ""
    sqlstate: str | None = None

    @property
    def points(self) -> list[tuple[int, str, bool]]:
        """The five points: number, title, whether it holds; where a command failed, none does."""
        broken = {finding.point for finding in self.findings if finding.breaks}
        broken = broken if self.ok or broken else set(POINTS)
        return [(number, title, number not in broken) for number, title in POINTS.items()]

    @property
    def accepted(self) -> list[Finding]:
        """What the project lives with."""
        return [finding for finding in self.findings if finding.accepted]

    @property
    def known(self) -> list[Finding]:
        """What the baseline has."""
        return [finding for finding in self.findings if finding.known and not finding.accepted]

    @property
    def new(self) -> list[Finding]:
        """What neither the baseline nor the project knows; without a baseline, all that it does not live with."""
        return [finding for finding in self.findings if not (finding.known or finding.accepted)]

    def fails(self, finding: Finding) -> bool:
        """Return whether a finding is a failure to show: as `Report.failing` says.

        With `--fail-on never`, an error is one all the same: only the exit code does not say so.
        """
        return fails(finding, "error" if self.fail_on == "never" else self.fail_on)

    @property
    def failing(self) -> list[Finding]:
        """The findings that are failures."""
        return [finding for finding in self.findings if self.fails(finding)]


def of_report(report: Report, *, fail_on: str, following: str, place: str) -> Account:
    """Return what a check has to tell."""
    return Account(
        "check",
        report.target,
        report.contract,
        report.findings,
        ok=report.ok,
        passed=not report.failing(fail_on),
        fail_on=fail_on,
        baseline=report.baseline.file if report.baseline else "",
        stale=report.comparison.stale,
        gone=report.gone,
        limits=_limits(report.comparison.uncounted, report),
        following=following,
        place=place,
    )


def of_plan(plan: Plan, *, following: str, place: str, passed: bool) -> Account:
    """Return what a plan has to tell: the findings, and the steps that repair them."""
    return Account(
        "plan",
        plan.target,
        plan.contract,
        plan.findings,
        ok=not any(f.breaks for f in plan.findings) if plan.findings else not (plan.steps or plan.refusals),
        passed=passed,
        steps=plan.steps,
        refusals=plan.refusals,
        limits=_limits(plan.uncounted),
        following=following,
        place=place,
    )


def of_run(run: Run, *, place: str) -> Account:
    """Return what an apply has to tell: what it did, and what is found now; or what it was not allowed to do."""
    undone = run.run is None and not run.ok
    needs = f" (hazards: {', '.join(sorted(run.plan.hazards))})" if run.plan.hazards else ""
    return Account(
        "apply",
        run.target,
        run.contract,
        run.report.findings if run.report else run.plan.findings,
        ok=run.ok,
        passed=run.ok,
        steps=run.steps,
        refusals=run.plan.refusals if run.run is None else (),
        ledger=run.ledger,
        run=run.run,
        limits=_limits(run.plan.uncounted, run.report),
        place=place,
        undone=f"Nothing was applied: the plan needs more than was allowed{needs}." if undone else "",
    )


def _limits(uncounted: str, report: Report | None = None) -> tuple[tuple[str, str], ...]:
    """Return what a command has not counted, compared or read, as the text for people says it."""
    warnings = [without_count(uncounted)] if uncounted else []
    warnings += beyond(report) if report else []
    notes = unread(report) if report else []
    return (*(("warning", said) for said in warnings), *(("note", said) for said in notes))


def of_error(
    command: str, target: str | None, contract: str | None, findings: Sequence[Finding], message: str, state: str | None
) -> Account:
    """Return why a command could not work, with what it had found until then."""
    found = tuple(findings)
    return Account(command, target, contract, found, ok=False, passed=False, error=message, sqlstate=state)


def worst_first(findings: Sequence[Finding]) -> list[Finding]:
    """Return the findings, errors before warnings before notes; the same order otherwise."""
    return sorted(findings, key=lambda finding: ORDER[finding.severity])


def repair_of(finding: Finding) -> str:
    """Return who repairs a finding, in words."""
    if finding.slug == UNREADABLE or finding.repair.label == "manual":
        return finding.repair.refusal or CURES["manual"]
    return cure_of(finding)


def rows_of(finding: Finding) -> str:
    """Return how many rows are behind a finding, and how many the baseline counted; nothing without rows."""
    if finding.grown:
        return f"was {counted(finding.was or 0, 'row')}, now {finding.rows}"
    return counted(finding.rows, "row") if finding.rows else ""
