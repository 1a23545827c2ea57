"""A check beside earlier ones: what changed since one, and what a baseline has that is gone."""

from __future__ import annotations

from collections.abc import Iterator

from fixer.model.baseline import Known
from fixer.model.report import Report
from fixer.report.html.anchors import Anchors
from fixer.report.html.markup import Markup, code, inner, name_of, tag
from fixer.report.html.values import Values
from fixer.report.words import counted


def section(report: Report, anchors: Anchors, values: Values) -> Markup:
    """Return what changed since an earlier check; nothing if there is none to compare with."""
    entries = [*_gone(report, values), *_changes(report, anchors, values)]
    if not entries and report.changes is None:
        return inner(None)
    words = tag("ul", entries) if entries else tag("p", "Nothing changed since the earlier check.")
    head = tag("h2", "Beside earlier checks", id="changes-title")
    return tag("section", head, words, id="changes", aria_labelledby="changes-title")


def _gone(report: Report, values: Values) -> Iterator[Markup]:
    for known in report.gone:
        yield tag("li", "in the baseline, and not found: ", _known(known, values))


def _changes(report: Report, anchors: Anchors, values: Values) -> Iterator[Markup]:
    if report.changes is None:
        return
    for finding in report.changes.new:
        link = tag("a", name_of(values.message(finding)), href=f"#{anchors.named(finding)}")
        yield tag("li", tag("span", "new", class_="badge new"), " ", link)
    for known in report.changes.gone:
        yield tag("li", tag("span", "gone", class_="badge"), " ", _known(known, values))
    for finding, was in report.changes.changed:
        link = tag("a", name_of(values.message(finding)), href=f"#{anchors.named(finding)}")
        yield tag("li", link, f": was {counted(was, 'row')}, now {finding.rows:,}")


def _known(known: Known, values: Values) -> Markup:
    return inner([name_of(values.told(known.slug, known.message)), " ", code(known.id)])
