"""plan, apply and history, as users run them: exit codes, what they print, and plans that were kept."""

from __future__ import annotations

import json
from pathlib import Path
from shlex import quote
from typing import Any

import pytest

from fixer.connect.servers import Server
from lab.commands import applied, planned, refusal
from lab.database import STORY, Database, lent
from lab.process import cramped, fixer

OURS = "contracts.trading:metadata"


def test_a_plan_or_a_script_is_printed_where_no_file_is_meant(broken: Database, tmp_path: Path) -> None:
    script = fixer("plan", "--dsn", broken.dsn, "--sql", "-", cwd=tmp_path)
    made = fixer("plan", "--dsn", broken.dsn, "-o", "-", cwd=tmp_path)

    assert script.stdout.startswith("-- A repair by pgmend")
    assert script.returncode == 1
    assert "steps" in json.loads(made.stdout)
    assert (made.returncode, [*tmp_path.iterdir()]) == (1, [])


def test_two_documents_on_one_output_are_refused(broken: Database) -> None:
    ended = fixer("plan", "--dsn", broken.dsn, "-o", "-", "--sql", "-")

    assert (ended.returncode, ended.stdout) == (2, "")
    assert "name a file for one" in ended.stderr


@pytest.mark.parametrize("before", [None, "what was there"])
@pytest.mark.parametrize("option", ["-o", "--sql"])
def test_a_file_that_has_no_room_stays_as_it_was(
    broken: Database, tmp_path: Path, option: str, before: str | None
) -> None:
    file = tmp_path / "plan"
    if before:
        file.write_text(before)
    ended = cramped(1024, "plan", option, file, "--dsn", broken.dsn)

    assert (ended.returncode, "The file cannot be written: " in ended.stderr) == (2, True)
    assert (file.read_text() if file.exists() else None) == before


def test_apply_names_the_database_that_it_works_on_and_not_that_of_the_file(
    broken: Database, server: Server, tmp_path: Path
) -> None:
    file = planned(broken, tmp_path)
    with lent(server, STORY) as other:
        shown = fixer("apply", file, "--yes", "--dsn", other.dsn)
        done = fixer("apply", file, "--yes", "--allow-hazards", "all", "--format", "json", "--dsn", other.dsn)

        assert other.name in shown.stdout.splitlines()[0]
        assert json.loads(done.stdout)["target"].partition("?")[0].endswith(f"/{other.name}")
        assert broken.name not in shown.stdout + done.stdout


def test_plan_of_a_healthy_database_exits_0(healthy: Database) -> None:
    assert fixer("plan", "--dsn", healthy.dsn).returncode == 0


def test_plan_changes_nothing(broken: Database, tmp_path: Path) -> None:
    before = broken.dump()
    fixer("plan", "--dsn", broken.dsn, "-o", tmp_path / "plan.json", "--sql", tmp_path / "plan.sql")

    assert before == broken.dump()


def test_apply_carries_out_exactly_the_plan_that_was_kept(broken: Database, tmp_path: Path) -> None:
    file = planned(broken, tmp_path)
    answer = json.loads(
        fixer("apply", file, "--yes", "--allow-hazards", "all", "--format", "json", "--dsn", broken.dsn).stdout
    )

    assert [step["sql"] for step in json.loads(file.read_text())["steps"]] == [step["sql"] for step in answer["steps"]]


def test_a_kept_plan_is_refused_when_the_database_has_changed_since(broken: Database, tmp_path: Path) -> None:
    file = planned(broken, tmp_path)
    broken.run("ALTER TABLE users ADD nickname text")
    before = broken.dump()
    exit_code = fixer("apply", file, "--yes", "--allow-hazards", "all", "--dsn", broken.dsn).returncode

    assert (2, before) == (exit_code, broken.dump())


EDITS = {
    "a statement": lambda kept: kept["steps"][0].update(sql="SELECT 1"),
    "a step left out": lambda kept: kept["steps"].pop(0),
    "two steps exchanged": lambda kept: kept["steps"].reverse(),
    "a hazard hidden": lambda kept: [step.update(hazard=None) for step in kept["steps"]],
    "what it inserts": lambda kept: [step.update(inserts=False) for step in kept["steps"]],
    "what it moves": lambda kept: [step.update(moves=False) for step in kept["steps"]],
    "a lock": lambda kept: [step.update(lock="none") for step in kept["steps"]],
    "the contract": lambda kept: kept.update(contract="contracts.other:metadata"),
    "the fingerprint": lambda kept: kept.update(fingerprint="0" * 64),
    "the version": lambda kept: kept.update(version=2),
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS.keys())
def test_a_plan_that_was_edited_is_refused(broken: Database, tmp_path: Path, edit: Any) -> None:
    file, before = planned(broken, tmp_path), broken.dump()
    kept = json.loads(file.read_text())
    edit(kept)
    file.write_text(json.dumps(kept))
    ended = fixer("apply", file, "--yes", "--allow-hazards", "all", "--dsn", broken.dsn)

    assert ended.stderr.startswith("fixer: The plan ")
    assert (2, before) == (ended.returncode, broken.dump())


def test_a_refusal_struck_out_of_a_plan_does_not_let_it_pass(server: Server, tmp_path: Path) -> None:
    with lent(server, "must-be-refused") as database:
        file = planned(database, tmp_path)
        kept = json.loads(file.read_text())
        file.write_text(json.dumps({**kept, "refusals": []}))

        assert fixer("apply", file, "--yes", "--allow-hazards", "all", "--dsn", database.dsn).returncode == 2


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", "plan", "\0", '{"version": 1}', '{"version": 1, "steps": 5}'])
def test_what_is_no_plan_is_refused(healthy: Database, tmp_path: Path, text: str) -> None:
    file = tmp_path / "plan.json"
    file.write_text(text)

    assert refusal("apply", file, "--yes", "--dsn", healthy.dsn) == (2, 1)


def test_apply_without_hazards_changes_not_a_byte(broken: Database) -> None:
    before = broken.dump()
    ended = fixer("apply", "--yes", "--dsn", broken.dsn)

    assert "--allow-hazards moves-rows" in ended.stderr
    assert (1, before) == (ended.returncode, broken.dump())


def test_apply_with_another_hazard_allowed_changes_not_a_byte(broken: Database) -> None:
    before = broken.dump()
    ended = fixer("apply", "--yes", "--allow-hazards", "rewrites-values,rewrites-table", "--dsn", broken.dsn)

    assert (1, before) == (ended.returncode, broken.dump())


def test_apply_without_a_terminal_does_not_take_silence_for_consent(broken: Database) -> None:
    before = broken.dump()
    ended = fixer("apply", "--allow-hazards", "all", "--dsn", broken.dsn)

    assert "--yes" in ended.stderr
    assert (2, before) == (ended.returncode, broken.dump())


def test_what_only_a_person_can_decide_exits_1_and_changes_nothing(server: Server) -> None:
    with lent(server, "must-be-refused") as database:
        before = database.dump()
        ended = fixer("apply", "--yes", "--allow-hazards", "all", "--dsn", database.dsn)

        assert (1, before) == (ended.returncode, database.dump())


def test_apply_exits_0_and_a_second_one_finds_nothing_to_do(broken: Database) -> None:
    first = applied(broken)
    second = applied(broken)

    assert first["ok"]
    assert first["steps"]
    assert (second["steps"], second["run"]) == ([], None)


def test_the_ledger_of_apply_is_the_truth(broken: Database) -> None:
    count = "SELECT (SELECT count(*) FROM paper_trades), (SELECT count(*) FROM users)"
    before, ledger, after = broken.run(count), applied(broken)["ledger"], broken.run(count)

    assert [(*before[0], *after[0])] == [(*(line["before"] for line in ledger), *(line["after"] for line in ledger))]


def test_history_lists_the_runs_and_their_quarantine(broken: Database) -> None:
    steps = len(applied(broken)["steps"])
    (run,) = json.loads(fixer("history", "--format", "json", "--dsn", broken.dsn).stdout)["runs"]

    assert (1, steps, 7) == (run["run"], run["steps"], sum(line["quarantined"] for line in run["ledger"]))


def test_history_of_a_database_that_was_never_repaired_is_empty(healthy: Database) -> None:
    assert json.loads(fixer("history", "--format", "json", "--dsn", healthy.dsn).stdout)["runs"] == []


def test_a_plan_ends_with_the_whole_command_that_carries_it_out(broken: Database) -> None:
    ended = fixer("plan", broken.dsn, "--skip", "orphan-rows", "--contract", OURS)
    command = next(line for line in ended.stdout.splitlines() if line.startswith("Run it with: "))
    wanted = f"Run it with: fixer apply --dsn {quote(broken.dsn)} --contract {OURS} --skip orphan-rows"

    assert command.startswith(wanted)


def test_a_database_in_place_of_a_plan_file_is_named_by_the_option(broken: Database) -> None:
    ended = fixer("apply", broken.dsn.replace("://", "://me:secret@"))

    assert (ended.returncode, ended.stderr) == (
        2, "fixer: A plan is a file of `fixer plan -o`, not a database: name that by --dsn.\n"
    )  # fmt: skip


def test_apply_does_not_name_the_command_that_is_running(broken: Database) -> None:
    shown = fixer("apply", "--yes", "--allow-hazards", "all", "--dsn", broken.dsn).stdout

    assert ("in one transaction" in shown, "Run it with" in shown) == (True, False)
