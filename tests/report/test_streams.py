"""Where a report is written to: whatever becomes of it, nothing is lost and the exit code is true."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lab.commands import APPLY
from lab.database import Database
from lab.examples.models import CONTRACT, models
from lab.process import CLEAN, HOUSE, begun, fixer


def called(*words: object, how: str = "", cwd: Path = HOUSE, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the fixer by a shell, which opens and closes files for it as told."""
    return subprocess.run(
        ["sh", "-c", f'exec "$@" {how}', "sh", sys.executable, "-m", "fixer", *map(str, words)],
        cwd=cwd,
        env={**CLEAN, "PYTHONPATH": str(HOUSE), **env},
        capture_output=True,
        stdin=subprocess.DEVNULL,
        text=True,
    )


CLOSED = ["<&-", ">&-", "2>&-", "<&- >&-", "<&- >&- 2>&-", "2>/dev/full", "</dev/full", "2</dev/null"]


@pytest.mark.parametrize("how", CLOSED)
def test_what_is_closed_changes_no_verdict(broken: Database, healthy: Database, how: str) -> None:
    codes = [called("check", "--dsn", each.dsn, how=how).returncode for each in (healthy, broken)]
    asked = called("apply", "--allow-hazards", "all", "--dsn", broken.dsn, how=how).returncode

    assert (codes, asked, called(*APPLY, "--dsn", broken.dsn, how=how).returncode) == ([0, 1], 2, 0)


TONGUES = {
    "ascii": {"PYTHONIOENCODING": "ascii"},
    "latin-1": {"PYTHONIOENCODING": "latin-1"},
    "the C locale": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "warnings are errors": {"PYTHONWARNINGS": "error"},
}
WARNS = "import warnings; warnings.warn('the models grow old', DeprecationWarning)"


@pytest.mark.parametrize("env", TONGUES.values(), ids=TONGUES.keys())
def test_neither_do_encodings_nor_warnings(broken: Database, tmp_path: Path, env: dict[str, str]) -> None:
    models(tmp_path, WARNS)
    for command, code in ((("check",), 1), (("plan",), 1), (APPLY, 0), (("check",), 0)):
        ended = called(*command, *CONTRACT, "--dsn", broken.dsn, cwd=tmp_path, **env)

        assert "Traceback" not in ended.stderr
        assert ended.returncode == code


@pytest.mark.parametrize("env", TONGUES.values(), ids=TONGUES.keys())
def test_what_machines_read_is_utf_8_always(healthy: Database, tmp_path: Path, env: dict[str, str]) -> None:
    healthy.run("ALTER TABLE users ALTER email DROP NOT NULL; ALTER TABLE users ADD CONSTRAINT größe CHECK (true)")
    words = (sys.executable, "-m", "fixer", "plan", "--dsn", healthy.dsn)
    env = {**CLEAN, "PYTHONPATH": str(HOUSE), **env}
    outputs = [
        subprocess.run([*words, *more], env=env, capture_output=True).stdout.decode("utf-8")
        for more in (["--format", "json"], ["-o", "-"], ["--sql", "-"])
    ]

    assert [json.loads(text)["ok"] for text in outputs[:2]] == [False, False]
    assert "NOT NULL" in outputs[2]


COMMANDS = (("check",), ("check", "--format", "json"), ("plan",), ("plan", "-o", "-"), ("plan", "--sql", "-"))


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_reader_that_goes_away_changes_no_verdict(broken: Database, healthy: Database, words: list[str]) -> None:
    codes = []
    for database in (healthy, broken):
        with begun(*words, "--dsn", database.dsn) as process:
            assert process.stdout
            assert process.stderr
            process.stdout.close()
            said = process.stderr.read()
        codes.append((process.returncode, said))

    assert codes == [(0, ""), (1, "")]


@pytest.mark.parametrize("mode", ["atomic", "online"])
@pytest.mark.parametrize("form", ["text", "json"])
def test_apply_goes_on_where_nobody_reads_it(broken: Database, mode: str, form: str) -> None:
    with begun(*APPLY, "--mode", mode, "--format", form, "--dsn", broken.dsn) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        process.stderr.close()

    assert (process.returncode, fixer("check", "-q", "--dsn", broken.dsn).returncode) == (0, 0)


@pytest.mark.parametrize("words", [*COMMANDS, ("history",)], ids=" ".join)
def test_output_that_cannot_be_written_exits_2(broken: Database, words: list[str]) -> None:
    ended = fixer(*words, "--dsn", broken.dsn, out="/dev/full")

    assert (ended.returncode, ended.stderr) == (2, "fixer: The output cannot be written: No space left on device.\n")


def test_apply_changes_nothing_where_the_plan_cannot_be_shown(broken: Database) -> None:
    before = broken.dump()
    ended = fixer(*APPLY, "--dsn", broken.dsn, out="/dev/full")

    assert (ended.returncode, ended.stderr.count("\n"), broken.dump()) == (2, 1, before)


@pytest.mark.parametrize("form", ["text", "json"])
def test_apply_changes_nothing_where_it_is_known_that_it_cannot_report(broken: Database, form: str) -> None:
    before = broken.dump()
    ended = called(*APPLY, "--format", form, "--dsn", broken.dsn, how="1</dev/null")

    assert (ended.returncode, ended.stderr.count("\n"), broken.dump()) == (2, 1, before)


def test_what_was_committed_is_the_verdict_though_it_cannot_be_written(broken: Database) -> None:
    ended = fixer(*APPLY, "--format", "json", "--dsn", broken.dsn, out="/dev/full")
    undone = fixer("undo", 1, "--yes", "--dsn", broken.dsn, out="/dev/full")

    assert (ended.returncode, undone.returncode) == (0, 0)
    assert "No space left on device. Run 1 was committed, and the contract holds." in ended.stderr
    assert "No space left on device. Run 1 was undone (as run 2)." in undone.stderr


def test_a_log_on_a_full_disk_changes_no_verdict(broken: Database, healthy: Database) -> None:
    log = ("--log-file", "/dev/full")
    ended = [fixer("check", "-vv", *log, "--dsn", each.dsn) for each in (healthy, broken)]
    repaired = fixer(*APPLY, "-vv", *log, "--dsn", broken.dsn)

    assert [each.returncode for each in (*ended, repaired)] == [0, 1, 0]
    assert "Traceback" not in repaired.stderr
    assert repaired.stderr.endswith("fixer: The log file is not whole: No space left on device: /dev/full.\n")
