"""`fixer check` as a gate: what is new fails, what a baseline knows does not, and what changed since is told."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from fixer.cli.known import complain, known, note
from fixer.cli.options import Settings
from fixer.cli.outputs.documents import Forms
from fixer.cli.outputs.options import ANYWHERE
from fixer.errors import TargetError, UsageError
from fixer.model.finding import UNREADABLE
from fixer.model.report import Report
from fixer.model.values import dataclass
from fixer.report import findings
from fixer.report.words import counted

if TYPE_CHECKING:
    from fixer.report.account import Account

DEFAULT = "pgmend-baseline.json"
_BLIND = "Not all rows could be read: each such finding says why, and what lets this role read them."


@dataclass(frozen=True)
class Gate:
    """What one says of a check as a gate: from which severity on it fails, and the files of earlier checks."""

    fail_on: str = "error"
    baseline: str | None = None
    written: str | None = None  # where the baseline is written anew
    before: str | None = None  # the JSON of an earlier check

    def see_that_it_can_be_carried_out(self) -> None:
        """Raise UsageError where the words contradict each other, or what is to be read or written cannot be."""
        from fixer.cli.gate import files

        if self.written is not None:
            files.see_that_a_baseline_can_stand(self.target)
        for path in (self.baseline if self.written is None else None, self.before):
            if path is not None:
                files.see_that_it_is_there(path)

    @property
    def target(self) -> str:
        """The file that a baseline is written to: the one that is named, or else the one that is read."""
        named = self.written if self.written != ANYWHERE else None
        return named or self.baseline or DEFAULT


def conclude(
    settings: Settings, gate: Gate, report: Report, argument: str | None, *, deep: bool, role: str | None
) -> int:
    """Give the result of a check in all formats, and return its exit code."""
    known.findings = report.findings
    if any(finding.slug == UNREADABLE for finding in report.findings):
        settings.say(_forms(settings, gate, report, argument, deep=deep))  # documents say it together with the error
        raise TargetError(_BLIND)
    report = _beside(gate, report, deep=deep, role=role)
    known.findings = report.findings
    if gate.written is not None:
        return _write(settings, gate, report, argument, deep=deep, role=role)
    code = 1 if report.failing(gate.fail_on) else 0
    settings.tell(_forms(settings, gate, report, argument, deep=deep), exit_code=code)
    return code


def _beside(gate: Gate, report: Report, *, deep: bool, role: str | None) -> Report:
    """Return the report with what the files of earlier checks tell."""
    from fixer.cli.gate import files

    if gate.baseline is not None and (gate.written is None or files.is_there(gate.baseline)):
        baseline = files.read(gate.baseline, report.contract)
        report = report.beside(baseline, deep=deep, role=role)
        if baseline.deep and not deep:
            note([f"{gate.baseline} was written by a check with --deep: add it to see what is gone."])
    if gate.before is not None:
        report = report.since(files.earlier(gate.before, report.contract))
    return report


def _write(
    settings: Settings, gate: Gate, report: Report, argument: str | None, *, deep: bool, role: str | None
) -> int:
    """Write the baseline anew; all that it holds is known from now on."""
    from fixer.cli.gate import files
    from fixer.model.baseline import Baseline

    baseline = replace(Baseline.of(report.contract, report.findings, deep=deep, role=role), file=gate.target)
    files.write(baseline)
    known.committed(f"The baseline was written to {gate.target}.")
    report = report.beside(baseline, deep=deep, role=role)
    settings.tell(_forms(settings, gate, report, argument, deep=deep))
    if not settings.quiet:
        said = counted(len(baseline.findings), "finding")
        complain(f"{gate.target} holds {said} now: keep it with the project, and check with --baseline.")
    return 0


def _forms(settings: Settings, gate: Gate, report: Report, argument: str | None, *, deep: bool) -> Forms:
    following = settings.following(argument, report.contract, deep=deep)

    def html(show_values: bool) -> str:
        from fixer.report.html import of_report

        return of_report(report, show_values=show_values)

    def account() -> Account:
        from fixer.report.account import of_report

        return of_report(report, fail_on=gate.fail_on, following=following.plan, place=settings.place)

    def json() -> str:
        from fixer.report.json import of_report

        return of_report(report, gate.fail_on)

    verbose = settings.verbose > 0
    shown = partial(findings.of_report, report, following=following, verbose=verbose, fail_on=gate.fail_on)
    return Forms(shown, json, account, html)


def of_words(fail_on: str, *, baseline: str | None, written: str | None, before: str | None) -> Gate:
    """Return the gate that the options of `check` say; raise UsageError where they cannot be meant."""
    if written is not None and "://" in written:
        raise UsageError("--write-baseline takes a file: name the database before it, or say --write-baseline=FILE.")
    gate = Gate(fail_on, baseline, written, before)
    gate.see_that_it_can_be_carried_out()
    return gate
