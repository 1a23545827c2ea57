"""The anchors of a page: those of findings stay the same from run to run, so that links to them keep working."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from fixer.model.finding import Finding
from fixer.model.table import QName


class Anchors:
    """The anchor of each finding and of each table of one page."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self._findings: dict[int, str] = {}
        taken = dict[str, int]()
        for finding in findings:
            name = _anchor(finding)
            taken[name] = number = taken.get(name, 0) + 1
            self._findings[id(finding)] = name if number == 1 else f"{name}-{number}"

    def finding(self, finding: Finding) -> str:
        """Return the anchor of a finding."""
        return self._findings[id(finding)]

    def named(self, finding: Finding) -> str:
        """Return the anchor of the finding of this name, which may be another value."""
        return _anchor(finding)

    def table(self, name: QName) -> str:
        """Return the anchor of a table."""
        return f"table-{hashlib.sha256(chr(0).join(name).encode('utf-8', 'surrogatepass')).hexdigest()[:12]}"


def _anchor(finding: Finding) -> str:
    return f"finding-{hashlib.sha256(finding.id.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}"
