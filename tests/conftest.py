"""One laboratory for a session: servers that xdist's workers share, and sound databases to copy."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest
from laws import Laboratory


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
