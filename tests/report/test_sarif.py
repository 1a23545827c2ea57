"""SARIF: what code scanning needs of it; that it is valid is checked wherever a test asks for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fixer import defects
from fixer.connect.servers import Server
from lab.commands import APPLY
from lab.database import STORY, Database, lent
from lab.process import fixer

SELF = {"PGMEND_CONTRACT": "self"}
ORPHAN = (
    "INSERT INTO paper_trades (user_id, symbol, action, quantity, price)"
    " SELECT 99999, symbol, action, quantity, price FROM paper_trades LIMIT 3"
)


def run_of(database: Database, place: Path, *words: object, **options: Any) -> dict[str, Any]:
    """Check a database, and return the one run of its log."""
    fixer("check", "-q", "--dsn", database.dsn, "-o", f"sarif={place}/a.sarif", *words, **options)
    log = json.loads((place / "a.sarif").read_text(encoding="utf-8"))
    assert (log["version"], len(log["runs"])) == ("2.1.0", 1)
    run: dict[str, Any] = log["runs"][0]
    return run


def fingerprints(run: dict[str, Any]) -> dict[str, str]:
    return {each["properties"]["id"]: each["partialFingerprints"]["pgmend/v1"] for each in run["results"]}


def test_each_class_is_a_rule_and_each_finding_a_result(broken: Database, tmp_path: Path) -> None:
    run = run_of(broken, tmp_path, "-o", f"json={tmp_path}/a.json")
    found = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))["findings"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]

    assert set(rules) == {*defects.by_slug(), "unreadable-rows"}
    assert [(each["ruleId"], each["level"], each["properties"]["id"]) for each in run["results"]] == [
        (each["slug"], each["severity"], each["id"]) for each in found
    ]
    assert [rules[each["ruleIndex"]] for each in run["results"]] == [each["slug"] for each in found]
    assert run["invocations"][0]["executionSuccessful"]
    assert run["invocations"][0]["exitCode"] == 1


def test_a_rule_says_what_github_shows(broken: Database, tmp_path: Path) -> None:
    rules = run_of(broken, tmp_path)["tool"]["driver"]["rules"]
    texts = [rule[key]["text"] for rule in rules for key in ("shortDescription", "fullDescription", "help")]

    assert [text for text in texts if not text] == []
    assert max(len(rule[key]["text"]) for rule in rules for key in ("shortDescription", "fullDescription")) <= 1024
    assert [rule["id"] for rule in rules if "**The cure**: \n" in rule["help"]["markdown"]] == []


def test_fingerprints_stay_from_run_to_run_and_on_another_database(
    broken: Database, server: Server, tmp_path: Path
) -> None:
    first = fingerprints(run_of(broken, tmp_path))
    with lent(server, STORY) as other:
        other.run(ORPHAN)
        assert fingerprints(run_of(other, tmp_path)) == first

    assert len(set(first.values())) == len(first)


def test_a_result_stands_at_an_object_and_in_the_file_of_the_contract(broken: Database, tmp_path: Path) -> None:
    results = run_of(broken, tmp_path)["results"]
    location = next(each["locations"][0] for each in results if each["ruleId"] == "missing-generator")

    assert [(each["kind"], each["fullyQualifiedName"]) for each in location["logicalLocations"]] == [
        ("column", "public.users.id"),
        ("table", "public.users"),
        ("schema", "public"),
    ]
    artifact = location["physicalLocation"]["artifactLocation"]
    assert artifact == {"uri": "contracts/trading.py", "uriBaseId": "%SRCROOT%"}


@pytest.mark.parametrize(
    ("files", "contract", "expected"),
    [
        ({"db/a club.sql": "CREATE TABLE clubs (id integer PRIMARY KEY);"}, "db/a club.sql", "db/a%20club.sql"),
        ({"pyproject.toml": "[project]\n"}, "self", "pyproject.toml"),
        ({}, "self", "database/public.lonely"),
    ],
    ids=["a file of SQL", "a project", "nothing"],
)  # fmt: skip
def test_the_file_of_a_result_is_the_best_there_is(
    empty: Database, tmp_path: Path, files: dict[str, str], contract: str, expected: str
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    empty.run("CREATE TABLE lonely (x integer)")
    results = run_of(empty, tmp_path, "--contract", contract, cwd=tmp_path)["results"]

    assert {each["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for each in results} == {expected}


def test_what_is_accepted_is_suppressed_and_not_dropped(broken: Database, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        '[[tool.pgmend.accept]]\nfinding = "orphan-rows:paper_trades.user_id"\nreason = "they are old"\n'
        '[[tool.pgmend.accept]]\nfinding = "missing-check:users.nothing"\nreason = "gone"\n'
    )
    run = run_of(broken, tmp_path, cwd=tmp_path)
    suppressed = {each["ruleId"]: each["suppressions"] for each in run["results"] if each["suppressions"]}

    assert suppressed == {"orphan-rows": [{"kind": "external", "status": "accepted", "justification": "they are old"}]}
    notes = run["invocations"][0]["toolConfigurationNotifications"]
    assert ["missing-check:users.nothing" in each["message"]["text"] for each in notes] == [True]


def test_each_result_says_whether_the_baseline_has_it(broken: Database, tmp_path: Path) -> None:
    baseline = tmp_path / "base.json"
    fixer("check", "-q", "--dsn", broken.dsn, "--write-baseline", baseline)
    broken.run(f"{ORPHAN}; ALTER TABLE users DROP full_name; ALTER TABLE users ALTER user_id DROP NOT NULL")
    run = run_of(broken, tmp_path, "--baseline", baseline)
    states = {each["ruleId"]: each["baselineState"] for each in run["results"]}

    assert {slug: states[slug] for slug in ("missing-column", "missing-unique", "orphan-rows", "rogue-not-null")} == {
        "missing-column": "new",
        "missing-unique": "unchanged",
        "orphan-rows": "updated",
        "rogue-not-null": "absent",
    }
    absent = next(each for each in run["results"] if each["baselineState"] == "absent")
    assert (absent["kind"], absent["level"]) == ("pass", "none")
    assert not any("suppressions" in each for each in run["results"])


def test_a_plan_and_an_apply_have_findings_and_steps(broken: Database, tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    fixer("plan", "-q", "--dsn", broken.dsn, "-o", file, "-o", f"sarif={tmp_path}/plan.sarif")
    fixer(*APPLY, file, "-q", "--dsn", broken.dsn, "-o", f"sarif={tmp_path}/b.sarif")
    planned, done = (json.loads((tmp_path / name).read_text())["runs"][0] for name in ("plan.sarif", "b.sarif"))
    steps = [step["number"] for step in json.loads(file.read_text())["steps"]]

    assert [step["number"] for step in planned["properties"]["steps"]] == steps
    assert [step["number"] for step in done["properties"]["steps"]] == steps
    assert "missing-primary-key" in {each["ruleId"] for each in planned["results"]}
    assert (done["properties"]["run"], done["properties"]["ok"]) == (1, True)
    assert [each["ruleId"] for each in done["results"] if each["level"] == "error"] == []


def test_a_check_that_could_not_work_says_so_without_a_password(tmp_path: Path) -> None:
    dsn = "postgresql://u:hunter2@127.0.0.1:1/d"
    ended = fixer("check", "--dsn", dsn, "--format", "sarif")
    run = json.loads(ended.stdout)["runs"][0]

    assert (ended.returncode, run["results"]) == (2, [])
    assert not run["invocations"][0]["executionSuccessful"]
    assert "refused" in run["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"]
    assert "hunter2" not in ended.stdout
