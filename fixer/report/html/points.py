"""The five points at the top of a page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fixer.model.finding import Finding
from fixer.report.findings import is_unsaid
from fixer.report.html.markup import Markup, tag
from fixer.report.words import counted


def section(
    points: Iterable[tuple[int, str, bool]], findings: Sequence[Finding], *, itself: bool, when: str = ""
) -> Markup:
    """Return the five points as a list: whether each holds, with a link to its findings.

    `itself` says that the target is its own contract, which says nothing of some points; `when` goes after the title.
    """
    entries = [_point(*point, [each for each in findings if each.point == point[0]], itself) for point in points]
    return tag(
        "section",
        tag("h2", f"The five points{when}", id="points-title"),
        tag("ol", entries, class_="points"),
        id="points",
        aria_labelledby="points-title",
    )


def unknown() -> Markup:
    """Return the section for what came without findings, such as a plan that was read from a file."""
    words = "The findings behind this are not at hand, as a saved plan keeps none: `fixer check` shows the points."
    return tag("section", tag("h2", "The five points"), tag("p", words), id="points")


def _point(number: int, title: str, ok: bool, findings: Sequence[Finding], itself: bool) -> Markup:
    unsaid = itself and is_unsaid(number) and not findings
    mark, state = ("–", "unsaid") if unsaid else ("✓", "holds") if ok else ("✗", "broken")
    breaking = sum(finding.breaks for finding in findings)
    words = "no catalogue says anything of it" if unsaid else "holds" if ok else counted(breaking, "finding")
    noted = len(findings) - breaking
    more = f", {noted} noted" if noted else ""
    body = (
        tag("span", mark, class_="mark", aria_hidden="true"),
        " ",
        tag("strong", f"{number} {title}"),
        " ",
        tag("span", f"{words}{more}", class_="said"),
    )
    return tag("li", tag("a", body, href=f"#point-{number}") if findings else tag("div", body), class_=state)
