"""HTML: a plain page that holds the text of a result."""

from __future__ import annotations

from html import escape

from rich.console import Console, RenderableType

from fixer.model.plan import Plan
from fixer.model.report import Report
from fixer.model.run import Run
from fixer.report import findings, text


def of_report(report: Report, *, show_values: bool = False) -> str:
    """Return the page of a check."""
    return _page(findings.of_report(report))


def of_plan(plan: Plan, report: Report | None = None, *, show_values: bool = False) -> str:
    """Return the page of a plan, with the report that it was made from."""
    return _page(text.of_plan(plan))


def of_run(run: Run, *, show_values: bool = False) -> str:
    """Return the page of an apply."""
    return _page(text.of_run(run))


def _page(shown: RenderableType) -> str:
    console = Console(no_color=True, width=120)
    with console.capture() as captured:
        console.print(shown)
    body = escape(captured.get())
    return f'<!doctype html>\n<meta charset="utf-8">\n<title>pgmend</title>\n<pre>{body}</pre>\n'
