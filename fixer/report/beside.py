"""Text for people: a check beside earlier ones; what is new, what is known, what is gone."""

from __future__ import annotations

from collections.abc import Iterator

from fixer.model.report import Report
from fixer.report.words import Line, counted


def gone(report: Report) -> Iterator[Line]:
    """Yield what the baseline has and this check does not find."""
    for known in report.gone:
        yield Line(("! ", "yellow"), f"gone: {known.id} is in the baseline, and this check does not find it")
    if report.gone and report.baseline:
        yield Line("  take it out by --write-baseline, which puts in all that is found", style="dim")


def changes(report: Report) -> Iterator[Line]:
    """Yield what changed since an earlier check."""
    if report.changes is None:
        return
    found = report.changes
    if not (found.new or found.gone or found.changed):
        yield Line("\nNothing changed since the earlier check.", style="bold")
        return
    yield Line("\nSince the earlier check:", style="bold")
    yield from (Line(("  + ", "red"), f"new: {each.message}", (f"  [{each.id}]", "dim")) for each in found.new)
    for known in found.gone:
        yield Line(("  - ", "green"), f"gone: {known.message}", (f"  [{known.id}]", "dim"))
    for finding, was in found.changed:
        rows = f"was {counted(was, 'row')}, now {finding.rows}"
        yield Line(("  ~ ", "yellow"), f"{finding.message}: {rows}", (f"  [{finding.id}]", "dim"))


def verdict(report: Report, fail_on: str) -> Iterator[Line]:
    """Yield whether a check passes, where that is not the same as whether the contract holds."""
    failing = report.failing(fail_on)
    if fail_on == "never":
        yield Line("Findings do not fail this check: --fail-on never.", style="yellow")
    elif report.baseline is not None and not failing:
        yield Line(f"Nothing is new beside {report.baseline.file}.", style="bold green")
    elif report.baseline is not None:
        new = [finding for finding in failing if not finding.known]
        grown = len(failing) - len(new)
        more = f", {grown} with more rows" if grown else ""
        yield Line(f"{len(new)} of these {'is' if len(new) == 1 else 'are'} new{more}: this fails.", style="bold red")
    elif fail_on == "warning" and failing and report.ok:
        yield Line(f"{counted(len(failing), 'warning')} fail this check: --fail-on warning.", style="bold red")
