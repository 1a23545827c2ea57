"""The progress of a run on a terminal: a bar for the current step, with its rate and the remaining time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from fixer.model.plan import PlannedStep
from fixer.report.progress import Teller


class BarTeller(Teller):
    """Shows what a run does, above a bar for the current step."""

    def __init__(self, console: Console) -> None:
        super().__init__(lambda: console)
        columns = (TextColumn("    {task.completed:,.0f}{task.fields[unit]}"), BarColumn(), TaskProgressColumn())
        rate = TextColumn("{task.fields[rate]}")
        self.bar = Bar(*columns, rate, TimeRemainingColumn(), console=console, transient=True)
        self.task = self.bar.add_task("", total=None, visible=False, unit=" rows", rate="")

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show the bar for as long as this lasts."""
        with self.bar:
            yield

    def step(self, step: PlannedStep, count: int) -> None:
        """Show which step begins, and start a new bar."""
        super().step(step, count)
        self.bar.reset(self.task, total=step.effect.rows or None, visible=False, unit=" rows", rate="")

    def rows(self, step: PlannedStep, done: int) -> None:
        """Move the bar as rows are written."""
        speed = self.bar.tasks[0].speed
        rate = f"{speed:,.0f}/s" if speed else ""
        self.bar.update(self.task, completed=done, total=max(done, step.effect.rows) or None, visible=True, rate=rate)

    def builds(self, done: int, total: int) -> None:
        """Move the bar as an index is built."""
        self.bar.update(self.task, completed=done, total=total or None, visible=True, unit=" blocks", rate="")
