"""check as a gate: only what is new fails; what is known, accepted and gone stays apart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lab.commands import APPLY
from lab.database import Database, lent, role
from lab.documents import breaches_of
from lab.laboratory import Laboratory
from lab.process import cramped, fixer

ORPHANS = (
    "INSERT INTO paper_trades (user_id, symbol, action, quantity, price)"
    " SELECT 99999, symbol, action, quantity, price FROM paper_trades LIMIT 3"
)
NEW = "ALTER TABLE users DROP full_name"
GONE = "ALTER TABLE users ALTER user_id DROP NOT NULL"
WARNING = "CREATE RULE few AS ON DELETE TO paper_trades WHERE OLD.price > 0 DO INSTEAD NOTHING"


def check(database: Database, *words: object, **options: Any) -> tuple[int, dict[str, Any]]:
    """Check a database; return the exit code and the document."""
    ended = fixer("check", "-q", "--format", "json", "--dsn", database.dsn, *words, **options)
    assert ended.stderr == ""
    return ended.returncode, json.loads(ended.stdout)


def written(database: Database, place: Path, *words: object, **options: Any) -> Path:
    file = place / "base.json"
    assert check(database, "--write-baseline", file, *words, **options)[0] == 0
    return file


def known(document: dict[str, Any]) -> dict[str, bool]:
    return {each["id"]: each["known"] for each in document["findings"]}


def test_a_baseline_lets_only_what_is_new_fail(broken: Database, tmp_path: Path) -> None:
    file = written(broken, tmp_path)
    first = check(broken, "--baseline", file)
    broken.run(NEW)
    second = check(broken, "--baseline", file)

    assert (first[0], first[1]["ok"], first[1]["gate"]["passed"]) == (0, False, True)
    assert set(known(first[1]).values()) == {True}
    assert (second[0], second[1]["gate"]["failing"]) == (1, ["missing-column:public.users.full_name"])


def test_a_baseline_is_a_file_that_its_schema_allows_and_holds_no_rows(broken: Database, tmp_path: Path) -> None:
    text = written(broken, tmp_path).read_text()
    kept = json.loads(text)

    assert breaches_of(kept, "baseline") == []
    assert [each["id"] for each in kept["findings"]] == sorted(each["id"] for each in kept["findings"])
    assert not any("sample" in each for each in kept["findings"])
    assert broken.name not in text


def test_text_says_what_is_new_what_is_known_and_what_is_gone(broken: Database, tmp_path: Path) -> None:
    file = written(broken, tmp_path)
    broken.run(f"{ORPHANS}; {NEW}; {GONE}")
    lines = fixer("check", "--dsn", broken.dsn, "--baseline", file).stdout.splitlines()

    said = [line.strip() for line in lines]
    assert "✗ users.full_name should be character varying(100), is missing  [missing-column; new; can be repaired" \
           " automatically]" in said  # fmt: skip
    assert (
        "· users should have UNIQUE (email), has none  [missing-unique; known; can be repaired automatically]" in said
    )
    assert "more rows than the baseline knows: was 7 rows, now 10" in said
    assert "! gone: rogue-not-null:public.users.user_id is in the baseline, and this check does not find it" in said
    assert lines[-1] == "1 of these is new: this fails."


def test_a_baseline_that_holds_all_ends_the_text_with_nothing_new(broken: Database, tmp_path: Path) -> None:
    file = written(broken, tmp_path)
    ended = fixer("check", "--dsn", broken.dsn, "--baseline", file)

    assert (ended.returncode, ended.stdout.splitlines()[-1]) == (0, f"Nothing is new beside {file}.")


def test_more_rows_of_what_is_known_are_a_warning(broken: Database, tmp_path: Path) -> None:
    file = written(broken, tmp_path)
    broken.run(ORPHANS)
    codes = [check(broken, "--baseline", file, "--fail-on", each)[0] for each in ("error", "warning", "never")]
    found = {each["id"]: each for each in check(broken, "--baseline", file)[1]["findings"]}
    orphans = found["orphan-rows:public.paper_trades.user_id"]

    assert codes == [0, 1, 0]
    assert (orphans["known"], orphans["was"], orphans["rows"]) == (True, 7, 10)


@pytest.mark.parametrize(("fail_on", "code"), [("error", 0), ("warning", 1), ("never", 0)])
def test_a_warning_fails_only_if_one_says_so(healthy: Database, fail_on: str, code: int) -> None:
    healthy.run(WARNING)

    assert check(healthy, "--fail-on", fail_on)[0] == code


def test_never_shows_findings_and_exits_0_but_2_stays_2(broken: Database) -> None:
    code, document = check(broken, "--fail-on", "never")
    failed = fixer("check", "--fail-on", "never", "--dsn", "postgresql://u@127.0.0.1:1/d")

    assert (code, document["ok"], len(document["findings"]), failed.returncode) == (0, False, 8, 2)
    assert document["gate"] == {"passed": True, "fail_on": "never", "failing": []}


def test_a_finding_that_is_worse_than_the_baseline_knows_is_new(healthy: Database, tmp_path: Path) -> None:
    healthy.run(WARNING)
    file = written(healthy, tmp_path)
    healthy.run("DROP RULE few ON paper_trades; CREATE RULE few AS ON DELETE TO paper_trades DO INSTEAD NOTHING")
    code, document = check(healthy, "--baseline", file)

    assert (code, known(document)) == (1, {"rogue-rule:public.paper_trades:few": False})


def test_a_baseline_is_for_every_database_of_a_contract(broken: Database, healthy: Database, tmp_path: Path) -> None:
    file = written(broken, tmp_path)
    code, document = check(healthy, "--baseline", file)

    assert (code, document["ok"], len(document["gate"]["gone"])) == (0, True, 8)


def test_what_is_accepted_is_not_what_is_known(broken: Database, tmp_path: Path) -> None:
    project = tmp_path / "pyproject.toml"
    project.write_text('[[tool.pgmend.accept]]\nfinding = "orphan-rows"\nreason = "they are old"\n')
    file = written(broken, tmp_path, cwd=tmp_path)
    kept = {each["slug"] for each in json.loads(file.read_text())["findings"]}
    project.write_text("")
    code, document = check(broken, "--baseline", file, cwd=tmp_path)

    assert "orphan-rows" not in kept
    assert (code, document["gate"]["failing"]) == (1, ["orphan-rows:public.paper_trades.user_id"])


def test_writing_a_baseline_anew_takes_out_what_is_gone(broken: Database, tmp_path: Path) -> None:
    file = written(broken, tmp_path)
    broken.run(f"{NEW}; {GONE}")
    code, document = check(broken, "--baseline", file, "--write-baseline")
    again = check(broken, "--baseline", file)[1]

    assert (code, document["gate"]["passed"]) == (0, True)
    assert (again["gate"]["gone"], set(known(again).values())) == ([], {True})


def test_a_baseline_has_a_name_of_its_own_if_none_is_given(broken: Database, tmp_path: Path) -> None:
    ended = fixer("check", "--dsn", broken.dsn, "--write-baseline", cwd=tmp_path)

    assert [file.name for file in tmp_path.iterdir()] == ["pgmend-baseline.json"]
    assert ended.stderr == (
        "fixer: pgmend-baseline.json holds 8 findings now: keep it with the project, and check with --baseline.\n"
    )


def test_no_baseline_is_written_where_rows_could_not_be_read(broken: Database, tmp_path: Path) -> None:
    with role(broken, "GRANT USAGE ON SCHEMA public TO {}") as stranger:
        ended = fixer("check", "-q", "--dsn", broken.seen_by(stranger), "--write-baseline", tmp_path / "base.json")

    assert (ended.returncode, list(tmp_path.iterdir())) == (2, [])


def test_what_only_a_deep_check_finds_is_not_gone_for_another(broken: Database, tmp_path: Path) -> None:
    file = written(broken, tmp_path, "--deep")
    broken.run(GONE)
    shallow = fixer("check", "-q", "--format", "json", "--dsn", broken.dsn, "--baseline", file)
    deep = check(broken, "--baseline", file, "--deep")[1]

    assert json.loads(shallow.stdout)["gate"]["gone"] == []
    assert shallow.stderr == f"fixer: {file} was written by a check with --deep: add it to see what is gone.\n"
    assert [each["id"] for each in deep["gate"]["gone"]] == ["rogue-not-null:public.users.user_id"]


def test_plan_and_apply_repair_what_a_baseline_knows_and_say_so(broken: Database, tmp_path: Path) -> None:
    file = written(broken, tmp_path)
    planned = fixer("plan", "--baseline", file, "-q", "--dsn", broken.dsn)
    ended = fixer(*APPLY, "-q", "--baseline", file, "--fail-on", "never", "--dsn", broken.dsn)

    assert (planned.returncode, ended.returncode, check(broken)[1]["findings"]) == (1, 0, [])
    assert planned.stderr == "fixer: plan ignores --baseline: what it knows is repaired, too.\n"
    assert ended.stderr == "fixer: apply ignores --baseline: what it knows is repaired, too.\n"


def test_plan_exits_0_if_nothing_shall_fail_and_apply_does_not(broken: Database) -> None:
    planned = fixer("plan", "-q", "--fail-on", "never", "--dsn", broken.dsn)
    refused = fixer("apply", "-q", "--yes", "--fail-on", "never", "--dsn", broken.dsn)

    assert (planned.returncode, refused.returncode) == (0, 1)


# ---- files that are none

DAMAGED: dict[str, tuple[str, str]] = {
    "cut short": ('{"version": 1, "kind": "base', "is no baseline, or is damaged"),
    "a list": ("[]", "is no baseline, or is damaged"),
    "nothing": ("", "is no baseline, or is damaged"),
    "a report": ('{"version": 1, "points": [], "findings": []}', "is the report of a check, and no baseline"),
    "another version": ('{"version": 9, "kind": "baseline"}', "is a baseline of version 9, this fixer reads 1"),
    "no findings": ('{"version": 1, "kind": "baseline", "contract": "c"}', "is a damaged baseline"),
    "findings that are none": (
        '{"version": 1, "kind": "baseline", "contract": "c", "deep": false, "role": null, "findings": [{"id": 5}]}',
        "is a damaged baseline",
    ),
    "another contract": (
        '{"version": 1, "kind": "baseline", "contract": "app:Base", "deep": false, "role": null, "findings": []}',
        "is a baseline of the contract app:Base, not of contracts.trading:metadata",
    ),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_a_file_that_is_no_baseline_of_this_contract_is_an_error(broken: Database, tmp_path: Path, case: str) -> None:
    text, said = DAMAGED[case]
    file = tmp_path / "base.json"
    file.write_text(text)
    ended = fixer("check", "--dsn", broken.dsn, "--baseline", file)

    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (2, "", 1)
    assert f"{file} {said}" in ended.stderr


@pytest.mark.parametrize("option", ["--baseline", "--diff"])
def test_a_file_that_is_not_there_is_found_before_the_database_is_read(option: str) -> None:
    ended = fixer("check", option, "nowhere.json", "--dsn", "postgresql://u@127.0.0.1:1/d")

    assert (ended.returncode, ended.stderr) == (2, "fixer: There is no file nowhere.json.\n")


def test_no_baseline_is_written_over_another_file(broken: Database, tmp_path: Path) -> None:
    file = tmp_path / "models.py"
    file.write_text("x = 1\n")
    ended = fixer("check", "--dsn", broken.dsn, "--write-baseline", file)

    assert (ended.returncode, file.read_text()) == (2, "x = 1\n")
    assert "is another file, and no baseline" in ended.stderr


def test_a_database_is_not_taken_for_the_file_of_a_baseline() -> None:
    ended = fixer("check", "--write-baseline", "postgresql://u@127.0.0.1:1/d")

    assert (ended.returncode, "--write-baseline takes a file" in ended.stderr) == (2, True)


def test_a_baseline_without_room_stays_as_it_was(broken: Database, tmp_path: Path) -> None:
    file = written(broken, tmp_path)
    before = file.read_text()
    broken.run(NEW)
    ended = cramped(500, "check", "-q", "--dsn", broken.dsn, "--write-baseline", file, cwd=tmp_path)

    assert (ended.returncode, file.read_text()) == (2, before)


# ---- what changed since


def test_a_check_says_what_changed_since_an_earlier_one(broken: Database, tmp_path: Path) -> None:
    earlier = tmp_path / "old.json"
    fixer("check", "-q", "--dsn", broken.dsn, "-o", f"json={earlier}")
    same = fixer("check", "--dsn", broken.dsn, "--diff", earlier).stdout
    broken.run(f"{ORPHANS}; {NEW}; {GONE}")
    code, document = check(broken, "--diff", earlier)
    said = fixer("check", "--dsn", broken.dsn, "--diff", earlier, env={"COLUMNS": "250"}).stdout

    assert "Nothing changed since the earlier check." in same
    changes = document["changes"]
    assert (code, changes["new"][0]) == (1, "missing-column:public.users.full_name")
    assert [each["id"] for each in changes["gone"]] == ["rogue-not-null:public.users.user_id"]
    assert changes["changed"] == [{"id": "orphan-rows:public.paper_trades.user_id", "was": 7, "rows": 10}]
    assert "  + new: users.full_name should be character varying(100), is missing  [missing-column:" in said
    assert "  - gone: users.user_id, which the contract does not know, is NOT NULL without a default" in said
    assert "  ~ paper_trades.user_id points at no row of users: was 7 rows, now 10  [orphan-rows:" in said


OLD: dict[str, tuple[str, str]] = {
    "a failure": ('{"version": 1, "contract": "c", "points": [], "findings": [], "error": {}}', "could not work"),
    "an older fixer": (
        '{"version": 1, "contract": "c", "points": [], "findings": [{"slug": "x"}]}',
        "is a damaged report, or of a fixer that gave findings no id",
    ),
    "no report": ("{}", "is no report of `fixer check --format json`, or is damaged"),
    "another contract": (
        '{"version": 1, "contract": "app:Base", "points": [], "findings": []}',
        "is a report of the contract app:Base, not of contracts.trading:metadata",
    ),
}


@pytest.mark.parametrize("case", OLD)
def test_a_file_that_is_no_earlier_check_is_an_error(broken: Database, tmp_path: Path, case: str) -> None:
    text, said = OLD[case]
    file = tmp_path / "old.json"
    file.write_text(text)
    ended = fixer("check", "--dsn", broken.dsn, "--diff", file)

    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert said in ended.stderr


@pytest.mark.parametrize("name", ["double-restore-duplicates", "must-be-refused", "shadowed-users"])
def test_a_second_check_with_the_first_as_baseline_passes_and_a_new_fault_alone_fails(
    laboratory: Laboratory, tmp_path: Path, name: str
) -> None:
    with lent(laboratory.server(18), name) as database:
        file = written(database, tmp_path, "--deep")
        again = check(database, "--deep", "--baseline", file)[0]
        database.run("CREATE RULE odd AS ON INSERT TO paper_trades DO INSTEAD NOTHING")
        code, document = check(database, "--deep", "--baseline", file)

    assert (again, code, document["gate"]["failing"]) == (0, 1, ["rogue-rule:public.paper_trades:odd"])
