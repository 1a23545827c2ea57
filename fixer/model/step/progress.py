"""What a run reports while it works; a subclass overrides the reports that it shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fixer.model.plan import PlannedStep


class Progress:
    """Receives the reports of a run: each step, the rows it has written, what it waits for. It shows nothing."""

    def step(self, step: PlannedStep, count: int) -> None:
        """Receive the step that begins, and the `count` of all steps."""

    def rows(self, step: PlannedStep, done: int) -> None:
        """Receive the number of rows that a step has written so far."""

    def builds(self, done: int, total: int) -> None:
        """Receive how far an index is built, in blocks or rows."""

    def waits(self, reason: str) -> None:
        """Receive the reason why the step waits."""

    def again(self, reason: str) -> None:
        """Receive the reason why a new plan is made."""


SILENT = Progress()
