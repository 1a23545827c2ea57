"""apply --mode online: whatever kills it, it goes on where it was or is taken back."""

from __future__ import annotations

import signal
import threading

import pytest

from lab.commands import holds, runs, undo
from lab.database import Database, all_of, differences, session
from lab.online import APPLY, BUILDING, at, ends, slow_down, stop, trades
from lab.process import begun, fixer, wait_for

SNAPSHOT = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT 1"  # for whose end the building of an index waits
STEPS = 17
"""How many steps the plan of the story has."""


def stop_dozing(database: Database) -> None:
    database.run("DROP EVENT TRIGGER IF EXISTS yawn; DROP FUNCTION IF EXISTS yawn")


@pytest.mark.parametrize("how", ["kill -9", "of its backend", "Ctrl-C"])
@pytest.mark.parametrize("step", range(2, STEPS + 1, 3))
def test_what_was_interrupted_at_a_step_is_taken_up_and_can_be_taken_back(large: Database, step: int, how: str) -> None:
    before, rows = all_of(large), trades(large)
    slow_down(large, 0.2)
    ends(large, at(large, rf"\[{step}/{STEPS}\]"), how)
    stop_dozing(large)
    left = runs(large)
    resumed = fixer(*APPLY, "-q", "--dsn", large.dsn)

    assert (left, resumed.returncode, runs(large)) == ([(1, False)], 0, [(1, True)]), resumed.stderr
    assert rows == trades(large)
    assert holds(large)
    assert (undo(large, 1, "-q").returncode, differences(before, large)) == (0, [])


@pytest.mark.parametrize("moved", [1, 700, 1500])
def test_batches_that_were_done_are_not_done_again(large: Database, moved: int) -> None:
    before, rows = all_of(large), trades(large)
    count = "SELECT count(*) FROM fixer_quarantine.paper_trades"
    process = begun(*APPLY, "--dsn", large.dsn)
    there = "SELECT to_regclass('fixer_quarantine.paper_trades') IS NOT NULL"
    wait_for(lambda: process.poll() is not None or (large.ask(there) and large.ask(count) >= moved))
    ends(large, process, "kill -9")
    fixer(*APPLY, "-q", "--dsn", large.dsn)

    assert (rows, 2007, [(1, True)]) == (trades(large), large.ask(count), runs(large))
    assert holds(large)
    assert (undo(large, 1, "-q").returncode, differences(before, large)) == (0, [])


@pytest.mark.parametrize("how", ["kill -9", "of its backend", "Ctrl-C"])
def test_an_index_that_was_half_built_is_healed(broken: Database, how: str) -> None:
    before = all_of(broken)
    with session(broken, SNAPSHOT) as other:
        process = begun(*APPLY, "--dsn", broken.dsn)
        wait_for(lambda: broken.ask(BUILDING) or process.poll() is not None)
        stop(broken, process, how)
        invalid = broken.ask("SELECT count(*) FROM pg_index WHERE NOT indisvalid")
        timer = threading.Timer(2, other.rollback)
        timer.start()
        resumed = fixer(*APPLY, "-q", "--dsn", broken.dsn)  # what was killed may be building still
        timer.join()

    assert holds(broken), resumed.stderr
    assert (invalid, resumed.returncode, runs(broken)) == (1, 0, [(1, True)]), resumed.stderr
    assert (undo(broken, 1, "-q").returncode, differences(before, broken)) == (0, [])


def test_an_index_that_was_half_built_goes_when_the_run_is_taken_back(broken: Database) -> None:
    invalid = "SELECT count(*) FROM pg_index WHERE NOT indisvalid"
    before = all_of(broken)
    with session(broken, SNAPSHOT) as other:
        process = begun(*APPLY, "--dsn", broken.dsn)
        wait_for(lambda: broken.ask(BUILDING) or process.poll() is not None)
        stop(broken, process, "of its backend")
        left = broken.ask(invalid)
        other.rollback()
    taken_back = undo(broken, 1, "-q")

    assert (left, taken_back.returncode, broken.ask(invalid)) == (1, 0, 0), taken_back.stderr
    assert differences(before, broken) == []


def test_an_interrupt_exits_130_and_says_how_to_go_on(large: Database) -> None:
    process = at(large, r"\[15/")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)

    assert "Traceback" not in err
    assert err.endswith(
        "Interrupted. Finished steps are kept as run 1: `fixer apply --mode online` continues from there.\n"
    )
    assert process.returncode == 130


def test_history_shows_what_is_unfinished(broken: Database) -> None:
    slow_down(broken, 0.2)
    ends(broken, at(broken, r"\[6/"), "kill -9")
    stop_dozing(broken)
    ended = fixer("history", "--dsn", broken.dsn)

    assert "unfinished" in ended.stdout


def test_what_is_unfinished_can_be_taken_back(large: Database) -> None:
    before = all_of(large)
    slow_down(large, 0.2)
    ends(large, at(large, r"\[14/"), "kill -9")
    stop_dozing(large)
    ended = undo(large, 1, "-q")

    assert (ended.returncode, ended.stderr, differences(before, large)) == (0, "", [])


def test_what_is_unfinished_is_not_pruned(large: Database) -> None:
    before = all_of(large)
    slow_down(large, 0.2)
    ends(large, at(large, r"\[14/"), "kill -9")
    stop_dozing(large)
    fixer("history", "--prune", "--yes", "--dsn", large.dsn)
    fixer(*APPLY, "-q", "--dsn", large.dsn)

    assert (undo(large, 1, "-q").returncode, differences(before, large)) == (0, [])
