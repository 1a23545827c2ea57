"""Runs the contract suite at a database, as a process of its own: nothing here imports pytest."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
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


def run(target: Target, contract: str, schema: str) -> Outcome:
    """Run the suite at a database under a contract that is named."""
    lacking = [name for name in _NEEDS if find_spec(name) is None]
    if lacking:
        return Outcome(f"not run: {lacking[0]} is not installed", ran=False)
    with tempfile.TemporaryDirectory(prefix="pgmend-suite-") as place:
        file = Path(place) / "dsn"
        file.touch(mode=0o600)  # it may hold a password
        file.write_text(_url(target), encoding="utf-8")
        words = ["-q", "-rf", "--tb=no", "-p", "no:cacheprovider", "-o", "addopts=", "--pyargs", "contracts"]
        words += ["--dsn-file", str(file), "--contract", contract, "--schema", schema]
        environment = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *words], capture_output=True, text=True, env=environment, check=False
        )
    text = redact(done.stdout + done.stderr)
    failed = re.findall(r"^(?:FAILED|ERROR) (?:\S*::)?(\S.*?)(?: - .*)?$", text, re.MULTILINE)
    last = (text.strip().splitlines() or ["it said nothing"])[-1].strip("= ")
    if done.returncode and not failed:
        failed = [last]
    return Outcome(last, tuple(failed[:_SHOWN]))


def _url(target: Target) -> str:
    return target.url.render_as_string(hide_password=False)
