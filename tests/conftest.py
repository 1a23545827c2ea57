"""One laboratory for a session, whose servers xdist's workers share; and databases that are lent from them."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from fixer.connect.servers import Server
from lab.database import HEALTHY, STORY, Database, lent
from lab.laboratory import Laboratory


def pytest_configure() -> None:
    """Let what tests start hear Ctrl-C, which a shell keeps from all that it starts in the background."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def laboratory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laboratory]:
    """Give the servers, the same ones to every worker; they end with the process that runs the session."""
    base, worker = tmp_path_factory.getbasetemp(), "PYTEST_XDIST_WORKER" in os.environ
    laboratory = Laboratory(base.parent if worker else base, os.getppid() if worker else os.getpid())
    yield laboratory
    laboratory.clear()


@pytest.fixture
def server(laboratory: Laboratory) -> Server:
    return laboratory.server(18)


@pytest.fixture
def broken(server: Server) -> Iterator[Database]:
    with lent(server, STORY) as database:
        yield database


@pytest.fixture
def healthy(server: Server) -> Iterator[Database]:
    with lent(server, HEALTHY) as database:
        yield database


@pytest.fixture
def empty(server: Server) -> Iterator[Database]:
    with lent(server, None) as database:
        yield database
