"""check, as users run it: its exit code and what it prints."""

from __future__ import annotations

from lab.database import Database
from lab.process import fixer


def test_check_exits_0_where_the_contract_holds(healthy: Database) -> None:
    ended = fixer("check", "--dsn", healthy.dsn)

    assert (ended.returncode, ended.stderr) == (0, "")


def test_a_backslash_is_a_backslash_whatever_the_database_says(broken: Database, healthy: Database) -> None:
    for database in (broken, healthy):
        database.run(f"ALTER DATABASE {database.name} SET standard_conforming_strings = off")
    repaired = fixer("apply", "--yes", "-q", "--allow-hazards", "all", "--dsn", broken.dsn)

    assert (repaired.returncode, repaired.stderr) == (0, "")
    assert [fixer("check", "-q", "--dsn", each.dsn).returncode for each in (broken, healthy)] == [0, 0]


def test_check_exits_1_where_it_finds_something(broken: Database) -> None:
    ended = fixer("check", "--dsn", broken.dsn)

    assert (ended.returncode, ended.stderr) == (1, "")


def test_check_changes_nothing(broken: Database) -> None:
    before = broken.dump()
    fixer("check", "--deep", "--dsn", broken.dsn)

    assert before == broken.dump()
