"""The progress of a run, line by line."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING

from fixer.model.step.progress import Progress

if TYPE_CHECKING:  # a check shows for what it waits, and no steps; mostly it does not wait
    from rich.console import Console

    from fixer.model.plan import PlannedStep

REPEATED = 5.0  # seconds after which a reason to wait is shown again


class Teller(Progress):
    """Shows what a run does, line by line."""

    def __init__(self, console: Callable[[], Console]) -> None:
        self._console, self.said = console, dict[str, float]()

    @cached_property
    def console(self) -> Console:
        """Where it is shown."""
        return self._console()

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show it for as long as this lasts."""
        yield

    def say(self, text: str) -> None:
        """Write a line; a file or pipe gets it as it is where it needs no fold, which saves most of the time."""
        plain = text.isascii() and text.isprintable() and len(text) <= self.console.width
        if plain and not (self.console.is_terminal or self.console.quiet):
            self.console.file.write(f"{text}\n")
            self.console.file.flush()
        else:
            self.console.print(text, style="dim")

    def step(self, step: PlannedStep, count: int) -> None:
        """Show which step begins."""
        self.say(f"[{step.number}/{count}] {step.title}")

    def waits(self, reason: str) -> None:
        """Show what the step waits for, and again after a while."""
        now = time.monotonic()
        if now - self.said.get(reason, -REPEATED) >= REPEATED:
            self.said[reason] = now
            self.say(f"    waits {reason}")

    def again(self, reason: str) -> None:
        """Show why a new plan is made."""
        self.say(f"planning again: {reason}")
