"""Shares what is expensive to make among the processes of a session.

The first process that needs a thing makes it: the check of a target, the server, a snapshot and its repaired copy.
"""

from __future__ import annotations

import fcntl
import os
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

Made = TypeVar("Made")


class Meeting:
    """The directory in which the processes of a session share what they make."""

    def __init__(self, owner: int, directory: Path) -> None:
        self.owner = owner  # the process that started the session
        self.directory = directory

    @property
    def is_ours(self) -> bool:
        """Whether this process started the session."""
        return self.owner == os.getpid()

    def once(self, name: str, make: Callable[[], Made]) -> Made:
        """Return what `make` returns; only the first process of the session that asks for this name calls it."""
        self.directory.mkdir(mode=0o700, exist_ok=True)
        note = self.directory / re.sub(r"[^\w.-]", "_", name)
        with note.with_name(f"{note.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # released as the file closes
            if note.exists():
                made: Made = pickle.loads(note.read_bytes())
                return made
            made = make()
            note.write_bytes(pickle.dumps(made))
            return made

    def made(self, kind: str) -> list[object]:
        """Return what was made under all names that start with `kind`."""
        notes = [note for note in self.directory.glob(f"{kind}-*") if note.suffix != ".lock"]
        return [pickle.loads(note.read_bytes()) for note in notes]
