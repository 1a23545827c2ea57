"""How a claim fails: with its evidence and the command that repairs it, never with a traceback."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from contracts.cases import Case
from contracts.places import Place


def assert_nothing_found(place: Place, case: Case) -> None:
    """Fail when a finding that breaks the contract lies on a case."""
    verdict = place.verdict(case)
    if verdict.broken:
        pytest.fail(verdict.broken, pytrace=False)


def assert_behaves(prove: Callable[[Place, Case], None], place: Place, case: Case) -> None:
    """Fail when a claim is broken that only writing can prove; all that is written is rolled back."""
    from contracts.behaviour import Broken, NotApplicable  # hypothesis comes only where it is needed

    if place.session.writes == "none":
        pytest.skip("--writes none: nothing is written")
    place.verdict(case)  # the sequences are looked at before anything is written
    try:
        prove(place, case)
    except Broken as broken:
        reason, failed = str(broken), True
    except NotApplicable as excuse:
        reason, failed = str(excuse), False
    else:
        return
    if failed:
        pytest.fail(_with_repair(reason, place, case), pytrace=False)
    pytest.skip(reason)


def _with_repair(reason: str, place: Place, case: Case) -> str:
    """Add what the check found on the same table: it is the likely cause, and it says the repair."""
    causes = [place.verdict(each).broken for each in place.cases if each.table == case.table]
    found = list(dict.fromkeys(line for cause in causes for line in cause.splitlines()))
    found.sort(key=lambda line: line.startswith("repair: "))
    return "\n".join([reason, *found]) if found else f"{reason}\nno finding explains it: fixer cannot repair it"
