"""A rehearsal on a copy finds what apply then does; undo is rehearsed as well, and the target is only read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import fixer
from fixer.connect import snapshot
from fixer.connect.servers import Server
from fixer.errors import NeedsPermission
from lab.database import Database, all_of, differences, lent, load, role, written
from lab.process import HOUSE
from lab.process import fixer as command

TRADING = "contracts.trading:metadata"
SHIPPED = snapshot.find(HOUSE / "fixtures")
REPAIRABLE = sorted(name for name, each in SHIPPED.items() if each.repairable)
ALL = ("--allow-hazards", "all")


@pytest.fixture(params=REPAIRABLE)
def shipped(request: pytest.FixtureRequest, server: Server) -> Iterator[Database]:
    """Lend a database for each shipped snapshot that can be repaired."""
    with lent(server, None) as database:
        load(database, request.param)
        yield database


def prove(database: Database, place: Path, *words: object) -> tuple[int, Any, str]:
    """Prove without the suite, which takes the longest; return the exit code, the proof and what was complained."""
    proof = place / "proof.json"
    done = command(
        "prove", "--no-suite", *words, "-q", "-o", proof, "--dsn", database.dsn, "--scratch", database.server.dsn
    )
    return done.returncode, json.loads(proof.read_text()) if proof.exists() else None, done.stderr


def apply(database: Database, *words: object) -> tuple[int, str]:
    done = command("apply", "--yes", "-q", *ALL, *words, "--dsn", database.dsn)
    return done.returncode, done.stderr


@pytest.mark.parametrize("mode", ["atomic", "online"])
def test_a_proof_is_what_apply_then_does(shipped: Database, tmp_path: Path, mode: str) -> None:
    before = written(shipped)
    code, proof, said = prove(shipped, tmp_path, *ALL, "--mode", mode)

    assert (code, said, proof["differing"], proof["left"]) == (0, "", [], [])
    assert proof["undo"] == "gave back what was there"
    assert {each["copied"] for each in proof["tables"].values()} == {"all rows"}
    assert written(shipped) == before
    done = command(
        "apply", "--yes", *ALL, "--proved", tmp_path / "proof.json", "--format", "json", "--dsn", shipped.dsn
    )
    applied = json.loads(done.stdout)
    assert (done.returncode, applied["ledger"], applied["ok"]) == (0, proof["ledger"], True)


def test_a_sampled_proof_says_so(broken: Database, tmp_path: Path) -> None:
    code, proof, said = prove(broken, tmp_path, *ALL, "--sample", 10)

    assert (code, said) == (0, "")
    assert {each["copied"] for each in proof["tables"].values()} == {"a sample"}
    assert proof["tables"]["public.paper_trades"]["rows"] < 100
    assert apply(broken, "--proved", tmp_path / "proof.json") == (0, "")


def test_rows_that_came_since_a_proof_refuse_it(broken: Database, tmp_path: Path) -> None:
    prove(broken, tmp_path, *ALL)
    broken.run("INSERT INTO paper_trades (user_id, symbol, action, quantity, price) VALUES (999999, 'x', 'BUY', 1, 1)")
    before = all_of(broken)
    code, said = apply(broken, "--proved", tmp_path / "proof.json")

    assert (code, said.split(" (")[0]) == (2, "fixer: The database has changed since the proof")
    assert differences(before, broken) == []


def test_a_schema_that_changed_since_a_proof_refuses_it(broken: Database, tmp_path: Path) -> None:
    prove(broken, tmp_path, *ALL)
    broken.run("ALTER TABLE users ADD COLUMN further text")

    assert apply(broken, "--proved", tmp_path / "proof.json")[0] == 2


def test_another_plan_than_the_proved_is_refused(broken: Database, tmp_path: Path) -> None:
    prove(broken, tmp_path, *ALL)
    command("plan", "-q", "--skip", "rogue-not-null", "-o", tmp_path / "plan.json", "--dsn", broken.dsn)
    code, said = apply(broken, tmp_path / "plan.json", "--proved", tmp_path / "proof.json")

    assert (code, said.startswith("fixer: The proof is of the plan ")) == (2, True)


def test_a_plan_of_a_file_is_proved(broken: Database, tmp_path: Path) -> None:
    command("plan", "-q", "-o", tmp_path / "plan.json", "--dsn", broken.dsn)
    code, proof, said = prove(broken, tmp_path, tmp_path / "plan.json", *ALL)

    assert (code, said) == (0, "")
    assert proof["identity"] == json.loads((tmp_path / "plan.json").read_text())["identity"]
    assert apply(broken, tmp_path / "plan.json", "--proved", tmp_path / "proof.json") == (0, "")


def test_what_is_not_allowed_is_not_rehearsed(broken: Database, tmp_path: Path) -> None:
    code, proof, said = prove(broken, tmp_path)

    assert (code, proof, "--allow-hazards moves-rows" in said) == (1, None, True)


def test_what_needs_a_person_is_not_rehearsed(server: Server) -> None:
    with lent(server, "must-be-refused") as database, pytest.raises(NeedsPermission):
        fixer.prove(database.dsn, TRADING, scratch=server.dsn, allow_hazards="all")


def test_undo_that_is_refused_fails_the_proof(healthy: Database, tmp_path: Path) -> None:
    """Nothing brings back rows that are identical under a key that the catalogue calls valid."""
    healthy.run(
        "UPDATE pg_index SET indisunique = false WHERE indexrelid = 'paper_trades_pkey'::regclass;"
        "INSERT INTO paper_trades SELECT * FROM paper_trades WHERE id < 4;"
        "UPDATE pg_index SET indisunique = true WHERE indexrelid = 'paper_trades_pkey'::regclass"
    )
    code, proof, said = prove(healthy, tmp_path, *ALL, "--deep")

    assert (code, said, proof["ok"], proof["differing"], proof["left"]) == (1, "", False, [], [])
    assert "cannot" in proof["undo"] or "undo" in proof["undo"].lower()
    assert apply(healthy, "--proved", tmp_path / "proof.json")[0] == 2


AS_UNDO_DROPS = """
ALTER TABLE paper_trades DROP CONSTRAINT paper_trades_user_id_fkey;
CREATE TABLE audit (said text);
CREATE SEQUENCE tickets START 50;
CREATE FUNCTION leave_a_trace() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM pg_event_trigger_dropped_objects() WHERE object_type = 'table constraint') THEN
        {}
    END IF;
END $$;
CREATE EVENT TRIGGER trace ON sql_drop EXECUTE FUNCTION leave_a_trace();
ALTER EVENT TRIGGER trace ENABLE ALWAYS
"""


def test_a_label_that_undo_leaves_fails_no_proof(healthy: Database, tmp_path: Path) -> None:
    (tmp_path / "moods.sql").write_text(
        "CREATE TYPE mood AS ENUM ('a of b', 'c'); CREATE TABLE m (id integer PRIMARY KEY, mood mood)"
    )
    healthy.run("CREATE TYPE mood AS ENUM ('c'); CREATE TABLE m (id integer PRIMARY KEY, mood mood)")
    code, proof, said = prove(healthy, tmp_path, *ALL, "--contract", tmp_path / "moods.sql")

    assert (code, said, proof["undo"]) == (
        0,
        "",
        "gave back what was there, but the label 'a of b' of public.mood stays",
    )


@pytest.mark.parametrize(
    ("act", "left"),
    [
        ("INSERT INTO public.audit VALUES ('x');", "the rows of public.audit"),
        ("PERFORM setval('public.tickets', 7);", "the next number of public.tickets"),
        ("COMMENT ON TABLE public.audit IS 'x';", "COMMENT ON TABLE public.audit IS 'x';"),
    ],
)
def test_what_undo_leaves_otherwise_fails_the_proof(healthy: Database, tmp_path: Path, act: str, left: str) -> None:
    """An event trigger acts only as undo drops the foreign key that the run added."""
    healthy.run(AS_UNDO_DROPS.format(act))
    code, proof, said = prove(healthy, tmp_path, *ALL)

    assert (code, said, proof["ok"], proof["left"]) == (1, "", False, [])
    assert proof["undo"] == f"undo left these otherwise: {left}"
    assert {each["undone"] for each in proof["tables"].values()} == {"not at all"}


@pytest.mark.parametrize("text", ["", "{}", '{"ok": true, "plan": {}, "findings": [], "deep": false, "identity": ""}'])
def test_what_is_no_proof_is_refused(broken: Database, tmp_path: Path, text: str) -> None:
    (tmp_path / "proof.json").write_text(text)
    code, said = apply(broken, "--proved", tmp_path / "proof.json")

    assert (code, len(said.splitlines())) == (2, 1)


def test_another_version_of_the_server_is_refused(broken: Database, laboratory: Any) -> None:
    done = command("prove", *ALL, "--dsn", broken.dsn, "--scratch", laboratory.server(16).dsn)

    assert done.returncode == 2
    assert "needs a server of PostgreSQL 18" in done.stderr


def test_what_pg_dump_may_not_read_is_said(healthy: Database) -> None:
    healthy.run("CREATE SCHEMA mine CREATE TABLE secret (n integer)")
    grants = (f"GRANT SELECT ON ALL {each} IN SCHEMA public TO {{}}" for each in ("TABLES", "SEQUENCES"))
    with role(healthy, *grants) as reader:
        done = command("prove", *ALL, "-q", "--dsn", healthy.seen_by(reader), "--scratch", healthy.server.dsn)

    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "pg_dump could not read the target: " in done.stderr
    assert "permission denied for schema mine" in done.stderr


def test_the_suite_runs_at_the_copy(broken: Database) -> None:
    proof = fixer.prove(broken.dsn, TRADING, scratch=broken.server.dsn, allow_hazards="all")

    assert (proof.ok, proof.failed) == (True, ())
    assert " passed" in proof.suite
    assert all(before < after for before, after in proof.sequences.values())
    assert {name.name for name in proof.sequences} == {"paper_trades_id_seq"}  # from which the suite drew numbers


def test_the_suite_is_ours_whatever_a_project_calls_contracts(healthy: Database, tmp_path: Path) -> None:
    (tmp_path / "contracts").mkdir()
    (tmp_path / "contracts" / "__init__.py").write_text("raise SystemExit('theirs')")
    (tmp_path / "wanted.sql").write_text("CREATE TABLE m (id integer PRIMARY KEY)")
    healthy.run("CREATE TABLE m (id integer NOT NULL)")
    at = ("--contract", "wanted.sql", "--dsn", healthy.dsn, "--scratch", healthy.server.dsn)
    done = command("prove", *ALL, *at, cwd=tmp_path)

    assert "theirs" not in done.stdout
    assert done.returncode == 0
