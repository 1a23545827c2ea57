"""Fails a claim with its evidence and the command that repairs it, without a traceback."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from contracts.proof.cases import Case
from contracts.proof.databases.place import Place
from fixer.model.table import QName

CAUSES = 6  # findings that a failure shows beside its own evidence


def assert_nothing_found(place: Place, case: Case) -> None:
    """Fail where the check found that a case breaks the contract."""
    verdict = place.verdict(case)
    if verdict.broken:
        pytest.fail(verdict.broken, pytrace=False)


def assert_behaves(prove: Callable[[Place, Case], None], place: Place, case: Case) -> None:
    """Prove a claim by writing, which is rolled back; fail where the claim is broken."""
    from contracts.proof.trials import Broken, NotApplicable  # hypothesis comes only where it is needed

    if place.shared.options.writes == "none":
        pytest.skip("--writes none: nothing is written")
    place.verdict(case)  # the check reads the sequences before anything is written
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
    """Return the evidence with the findings on the table and its parents: likely causes, and the repair."""
    tables = _ancestry(place, case)
    causes = [place.verdict(each).broken for each in place.cases if each.table in tables]
    found = list(dict.fromkeys(line for cause in causes for line in cause.splitlines()))
    repairs = [line for line in found if line.startswith("repair: ")]
    others = [line for line in found if line not in repairs]
    if not found:
        return f"{reason}\nno finding explains it, so the fixer cannot repair it"
    more = [f"and {len(others) - CAUSES} more findings"] if len(others) > CAUSES else []
    return "\n".join([reason, *others[:CAUSES], *more, *repairs])


def _ancestry(place: Place, case: Case) -> set[QName]:
    """Return the table of a case and all that its rows refer to."""
    tables, waiting = {case.table}, [case.table]
    contract = place.contract
    while waiting:
        for key in contract.tables[waiting.pop()].foreign_keys:
            if key.target not in tables and key.target in contract.tables:
                tables.add(key.target)
                waiting.append(key.target)
    return tables
