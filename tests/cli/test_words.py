"""The command line: what cannot work exits 2 and is said in one sentence."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pytest

from lab.commands import refusal
from lab.database import Database
from lab.passwords import PASSWORD
from lab.process import HOUSE, fixer

CONTRACTS = {
    "no such module": ("nowhere:metadata", ""),
    "no such attribute": ("shapes:other", "metadata = 1"),
    "no colon": ("shapes", ""),
    "no attribute": ("shapes:", ""),
    "of another kind": ("shapes:metadata", "metadata = 5"),
    "raises": ("shapes:metadata", "raise RuntimeError('boom')"),
    "raises in two lines": ("shapes:metadata", "raise RuntimeError('boom\\nand more')"),
    "ends the interpreter": ("shapes:metadata", "raise SystemExit(3)"),
    "is interrupted by itself": ("shapes:metadata", "raise SystemExit"),
    "does not parse": ("shapes:metadata", "def ("),
    "no tables": ("shapes:metadata", "metadata = MetaData()"),
    "a callable that raises": ("shapes:make", "def make(): raise ValueError('no')"),
    "a callable that wants arguments": ("shapes:make", "def make(more): return MetaData()"),
    "references no table": ("shapes:m", "m = MetaData(); Table('c', m, Column('x', Integer, ForeignKey('p.x')))"),
    "no table that can be made": ("shapes:m", "m = MetaData(); Table('c', m, Column('x'))"),
    "unknown orphan policy": (
        "shapes:m",
        "m = MetaData(); Table('c', m, Column('x', Integer, info={'orphans': 'eat'}))",
    ),
    "default row of no column": (
        "shapes:m",
        "m = MetaData(); Table('c', m, Column('x', Integer), info={'default_rows': [{'y': 1}]})",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("name", "text"), CONTRACTS.values(), ids=CONTRACTS.keys())
def test_a_contract_that_is_none_is_refused(healthy: Database, tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / "shapes.py").write_text(f"from sqlalchemy import *\n{text}\n")

    assert refusal("check", "--dsn", healthy.dsn, "--contract", name, cwd=tmp_path) == (2, 1)


@pytest.mark.parametrize(
    "words",
    [
        ["check", "--format", "xml"],
        ["check", "--lock-timeout", "soon"],
        ["check", "--statement-timeout", "-1"],
        ["check", "--nonsense"],
        ["apply", "--allow-hazards", "explodes"],
        ["apply", "--mode", "magic"],
        ["apply", "no-such-file.json"],
        ["check", "--log-file", "/nowhere/fixer.log"],
        ["plan", "-o", "/nowhere/plan.json"],
        ["plan", "--sql", "/nowhere/plan.sql"],
        ["check", "--schema", "nowhere"],
        ["check", "--schema", ""],
        ["dance"],
    ],
    ids=" ".join,
)
def test_words_that_make_no_sense_exit_2_and_are_named(broken: Database, words: list[str]) -> None:
    known = words[0] != "dance"
    ended = fixer(*words, *(["--dsn", broken.dsn] if known else []))

    assert words[-1] in ended.stderr
    assert (ended.returncode, ended.stdout) == (2, "")


EVERYWHERE = ["--dsn", "--contract", "--schema", "--lock-timeout", "--statement-timeout", "--log-file"]
COMMANDS = ["check", "plan", "apply", "undo 1", "history", "demo"]
EMPTY = [
    *([command, option] for command in COMMANDS for option in EVERYWHERE),
    *(["plan", option] for option in ("--output", "--sql")),
]


@pytest.mark.parametrize(("command", "option"), EMPTY, ids=map(" ".join, EMPTY))
@pytest.mark.parametrize("value", ["", " "], ids=["empty", "blank"])
def test_an_empty_option_is_an_error(command: str, option: str, value: str) -> None:
    elsewhere = {"DATABASE_URL": "postgresql://u@127.0.0.1:1/d"}
    ended = fixer(*command.split(), option, value, env=elsewhere)
    told = f"fixer: {option} is empty: see whether the shell variable behind it is set, or leave it out.\n"

    assert (2, "", told) == (ended.returncode, ended.stdout, ended.stderr)


def test_an_empty_path_of_a_plan_is_no_order_to_make_a_fresh_one(broken: Database) -> None:
    before = broken.dump()
    ended = fixer("apply", "", "--dsn", broken.dsn, "--yes", "--allow-hazards", "all")

    assert "PLAN.JSON is empty" in ended.stderr
    assert (2, before) == (ended.returncode, broken.dump())


def test_without_a_target_one_is_asked_for() -> None:
    assert refusal("check") == (2, 1)


UNREACHABLE = {
    "unknown host": "postgresql://u@no-such-host.invalid/d?connect_timeout=3",
    "another system": "mysql://u@h/d",
    "nobody listens": "postgresql://u@127.0.0.1:1/d",
}


@pytest.mark.parametrize("dsn", UNREACHABLE.values(), ids=UNREACHABLE.keys())
def test_a_target_out_of_reach_exits_2_in_one_sentence(dsn: str) -> None:
    ended = fixer("check", "--dsn", dsn)

    assert (ended.returncode, ended.stdout, ended.stderr.splitlines()[-1][:7]) == (2, "", "fixer: ")


def test_what_answers_with_http_is_not_taken_for_postgresql() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        threading.Thread(target=answer_in_http, args=[listener], daemon=True).start()
        ended = fixer(
            "check", "--dsn", f"postgresql://u:{quote(PASSWORD, safe='')}@127.0.0.1:{listener.getsockname()[1]}/d"
        )

    assert "not a PostgreSQL server" in ended.stderr
    assert (ended.returncode, len(ended.stderr.splitlines())) == (2, 1)


def answer_in_http(listener: socket.socket) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        with client:
            client.recv(1024)
            client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def test_it_starts_with_a_click_whose_types_are_not_generic() -> None:
    """As before 8.3, which the dependencies allow."""
    words = "import click; click.ParamType.__class_getitem__ = None; import fixer.cli.commands"
    ended = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, cwd=HOUSE)

    assert (ended.returncode, ended.stderr) == (0, "")
