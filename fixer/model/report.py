"""What a comparison found, and what `check` reports."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from fixer.model.baseline import Baseline, Changes, Known, since
from fixer.model.choice import EVERYTHING, Choice, Left
from fixer.model.contract import Contract
from fixer.model.finding import POINTS, UNREADABLE, Accepted, Finding
from fixer.model.schema import Schema
from fixer.model.schema.code import Key
from fixer.model.table import QName
from fixer.model.values import dataclass


@dataclass(frozen=True)
class Comparison:
    """The findings, and the schema as the repairs will leave it.

    `consequences` are defects that the repairs cause and must also repair, such as the lost indexes of a column that
    is mapped to another key. They belong to the plan, but do not exist today.
    """

    actual: Schema
    future: Schema
    contract: Contract
    findings: tuple[Finding, ...]
    consequences: tuple[Finding, ...] = ()
    choice: Choice = EVERYTHING
    uncounted: str = ""  # why the rows that its repairs move after others could not be counted
    unread: tuple[tuple[QName, int], ...] = ()  # tables, with how many valid constraints are taken at their word

    @property
    def every(self) -> tuple[Finding, ...]:
        """All findings, those of defects that the repairs cause included."""
        return (*self.findings, *self.consequences)

    def with_each(self, change: Callable[[Finding], Finding]) -> Comparison:
        """Return the comparison with each of its findings as `change` returns it."""
        findings, consequences = (tuple(map(change, some)) for some in (self.findings, self.consequences))
        return replace(self, findings=findings, consequences=consequences)

    @property
    def left(self) -> tuple[Left, ...]:
        """The findings that break the contract and are left out, by choice.

        Also those that do not exist today, such as what a table lacks under its final name: once the rest of the plan
        is done, they do.
        """
        return tuple(dict.fromkeys(Left(f.slug, f.object, f.left_out) for f in self.every if f.breaks and f.left_out))

    def unsettled(self, left: Iterable[Left]) -> list[Finding]:
        """Return the findings that break the contract, but for those in `left`.

        What they depended on may be gone by now, together with the rows that it was about. Nor is it what is left out
        of tables that could not be read when the rest was planned, as while a type was missing.
        """
        known = {(each.slug, each.object) for each in left}
        new = [f for f in self.findings if f.breaks and (f.slug, f.object) not in known]
        return [f for f in new if not (f.left_out and (UNREADABLE, str(f.table)) in known)]

    @property
    def stale(self) -> tuple[Accepted, ...]:
        """What the project accepts although it is not found; what only a role shows counts only for one."""
        alone = self.actual.session is None or not self.actual.session.application
        asked = [each for each in self.contract.accepted if not (alone and each.slug == "lost-grants")]
        return tuple(each for each in asked if not any(map(each.fits, self.every)))

    @property
    def beyond(self) -> tuple[tuple[Key, bool], ...]:
        """What the contract declares and is not compared, each with whether the target has one of its name."""
        declared = self.contract.schema.code.beyond if self.contract.schema.code else ()
        return tuple((key, key in self.actual.beyond) for key in declared)

    @property
    def ok(self) -> bool:
        """Whether the contract holds."""
        return not any(finding.breaks for finding in self.findings)


@dataclass(frozen=True)
class Report:
    """What `check` found in a target, and which of it a baseline knows.

    `gone` is what the baseline has and the check does not find, `changes` what changed since an earlier check.
    """

    target: str
    comparison: Comparison
    baseline: Baseline | None = None
    gone: tuple[Known, ...] = ()
    changes: Changes | None = None

    def __repr__(self) -> str:
        return f"Report({self.target!r}, {self.contract!r}, ok={self.ok}, findings={len(self.findings)})"

    @property
    def contract(self) -> str:
        """The name of the contract."""
        return self.comparison.contract.name

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The findings, sorted by point, table and column."""
        return self.comparison.findings

    @property
    def ok(self) -> bool:
        """Whether the contract holds."""
        return self.comparison.ok

    @property
    def points(self) -> list[tuple[int, str, bool]]:
        """The five points: number, title, whether it holds."""
        broken = {finding.point for finding in self.findings if finding.breaks}
        return [(number, title, number not in broken) for number, title in POINTS.items()]

    def beside(self, baseline: Baseline, *, deep: bool = False, role: str | None = None) -> Report:
        """Return the report with each finding marked as known or new; `deep` and `role` say what the check asked."""
        marked = replace(self.comparison, findings=baseline.marked(self.findings))
        gone = baseline.gone(self.findings, deep=deep, role=role)
        return replace(self, comparison=marked, baseline=baseline, gone=gone)

    def since(self, before: Sequence[Known]) -> Report:
        """Return the report with what changed since an earlier check."""
        return replace(self, changes=since(before, self.findings))

    def failing(self, fail_on: str) -> list[Finding]:
        """Return the findings that fail a check: errors, or warnings as well, or none.

        What is accepted never does, nor what a baseline knows. More rows of what it knows count as a warning.
        """
        return [finding for finding in self.findings if fails(finding, fail_on)]


def fails(finding: Finding, fail_on: str) -> bool:
    """Return whether a finding fails a check, as `Report.failing` says."""
    if finding.accepted or fail_on == "never":
        return False
    if finding.known:
        return fail_on == "warning" and finding.grown and finding.severity != "info"
    return finding.severity == "error" or (fail_on == "warning" and finding.severity == "warning")
