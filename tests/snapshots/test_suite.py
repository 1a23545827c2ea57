"""The suite of a rehearsal: it is imported before its database is there, and asks nothing of a project's own tests."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from fixer.snapshots import suite
from fixer.snapshots.throwaway import target_of
from lab.database import Database

TRADING = "contracts.trading:metadata"
PROJECT = """
[tool.pytest.ini_options]
required_plugins = ["pytest-that-nobody-has"]
filterwarnings = ["error"]
addopts = "--no-such-option"
"""


def ran(waiting: suite.Waiting | None, database: Database, contract: str = TRADING) -> suite.Outcome:
    assert waiting
    with closing(psycopg2.connect(database.dsn)) as connection:
        return waiting.run(target_of(connection), contract, "public")


def test_a_sound_database_passes(healthy: Database) -> None:
    with suite.waiting(wanted=True) as waiting:
        outcome = ran(waiting, healthy)

    assert (outcome.ok, " passed in " in outcome.said) == (True, True)


def test_items_that_fail_are_named(healthy: Database) -> None:
    healthy.run("ALTER TABLE paper_trades DROP CONSTRAINT paper_trades_user_id_fkey")
    with suite.waiting(wanted=True) as waiting:
        outcome = ran(waiting, healthy)

    assert "test_foreign_key_holds[paper_trades.user_id]" in outcome.failed
    assert " failed, " in outcome.said


def test_a_suite_that_cannot_begin_fails(healthy: Database) -> None:
    with suite.waiting(wanted=True) as waiting:
        outcome = ran(waiting, healthy, "no.such:metadata")

    assert not outcome.ok


def test_what_a_project_says_of_its_own_tests_does_not_hold(
    healthy: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    (tmp_path / "conftest.py").write_text("raise SystemExit(3)\n")
    (tmp_path / "plugin.py").write_text("raise SystemExit(3)\n")
    for name, value in {"PYTEST_ADDOPTS": "--nonsense", "PYTEST_PLUGINS": "plugin"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    with suite.waiting(wanted=True) as waiting:
        outcome = ran(waiting, healthy)

    assert (outcome.ok, " passed in " in outcome.said) == (True, True)


def test_it_ends_with_its_rehearsal() -> None:
    with suite.waiting(wanted=True) as waiting:
        assert waiting
        process = waiting._process

    assert process.poll() is not None


def test_none_waits_that_is_not_wanted() -> None:
    with suite.waiting(wanted=False) as waiting:
        assert waiting is None
