"""Leaves out what a person chose to skip, and what depends on it: what shares a column, or a whole table, with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from fixer.compare.feasibility import columns_of
from fixer.model.choice import EVERYTHING, Choice
from fixer.model.finding import Finding
from fixer.model.table import ForeignKey, QName

_Place = tuple[QName, str | None]  # a column, or a whole table


def left_out(found: Sequence[Finding], before: Sequence[Finding], choice: Choice) -> list[Finding]:
    """Return the findings, those of `found` with the reason that are left out; `before` were found earlier."""
    if choice == EVERYTHING:
        return list(found)
    chosen = [replace(f, left_out="it is left out by choice") if choice.leaves_out(f) else f for f in found]
    grown = True
    while grown:
        held = [finding for finding in (*before, *chosen) if finding.left_out and finding.breaks]
        now = [_held(finding, held) for finding in chosen]
        grown, chosen = now != chosen, now
    return chosen


def _held(finding: Finding, held: Sequence[Finding]) -> Finding:
    """Return the finding, left out if it depends on one that is held."""
    if finding.left_out:
        return finding
    cause = next((each for each in held if _depends(finding, each)), None)
    return replace(finding, left_out=f"it depends on {cause.slug}:{cause.object}") if cause else finding


def _depends(finding: Finding, cause: Finding) -> bool:
    """Return whether the repair of one may need that of the other."""
    return any(
        table == other and (column == another or None in (column, another))
        for table, column in _places(finding)
        for other, another in _places(cause)
    )


def _places(finding: Finding) -> Iterator[_Place]:
    """Yield what a finding is about: columns, or its table if it names none; for a foreign key also what it points at.

    The rows that it moves may lie elsewhere, which the end of a run proves.
    """
    part = finding.part
    columns = set(part) if isinstance(part, Mapping) else {each for c in columns_of(finding) for each in c.split(",")}
    yield from ((finding.table, column) for column in columns or (None,))
    if isinstance(part, ForeignKey):
        yield from ((part.target, column) for column in part.target_columns)
