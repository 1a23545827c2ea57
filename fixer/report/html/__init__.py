"""A report as one HTML file, which loads nothing, needs no script, and shows no values of rows but keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from fixer.model.finding import POINTS, Finding
from fixer.model.plan import Plan
from fixer.model.report import Report
from fixer.model.run import Run
from fixer.model.table import QName
from fixer.report.findings import beyond, is_itself, unread, verdict_of, without_count
from fixer.report.html import beside, ledger, page, picture, points
from fixer.report.html import findings as found
from fixer.report.html import plan as planned
from fixer.report.html.anchors import Anchors
from fixer.report.html.findings import Kind
from fixer.report.html.markup import Markup
from fixer.report.html.page import Head
from fixer.report.html.values import Values
from fixer.report.text import plan_words
from fixer.report.words import counted

Sections = dict[str, Markup]
_NOBODY: Mapping[QName, int] = MappingProxyType({})


def of_report(report: Report, *, show_values: bool = False) -> str:
    """Return what `check` found, as a page; `show_values` shows all values of the rows behind its findings."""
    lines = [*_uncounted(report.comparison.uncounted), *_limits(report), *_news(report.findings)]
    head = Head("check", report.target, report.contract, verdict_of(report), report.ok, lines)
    return page.of(head, _checked(report, Values(report.comparison, show_values)), show_values=show_values)


def of_plan(plan: Plan, report: Report | None = None, *, show_values: bool = False) -> str:
    """Return a plan as a page, with the tables if the report is given that it was made from."""
    return _planned("plan", plan, report, show_values)


def _planned(what: str, plan: Plan, report: Report | None, show_values: bool, said: str = "") -> str:
    """Return the page of a plan, for a command that made or had it; `said` is a further sentence."""
    values = Values(report.comparison if report else None, show_values)
    steps = planned.section(plan, values)
    if report:
        sections = _checked(report, values, plan.moves)
        sections = {"points": sections["points"], "plan": steps, **sections}
    else:
        sections = {"points": _points(plan), "plan": steps}
        if _is_told(plan):
            sections["findings"] = found.section(plan.findings, Anchors(plan.findings), values)
    ok = report.ok if report else not (plan.steps or plan.refusals or any(f.breaks for f in plan.findings))
    known = verdict_of(report) if report and not report.ok else ""
    lines = [*filter(None, [said, known]), *_news(plan.findings)]
    head = Head(what, plan.target, plan.contract, plan_words(plan), ok, lines, calm=not (ok or plan.refusals))
    return page.of(head, sections, show_values=show_values)


def of_run(run: Run, *, show_values: bool = False) -> str:
    """Return what `apply` did, as a page: how the target stands now, the ledger, the steps, what was repaired."""
    if run.run is None:
        said = "Nothing was changed." if run.plan.steps or run.plan.refusals else ""
        return _planned("apply", run.plan, run.report, show_values, said)
    report, words = run.report, f"Run {run.run}: {counted(len(run.steps), 'step')} done."
    values = Values(report.comparison if report else None, show_values)
    before = [finding for finding in run.plan.findings if finding.breaks]
    anchors = Anchors([*(report.findings if report else ()), *before])
    sections: Sections = {"points": points.unknown(), "ledger": ledger.section(run)}
    if report:
        words = f"{words} {verdict_of(report)}"
        itself, moved = is_itself(run.contract), {entry.table: entry.quarantined for entry in run.ledger}
        sections["points"] = points.section(report.points, report.findings, itself=itself, when=" now")
        sections["tables"] = picture.section(report.comparison, anchors, values, moved)
    sections["plan"] = planned.section(run.plan, values, done=True)
    if before:
        sections["repaired"] = found.section(before, anchors, values, Kind("repaired", "What was found before", True))
    if report:
        now = Kind("findings", "Findings now")
        sections["findings"] = found.section(report.findings, anchors, values, now)
    lines = _limits(report) if report else []
    head = Head("apply", run.target, run.contract, words, run.ok, lines, calm=report is None)
    return page.of(head, sections, show_values=show_values)


def _limits(report: Report) -> list[str]:
    """Return what a check has not compared or read, as sentences of their own."""
    return [f"{said[0].upper()}{said[1:]}." for said in (*beyond(report), *unread(report))]


def _checked(report: Report, values: Values, quarantined: Mapping[QName, int] = _NOBODY) -> Sections:
    """Return the sections of what was found, in the order of the page."""
    anchors, comparison = Anchors(report.findings), report.comparison
    return {
        "points": points.section(report.points, report.findings, itself=is_itself(report.contract)),
        "tables": picture.section(comparison, anchors, values, quarantined),
        "findings": found.section(report.findings, anchors, values),
        "stale": found.stale(comparison.stale),
        "changes": beside.section(report, anchors, values),
    }


def _points(plan: Plan) -> Markup:
    """Return the points of a plan without its report."""
    if not _is_told(plan):
        return points.unknown()
    broken = {finding.point for finding in plan.findings if finding.breaks}
    each = [(number, title, number not in broken) for number, title in POINTS.items()]
    return points.section(each, plan.findings, itself=is_itself(plan.contract))


def _is_told(plan: Plan) -> bool:
    """Return whether a plan has the findings that it was made for; one that was read from a file has none."""
    return bool(plan.findings) or not (plan.steps or plan.refusals)


def _uncounted(why: str) -> list[str]:
    return [without_count(why)] if why else []


def _news(findings: Sequence[Finding]) -> list[str]:
    """Return how many findings a baseline does not know, if there is one."""
    known = [finding.known for finding in findings if finding.breaks and finding.known is not None]
    new = known.count(False)
    return (
        [f"{new or 'None'} of them {'is' if new < 2 else 'are'} new; the baseline knows {len(known) - new}."]
        if (known)
        else []
    )
