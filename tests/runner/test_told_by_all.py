"""apply --mode online, killed while a publication tells rows by all columns: the identity of old comes back."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.commands import undo
from lab.database import Database, all_of, differences, lent, written
from lab.examples.shop import ALL
from lab.laboratory import VERSIONS, Laboratory
from lab.online import APPLY, at, ends, slow_down
from lab.process import fixer

MADE = "CREATE TABLE t (id integer PRIMARY KEY DEFERRABLE, tenant integer); INSERT INTO t VALUES (1, 1), (2, -2);"
WANTED = {
    "it is replaced": "CREATE TABLE t (id integer PRIMARY KEY, tenant integer CHECK (tenant > 0));",
    "it stays": "CREATE TABLE t (id integer PRIMARY KEY DEFERRABLE, tenant integer CHECK (tenant > 0));",
}
TELLING = "SELECT relreplident FROM pg_class WHERE oid = 't'::regclass"
STEPS = {"it is replaced": 7, "it stays": 5}
"""How many steps each plan has."""


@pytest.mark.parametrize("later", ["another run ends it", "it is taken back at once"])
@pytest.mark.parametrize(("what", "step"), [("it is replaced", 3), ("it is replaced", 7), ("it stays", 4)])
def test_the_identity_of_old_comes_back(
    laboratory: Laboratory, tmp_path: Path, what: str, step: int, later: str
) -> None:
    wanted = tmp_path / "wanted.sql"
    wanted.write_text(WANTED[what])
    with lent(laboratory.server(max(VERSIONS)), None) as database:
        database.run(MADE + ALL)
        before = all_of(database)
        slow_down(database, 0.2)
        ends(database, at(database, rf"\[{step}/{STEPS[what]}\]", "--contract", wanted), "kill -9")
        database.run("DROP EVENT TRIGGER yawn; DROP FUNCTION yawn")
        if later == "another run ends it":
            resumed = fixer(*APPLY, "-q", "--contract", wanted, "--dsn", database.dsn)
            assert (resumed.returncode, database.ask(TELLING), kept(database)) == (0, "d", 1), resumed.stderr
        taken = undo(database, 1, "-q")

        assert (taken.returncode, database.ask(TELLING), differences(before, database)) == (0, "d", []), taken.stderr


@pytest.mark.parametrize(("what", "step"), [("it is replaced", 5), ("it is replaced", 7)])
def test_an_atomic_run_leaves_none_behind(laboratory: Laboratory, tmp_path: Path, what: str, step: int) -> None:
    """Killed before its last step, it has left nothing else to do."""
    wanted = tmp_path / "wanted.sql"
    wanted.write_text(WANTED[what])
    with lent(laboratory.server(max(VERSIONS)), None) as database:
        database.run(MADE + ALL)
        slow_down(database, 0.2)
        ends(database, at(database, rf"\[{step}/{STEPS[what]}\]", "--contract", wanted), "kill -9")
        database.run("DROP EVENT TRIGGER yawn; DROP FUNCTION yawn")
        words = ("apply", "--yes", "--allow-hazards", "all", "-q", "--contract", wanted, "--dsn", database.dsn)
        before, atomic = written(database), fixer(*words)

        assert (atomic.returncode, "take it back with `fixer undo 1`" in atomic.stderr) == (2, True), atomic.stderr
        assert written(database) == before
        assert (fixer(*words, "--mode", "online").returncode, database.ask(TELLING)) == (0, "d")
        assert fixer(*words).returncode == 0


def kept(database: Database) -> int:
    count: int = database.ask("SELECT count(*) FROM t")
    return count
