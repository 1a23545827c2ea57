"""check, as users run it: its exit code and what it prints."""

from __future__ import annotations

import json
import re

import pytest

from fixer import snapshot
from lab.database import STORY, Database
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


def test_check_names_the_five_points_and_what_is_wrong_with_each(broken: Database) -> None:
    printed = fixer("check", "--dsn", broken.dsn).stdout

    assert re.findall(r"^  ([✓✗] \d) ", printed, re.MULTILINE) == ["✗ 1", "✗ 2", "✗ 3", "✗ 4", "✗ 5"]


def test_check_changes_nothing(broken: Database) -> None:
    before = broken.dump()
    fixer("check", "--deep", "--dsn", broken.dsn)

    assert before == broken.dump()


def test_json_of_check_has_the_keys_that_pipelines_lean_on(broken: Database) -> None:
    answer = json.loads(fixer("check", "--format", "json", "--dsn", broken.dsn).stdout)
    finding = "slug point severity object message rows sample repair"

    assert (
        {"version", "target", "contract", "ok", "points", "findings"},
        {frozenset(["point", "title", "ok"])},
        {frozenset(finding.split())},
    ) == (set(answer), set(map(frozenset, answer["points"])), set(map(frozenset, answer["findings"])))


def test_json_of_check_says_what_the_snapshot_declares(broken: Database) -> None:
    answer = json.loads(fixer("check", "--format", "json", "--dsn", broken.dsn).stdout)

    assert snapshot.find()[STORY].findings == {
        found["slug"] for found in answer["findings"] if found["severity"] == "error"
    }


def test_json_survives_quiet(healthy: Database) -> None:
    assert json.loads(fixer("check", "-q", "--format", "json", "--dsn", healthy.dsn).stdout)["ok"]


def test_quiet_leaves_only_the_exit_code(broken: Database) -> None:
    ended = fixer("check", "-q", "--dsn", broken.dsn)

    assert (ended.returncode, ended.stdout, ended.stderr) == (1, "", "")


@pytest.mark.parametrize(("words", "env"), [(["--no-color"], {}), ([], {"NO_COLOR": "1"})], ids=["flag", "variable"])
def test_colour_is_left_out_where_it_is_not_wanted(broken: Database, words: list[str], env: dict[str, str]) -> None:
    printed = fixer(
        "check", *words, "--dsn", broken.dsn, env={"FORCE_COLOR": "1", "TERM": "xterm-256color", **env}
    ).stdout

    assert not re.findall(r"\x1b\[[\d;]*3\dm", printed)
