"""The findings, by point: what is wrong, its rows, and who repairs it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fixer.model.finding import POINTS, Accepted, Finding
from fixer.model.values import dataclass
from fixer.report.findings import cure_of
from fixer.report.html.anchors import Anchors
from fixer.report.html.markup import Markup, code, inner, name_of, tag
from fixer.report.html.values import Values
from fixer.report.words import counted

_STATES = {"error": ("✗", "bad", "error"), "warning": ("!", "warn", "warning"), "info": ("·", "dim", "note")}


@dataclass(frozen=True)
class Kind:
    """Which findings a section holds: its anchor and title, and whether they were repaired."""

    anchor: str = "findings"
    title: str = "Findings"
    repaired: bool = False


FOUND = Kind()


def section(findings: Sequence[Finding], anchors: Anchors, values: Values, kind: Kind = FOUND) -> Markup:
    """Return findings by point."""
    groups = []
    for number, name in POINTS.items():
        those = [finding for finding in findings if finding.point == number]
        if those:
            entries = [_finding(each, anchors.finding(each), values, kind.repaired) for each in those]
            anchor = f"point-{number}" if kind.anchor == FOUND.anchor else f"{kind.anchor}-{number}"
            groups += [tag("h3", f"{number} {name}", id=anchor), tag("div", entries, class_="group")]
    parts = groups or [tag("p", "None.")]
    field = _filter(len(findings)) if kind.anchor == FOUND.anchor else ""
    head = tag("h2", kind.title, id=f"{kind.anchor}-title")
    return tag("section", head, field, parts, id=kind.anchor, aria_labelledby=f"{kind.anchor}-title")


def _filter(number: int) -> Markup | str:
    """Return the field that filters the findings; the page's script shows it, if that may run."""
    if number < 2:
        return ""
    field = tag("input", type="search", id="filter", autocomplete="off")
    told = tag("output", for_="filter", id="filtered", aria_live="polite")
    return tag("p", tag("label", "show only those with ", field), " ", told, class_="filter", hidden=True)


def _finding(finding: Finding, anchor: str, values: Values, repaired: bool) -> Markup:
    severity = "info" if finding.accepted else finding.severity
    mark, class_, words = _STATES[severity]
    title = (tag("span", mark, class_="mark", aria_hidden="true"), tag("span", f"{words}: ", class_="aside"),
             name_of(values.message(finding)))  # fmt: skip
    named = tag("a", code(finding.id), href=f"#{anchor}")
    return tag(
        "article",
        tag("h4", title),
        _rows(finding, values),
        [*_refusal(finding, values)],
        tag("p", [(each, " ") for each in _further(finding, repaired)], named, class_="cure"),
        id=anchor,
        class_=f"finding {class_}",
    )


def _refusal(finding: Finding, values: Values) -> Iterator[Markup]:
    """Yield what a person has to decide."""
    if finding.repair.refusal and not finding.accepted:
        yield tag("p", name_of(values.words(finding.repair.refusal, finding)), class_="refusal")


def _further(finding: Finding, repaired: bool) -> Iterator[Markup]:
    """Yield who repairs it, and whether it is new."""
    if finding.known is not None:
        yield tag("span", "known" if finding.known else "new", class_="badge" if finding.known else "badge new")
    if finding.grown:
        was = counted(finding.was or 0, "row")
        yield tag("span", f"more rows than the baseline knows: was {was}, now {finding.rows:,}", class_="warn")
    if finding.accepted:
        yield from _accepted(finding.accepted)
    elif finding.left_out:
        yield tag("span", "left out: ", name_of(finding.left_out))
    elif repaired:
        yield tag("span", "repaired by this run")
    else:
        yield tag("span", cure_of(finding))


def _accepted(accepted: Accepted) -> Iterator[Markup]:
    yield tag("span", f"{accepted.term}: ", name_of(accepted.reason))


def _rows(finding: Finding, values: Values) -> Markup | str:
    """Return the rows behind a finding: how many, and the keys of the first of them."""
    if not finding.sample:
        return ""
    number, rows = counted(finding.rows, "row").replace(str(finding.rows), f"{finding.rows:,}", 1), values.rows(finding)
    if not rows.lines:
        return tag("p", number, class_="rows")
    head = tag("tr", [tag("th", name_of(name), scope="col") for name in rows.columns])
    body = [tag("tr", [tag("td", _cell(cell)) for cell in line]) for line in rows.lines]
    table = tag("table", tag("caption", number), tag("thead", head), tag("tbody", body))
    rest = finding.rows - len(rows.lines)
    more = tag("p", f"… {rest:,} more", class_="dim") if rest > 0 else ""
    return tag("div", table, more, class_="rows wide")


def _cell(cell: str | None) -> Markup:
    return tag("i", "NULL") if cell is None else name_of(cell)


def stale(accepted: Sequence[Accepted]) -> Markup:
    """Return what the project accepts although this check does not find it."""
    entries = [tag("li", code(each.finding), ": ", name_of(each.reason)) for each in accepted]
    if not entries:
        return inner(None)
    title = "Accepted, and not found"
    return tag("section", tag("h2", title, id="stale-title"), tag("ul", entries), id="stale",
               aria_labelledby="stale-title")  # fmt: skip
