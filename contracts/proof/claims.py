"""Fails a claim with its evidence and the command that repairs it, without a traceback."""

from __future__ import annotations

from collections.abc import Callable, Sequence

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
    if verdict.known:
        pytest.skip(f"{_KNOWN}: {verdict.known}")


def assert_behaves(prove: Callable[[Place, Case], None], place: Place, case: Case) -> None:
    """Prove a claim by writing, which is rolled back; fail where the claim is broken."""
    from contracts.proof.trials import Broken, NotApplicable  # hypothesis comes only where it is needed

    if place.shared.options.writes == "none":
        pytest.skip("--writes none: nothing is written")
    if refused := _refused(place, case):
        pytest.skip(refused)
    place.verdict(case)  # the check reads the sequences before anything is written
    try:
        prove(place, case)
    except Broken as broken:
        reason, failed = str(broken), True
    except NotApplicable as excuse:
        reason, failed = str(excuse), False
    else:
        return
    if failed and (excuse_ := _accepted(place, case) or _known(place, case)):
        pytest.skip(f"{excuse_}: {reason}")
    if failed:
        pytest.fail(_with_repair(reason, place, case), pytrace=False)
    pytest.skip(reason)


def _refused(place: Place, case: Case) -> str:
    """Return which table has a part that PostgreSQL refuses to make, so that nobody knows which rows it takes."""
    tables = _ancestry(place, case) if place.contract.refused else set()
    lacking = next((each for each in place.contract.refused if each.table in tables), None)
    return f"PostgreSQL refuses a part of {lacking.table.name} [refused-definition]" if lacking else ""


def _accepted(place: Place, case: Case) -> str:
    """Return what the project lives with that a case may show: on its columns; if it has none, on all its rows need.

    What lets in more rows than it should refuses no good one.
    """
    tables = {case.table} if case.columns else _ancestry(place, case)
    near = [each for each in place.cases if each.table in tables]
    near = [each for each in near if not (case.columns and each.columns) or {*case.columns} & {*each.columns}]
    found = (each for case_ in near for each in place.verdict(case_).accepted)
    return next((words for slug, words in found if case.columns or slug not in _LAX), "")


def _known(place: Place, case: Case) -> str:
    """Return that the baseline knows of something on the table of a case or on one that its rows refer to."""
    tables = _ancestry(place, case)
    found = (place.verdict(each).known for each in place.cases if each.table in tables)
    return next((f"{_KNOWN}: {words}" for words in found if words), "")


_KNOWN = "known by the baseline"
_LAX = tuple(f"missing-{kind}" for kind in ("check", "exclusion", "foreign-key", "index", "not-null", "unique"))


def _with_repair(reason: str, place: Place, case: Case) -> str:
    """Return the evidence with the findings on the table and its parents: likely causes, and the repair."""
    tables = _ancestry(place, case)
    verdicts = [place.verdict(each) for each in place.cases if each.table in tables]
    found = list(dict.fromkeys(line for verdict in verdicts for line in verdict.broken.splitlines()))
    notes = list(dict.fromkeys(note for verdict in verdicts for note in verdict.notes))
    acting = list(dict.fromkeys(name for verdict in verdicts for name in verdict.acting))
    acts = [f"what acts on its rows, or on those of its parents: {', '.join(acting)}"] if acting else []
    repairs = [line for line in found if line.startswith("repair: ")]
    others = [line for line in found if line not in repairs]
    if not found:
        return "\n".join([reason, *(_shortened(notes) or [_UNEXPLAINED]), *acts])
    return "\n".join([reason, *_shortened(others), *acts, *repairs])


_UNEXPLAINED = "no finding explains it, so the fixer cannot repair it"


def _shortened(lines: Sequence[str]) -> list[str]:
    """Return the first lines, and how many more there are."""
    more = [f"and {len(lines) - CAUSES} more findings"] if len(lines) > CAUSES else []
    return [*lines[:CAUSES], *more]


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
