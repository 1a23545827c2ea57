"""One laboratory for a session: servers that xdist's workers share, and sound databases to copy."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from functools import partial
from typing import Any

import pytest
from laws import Laboratory


def pytest_configure(config: pytest.Config) -> None:
    """Let what tests start hear Ctrl-C, which a shell keeps from all that it starts in the background.

    Where no bytecode is to be written, it keeps what it compiles for this session, so that no two processes of the
    session compile the same.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if os.environ.pop("PYTHONDONTWRITEBYTECODE", ""):
        os.environ["PYTHONPYCACHEPREFIX"] = tempfile.mkdtemp(prefix="pgmend-bytecode-")
        config.add_cleanup(partial(shutil.rmtree, os.environ["PYTHONPYCACHEPREFIX"], ignore_errors=True))


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
