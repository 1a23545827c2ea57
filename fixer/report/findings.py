"""Text for people: the findings of a check by point, the summary, and what to run next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from fixer.contract.project import SELF
from fixer.model.finding import Accepted, Finding
from fixer.model.report import Report
from fixer.model.values import dataclass
from fixer.report import beside
from fixer.report.words import Line, Lines, counted, typed

_MARKS = {"error": ("✗", "red"), "warning": ("!", "yellow"), "info": ("·", "dim")}
CURES = {
    "automatic": "can be repaired automatically",
    "needs-hazard": "can be repaired with permission",
    "manual": "needs a human decision",
}
_CURES_OF_MANY = {**CURES, "manual": "need a human decision"}
# What is true, by whether the target is its own contract.
HOLDS = {False: "the contract holds", True: "the database is as its own catalogue says"}
_UNSAID = (3,)  # the points of which no catalogue says anything
_ALIKE = 3  # notes of one class that are shown one by one
_NAMED = 6  # objects that a line about more names
_TABLES = 3  # tables that a line about more names


@dataclass(frozen=True)
class Next:
    """The commands that may come next: the repair; if there is nothing to repair, others, each after what it does."""

    plan: str = "fixer plan"
    others: tuple[tuple[str, str], ...] = ()


def of_report(report: Report, *, following: Next | None = None, verbose: bool = False, fail_on: str = "error") -> Lines:
    """Return what `check` found, by point, with the summary and the next command last."""
    parts: list[Line | tuple[int, Line]] = [heading(report.target, report.contract)]
    for number, title, ok in report.points:
        findings = [finding for finding in report.findings if finding.point == number]
        if findings or number not in _UNSAID or not is_itself(report.contract):
            parts.append(of_point(number, title, ok))
        parts += [(4, line) for line in _lines(findings, verbose)]
    parts += [*uncounted(report.comparison.uncounted), *map(_stale, report.comparison.stale)]
    parts += [*map(warned, beyond(report)), *(Line(f"· {said}", style="dim") for said in unread(report))]
    parts += [*beside.gone(report), *beside.changes(report)]
    meant = _meant(report) if verbose else ()
    return Lines([*parts, Line(), *_verdict(report, following or Next()), *beside.verdict(report, fail_on), *meant])


def _meant(report: Report) -> list[Line]:
    """Return the command that explains the first finding that breaks the contract, if one does."""
    slugs = [finding.slug for finding in report.findings if finding.breaks]
    return [typed("See what a finding means with", f"fixer explain {slugs[0]}")] if slugs else []


def is_itself(contract: str) -> bool:
    """Return whether a contract of this name is what the target itself declares."""
    return contract == SELF


def uncounted(why: str) -> list[Line]:
    """Return a line that says why nobody knows how many rows a repair moves, if that is so."""
    return [warned(without_count(why))] if why else []


def without_count(why: str) -> str:
    """Return the sentence that says why nobody knows how many rows a repair moves."""
    return f"The rows that go after others could not be counted: {why}"


def warned(text: str) -> Line:
    """Return a line that holds up nothing, and should be read."""
    return Line(("! ", "yellow"), text)


def beyond(report: Report) -> list[str]:
    """Return a sentence on what of the contract nobody compares; what the target lacks of it is a finding."""
    kinds = Counter(key.kind for key, _ in report.comparison.beyond)
    said = ", ".join(counted(number, kind) for kind, number in kinds.items())
    return [f"their definitions are not compared with the contract: {said}"] if said else []


def unread(report: Report) -> list[str]:
    """Return a sentence on how many valid constraints are taken at their word, and of which tables."""
    passed = report.comparison.unread
    if not passed:
        return []
    largest = [name.name for name, _ in sorted(passed, key=lambda each: (-each[1], each[0]))]
    more = f" and {counted(len(largest) - _TABLES, 'more table')}" if len(largest) > _TABLES else ""
    number = counted(sum(number for _, number in passed), "valid constraint")
    return [f"not read: rows behind {number} of {', '.join(largest[:_TABLES])}{more}  (--deep reads them)"]


def _stale(accepted: Accepted) -> Line:
    return Line(("! ", "yellow"), f"stale: {accepted.finding} is accepted, and this check does not find it")


def heading(target: str, contract: str) -> Line:
    """Return the first line: the target, and what it is compared with."""
    if is_itself(contract):
        return Line((target, "bold"), "  against  ", ("its own catalogue", "bold"), "\n")
    return Line((target, "bold"), "  against  ", (contract, "bold"), "\n")


def of_point(number: int, title: str, ok: bool) -> Line:
    """Return the line of a point."""
    mark, colour = ("✓", "green") if ok else ("✗", "red")
    return Line("  ", (f"{mark} {number} {title}", f"bold {colour}"))


def _lines(findings: Sequence[Finding], verbose: bool) -> Iterator[Line]:
    """Yield a line for each finding; where many notes say the same of other objects, one line for these."""
    notes: dict[str, list[Finding]] = {}
    for finding in findings:
        if _is_note(finding):
            notes.setdefault(finding.slug, []).append(finding)
    for finding in findings:
        alike = notes[finding.slug] if _is_note(finding) else []
        if verbose or len(alike) <= _ALIKE:
            yield of_finding(finding)
        elif finding is alike[0]:
            yield _of_many(alike)


def _is_note(finding: Finding) -> bool:
    return finding.severity == "info" and not finding.accepted


def _of_many(notes: Sequence[Finding]) -> Line:
    first, *others = notes
    names = ", ".join(each.object.removeprefix("public.") for each in others[:_NAMED])
    more = ", …" if len(others) > _NAMED else ""
    line = Line(("· ", "dim"), first.message, (f"  [{first.slug}]", "dim"))
    return line.append(f"\n  {len(others)} more like it: {names}{more}  (-v lists them)", style="dim")


def of_finding(finding: Finding) -> Line:
    """Return what is wrong, the evidence, and who repairs it."""
    mark, colour = _MARKS["info" if finding.accepted or finding.known else finding.severity]
    line = Line((f"{mark} ", colour), finding.message)
    if finding.sample:
        line.append(f": {evidence(finding)}")
    if finding.accepted:
        return line.append(f"  [{finding.slug}; {finding.accepted.term}]\n  {finding.accepted.reason}", style="dim")
    known = "known; " if finding.known else "new; " if finding.known is False and finding.severity != "info" else ""
    line.append(f"  [{finding.slug}; {known}{CURES[finding.repair.label]}]", style="dim")
    if finding.grown:
        was = counted(finding.was or 0, "row")
        line.append(f"\n  more rows than the baseline knows: was {was}, now {finding.rows}", style="yellow")
    return line.append(f"\n  {finding.repair.refusal}", style="yellow") if finding.repair.refusal else line


def evidence(finding: Finding) -> str:
    """Return the rows behind a finding: how many, and the first of them."""
    shown = ", ".join("/".join("NULL" if cell is None else cell for cell in row) for row in finding.sample)
    more = ", …" if finding.rows > len(finding.sample) else ""
    return f"{counted(finding.rows, 'row')} ({shown}{more})"


def _verdict(report: Report, following: Next) -> list[Line]:
    """Return whether the contract holds, and the commands that may come next."""
    if not (broken := [finding for finding in report.findings if finding.breaks]):
        verdict = Line(verdict_of(report), style="bold green")
        return [verdict, *(typed(what, command) for what, command in following.others)]
    repairs = any(finding.repair.label != "manual" for finding in broken)
    verdict = Line(verdict_of(report), style="bold red")
    return [verdict, *([typed("See the repair with", following.plan)] if repairs else [])]


def verdict_of(report: Report) -> str:
    """Return whether the contract holds, in a sentence."""
    broken, itself = [finding for finding in report.findings if finding.breaks], is_itself(report.contract)
    if not broken:
        but = ", but for what is accepted" if any(finding.accepted for finding in report.findings) else ""
        of = f", in {counted(len(report.comparison.contract.tables), 'table')}" if itself else ""
        return f"{HOLDS[itself].capitalize()}{but}{of}."
    by_label = {label: sum(f.repair.label == label for f in broken) for label in CURES}
    shares = ", ".join(_share(label, count) for label, count in by_label.items() if count)
    if itself:
        return f"{counted(len(broken), 'finding')}, so {HOLDS[itself].replace(' is ', ' is not ')}: {shares}."
    return f"{len(broken)} {'finding breaks' if len(broken) == 1 else 'findings break'} the contract: {shares}."


def _share(label: str, count: int) -> str:
    return f"{count} {(CURES if count == 1 else _CURES_OF_MANY)[label]}"


def cure_of(finding: Finding) -> str:
    """Return who repairs a finding."""
    return CURES[finding.repair.label]


def is_unsaid(point: int) -> bool:
    """Return whether no catalogue says anything of a point."""
    return point in _UNSAID
