"""Processes: the fixer as a command, PostgreSQL's own programs, and how long a test waits for them."""

from __future__ import annotations

import atexit
import json
import os
import re
import select
import signal
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
from lab.documents import check_documents

HOUSE = Path(__file__).resolve().parents[2]
_UNWANTED = "PG|DATABASE_|NO_COLOR|FORCE_COLOR|COLUMNS"  # workers of xdist have COLUMNS
CLEAN = {name: value for name, value in os.environ.items() if not re.match(_UNWANTED, name)}
CLEAN["PGMEND_CONTRACT"] = "contracts.trading:metadata"


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


def order(words: tuple[object, ...], cwd: Path, env: Mapping[str, str] | None, **streams: str) -> dict[str, object]:
    return {"words": list(map(str, words)), "cwd": str(cwd), "env": {**CLEAN, **(env or {})}, **streams}


def fixer(
    *words: object, cwd: Path = HOUSE, env: Mapping[str, str] | None = None, out: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run the fixer to its end, in a process of its own; no way out of it may show a traceback.

    What it writes for machines is held against the schemas.
    `out` is a file that takes its output.
    """
    with TemporaryDirectory() as place:
        files = {"out": out or f"{place}/out", "err": f"{place}/err"}
        exit_code = nursery().bear(order(words, cwd, env, **files))
        said, err = ("" if out else Path(files["out"]).read_text(), without_waits(Path(files["err"]).read_text()))
    assert "Traceback" not in said + err
    check_documents(words, cwd, said)
    return subprocess.CompletedProcess(words, exit_code, said, err)


def without_waits(said: str) -> str:
    """Return what was said, but for what was waited for, which a slow machine decides."""
    return re.sub(r"^fixer: Waiting for .*\n", "", said, flags=re.M)


def cramped(room: int, *words: object, cwd: Path = HOUSE) -> subprocess.CompletedProcess[str]:
    """Run the fixer where no file may hold more bytes, as if the disk were full."""
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({room}, {room}))"
    code = f"{limit}; import sys; sys.argv[0] = 'fixer'; from fixer.__main__ import main; main()"
    return subprocess.run(
        [sys.executable, "-B", "-c", code, *map(str, words)],
        cwd=cwd,
        # Nothing measures what it covers: there would be no room to write that, either.
        env={**{name: value for name, value in CLEAN.items() if "COV" not in name}, "PYTHONPATH": str(HOUSE)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )


class Begun:
    """A run of the fixer that goes on beside the test; it has the ways of `subprocess.Popen`."""

    def __init__(self, words: tuple[object, ...], cwd: Path, env: Mapping[str, str] | None) -> None:
        self.returncode: int | None = None
        with TemporaryDirectory() as place:
            names = ("fate", "out", "err")
            for name in names:
                os.mkfifo(f"{place}/{name}")
            nursery().bear_beside({"place": place, **order(words, cwd, env, out=f"{place}/out", err=f"{place}/err")})
            ends = [os.open(f"{place}/{name}", os.O_RDONLY) for name in names]  # each waits for the other end
            self._fate, self.stdout, self.stderr = (os.fdopen(end, encoding="utf-8") for end in ends)
            self.pid = int(self._fate.readline())

    def __enter__(self) -> Begun:
        return self

    def __exit__(self, *_: object) -> None:
        self.stdout.close()
        self.stderr.close()
        self.wait()

    def poll(self) -> int | None:
        if self.returncode is None and select.select([self._fate], [], [], 0)[0]:
            self.wait()
        return self.returncode

    def wait(self) -> int:
        if self.returncode is None:
            with self._fate:
                self.returncode = int(self._fate.readline())
        return self.returncode

    def communicate(self, timeout: float = 60) -> tuple[str, str]:
        """Read all that is said, and wait for the end, which comes by force when the time is over."""
        impatience, said = threading.Timer(timeout, self.kill), [""]
        impatience.start()
        reader = threading.Thread(target=lambda: said.append(self.stderr.read()))
        reader.start()
        out = self.stdout.read()
        reader.join()
        with self:
            impatience.cancel()
        return out, without_waits(said[-1])

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def begun(*words: object, cwd: Path = HOUSE, env: Mapping[str, str] | None = None) -> Begun:
    return Begun(words, cwd, env)


class Nursery:
    """A process that has imported all of the fixer once, and forks for every run, which saves half a second each.

    A run beside others has a keeper, which waits for its end.
    """

    IMPORTS = """
import contracts.trading, fixer, importlib, pkgutil
from fixer import defects
from fixer.cli import group as cli
for module in pkgutil.walk_packages(fixer.__path__, "fixer."):
    if not module.name.rpartition(".")[2].startswith("__"):
        importlib.import_module(module.name)
defects.all_classes()
"""
    COMMAND = "cli.main()"
    SCRIPT = """
import gc, json, os, signal, sys, traceback
gc.set_threshold(50_000, 20, 100)
keepers = []
for line in sys.stdin:
    order = json.loads(line)
    keepers = [keeper for keeper in keepers if not os.waitpid(keeper, os.WNOHANG)[0]]
    child = os.fork()
    if child and order["beside"]:
        keepers.append(child)
        continue
    if child:
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
        continue
    if order["beside"]:
        with open(order["place"] + "/fate", "w") as fate:
            child = os.fork()
            if child:
                print(child, file=fate, flush=True)
                print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), file=fate, flush=True)
                os._exit(0)
    signal.alarm(300)
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["env"])
    for number, place in enumerate((os.devnull, order["out"], order["err"])):
        os.dup2(os.open(place, os.O_WRONLY | os.O_CREAT if number else os.O_RDONLY), number)
    sys.argv = ["fixer", *order["words"]]
    try:
        COMMAND
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
        words = [sys.executable, "-c", self.IMPORTS + self.SCRIPT.replace("COMMAND", self.COMMAND)]
        env = {**CLEAN, "PYTHONPATH": str(HOUSE)}
        self.process = subprocess.Popen(words, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def bear(self, order: Mapping[str, object]) -> int:
        """Run an order to its end, and return its exit code."""
        self._give({"beside": False, **order})
        assert self.process.stdout
        return int(self.process.stdout.readline())

    def bear_beside(self, order: Mapping[str, object]) -> None:
        """Begin an order, which says its number and its exit code in the FIFO "fate" of its place."""
        self._give({"beside": True, **order})

    def _give(self, order: Mapping[str, object]) -> None:
        assert self.process.stdin
        print(json.dumps(order), file=self.process.stdin, flush=True)

    def close(self) -> None:
        with self.process:
            assert self.process.stdin
            self.process.stdin.close()


@cache
def nursery() -> Nursery:
    made = Nursery()
    atexit.register(made.close)
    return made


def heard(process: subprocess.Popen[str] | Begun, mark: str) -> str:
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
