"""Tells findings of one report apart, so that no two of them share an id.

A class says itself, by an aspect, which of several findings about one object it is. What several classes have in common
is said here: a foreign key whose columns have another one as well. Should findings still share an id, a digest of what
they say tells them apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from fixer.model.contract import Contract
from fixer.model.expression.digest import sha256
from fixer.model.finding import Finding
from fixer.model.table import ForeignKey

MARK = "#"  # begins what only a digest could tell apart


def told_apart(findings: Sequence[Finding], contract: Contract, others: Iterable[Finding] = ()) -> tuple[Finding, ...]:
    """Return the findings, none of which has the id of another one of them, or of the `others`."""
    named = [_by_key(finding, contract) for finding in findings]
    taken = Counter(each.id for each in (*others, *named))
    said = [_by_words(each) if taken[each.id] > 1 else each for each in named]
    return tuple(_by_number(said)) if len({each.id for each in said}) < len(said) else tuple(said)


def _by_key(finding: Finding, contract: Contract) -> Finding:
    """Return the finding with the name of its foreign key, if the contract wants several on the same columns."""
    part, table = finding.part, contract.tables.get(finding.table)
    if not isinstance(part, ForeignKey) or table is None:
        return finding
    alike = [key for key in table.foreign_keys if key.columns == part.columns]
    aspects = filter(None, (part.name, finding.aspect))
    return replace(finding, aspect=":".join(aspects)) if len(alike) > 1 else finding


def _by_words(finding: Finding) -> Finding:
    digest = sha256(finding.message)[:8]
    return replace(finding, aspect=f"{finding.aspect}{MARK}{digest}")


def _by_number(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Yield the findings; those that say the very same of one object, so that any may be the first, get a number."""
    seen = Counter[str]()
    for finding in findings:
        seen[finding.id] += 1
        number = seen[finding.id]
        yield finding if number == 1 else replace(finding, aspect=f"{finding.aspect}.{number}")
