"""The ledger of a run, which accounts for every row."""

from __future__ import annotations

from collections.abc import Sequence

from fixer.model.run import Entry, Run
from fixer.report.html.markup import Markup, code, tag

_NAMES = ("before", "inserted", "after", "quarantined")


def section(run: Run) -> Markup:
    """Return the rows of each table, counted before and after a run."""
    names = [tag("th", each, scope="col", class_="number") for each in _NAMES]
    head = tag("tr", tag("th", "table", scope="col"), names, tag("th", "adds up", scope="col"))
    rows = [_row(code(str(entry.table)), [entry]) for entry in run.ledger]
    foot = tag("tfoot", _row("all", run.ledger)) if len(rows) > 1 else ""
    words = "before + inserted = after + quarantined"
    table = tag("table", tag("caption", words), tag("thead", head), tag("tbody", rows), foot, class_="stack")
    parts = tag("div", table, class_="wide") if rows else tag("p", "No row was counted: no table was changed.")
    undo = tag("p", "To take the run back: ", code(f"fixer undo {run.run}"), class_="command") if run.run else ""
    return tag("section", tag("h2", "Ledger", id="ledger-title"), parts, undo, id="ledger",
               aria_labelledby="ledger-title")  # fmt: skip


def _row(name: str, entries: Sequence[Entry]) -> Markup:
    """Return a line of some entries, added up."""
    sums = {each: sum(getattr(entry, each) for entry in entries) for each in _NAMES}
    cells = [tag("td", f"{number:,}", class_="number", data_label=each) for each, number in sums.items()]
    right = all(entry.adds_up for entry in entries)
    ok = tag("td", "✓" if right else "✗ it does not", class_="good" if right else "bad")
    return tag("tr", tag("th", name, scope="row"), cells, ok)
