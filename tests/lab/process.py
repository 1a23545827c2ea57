"""Processes: the fixer as a command, PostgreSQL's own programs, and how long a test waits for them."""

from __future__ import annotations

import atexit
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fixer.connect import _supervise

HOUSE = Path(__file__).resolve().parents[2]
CLEAN = {name: value for name, value in os.environ.items() if not re.match("PG|DATABASE_|NO_COLOR|FORCE_COLOR", name)}


def started(*words: object, cwd: Path = HOUSE, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "fixer", *map(str, words)],
        cwd=cwd,
        env={**CLEAN, "PYTHONPATH": str(HOUSE), **(env or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def fixer(*words: object, cwd: Path = HOUSE, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run the fixer to its end, in a process of its own; no way out of it may show a traceback."""
    with TemporaryDirectory() as place:
        order = {"words": list(map(str, words)), "cwd": str(cwd), "env": {**CLEAN, **(env or {})}, "place": place}
        exit_code = nursery().bear(order)
        out, err = (Path(place, name).read_text() for name in ("out", "err"))
    assert "Traceback" not in out + err
    return subprocess.CompletedProcess(words, exit_code, out, err)


class Nursery:
    """A process that has imported all of the fixer once, and forks for every run, which saves half a second each."""

    SCRIPT = """
import gc, importlib, json, os, pkgutil, signal, sys, traceback
import contracts.trading, fixer
from fixer import defects
from fixer.cli import commands as cli
for module in pkgutil.walk_packages(fixer.__path__, "fixer."):
    if not module.name.rpartition(".")[2].startswith("__"):
        importlib.import_module(module.name)
defects.all_classes()
gc.set_threshold(50_000, 20, 100)
for line in sys.stdin:
    order = json.loads(line)
    child = os.fork()
    if child:
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
        continue
    signal.alarm(120)
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["env"])
    places = [os.devnull, order["place"] + "/out", order["place"] + "/err"]
    for number, place in enumerate(places):
        os.dup2(os.open(place, os.O_RDWR | os.O_CREAT), number)
    sys.argv = ["fixer", *order["words"]]
    try:
        cli.main()
    except SystemExit as end:
        exit_code = end.code or 0
    except BaseException:
        traceback.print_exc()
        exit_code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(exit_code)
"""

    def __init__(self) -> None:
        words = [sys.executable, "-c", self.SCRIPT]
        env = {**CLEAN, "PYTHONPATH": str(HOUSE)}
        self.process = subprocess.Popen(words, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def bear(self, order: dict[str, Any]) -> int:
        assert self.process.stdin
        assert self.process.stdout
        print(json.dumps(order), file=self.process.stdin, flush=True)
        return int(self.process.stdout.readline())

    def close(self) -> None:
        with self.process:
            assert self.process.stdin
            self.process.stdin.close()


@cache
def nursery() -> Nursery:
    made = Nursery()
    atexit.register(made.close)
    return made


def heard(process: subprocess.Popen[str], mark: str) -> str:
    assert process.stderr
    impatience = threading.Timer(20, process.kill)
    impatience.start()
    lines = ""
    while not re.search(mark, lines):
        line = process.stderr.readline()
        assert line, lines
        lines += line
    impatience.cancel()
    return lines


def wait_for(look: Callable[[], Any]) -> None:
    end = time.monotonic() + 20
    while not look():
        assert time.monotonic() < end
        time.sleep(0.02)


@contextmanager
def running(command: list[str], place: Path, guise: str) -> Iterator[None]:
    process = _supervise.spawn(command, place, guise, subprocess.DEVNULL)
    with _supervise.stopped(process):
        while not _supervise.is_ready(place / "data"):
            assert process.poll() is None
            time.sleep(0.02)
        yield
