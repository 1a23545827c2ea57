"""JUnit: suites that GitLab and Jenkins read; that it is valid is checked wherever a test asks for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from lab.commands import APPLY
from lab.database import Database
from lab.process import fixer

TITLES = ["1 primary keys", "2 foreign keys", "3 default users", "4 structure", "5 operation"]


def suites_of(database: Database, place: Path, *words: object, command: str = "check", **options: Any) -> ET.Element:
    fixer(command, "-q", "--dsn", database.dsn, "-o", f"junit={place}/a.xml", *words, **options)
    return ET.parse(place / "a.xml").getroot()


def outcomes(suites: ET.Element) -> dict[str, str]:
    """Return what became of each case: passed, or the tag that says otherwise."""
    ends = ("failure", "error", "skipped")
    return {
        str(case.get("name")): next((each.tag for each in case if each.tag in ends), "passed")
        for case in suites.iter("testcase")
    }


def test_each_point_is_a_suite_and_each_finding_a_case_that_fails(broken: Database, tmp_path: Path) -> None:
    suites = suites_of(broken, tmp_path, "-o", f"json={tmp_path}/a.json")
    found = json.loads((tmp_path / "a.json").read_text())["findings"]

    assert [suite.get("name") for suite in suites] == TITLES
    assert outcomes(suites) == {each["id"]: "failure" for each in found}
    assert (suites.get("tests"), suites.get("failures"), suites.get("errors")) == ("8", "8", "0")
    assert sorted(each.get("type") or "" for each in suites.iter("failure")) == sorted(each["slug"] for each in found)


def test_each_point_that_holds_is_a_case_that_passes(healthy: Database, tmp_path: Path) -> None:
    assert outcomes(suites_of(healthy, tmp_path)) == {title[2:]: "passed" for title in TITLES}


def test_a_failure_has_the_rows_and_who_repairs_them(broken: Database, tmp_path: Path) -> None:
    texts = [
        each.text or "" for each in suites_of(broken, tmp_path).iter("failure") if each.get("type") == "orphan-rows"
    ]

    assert len(texts) == 1
    assert "7 rows (659/17, " in texts[0]
    assert "can be repaired with permission" in texts[0]


def test_what_one_lives_with_is_skipped_and_each_says_why(broken: Database, tmp_path: Path) -> None:
    baseline = tmp_path / "base.json"
    (tmp_path / "pyproject.toml").write_text(
        '[[tool.pgmend.accept]]\nfinding = "orphan-rows"\nreason = "they are old"\n'
    )
    fixer("check", "-q", "--dsn", broken.dsn, "--write-baseline", baseline, cwd=tmp_path)
    broken.run("ALTER TABLE users DROP full_name; ALTER TABLE users ALTER user_id DROP NOT NULL")
    suites = suites_of(broken, tmp_path, "--baseline", baseline, cwd=tmp_path)
    said = {
        str(case.get("name")): each.get("message") for case in suites.iter("testcase") for each in case.iter("skipped")
    }
    ends = outcomes(suites)

    assert said["orphan-rows:public.paper_trades.user_id"] == "accepted: they are old"
    assert said["missing-primary-key:public.users"] == f"known: {baseline} has it"
    assert [name for name, end in ends.items() if end == "failure"] == ["missing-column:public.users.full_name"]
    assert ends["rogue-not-null:public.users.user_id"] == "passed"
    assert ends["primary keys"] == "passed"


def test_a_warning_fails_only_if_one_says_so(healthy: Database, tmp_path: Path) -> None:
    healthy.run("CREATE RULE few AS ON DELETE TO paper_trades WHERE OLD.price > 0 DO INSTEAD NOTHING")
    name = "rogue-rule:public.paper_trades:few"

    assert outcomes(suites_of(healthy, tmp_path))[name] == "passed"
    assert outcomes(suites_of(healthy, tmp_path, "--fail-on", "warning"))[name] == "failure"


def test_more_rows_of_what_is_known_fail_where_a_warning_does(broken: Database, tmp_path: Path) -> None:
    baseline, name = tmp_path / "base.json", "orphan-rows:public.paper_trades.user_id"
    fixer("check", "-q", "--dsn", broken.dsn, "--write-baseline", baseline)
    broken.run("DELETE FROM users WHERE id IN (SELECT user_id FROM paper_trades LIMIT 3)")

    assert outcomes(suites_of(broken, tmp_path, "--baseline", baseline))[name] == "skipped"
    assert outcomes(suites_of(broken, tmp_path, "--baseline", baseline, "--fail-on", "warning"))[name] == "failure"


def test_names_that_xml_cannot_hold_are_spelt_otherwise(empty: Database, tmp_path: Path) -> None:
    empty.run("""CREATE TABLE "a\x01b ]]> <c> & ""d""" + '" (x integer)')
    suites = suites_of(empty, tmp_path, "--contract", "self")

    assert 'missing-primary-key:public.a\\x01b ]]> <c> & "d' in outcomes(suites)


def test_a_plan_has_its_steps_and_an_apply_those_that_it_did(broken: Database, tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    planned = suites_of(broken, tmp_path, "-o", file, command="plan")
    steps = [f"{step['number']} {step['title']}" for step in json.loads(file.read_text())["steps"]]
    done = fixer(*APPLY, file, "--format", "junit", "--dsn", broken.dsn)
    applied = ET.fromstring(done.stdout)

    assert [each.get("name") for each in planned.findall("testsuite[@name='plan']/testcase")] == steps
    assert [each.get("name") for each in applied.findall("testsuite[@name='steps']/testcase")] == steps
    assert (done.returncode, applied.get("failures")) == (0, "0")


def test_an_apply_that_was_not_allowed_passes_no_point(broken: Database, tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    fixer("plan", "-q", "--dsn", broken.dsn, "-o", file)
    for words in ((), (file,)):  # a plan of a file does not say what was found
        ended = fixer("apply", *words, "--yes", "--format", "junit", "--dsn", broken.dsn)
        ends = outcomes(ET.fromstring(ended.stdout))

        assert (ended.returncode, ends["apply"]) == (1, "failure")
        assert {title[2:] for title in TITLES} & set(ends) == set()


def test_a_command_that_could_not_work_is_a_case_with_an_error() -> None:
    ended = fixer("check", "--dsn", "postgresql://u:hunter2@127.0.0.1:1/d", "--format", "junit")
    suites = ET.fromstring(ended.stdout)

    assert (ended.returncode, outcomes(suites), suites.get("errors")) == (2, {"check": "error"}, "1")
    assert "hunter2" not in ended.stdout
