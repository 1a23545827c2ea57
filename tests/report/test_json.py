"""JSON: the keys that pipelines lean on, also where the command could not work."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fixer.connect import snapshot
from lab.commands import APPLY, applied, planned
from lab.database import STORY, Database, lent, role
from lab.laboratory import Laboratory
from lab.process import fixer


def test_json_of_check_has_the_keys_that_pipelines_lean_on(broken: Database) -> None:
    answer = json.loads(fixer("check", "--format", "json", "--dsn", broken.dsn).stdout)
    finding = "id slug point severity object message rows sample repair"

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


def test_json_of_apply_has_the_head_of_check_and_its_own_keys(broken: Database) -> None:
    answer = applied(broken)
    entry = {"table", "before", "after", "inserted", "quarantined"}

    assert (
        {"version", "target", "contract", "ok", "points", "findings", "steps", "run", "ledger"},
        [entry, entry],
    ) == (
        set(answer),
        [set(line) for line in answer["ledger"]],
    )


# ---- where it could not work

HEAD = {"version", "target", "contract", "ok", "points", "findings", "error"}
NOWHERE = "postgresql://u@127.0.0.1:1/d"
FAILURES = {
    "no target": ("check",),
    "nobody listens": ("plan", "--dsn", NOWHERE),
    "of history": ("history", "--dsn", NOWHERE),
    "of undo": ("undo", "1", "--dsn", NOWHERE),
    "of apply": ("apply", "--yes", "--dsn", NOWHERE),
    "no such contract": ("check", "--dsn", NOWHERE, "--contract", "nowhere:metadata"),
    "no such option": ("check", "--nonsense"),
    "no such command": ("dance",),
    "no such plan": ("apply", "nowhere.json", "--dsn", NOWHERE),
}


@pytest.mark.parametrize("words", FAILURES.values(), ids=FAILURES.keys())
@pytest.mark.parametrize("how", [("--format", "json"), ("--format=json",)], ids=" ".join)
def test_json_says_why_it_could_not_work(words: tuple[str, ...], how: tuple[str, ...]) -> None:
    command = words[:1] if words[0] != "dance" else ()
    ended = fixer(*command, *how, *words[len(command) :])
    answer = json.loads(ended.stdout)

    assert not answer["ok"]
    assert (ended.returncode, set(answer), answer["findings"]) == (2, HEAD, [])
    assert answer["error"]["message"].split()[0] in ended.stderr
    assert not any(point["ok"] for point in answer["points"])


def test_json_has_the_sqlstate_of_what_failed(broken: Database) -> None:
    words = ("check", "--format", "json", "--statement-timeout", "1ms", "--dsn", broken.dsn)
    broken.run("INSERT INTO users (id, username, email, password_hash, user_id) SELECT n, n, n, '', n FROM"
               " generate_series(1000, 60000) n")  # fmt: skip
    answer = json.loads(fixer(*words).stdout)

    assert answer["target"].startswith("postgresql://")
    assert answer["error"]["sqlstate"] == "57014"


def test_json_is_one_document_where_rows_cannot_be_read(broken: Database) -> None:
    with role(broken, "GRANT USAGE ON SCHEMA public TO {}") as stranger:
        ended = fixer("check", "--format", "json", "--dsn", broken.seen_by(stranger))
    answer = json.loads(ended.stdout)

    assert not answer["ok"]
    assert (ended.returncode, set(answer)) == (2, HEAD)
    assert "unreadable-rows" in {finding["slug"] for finding in answer["findings"]}


EDITS: dict[str, Any] = {
    "the schema changed": None,
    "another contract": {"contract": "contracts.other:metadata"},
    "another version": {"version": 99},
    "edited": {"steps": []},
    "no plan": {"steps": 5},
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS.keys())
def test_json_of_a_plan_that_is_refused_is_not_ok(broken: Database, tmp_path: Path, edit: dict[str, Any]) -> None:
    file = planned(broken, tmp_path)
    file.write_text(json.dumps({**json.loads(file.read_text()), **(edit or {})}))
    if edit is None:
        broken.run("ALTER TABLE users ADD nickname text")
    ended = fixer(*APPLY, file, "--format", "json", "--dsn", broken.dsn)
    answer = json.loads(ended.stdout)

    assert not answer["ok"]
    assert set(answer) >= HEAD
    assert ended.returncode == 2


@pytest.mark.parametrize("name", [STORY, "must-be-refused"])
def test_json_of_a_plan_that_needs_more_is_not_ok(laboratory: Laboratory, tmp_path: Path, name: str) -> None:
    with lent(laboratory.server(18), name) as database:
        file = planned(database, tmp_path)
        ended = fixer("apply", "--yes", file, "--format", "json", "--dsn", database.dsn)
        answer = json.loads(ended.stdout)

    assert not answer["ok"]
    assert not any(point["ok"] for point in answer["points"])
    assert ended.returncode == 1
