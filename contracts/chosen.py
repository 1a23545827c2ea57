"""What the options of pytest leave of the suite: nothing at all, or points for which the contract has nothing.

With xdist the workers know that, and the process that ends the session is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any  # what xdist hands over

import pytest

from contracts.summary import TITLES, Chosen

EMPTY = "pgmend-nothing"  # the name in brackets of an item that stands for a claim without a case
_KEY: pytest.StashKey[Chosen] = pytest.StashKey()
_OUTPUT = "pgmend_chosen"  # what a worker of xdist sends


def stands_for_none(item: pytest.Item) -> bool:
    """Return whether an item stands for a claim that has no case here."""
    return item.name.endswith(f"[{EMPTY}]")


def points(items: Iterable[pytest.Item]) -> set[int]:
    """Return the points that items prove."""
    marks = {mark.name for item in items for mark in item.iter_markers()}
    return {number for number in TITLES if f"point{number}" in marks}


def note(config: pytest.Config, left: Iterable[pytest.Item], covered: Iterable[int]) -> None:
    """Note what is left of the items of the suite; the contract has something for the `covered` points."""
    left, barren = list(left), {*TITLES} - {*covered}
    nothing = all(map(stands_for_none, left))
    alone = points(left) if nothing and points(left) <= barren else set[int]()
    config.stash[_KEY] = Chosen(tuple(sorted(barren)), tuple(sorted(alone)), nothing)
    if hasattr(config, "workeroutput"):  # xdist sets it, on its workers only
        config.workeroutput[_OUTPUT] = [[*sorted(barren)], [*sorted(alone)], nothing]


def receive(config: pytest.Config, output: Mapping[str, Any]) -> None:
    """Note what a worker of xdist sent, if it came so far."""
    if found := output.get(_OUTPUT):
        barren, alone, nothing = found
        config.stash[_KEY] = Chosen(tuple(barren), tuple(alone), nothing)


def of(config: pytest.Config) -> Chosen:
    """Return what is left of the suite."""
    return config.stash.get(_KEY, Chosen())
