"""Tables on screens of any width: they are read, and not spelt."""

from __future__ import annotations

import re
from io import StringIO

import pytest
from rich.console import Console
from rich.text import Text

from fixer.model.run import PastRun
from fixer.report.columns import Column, Columns
from fixer.report.progress import Teller
from fixer.report.tables import of_runs
from lab.commands import apply
from lab.database import Database
from lab.process import fixer

WIDTHS = [40, 60, 80, 100, 120, 200]
TITLES = (
    "create the sequence users_id_seq", "add PRIMARY KEY (id) to users",
    "insert the default row username 'PAPER_TRADER_001' into users",
    "its user_id points at no row of users (orphans: quarantine)",
)  # fmt: skip


def shown(width: int, *words: object) -> list[str]:
    """Return the lines of a command, without those with the next command, which are not folded."""
    lines = fixer(*words, env={"COLUMNS": str(width)}).stdout.splitlines()
    return [line for line in lines if ": fixer " not in line]


@pytest.mark.parametrize("width", WIDTHS)
def test_a_plan_is_read_at_any_width(broken: Database, width: int) -> None:
    lines = shown(width, "plan", "--dsn", broken.dsn)
    words = " ".join(re.sub(r"\d+ ms", "", " ".join(lines)).split())
    steps = [line for line in lines if re.match(r" ?\d+   ", line)]

    assert max(map(len, lines)) <= width
    assert {line[-3:] for line in steps} == {" ms"}
    assert len({len(line) for line in steps}) == 1  # times stand right-aligned
    if width >= 80:
        assert [title for title in TITLES if not re.search(_with_gaps(title), words)] == []


def _with_gaps(title: str) -> str:
    """Return a pattern of a title, between whose words a folded line may have its rows, lock and bytes."""
    return r"(?: .{0,90}?)? ".join(map(re.escape, title.split()))


@pytest.mark.parametrize("width", WIDTHS)
def test_no_line_of_a_table_is_longer_than_the_screen(broken: Database, width: int) -> None:
    apply(broken, "--allow-hazards", "all")
    history = shown(width, "history", "--dsn", broken.dsn)
    check = shown(width, "check", "--dsn", broken.dsn)
    undone = shown(width, "undo", "1", "--yes", "--dsn", broken.dsn)

    assert max(map(len, [*history, *check, *undone])) <= width
    assert "quarantined" in " ".join(history)
    assert ("paper_trades: 2093 + 7 = 2100 + 0" if width < 64 else "2093 7 2100 0") in " ".join(
        " ".join(undone).split()
    )


@pytest.mark.parametrize("width", [100, 120, 130, 140, 150, 170])
def test_no_moment_of_past_runs_is_cut(width: int) -> None:
    moments = ("2026-11-29 18:00:00+00", "2026-11-29 18:00:07+00")
    run = PastRun(
        12, "a1b2c3d4e5f60718", "contracts.trading:metadata", "atomic", "postgres", *moments, [], None, 12, None, True
    )
    screen = Console(width=width, file=StringIO())
    screen.print(of_runs([run]))
    said = screen.file.getvalue()  # type: ignore[attr-defined]  # which is a StringIO

    assert [each for each in (*moments, "quarantined", run.plan) if each not in said] == []


def test_a_command_to_paste_is_not_folded(broken: Database) -> None:
    lines = fixer("check", "--dsn", broken.dsn, env={"COLUMNS": "40"}).stdout.splitlines()

    assert lines[-1] == f"See the repair with: fixer plan --dsn '{broken.dsn}'"


def test_what_a_dumb_terminal_gets_has_no_escapes(broken: Database) -> None:
    printed = fixer("plan", "--dsn", broken.dsn, env={"TERM": "dumb", "FORCE_COLOR": "", "COLUMNS": "80"}).stdout

    assert "\x1b" not in printed


TABLE = Columns(
    (Column("#", "dim", right=True), Column("step", folds=True), Column("lock", "dim"), Column("rows", right=True)),
    [
        ("1", [Text("fill the names of users"), Text("UPDATE users", style="dim")], "none", "12"),
        ("20", [Text("表格 is wide")], "access exclusive", ""),
    ],
)


def drawn(table: Columns, width: int, *, terminal: bool = False) -> list[str]:
    plain = not terminal
    console = Console(file=StringIO(), width=width, force_terminal=terminal, no_color=plain, highlight=False)
    console.print(table, crop=False)
    assert isinstance(console.file, StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def test_the_texts_of_a_column_fold_where_there_is_no_room() -> None:
    assert drawn(TABLE, 46) == [
        "",
        "  #   step            lock               rows",
        f" {'─' * 44}",
        "  1   fill the        none                 12",
        "      names of",
        "      users",
        "      UPDATE users",
        " 20   表格 is wide    access exclusive",
        "",
    ]


def test_a_column_is_as_wide_as_its_texts_where_there_is_room() -> None:
    assert drawn(TABLE, 200)[1:5] == [
        "  #   step                      lock               rows",
        f" {'─' * 54}",
        "  1   fill the names of users   none                 12",
        "      UPDATE users",
    ]


def test_a_terminal_shows_the_styles_of_columns_and_texts() -> None:
    lines = drawn(TABLE, 46, terminal=True)

    assert [f"\x1b[1m{name}\x1b[0m" in lines[1] for name in ("#", "step", "lock", "rows")] == [True] * 4
    assert "\x1b[2mnone\x1b[0m" in lines[3]
    assert "\x1b[2mUPDATE users\x1b[0m" in lines[6]


def test_a_title_stands_above_a_table_whose_lines_begin_further_in() -> None:
    lines = drawn(Columns((Column("table"), Column("rows", right=True)), [("users", "3")], "all rows", edge="  "), 40)

    assert lines == ["all rows", "", "  table   rows", " ──────────────", "  users      3", ""]


@pytest.mark.parametrize("quiet", [False, True], ids=["speaks", "quiet"])
@pytest.mark.parametrize("text", ["[1/3] add a key", "forbid NULL in it; " * 9, "größer", "two\nlines", "a\x07bell"])
def test_progress_in_a_pipe_is_what_a_console_prints(text: str, quiet: bool) -> None:
    printed, told = StringIO(), StringIO()
    Console(file=printed, width=80, quiet=quiet, highlight=False, markup=False).print(text)
    Teller(lambda: Console(file=told, width=80, quiet=quiet, highlight=False, markup=False)).say(text)

    assert told.getvalue() == printed.getvalue()
