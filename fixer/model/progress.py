"""What a run tells while it works; whoever wants to show it overrides what it wants to show."""

from __future__ import annotations

from fixer.model.plan import PlannedStep


class Progress:
    """Hears of each step, of the rows it has written, and of what it waits for; says nothing."""

    def step(self, step: PlannedStep, count: int) -> None:
        """Hear that one of `count` steps begins."""

    def rows(self, step: PlannedStep, done: int) -> None:
        """Hear how many rows a step has written so far."""

    def builds(self, done: int, total: int) -> None:
        """Hear how far the build of an index is, in blocks or rows."""

    def waits(self, reason: str) -> None:
        """Hear what the step waits for."""

    def again(self, reason: str) -> None:
        """Hear why a new plan is made."""


SILENT = Progress()
