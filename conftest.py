"""Loads the plugin in a checkout that is not installed, and keeps our own tests out of a run on a target."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path

import pytest

if not any(each.value == "fixer.cli.pytest_entry" for each in entry_points(group="pytest11")):
    pytest_plugins = ["contracts.plugin"]

pytest.register_assert_rewrite("lab")  # its asserts explain themselves, as those of the tests do

TESTS = Path(__file__).parent / "tests"


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """A bare `pytest --dsn=…` proves the target and nothing else."""
    named = config.getoption("pgmend_dsn") or config.getoption("pgmend_dsn_file")
    bare = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    return True if named and bare and TESTS in collection_path.parents else None
