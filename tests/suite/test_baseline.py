"""--baseline: what is known fails no item, and what is new does."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from lab.database import Database
from lab.process import CLEAN, HOUSE, fixer

KNOWN = "not tried, 1 item: known by the baseline: users should have PRIMARY KEY (id), has none [missing-primary-key]"


def prove(database: Database, *words: object) -> tuple[int, list[str], list[str]]:
    """Run the suite; return the exit code, which items failed, and the lines."""
    typed = ["-m", "pytest", "contracts", "-q", "-p", "no:cacheprovider", "--dsn", database.dsn, *map(str, words)]
    done = subprocess.run(
        [sys.executable, *typed], cwd=HOUSE, env={**CLEAN, "PYTHONPATH": str(HOUSE)}, capture_output=True, text=True
    )
    assert "Traceback" not in done.stdout + done.stderr
    failed = re.findall(r"^FAILED contracts/\S+?::(\S+)", done.stdout, re.M)
    return done.returncode, failed, (done.stdout + done.stderr).splitlines()


def test_what_is_known_is_skipped_and_what_is_new_fails(broken: Database, tmp_path: Path) -> None:
    file = tmp_path / "base.json"
    fixer("check", "-q", "--dsn", broken.dsn, "--write-baseline", file)
    first = prove(broken, "--baseline", file)
    broken.run("ALTER TABLE paper_trades DROP strategy")
    second = prove(broken, "--baseline", file, "-m", "point4")

    assert (first[0], first[1]) == (0, [])
    assert KNOWN in first[2]
    assert (second[0], second[1]) == (1, ["test_structure_holds[paper_trades.strategy]"])


def test_a_file_that_is_no_baseline_is_one_sentence(broken: Database, tmp_path: Path) -> None:
    (tmp_path / "base.json").write_text("{")
    code, _, lines = prove(broken, "--baseline", tmp_path / "base.json")

    assert (code, next(line for line in lines if "is no baseline, or is damaged" in line)[:6]) == (4, "ERROR:")
