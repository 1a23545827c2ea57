"""Makes the items of the contract suite: one for each claim, database and object."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import psycopg2
import pytest

from contracts import chosen
from contracts.plugin import session_of
from contracts.proof.cases import Case
from contracts.proof.databases.place import Place
from contracts.proof.databases.session import bound
from contracts.proof.snapshots import is_for
from contracts.summary import NOTE, POINT, TARGET
from fixer.connect.redact import redact
from fixer.errors import PgmendError

HERE = Path(__file__).parent


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Parametrize a claim with its cases, or a law of snapshots with its snapshots."""
    try:
        parameters = _parameters(metafunc)
    except (PgmendError, psycopg2.Error) as error:
        refusal = pytest.Collector.CollectError(redact(str(error).strip()))
    else:
        if parameters is not None:
            empty = [(None,) * len(parameters.names)]
            metafunc.parametrize(parameters.names, parameters.values or empty, ids=parameters.ids or [chosen.EMPTY])
        return
    raise refusal


@dataclass(frozen=True)
class _Parameters:
    """The parameters of one test function, and the names of its items."""

    names: tuple[str, ...]
    values: list[tuple[object, ...]]
    ids: list[str]


def _parameters(metafunc: pytest.Metafunc) -> _Parameters | None:
    session = session_of(metafunc.config)
    if "case" in metafunc.fixturenames:
        claim = metafunc.function.__name__.removeprefix("test_")
        pairs = list(bound(session.places, claim))
        ids = [f"{place.label}-{case.name}" if place.label else case.name for place, case in pairs]
        return _Parameters(("place", "case"), [*pairs], ids)
    if "known" in metafunc.fixturenames:
        fitting = [known for known in session.snapshots if is_for(metafunc.function, known)]
        return _Parameters(("known",), [(known,) for known in fitting], [known.name for known in fitting])
    return None


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Generator[None]:
    """Note on each item its point and its target; drop the functions without a case, once options chose among all."""
    ours = [item for item in items if HERE in item.path.parents]
    for item in ours:
        found = _bound(item)
        if found is not None:
            place, case = found
            item.user_properties += [(POINT, case.point), (TARGET, place.title)]
    yield
    if ours:
        covered = {case.point for place in session_of(config).places for case in place.cases}
        chosen.note(config, (item for item in items if HERE in item.path.parents), covered)
    items[:] = [item for item in items if not chosen.stands_for_none(item)]


def _bound(item: pytest.Item) -> tuple[Place, Case] | None:
    """Return the case of an item and where it is proved; None for an item without a case."""
    if not isinstance(item, pytest.Function) or not hasattr(item, "callspec"):  # pytest sets it where it has values
        return None
    place, case = item.callspec.params.get("place"), item.callspec.params.get("case")
    return (place, case) if isinstance(place, Place) and isinstance(case, Case) else None


@pytest.fixture(autouse=True)
def _noted(request: pytest.FixtureRequest) -> None:
    """Note on the item the findings that break nothing."""
    found = _bound(request.node)
    if found is not None:
        place, case = found
        request.node.user_properties += [(NOTE, note) for note in place.verdict(case).notes]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Report an error of the database or of pgmend in one sentence, without a traceback and without a password."""
    report = yield
    if HERE in item.path.parents and call.excinfo and isinstance(call.excinfo.value, PgmendError | psycopg2.Error):
        report.longrepr = redact(str(call.excinfo.value).strip())
    return report
