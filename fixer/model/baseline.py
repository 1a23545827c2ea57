"""What was found earlier: a baseline, which tells what is new, and what changed since a check."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any  # JSON

from fixer.model.finding import UNREADABLE, Finding
from fixer.model.values import dataclass

VERSION = 1
SEVERITIES = ("info", "warning", "error")  # the mildest first
ROLE_ONLY = "lost-grants"  # the class that only a check with a role finds


@dataclass(frozen=True)
class Known:
    """A finding of an earlier check; it holds no rows, which belong in no file of a project."""

    id: str
    slug: str
    point: int
    severity: str
    object: str
    message: str
    rows: int = 0

    @staticmethod
    def of(finding: Finding) -> Known:
        """Return what is kept of a finding."""
        f = finding
        return Known(f.id, f.slug, f.point, f.severity, f.object, f.message, f.rows)

    def covers(self, finding: Finding) -> bool:
        """Return whether it excuses a finding: not one that is worse by now."""
        return SEVERITIES.index(finding.severity) <= SEVERITIES.index(self.severity)


@dataclass(frozen=True)
class Baseline:
    """The findings of a check that a project knows of; whether rows were read `deep`, and the rights of which role."""

    contract: str
    findings: tuple[Known, ...] = ()
    deep: bool = False
    role: str | None = None
    file: str = ""

    @staticmethod
    def of(contract: str, findings: Iterable[Finding], *, deep: bool = False, role: str | None = None) -> Baseline:
        """Return the baseline of a check: all but what is accepted elsewhere, and what could not be read."""
        kept = [Known.of(f) for f in findings if not f.accepted and f.slug != UNREADABLE]
        return Baseline(contract, tuple(sorted(kept, key=lambda known: known.id)), deep, role)

    def marked(self, findings: Iterable[Finding]) -> tuple[Finding, ...]:
        """Return the findings, each with whether it is known, and how many rows it had."""
        by_id = {known.id: known for known in self.findings}
        return tuple(_marked(finding, by_id.get(finding.id)) for finding in findings)

    def gone(self, findings: Iterable[Finding], *, deep: bool, role: str | None) -> tuple[Known, ...]:
        """Return what is not found any more; nothing if this check does not look at all that the baseline did."""
        found = {finding.id for finding in findings}
        if self.deep and not deep:
            return ()
        return tuple(each for each in self.findings if each.id not in found and (role or each.slug != ROLE_ONLY))


def _marked(finding: Finding, known: Known | None) -> Finding:
    if known is None or not known.covers(finding):
        return replace(finding, known=False)
    return replace(finding, known=True, was=known.rows)


@dataclass(frozen=True)
class Changes:
    """What changed since an earlier check; `changed` are findings with other rows, each with the number it had."""

    new: tuple[Finding, ...] = ()
    gone: tuple[Known, ...] = ()
    changed: tuple[tuple[Finding, int], ...] = ()


def since(before: Sequence[Known], findings: Sequence[Finding]) -> Changes:
    """Return what changed from the findings of an earlier check to these."""
    by_id, found = {known.id: known for known in before}, {finding.id for finding in findings}
    new = tuple(f for f in findings if f.id not in by_id)
    gone = tuple(known for known in before if known.id not in found)
    changed = ((f, by_id[f.id].rows) for f in findings if f.id in by_id)
    return Changes(new, gone, tuple((f, was) for f, was in changed if was != f.rows))


# --- as JSON ----------------------------------------------------------------------------------------


def to_json(baseline: Baseline) -> dict[str, Any]:
    """Return a baseline as a JSON object."""
    return {
        "version": VERSION,
        "kind": "baseline",
        "contract": baseline.contract,
        "deep": baseline.deep,
        "role": baseline.role,
        "findings": [known_to_json(known) for known in baseline.findings],
    }


def known_to_json(known: Known) -> dict[str, Any]:
    """Return a finding of an earlier check as a JSON object."""
    return {name: getattr(known, name) for name in Known.__dataclass_fields__}


def known_from_json(kept: Mapping[str, Any]) -> Known:
    """Return the finding in a JSON object; raise KeyError, TypeError or ValueError if it holds none."""
    texts = {name: kept[name] for name in ("id", "slug", "severity", "object", "message")}
    numbers = {name: kept[name] for name in ("point", "rows")}
    if not all(isinstance(each, str) for each in texts.values()) or texts["severity"] not in SEVERITIES:
        raise ValueError("a finding with a text that is none")
    if not all(isinstance(each, int) and each >= 0 for each in numbers.values()):
        raise ValueError("a finding with a number that is none")
    return Known(**texts, **numbers)
