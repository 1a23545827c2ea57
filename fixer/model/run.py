"""What a run is: the one result of both modes."""

from __future__ import annotations

from dataclasses import dataclass

from fixer.model.plan import Plan, PlannedStep
from fixer.model.report import Report
from fixer.runner.journal.ledger import Entry


@dataclass(frozen=True)
class Run:
    """What `apply` did; no number where there was nothing to do."""

    target: str
    contract: str
    plan: Plan
    run: int | None = None
    ledger: tuple[Entry, ...] = ()
    report: Report | None = None

    @property
    def steps(self) -> tuple[PlannedStep, ...]:
        """The steps that were done."""
        return self.plan.steps

    @property
    def ok(self) -> bool:
        """Whether the contract holds now."""
        return self.report is not None and self.report.ok
