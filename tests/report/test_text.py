"""What is printed for a person to read."""

from __future__ import annotations

import io
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rich.console import Console

from fixer.report.text import show
from fixer.report.words import Line, Lines
from lab.database import Database
from lab.process import fixer

TEXTS = st.text(alphabet="ab é✓漢[]:\n\t\x1b\u2028\u0301", max_size=40)
PARTS = st.lists(TEXTS | st.tuples(TEXTS, st.sampled_from(["bold", "red", ""])), max_size=3)
LINES = st.tuples(
    st.sampled_from([0, 4]), st.builds(lambda parts, whole: Line(*parts, whole=whole), PARTS, st.booleans())
)


@settings(deadline=None)  # a busy machine is no failure
@example(lines=[(0, Line("漢" * 12))], width=20)
@given(lines=st.lists(LINES, min_size=1, max_size=4), width=st.integers(20, 60))
def test_what_is_written_without_rich_is_what_rich_writes(lines: list[tuple[int, Line]], width: int) -> None:
    console = Console(file=(file := io.StringIO()), width=width, highlight=False, emoji=False, markup=False)
    show(console, Lines(lines))

    assert Lines(lines).plainly(width) in (None, file.getvalue())


def test_a_line_that_needs_no_fold_is_written_without_rich() -> None:
    lines = Lines([Line("✓ ", ("fits", "bold")), (4, Line("below\n"))])

    assert (lines.plainly(20), lines.plainly(8)) == ("✓ fits\n    below\n\n", None)


def test_check_names_the_five_points_and_what_is_wrong_with_each(broken: Database) -> None:
    printed = fixer("check", "--dsn", broken.dsn).stdout

    assert re.findall(r"^  ([✓✗] \d) ", printed, re.MULTILINE) == ["✗ 1", "✗ 2", "✗ 3", "✗ 4", "✗ 5"]


def test_quiet_leaves_only_the_exit_code(broken: Database) -> None:
    ended = fixer("check", "-q", "--dsn", broken.dsn)

    assert (ended.returncode, ended.stdout, ended.stderr) == (1, "", "")


@pytest.mark.parametrize(("words", "env"), [(["--no-color"], {}), ([], {"NO_COLOR": "1"})], ids=["flag", "variable"])
def test_colour_is_left_out_where_it_is_not_wanted(broken: Database, words: list[str], env: dict[str, str]) -> None:
    printed = fixer(
        "check", *words, "--dsn", broken.dsn, env={"FORCE_COLOR": "1", "TERM": "xterm-256color", **env}
    ).stdout

    assert not re.findall(r"\x1b\[[\d;]*3\dm", printed)


def test_a_pipe_gets_colour_where_it_is_wanted(broken: Database) -> None:
    printed = fixer("check", "--dsn", broken.dsn, env={"FORCE_COLOR": "1", "TERM": "xterm-256color"}).stdout

    assert "\x1b[1;31m✗ 1 " in printed


def test_plan_shows_lock_hazard_rows_bytes_and_time_of_its_steps(broken: Database) -> None:
    ended = fixer("plan", "--dsn", broken.dsn)
    moving = next(line for line in ended.stdout.splitlines() if "to quarantine" in line)

    words = " ".join(moving.split())
    assert re.search(r" row exclusive moves-rows 7 \d+ kB \d+ kB \d+ ms$", words)
    assert ended.returncode == 1


def test_plan_says_before_it_adds_a_column_that_another_may_be_it(healthy: Database) -> None:
    healthy.run("ALTER TABLE users RENAME risk_tolerance TO tolerance; ALTER TABLE users ADD nothing varchar(20)")
    words = " ".join(fixer("plan", "--dsn", healthy.dsn).stdout.split())

    assert "users.risk_tolerance is missing, but tolerance holds values of its type" in words
    assert 'if it was renamed, declare Column("risk_tolerance", ..., info={"legacy_names": ["tolerance"]})' in words
    assert "but nothing holds" not in words
