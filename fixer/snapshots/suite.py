"""Runs the contract suite at a database, as a process of its own: nothing here imports pytest."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib.util import find_spec
from pathlib import Path

from fixer.connect.redact import redact
from fixer.connect.target import Target
from fixer.model.values import dataclass

_NEEDS = ("pytest", "hypothesis")
_SHOWN = 10


@dataclass(frozen=True)
class Outcome:
    """What the suite said: how it ended, in words, and the items that failed."""

    said: str
    failed: tuple[str, ...] = ()
    ran: bool = True

    @property
    def ok(self) -> bool:
        """Whether no item failed."""
        return not self.failed


class Waiting:
    """A process of the suite, which waits for its database once it has imported what it needs."""

    def __init__(self) -> None:
        # -P: what a project calls contracts is not ours.
        command, pipe = [sys.executable, "-P", "-m", "contracts.waiting"], subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)

    def run(self, target: Target, contract: str, schema: str) -> Outcome:
        """Run the suite at a database under a contract that is named; it runs once."""
        with tempfile.TemporaryDirectory(prefix="pgmend-suite-") as place:
            file = Path(place) / "dsn"
            file.touch(mode=0o600)  # it may hold a password
            file.write_text(_url(target), encoding="utf-8")
            words = ["--dsn-file", str(file), "--contract", contract, "--schema", schema]
            said = self._process.communicate(json.dumps(words))
        return _outcome(redact("".join(said)), self._process.returncode)

    def close(self) -> None:
        """End the process."""
        with self._process as process:
            process.kill()


@contextmanager
def waiting(*, wanted: bool) -> Iterator[Waiting | None]:
    """Lend a process of the suite that has begun to import; None where it is not wanted, or something is missing."""
    if not wanted or missing():
        yield None
        return
    with closing(Waiting()) as process:
        yield process


def missing() -> str:
    """Return what the suite needs and is not installed."""
    return next((name for name in _NEEDS if find_spec(name) is None), "")


def _outcome(text: str, code: int) -> Outcome:
    failed = re.findall(r"^(?:FAILED|ERROR) (?:\S*::)?(\S.*?)(?: - .*)?$", text, re.MULTILINE)
    last = (text.strip().splitlines() or ["it said nothing"])[-1].strip("= ")
    if code and not failed:
        failed = [last]
    return Outcome(last, tuple(failed[:_SHOWN]))


def _url(target: Target) -> str:
    return target.url.render_as_string(hide_password=False)
