"""The laws of snapshots: which snapshots each is about, and repairs with limited permission."""

from __future__ import annotations

from collections.abc import Callable

import fixer
from fixer.connect.snapshot import Snapshot
from fixer.connect.target import Target
from fixer.errors import NeedsPermission
from fixer.model.contract import Contract

Wanted = Callable[[Snapshot], bool]
Law = Callable[..., None]  # a test; its fixtures are what it needs

_WANTED: dict[Law, Wanted] = {}


def of(wanted: Wanted) -> Callable[[Law], Law]:
    """Return a decorator of laws that are about some snapshots only."""

    def mark(law: Law) -> Law:
        _WANTED[law] = wanted
        return law

    return mark


def is_for(law: Law, known: Snapshot) -> bool:
    """Return whether a law is about a snapshot."""
    return law not in _WANTED or _WANTED[law](known)


def permitted(target: Target, known: Snapshot, contract: Contract, hazards: str | tuple[str, ...]) -> bool:
    """Repair a snapshot, and return whether the fixer did so when only these hazards are allowed."""
    try:
        fixer.apply(target, contract, schema=known.schema, allow_hazards=hazards)
    except NeedsPermission:
        return False
    return True
