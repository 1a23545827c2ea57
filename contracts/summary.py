"""The summary of the five points, for each target."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest

from fixer.connect.address.naming import variable

TITLES = {1: "primary keys", 2: "foreign keys", 3: "default users", 4: "structure", 5: "operation"}
POINT, TARGET, NOTE = "pgmend.point", "pgmend.target", "pgmend.note"  # the properties of an item


@dataclass(frozen=True)
class Chosen:
    """The points for which the contract has nothing; of these, the ones that were chosen if nothing else was."""

    barren: tuple[int, ...] = ()
    alone: tuple[int, ...] = ()
    nothing: bool = False  # whether no item of the suite is left

    @property
    def is_settled(self) -> bool:
        """Whether nothing is left because there is nothing to prove."""
        return self.nothing and bool(self.alone)


_OUTCOMES = (("passed", "passed"), ("failed", "failed"), ("failed", "error"), ("skipped", "skipped"))


def unproved(environ: Mapping[str, str]) -> str:
    """Return the sentence that says that no database is proved, though a variable may name one."""
    named = variable(environ)
    beside = f", not the database that {named} names" if named else ""
    return f"without --dsn, the snapshots are proved{beside}"


_ABSENT = {1: "primary keys", 2: "foreign keys", 3: "default rows", 4: "tables", 5: "tables"}


def print_summary(terminalreporter: pytest.TerminalReporter, chosen: Chosen, unproved: str) -> None:
    """Print the five points of each target, or that nothing was `chosen`; print nothing where the suite was not asked.

    `unproved` says that no database was proved, if that is so.
    """
    counts: dict[tuple[str, str], Counter[str]] = {}
    notes: dict[str, None] = {}
    untried: Counter[str] = Counter()
    for outcome, report in _reports(terminalreporter):
        known = dict(report.user_properties)
        if POINT not in known or (outcome == "passed" and report.when != "call"):
            continue
        counts.setdefault((str(known[TARGET]), str(known[POINT])), Counter())[outcome] += 1
        untried.update(_why_untried(report) if outcome == "skipped" else ())
        notes |= {str(text): None for name, text in report.user_properties if name == NOTE}
    if not (counts or chosen.nothing):
        return
    terminalreporter.section("the five points")
    if not counts:
        _print_nothing(terminalreporter, chosen)
    for target in dict.fromkeys(target for target, _ in counts):
        terminalreporter.write_line(target)
        for number, title in TITLES.items():
            count = counts.get((target, str(number)), Counter())
            row = _barren(number, title) if number in chosen.barren else _row(number, title, count)
            terminalreporter.write_line(row, **{_color(count): True})
    for reason, number in untried.items():
        terminalreporter.write_line(f"not tried, {number} item{'s' * (number > 1)}: {reason}", yellow=True)
    for note in notes:
        terminalreporter.write_line(note)
    if unproved:
        terminalreporter.write_line(f"{unproved[0].upper()}{unproved[1:]}.", yellow=True)


def _print_nothing(terminalreporter: pytest.TerminalReporter, chosen: Chosen) -> None:
    """Print why nothing was proved."""
    for number in chosen.alone:
        terminalreporter.write_line(_barren(number, TITLES[number]), green=True)
    if not chosen.alone:
        terminalreporter.write_line("Nothing was proved: the options choose no item of the suite.", red=True)


def _barren(number: int, title: str) -> str:
    return f"  {number}  {title:<14} nothing to prove: the contract has no {_ABSENT[number]}"


def _reports(terminalreporter: pytest.TerminalReporter) -> Iterator[tuple[str, pytest.TestReport]]:
    """Yield each report of an item with its outcome; reports of collection are no reports of items."""
    for outcome, key in _OUTCOMES:
        for report in terminalreporter.stats.get(key, ()):
            if isinstance(report, pytest.TestReport):
                yield outcome, report


def _why_untried(report: pytest.TestReport) -> Iterator[str]:
    """Yield why an item was skipped, unless the command line asked for it."""
    _, _, reason = report.longrepr if isinstance(report.longrepr, tuple | list) else ("", 0, str(report.longrepr))
    reason = reason.removeprefix("Skipped: ")
    if not reason.startswith("--writes"):
        yield reason


def _row(number: int, title: str, count: Counter[str]) -> str:
    verdict = "BROKEN" if count["failed"] else "ok" if count["passed"] else "not run"
    numbers = ", ".join(f"{count[each]} {each}" for each in ("failed", "passed", "skipped") if count[each])
    return f"  {number}  {title:<14} {verdict:<8} {numbers}".rstrip()


def _color(count: Counter[str]) -> str:
    return "red" if count["failed"] else "green" if count["passed"] else "yellow"
