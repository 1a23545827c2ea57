"""apply --mode online: plans that were kept, how fast it goes, and what it says."""

from __future__ import annotations

import json
import threading
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from lab.commands import holds, planned
from lab.database import FILLED, Database, lent, written
from lab.laboratory import Laboratory
from lab.online import APPLY, at
from lab.process import fixer

# ---- plans that were kept


@pytest.mark.parametrize("words", [(), ("--mode", "online")])
def test_a_plan_for_online_mode_that_was_kept_is_carried_out_online(
    broken: Database, tmp_path: Path, words: tuple[str, ...]
) -> None:
    kept = planned(broken, tmp_path, "--mode", "online")
    ended = fixer("apply", kept, *words, "--yes", "--allow-hazards", "all", "--format", "json", "--dsn", broken.dsn)
    mode = broken.ask("SELECT mode FROM fixer_journal.run")
    done = [step["sql"] for step in json.loads(ended.stdout)["steps"]]

    assert (0, "online", done) == (ended.returncode, mode, [s["sql"] for s in json.loads(kept.read_text())["steps"]])


@pytest.mark.parametrize(("made_for", "asked_for"), [("online", "atomic"), ("atomic", "online")])
def test_a_plan_is_not_carried_out_in_a_mode_it_was_not_made_for(
    broken: Database, tmp_path: Path, made_for: str, asked_for: str
) -> None:
    kept, before = planned(broken, tmp_path, "--mode", made_for), written(broken)
    ended = fixer(*APPLY[:1], kept, "--mode", asked_for, *APPLY[3:], "--dsn", broken.dsn)

    assert (2, 1, before) == (ended.returncode, len(ended.stderr.splitlines()), written(broken))


def test_a_plan_for_online_mode_is_refused_when_the_database_has_changed_since(
    broken: Database, tmp_path: Path
) -> None:
    kept = planned(broken, tmp_path, "--mode", "online")
    broken.run("ALTER TABLE users ADD COLUMN more text")
    before = written(broken)
    ended = fixer("apply", kept, *APPLY[3:], "--dsn", broken.dsn)

    assert (2, before) == (ended.returncode, written(broken))


def test_without_its_hazards_a_plan_for_online_mode_changes_not_a_byte(broken: Database) -> None:
    before = written(broken)
    ended = fixer("apply", "--mode", "online", "--yes", "--dsn", broken.dsn)

    assert "moves-rows" in ended.stderr
    assert (1, before) == (ended.returncode, written(broken))


# ---- pace


@pytest.mark.parametrize(
    "words",
    [
        ("--max-lag", "soon"),
        ("--max-lag", "5"),
        ("--max-lag", "-1s"),
        ("--max-lag", ""),
        ("--max-lag", "1h1"),
        ("--throttle", "-1"),
        ("--throttle", "many"),
        ("--throttle", "1.5"),
        ("--mode", "offline"),
    ],
)
def test_a_pace_that_makes_no_sense_exits_2_and_is_named(broken: Database, words: tuple[str, str]) -> None:
    before = written(broken)
    ended = fixer(*APPLY, *words, "--dsn", broken.dsn)
    complaint = [line for line in ended.stderr.splitlines() if line.startswith("Error")]

    assert words[0] in complaint[0]
    assert (2, 1, before) == (ended.returncode, len(complaint), written(broken))


def test_the_fixer_pauses_while_others_are_busy_and_then_goes_on(broken: Database) -> None:
    with closing(psycopg2.connect(broken.server.dsn)) as connection:
        busy = threading.Thread(target=lambda: connection.cursor().execute("SELECT pg_sleep(4)"))
        busy.start()
        process = at(broken, r"waits while \d+ other session\S* \S+ busy", "--throttle", 0)
        paused = busy.is_alive() and process.poll() is None
        process.communicate(timeout=60)
        late = not busy.is_alive()
        busy.join()

    assert paused
    assert late
    assert holds(broken)
    assert process.returncode == 0


def test_a_lag_is_no_obstacle_where_there_is_no_replica(broken: Database) -> None:
    ended = fixer(*APPLY, "-q", "--max-lag", "100ms", "--dsn", broken.dsn)

    assert (ended.returncode, ended.stderr) == (0, "")


# ---- what it says


def test_quiet_says_nothing(broken: Database) -> None:
    ended = fixer(*APPLY, "-q", "--dsn", broken.dsn)

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


def test_json_of_apply_online_has_the_keys_that_pipelines_lean_on(broken: Database) -> None:
    ended = fixer(*APPLY, "--format", "json", "--dsn", broken.dsn)
    answer = json.loads(ended.stdout)
    keys = {"version", "target", "contract", "ok", "points", "findings", "steps", "run", "ledger"}
    sums = {line["before"] + line["inserted"] - line["quarantined"] - line["after"] for line in answer["ledger"]}

    assert answer["ok"]
    assert ended.stderr == ""
    assert set(answer) == keys
    assert answer["run"] == 1
    assert sums == {0}


def test_the_ledger_of_an_online_run_is_the_truth(broken: Database) -> None:
    count = "SELECT (SELECT count(*) FROM paper_trades), (SELECT count(*) FROM users)"
    before = broken.run(count)
    ledger = json.loads(fixer(*APPLY, "--format", "json", "--dsn", broken.dsn).stdout)["ledger"]
    told = [(*(line["before"] for line in ledger), *(line["after"] for line in ledger))]

    assert ([(*before[0], *broken.run(count)[0])], [7, 0]) == (told, [line["quarantined"] for line in ledger])


def test_a_second_online_run_finds_nothing_to_do(broken: Database) -> None:
    fixer(*APPLY, "-q", "--dsn", broken.dsn)
    before = written(broken)
    ended = fixer(*APPLY, "-q", "--dsn", broken.dsn)

    assert (0, before) == (ended.returncode, written(broken))


def test_an_online_run_leaves_nothing_of_its_own_in_the_tables(laboratory: Laboratory) -> None:
    own = (
        "SELECT conname FROM pg_constraint WHERE conname LIKE 'pgmend%'"
        " UNION ALL SELECT tgname FROM pg_trigger WHERE tgname LIKE 'pgmend%'"
    )
    for version in (16, 18):
        for name in (FILLED, "text-user-ids", "sqlite-port"):
            with lent(laboratory.server(version), name) as database:
                ended = fixer(*APPLY, "-q", "--dsn", database.dsn)

                assert (ended.returncode, database.run(own)) == (0, [])


def test_a_table_is_locked_once_for_what_takes_a_moment_and_apart_for_what_reads(large: Database) -> None:
    columns = ["role", "status", "risk_tolerance", "updated_at"]
    large.run("ALTER TABLE users " + ", ".join(f"ALTER COLUMN {column} DROP DEFAULT" for column in columns))

    assert fixer(*APPLY, "--allow-hazards", "all", "--dsn", large.dsn).returncode == 0

    done = large.run("SELECT xmin::text, step ->> 'title' FROM fixer_journal.step WHERE step ->> 'table' ~ 'users'")
    defaults = {xmin for xmin, title in done if "set the default of " in title}
    reading = {xmin for xmin, title in done if " past the highest " in title}
    assert len(defaults) == 1
    assert reading
    assert all(sum(xmin == each for each, _ in done) == 1 for xmin in reading)
