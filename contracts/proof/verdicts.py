"""Verdicts: the findings of a check, each on the cases that it breaks."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from contracts.proof.cases import Case
from fixer.connect.redact import redact
from fixer.contract.project import contract_named
from fixer.model.finding import Finding
from fixer.model.obstacle import FIRING, Below, Rule, Trigger
from fixer.model.report import Report
from fixer.model.table import Check, ForeignKey, Index, QName
from fixer.report.findings import evidence

# Words in the slug of a finding about what fills a key column, rather than about the key.
_GENERATOR_WORDS = ("generator", "sequence", "identity")

# The claims for findings that belong to no object, by point.
_WHOLE = {
    1: ("primary_key_holds",),
    2: (),
    3: ("default_row_exists",),
    4: ("nothing_else_is_wrong",),
    5: ("nothing_unknown_is_demanded",),
}


@dataclass(frozen=True)
class Verdict:
    """What the check says about one case: what breaks it, and what is only worth knowing."""

    broken: str = ""
    notes: tuple[str, ...] = ()
    of_sequence: bool = False  # whether a sequence breaks it
    accepted: tuple[tuple[str, str], ...] = ()  # what the project lives with: slug, and words
    known: str = ""  # what the baseline has of what breaks it
    slugs: frozenset[str] = frozenset()  # of what breaks it
    acting: tuple[str, ...] = ()  # triggers and rules of the table, on the case about what it demands


def verdicts_of(report: Report, cases: Sequence[Case], spec: str, schema: str) -> Mapping[Case, Verdict]:
    """Return a verdict for each case that has a finding, or about what a table demands where something acts on it."""
    command, laid = _command(report, spec, schema), _laid(report, cases)
    verdicts = {case: _verdict(findings, command) for case, findings in laid.items()}
    for case in cases:
        acting = _acting(report, case.table) if case.claim == _WHOLE[5][0] else ()
        if acting:
            verdicts[case] = replace(verdicts.get(case, Verdict()), acting=acting)
    return verdicts


def _acting(report: Report, name: QName) -> tuple[str, ...]:
    """Return the triggers and rules that act on the rows of a table, in words."""
    table = report.comparison.actual.tables.get(name)
    acting = [o for o in table.obstacles if isinstance(o, Trigger | Rule | Below)] if table else []
    return tuple(
        f"the {o.name}" if isinstance(o, Below) else f"the {o.kind} {o.name} of {name.name}"
        for o in acting
        if o.enabled in FIRING
    )


def _verdict(findings: Sequence[Finding], command: str) -> Verdict:
    broken = [finding for finding in findings if finding.breaks and not finding.known]
    notes = tuple(f"{f.severity}: {described(f)}" for f in findings if not (f.breaks or f.accepted))
    accepted = tuple(
        (f.slug, f"{f.accepted.term} ({f.accepted.reason}): {described(f)}") for f in findings if f.accepted
    )
    known = "; ".join(described(finding) for finding in findings if finding.breaks and finding.known)
    notes += tuple(words for _, words in accepted)
    if not broken:
        return Verdict("", notes, accepted=accepted, known=known)
    lines = [described(finding) for finding in broken]
    reasons = [f.repair.refusal or "no repair is known" for f in broken if f.repair.label == "manual"]
    lines += [f"needs a human decision: {reason}" for reason in dict.fromkeys(reasons)]
    if len(reasons) < len(broken):
        lines.append(f"repair: {command}")
    slugs = frozenset(finding.slug for finding in broken)
    return Verdict("\n".join(lines), notes, any("sequence" in slug for slug in slugs), accepted, known, slugs)


def described(finding: Finding) -> str:
    """Return the message of a finding, with its evidence and its slug."""
    rows = f": {evidence(finding)}" if finding.sample else ""
    return f"{finding.message}{rows} [{finding.slug}]"


def _command(report: Report, spec: str, schema: str) -> str:
    """Return the command that repairs what was found."""
    hazards = sorted({hazard for f in report.findings if f.breaks for hazard in f.repair.hazards})
    words = ["fixer", "apply", "--dsn", report.target]
    if spec != contract_named():
        words += ["--contract", redact(spec)]
    if schema != "public":
        words += ["--schema", schema]
    if hazards:
        words += ["--allow-hazards", ",".join(hazards)]
    return shlex.join(words)


# --- which finding lies on which case ---------------------------------------------------------------


def _laid(report: Report, cases: Sequence[Case]) -> dict[Case, tuple[Finding, ...]]:
    """Return the findings of each case that has some; every finding is on one case at least."""
    laid: dict[Case, list[Finding]] = {}
    for finding in report.findings:
        for case in _cases_for(finding, cases, report):
            laid.setdefault(case, []).append(finding)
    return {case: tuple(findings) for case, findings in laid.items()}


def _cases_for(finding: Finding, cases: Sequence[Case], report: Report) -> Sequence[Case]:
    of_table = [case for case in cases if case.table == finding.table]
    actual = report.comparison.actual.tables.get(finding.table)
    if of_table and finding.breaks and _is_whole(finding) and (actual is None or not actual.is_table):
        return of_table  # a missing table breaks all of its cases
    nearest = [case for case in of_table if case.point == finding.point and _lies_on(finding, case, report)]
    if finding.breaks and _is_absent(finding, report):
        nearest += [case for case in of_table if finding.column in case.columns and case not in nearest]
    return nearest or _leftover(finding, of_table or list(cases))


def _is_whole(finding: Finding) -> bool:
    return finding.column is None and finding.part is None and finding.point == 4


def _is_absent(finding: Finding, report: Report) -> bool:
    """Return whether a finding is about a column that the database lacks."""
    table = report.comparison.actual.tables.get(finding.table)
    wanted = report.comparison.contract.tables.get(finding.table)
    return bool(table and wanted and finding.column in wanted.columns and finding.column not in table.columns)


def _lies_on(finding: Finding, case: Case, report: Report) -> bool:
    match case.claim:
        case "primary_key_holds":
            return not _is_of_generator(finding)
        case "generator_is_ahead":
            return _is_of_generator(finding) and finding.column in case.columns
        case "foreign_key_holds":
            if isinstance(finding.part, ForeignKey):
                return finding.part.columns == case.columns
            return bool(case.columns) and finding.column in case.columns
        case "default_row_exists":
            wanted = report.comparison.contract.hints[case.table].default_rows
            return finding.part is None or finding.part == wanted[case.number]
        case "structure_holds":
            return finding.column in case.columns and not isinstance(finding.part, Index | Check)
        case "unique_holds" | "index_holds":
            return isinstance(finding.part, Index) and finding.part.name == case.part
        case "check_holds":
            return isinstance(finding.part, Check) and finding.part.name == case.part
        case "nothing_unknown_is_demanded":
            return True
    return False


def _is_of_generator(finding: Finding) -> bool:
    return any(word in finding.slug for word in _GENERATOR_WORDS)


def _leftover(finding: Finding, cases: Sequence[Case]) -> Sequence[Case]:
    """Return the case for a finding that belongs to no object."""
    same = [case for case in cases if case.point == finding.point and case.claim in _WHOLE[finding.point]]
    rest = [case for case in cases if case.claim == "nothing_else_is_wrong"]
    return (same or rest)[:1]
