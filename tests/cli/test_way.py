"""The one way through check, plan and apply: what the options of a call do on it, and what stops in its middle."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg2
import pytest

import fixer as library
from contracts.trading import metadata
from fixer.connect.target import resolve
from fixer.errors import PgmendError, TargetError
from lab.database import STORY, Database, lent
from lab.laboratory import Laboratory
from lab.process import CLEAN, HOUSE, fixer

APPLY = ("apply", "--yes", "--allow-hazards", "all")


@pytest.fixture
def broken(laboratory: Laboratory) -> Iterator[Database]:
    with lent(laboratory.server(18), STORY) as database:
        yield database


# ---- the timeouts of a script


def script(database: Database, place: Path, *words: str) -> Path:
    file = place / "plan.sql"
    ended = fixer("plan", "-q", "--sql", file, *words, "--dsn", database.dsn, cwd=place)
    assert ended.stderr == ""
    return file


def psql(database: Database, file: Path) -> subprocess.CompletedProcess[str]:
    assert database.server.bindir
    words = [database.server.bindir / "psql", "-X", "-f", file, database.dsn]
    return subprocess.run(words, capture_output=True, text=True, timeout=60)


def timeouts(file: Path) -> dict[str, str]:
    return dict(re.findall(r"^SET LOCAL (lock_timeout|statement_timeout) = '(.*)';$", file.read_text(), re.MULTILINE))


def test_a_script_has_the_timeouts_of_apply(broken: Database, tmp_path: Path) -> None:
    assert timeouts(script(broken, tmp_path)) == {"lock_timeout": "5s", "statement_timeout": "0"}


def test_a_script_has_the_timeouts_that_were_asked_for(broken: Database, tmp_path: Path) -> None:
    file = script(broken, tmp_path, "--lock-timeout", "90s", "--statement-timeout", "20min")

    assert timeouts(file) == {"lock_timeout": "90s", "statement_timeout": "20min"}


def test_a_script_with_timeouts_repairs(broken: Database, tmp_path: Path) -> None:
    ended = psql(broken, script(broken, tmp_path, "--lock-timeout", "90s", "--statement-timeout", "20min"))

    assert (ended.returncode, ended.stderr) == (0, "")
    assert fixer("check", "-q", "--deep", "--dsn", broken.dsn).returncode == 0


LIMITS = {
    "lock timeout": ("--lock-timeout", "300ms"),
    "statement timeout": ("--lock-timeout", "1min", "--statement-timeout", "20s"),
}


@pytest.mark.parametrize("limit", LIMITS)
def test_a_script_waits_no_longer_than_asked(broken: Database, tmp_path: Path, limit: str) -> None:
    file, before = script(broken, tmp_path, *LIMITS[limit]), broken.dump()
    file.write_text(file.read_text().replace("= '20s'", "= '300ms'"))  # too short for the plan on a slow machine
    with closing(psycopg2.connect(broken.dsn)) as other, other.cursor() as cursor:
        cursor.execute("LOCK TABLE users")
        ended = psql(broken, file)

    assert (ended.returncode, f"due to {limit}" in ended.stderr, broken.dump()) == (3, True, before)


# ---- an error of the database in the middle of a command is none of the connection


@contextmanager
def held(database: Database, table: str) -> Iterator[None]:
    """Let nobody else read or write a table."""
    with closing(psycopg2.connect(database.dsn)) as other, other.cursor() as cursor:
        cursor.execute(f"LOCK TABLE {table}")
        yield


@pytest.fixture
def repaired(broken: Database) -> Database:
    library.apply(resolve(broken.dsn, {}), metadata, allow_hazards="all")
    return broken


IMPATIENT = ("--lock-timeout", "1min", "--statement-timeout", "1s")
WORKS_ON = {
    ("check", "--deep"): "users",
    ("plan",): "users",
    APPLY: "users",
    (*APPLY, "--mode", "online"): "users",
    ("history",): "fixer_journal.run",
    ("undo", "1", "--yes"): "fixer_journal.run",
    ("history", "--prune", "--yes"): "fixer_journal.run",
}


@pytest.mark.parametrize("words", WORKS_ON, ids=" ".join)
def test_a_statement_timeout_is_reported_as_one(repaired: Database, words: tuple[str, ...]) -> None:
    with held(repaired, WORKS_ON[words]):
        ended = fixer(*words, *IMPATIENT, "--format", "json", "--dsn", repaired.dsn)
    error = json.loads(ended.stdout)["error"]

    assert (ended.returncode, error["sqlstate"]) == (2, "57014")
    assert re.search(r"canceling statement due to statement timeout \(57014\)", error["message"])
    assert "cannot use" not in error["message"]


FULL = """
CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE 'could not extend file: No space left on device' USING ERRCODE = 'disk_full';
END $$;
CREATE TRIGGER fill BEFORE INSERT OR UPDATE ON fixer_journal.run FOR EACH ROW EXECUTE FUNCTION fill();
ALTER TABLE paper_trades DROP CONSTRAINT paper_trades_user_id_fkey;
"""
WRITES = [APPLY, (*APPLY, "--mode", "online"), ("history", "--prune", "--yes")]


@pytest.mark.parametrize("words", WRITES, ids=" ".join)
def test_a_full_disk_is_reported_as_one(repaired: Database, words: tuple[str, ...]) -> None:
    repaired.run(FULL)
    before = repaired.dump()
    ended = fixer(*words, "-q", "--dsn", repaired.dsn)

    assert (ended.returncode, repaired.dump()) == (2, before)
    assert "could not extend file: No space left on device (53100)" in ended.stderr
    assert "cannot use" not in ended.stderr


MEANWHILE = """
import psycopg2
from fixer.compare import examine
was = examine.compare
def meanwhile(*words, **more):
    with psycopg2.connect({dsn!r}) as other, other.cursor() as cursor:
        cursor.execute({statement!r})
    return was(*words, **more)
examine.compare = meanwhile
"""
GONE = {
    "a table": "DROP TABLE users CASCADE",
    "the connection": "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pgmend'"
    " AND datname = current_database()",
}


@pytest.mark.parametrize("command", [("check", "--deep"), ("plan", "--deep"), APPLY], ids=" ".join)
@pytest.mark.parametrize("gone", GONE)
def test_what_went_in_the_middle_is_named(
    broken: Database, tmp_path: Path, gone: str, command: tuple[str, ...]
) -> None:
    hook = MEANWHILE.format(dsn=broken.dsn, statement=GONE[gone])
    (tmp_path / "models.py").write_text(f"from contracts.trading import *\n{hook}\n")
    ended = fixer(*command, "--contract", "models:metadata", "--dsn", broken.dsn, cwd=tmp_path)

    assert (ended.returncode in (1, 2), "cannot use" in ended.stdout + ended.stderr) == (True, False)
    named = "users could not be read: " if gone == "a table" else "terminating connection due to administrator command"
    assert named in ended.stdout + ended.stderr


def test_the_suite_names_it_too(broken: Database) -> None:
    words = [sys.executable, "-m", "pytest", "--pyargs", "contracts", "-p", "no:cacheprovider", f"--dsn={broken.dsn}"]
    env = {**CLEAN, "PYTHONPATH": str(HOUSE), "PGOPTIONS": "-c lock_timeout=1min -c statement_timeout=1s"}
    with held(broken, "users"):
        ended = subprocess.run(words, capture_output=True, text=True, cwd=HOUSE, env=env)

    assert "canceling statement due to statement timeout (57014)" in ended.stderr
    assert (ended.returncode, "cannot use" in ended.stdout + ended.stderr) == (4, False)


# ---- the library goes the same way


def test_the_library_names_it_too(broken: Database) -> None:
    target = resolve(broken.dsn, {}, lock_timeout="1min", statement_timeout="1s")
    with held(broken, "users"), pytest.raises(TargetError) as refusal:
        library.check(target, metadata, deep=True)

    assert "canceling statement due to statement timeout (57014)" in str(refusal.value)


def test_the_library_lists_takes_back_and_forgets_runs(repaired: Database) -> None:
    target = resolve(repaired.dsn, {})
    listed = [(run.run, run.undoable) for run in library.history(target)]
    undone = library.undo(target, 1)
    again = library.apply(target, metadata, allow_hazards="all")
    forgotten = library.prune(target)

    assert (listed, undone.run, again.run, forgotten) == ([(1, True)], 2, 3, 1)
    assert [(run.run, run.undoable, run.undone_by) for run in library.history(target)] == [
        (3, False, None), (2, False, None), (1, False, 2),
    ]  # fmt: skip


def test_the_library_has_no_history_where_nothing_was_done(broken: Database) -> None:
    with closing(psycopg2.connect(broken.dsn)) as connection:
        assert (library.history(connection), library.prune(connection)) == ([], 0)
        with pytest.raises(PgmendError):
            library.undo(connection, 1)
