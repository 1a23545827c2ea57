"""What users type, at a database of a test."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lab.database import Database, lent_copy, load
from lab.laboratory import Laboratory
from lab.process import fixer

APPLY = ("apply", "--yes", "--allow-hazards", "all")


def holds(database: Database, *words: object) -> bool:
    return fixer("check", "--deep", "-q", *words, "--dsn", database.dsn).returncode == 0


def planned(database: Database, place: Path, *words: object) -> Path:
    fixer("plan", "-q", *words, "--dsn", database.dsn, "-o", place / "plan.json")
    return place / "plan.json"


def apply(database: Database, *words: object, mode: str = "atomic", cwd: Path | None = None) -> None:
    options = {"cwd": cwd} if cwd else {}
    ended = fixer(
        "apply", "--yes", "-q", "--mode", mode, "--allow-hazards", "all", "--dsn", database.dsn, *words, **options
    )

    assert (ended.returncode, ended.stderr) == (0, "")


def applied(database: Database) -> Any:
    ended = fixer("apply", "--yes", "--allow-hazards", "all", "--format", "json", "--dsn", database.dsn)
    assert (ended.returncode, ended.stderr) == (0, "")
    return json.loads(ended.stdout)


def undo(database: Database, run: object = 1, *words: object) -> subprocess.CompletedProcess[str]:
    return fixer("undo", run, "--yes", "--dsn", database.dsn, *words)


def runs(database: Database) -> list[tuple[int, bool]]:
    """Give the runs of the past, the newest first, and whether they were finished."""
    answer = json.loads(fixer("history", "--format", "json", "--dsn", database.dsn).stdout)
    return [(run["run"], run["finished_at"] is not None) for run in answer["runs"]]


def script(database: Database, place: Path, contract: str = "contracts.trading:metadata") -> Path:
    file = place / "plan.sql"
    ended = fixer("plan", "-q", "--deep", "--sql", file, "--contract", contract, "--dsn", database.dsn, cwd=place)
    assert ended.stderr == ""
    return file


def psql(database: Database, file: Path) -> subprocess.CompletedProcess[str]:
    assert database.server.bindir
    words = [database.server.bindir / "psql", "-X", "-f", file, database.dsn]
    return subprocess.run(words, capture_output=True, text=True, timeout=60)


@contextmanager
def lent_repaired(laboratory: Laboratory, name: str, mode: str = "atomic") -> Iterator[Database]:
    """Lend a copy of a snapshot that was repaired once."""

    def make(database: Database) -> None:
        load(database, name)
        apply(database, mode=mode)

    with lent_copy(laboratory, 18, f"repaired-{name}-{mode}", make) as database:
        yield database


def refusal(*words: object, **options: Any) -> tuple[int, int]:
    """Run the fixer, and give its exit code and how many lines it complained in."""
    ended = fixer(*words, **options)
    return ended.returncode, len(ended.stderr.splitlines())
