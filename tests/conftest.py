"""One laboratory for a session, whose servers xdist's workers share; and databases that are lent from them."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import tempfile
from collections.abc import Generator, Iterator
from functools import partial
from typing import Any

import pytest

from fixer.connect.servers import Server
from lab.database import HEALTHY, STORY, Database, lent
from lab.laboratory import Laboratory


def pytest_configure(config: pytest.Config) -> None:
    """Let what tests start hear Ctrl-C, which a shell keeps from all that it starts in the background.

    Where no bytecode is to be written, it keeps what it compiles for this session, so that no two processes of the
    session compile the same.
    """
    gc.set_threshold(50_000, 20, 100)  # what tests make is mostly gone by itself, and the collector walks what stays
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if os.environ.pop("PYTHONDONTWRITEBYTECODE", ""):
        os.environ["PYTHONPYCACHEPREFIX"] = tempfile.mkdtemp(prefix="pgmend-bytecode-")
        config.add_cleanup(partial(shutil.rmtree, os.environ["PYTHONPYCACHEPREFIX"], ignore_errors=True))


@pytest.hookimpl(optionalhook=True, wrapper=True)
def pytest_xdist_auto_num_workers() -> Generator[None, int, int]:
    """Let three workers share two processors: a test waits a part of its time for servers, locks and commands."""
    processors = yield
    return processors if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ else processors + (processors + 1) // 2


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give each worker tests that stand together, which share what a module makes; it may take some of another's."""
    if config.getvalue("dist") != "load":
        return None
    from xdist.scheduler import WorkStealingScheduling

    return WorkStealingScheduling(config, log)


@pytest.fixture(scope="session")
def laboratory(tmp_path_factory: pytest.TempPathFactory) -> Laboratory:
    """Return the laboratory of all workers; its servers end with the process that runs the session."""
    base, worker = tmp_path_factory.getbasetemp(), "PYTEST_XDIST_WORKER" in os.environ
    return Laboratory(base.parent if worker else base, os.getppid() if worker else os.getpid())


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
