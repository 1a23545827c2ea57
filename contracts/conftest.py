"""Makes the items of the contract suite: each claim once for each place and object."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from contracts.plugin import NOTE, POINT, TARGET, session_of
from contracts.proof.databases.session import bound
from fixer.connect.redact import redact
from fixer.errors import PgmendError

HERE = Path(__file__).parent
_EMPTY = "pgmend-nothing"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give a claim its cases, or a law of snapshots its snapshots."""
    try:
        parameters = _parameters(metafunc)
    except (PgmendError, psycopg2.Error) as error:
        refusal = pytest.Collector.CollectError(redact(str(error).strip()))
    else:
        if parameters is not None:
            name, values, ids = parameters
            metafunc.parametrize(name, values or [None], ids=ids or [_EMPTY])
        return
    raise refusal


def _parameters(metafunc: pytest.Metafunc) -> tuple[str | tuple[str, str], list[Any], list[str]] | None:
    session = session_of(metafunc.config)
    if "case" in metafunc.fixturenames:
        claim = metafunc.function.__name__.removeprefix("test_")
        pairs = list(bound(session.places, claim))
        ids = [f"{place.label}-{case.name}" if place.label else case.name for place, case in pairs]
        return ("place", "case"), pairs or [(None, None)], ids
    if "known" in metafunc.fixturenames:
        wanted = metafunc.function.__dict__.get("snapshots", lambda known: True)
        chosen = [known for known in session.snapshots if wanted(known)]
        return "known", list(chosen), [known.name for known in chosen]
    return None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what has no case here, and write on each item where it belongs."""
    items[:] = [item for item in items if not item.name.endswith(f"[{_EMPTY}]")]
    for item in items:
        case = getattr(item, "callspec", None) and item.callspec.params.get("case")  # type: ignore[attr-defined]
        if case is not None and HERE in item.path.parents:
            place = item.callspec.params["place"]  # type: ignore[attr-defined]
            item.user_properties += [(POINT, case.point), (TARGET, place.title)]


@pytest.fixture(autouse=True)
def _noted(request: pytest.FixtureRequest) -> None:
    """Write on the item what is worth knowing and breaks nothing."""
    params = getattr(getattr(request.node, "callspec", None), "params", {})
    if params.get("case") is not None:
        request.node.user_properties += [(NOTE, note) for note in params["place"].verdict(params["case"]).notes]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """Let what could not be done be said in one sentence, without a traceback and without a password."""
    report: Any = yield
    if HERE in item.path.parents and call.excinfo and isinstance(call.excinfo.value, PgmendError | psycopg2.Error):
        report.longrepr = redact(str(call.excinfo.value).strip())
    return report
