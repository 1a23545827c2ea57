"""`fixer init`: finds what may be the contract of a project, and writes it to the nearest pyproject.toml."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Group, RenderableType
from rich.text import Text

from fixer import api
from fixer import contract as contracts
from fixer.cli.known import known, note
from fixer.cli.options import Settings
from fixer.connect.redact import redact
from fixer.contract.project import SELF, found, noted, placed
from fixer.contract.project.found import Candidate
from fixer.errors import TargetError, UsageError
from fixer.model.finding import UNREADABLE, Finding
from fixer.model.report import Report
from fixer.model.values import dataclass
from fixer.report import streams
from fixer.report.findings import of_report

_ITSELF = Candidate(SELF, "what the database itself declares, for nothing else was found")


@dataclass(frozen=True)
class Noted:
    """What is to be written, and where."""

    file: Path
    chosen: Candidate
    others: tuple[Candidate, ...]
    table: str
    written: bool


def begin(settings: Settings, argument: str | None, *, dry: bool, accept: bool) -> int:
    """Write the table, or print it; with a database, check that first. Return the exit code of the check, else 0."""
    file = noted.home()
    chosen, others = _chosen(settings.contract, file.parent)
    named = bool(argument or settings.dsn)
    if accept and not named:
        raise UsageError("--accept notes what a check finds: name the database.")
    report = _checked(settings, argument, placed(chosen.spec, file.parent)) if named else None
    broken = [each for each in report.findings if each.breaks] if report else []
    reason = f"found by fixer init on {datetime.now(UTC).date()}"
    accepted = dict.fromkeys(f"{each.slug}:{each.object}" for each in broken) if accept else {}
    table = noted.table(chosen.spec, (each.spec for each in others), accepted, reason)
    if dry:
        noted_ = Noted(file, chosen, others, table, written=False)
    else:
        streams.check()
        noted.add(file, table)
        known.committed(f"[tool.pgmend] was written to {file}.", 1 if broken and not accept else 0)
        noted_ = Noted(file, chosen, others, table, written=True)
    settings.show(_text(settings, argument, noted_, report, len(accepted)), lambda: _json(noted_, report))
    return 1 if broken and not accept else 0


def _chosen(named: str | None, root: Path) -> tuple[Candidate, tuple[Candidate, ...]]:
    """Return the contract: the one that is named, or else the best that the project has, and the others."""
    if named is not None:
        if redact(named) != named:
            raise UsageError(
                "The contract has a password, which belongs in no file: leave it out and use a password file, or set"
                " PGMEND_CONTRACT."
            )
        return Candidate(named, "as named by --contract"), ()
    first, *others = found.candidates(root) or [_ITSELF]
    if first is _ITSELF and found.is_django(root):
        raise UsageError(found.DJANGO)
    return first, tuple(others)


def _checked(settings: Settings, argument: str | None, spec: str) -> Report:
    """Check the database against the contract; raise TargetError where not all rows could be read."""
    known.contract = spec
    source = contracts.in_project(contracts.load(spec))
    with api.session(settings.target(argument), source, schema=settings.schema) as session:
        note(session.contract.notes)
        report = session.check()
    if any(finding.slug == UNREADABLE for finding in report.findings):
        raise TargetError("Not all rows could be read, so nothing was written: `fixer check` says why.")
    return report


def _text(
    settings: Settings, argument: str | None, made: Noted, report: Report | None, accepted: int
) -> RenderableType:
    """Return what was found and written, and what comes next."""
    if not made.written:
        return Text(made.table.rstrip("\n"))
    parts: list[RenderableType] = (
        [of_report(report, following=settings.following(argument, "", deep=False))] if report else []
    )
    parts += [Text()] if report else []
    parts += [Text.assemble((each.spec, "bold"), f"  {each.what}") for each in (made.chosen, *made.others)]
    parts += [Text(), Text.assemble(("Written to ", "bold green"), (str(made.file), "bold green"), ":\n")]
    parts += [Text("\n".join(f"  {line}".rstrip() for line in made.table.splitlines()), style="dim")]
    if accepted:
        parts.append(Text(f"\nEach [[tool.pgmend.accept]] needs a reason of yours: {accepted} to look through."))
    if not report:
        parts.append(Text("\nCheck a database against it with: fixer check URL"))
    return Group(*parts)


def _json(made: Noted, report: Report | None) -> str:
    findings: Iterable[Finding] = report.findings if report else ()
    return json.dumps(
        {
            "version": 1,
            "file": str(made.file),
            "written": made.written,
            "contract": made.chosen.spec,
            "others": [each.spec for each in made.others],
            "table": made.table,
            "ok": not report or report.ok,
            "findings": [{"slug": f.slug, "object": f.object, "severity": f.severity} for f in findings],
        },
        indent=2,
        ensure_ascii=False,
    )
