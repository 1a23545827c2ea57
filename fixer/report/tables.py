"""Tables for people: steps, ledger, past runs; each with a form for screens that have no room for its columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.text import Text

from fixer.model.plan import Plan
from fixer.model.run import Entry, PastRun
from fixer.model.values import dataclass
from fixer.report.columns import Column, Columns, Row
from fixer.report.words import bytes_of, counted, time_of

if TYPE_CHECKING:
    from rich.table import Table

_READABLE = 44  # characters of a step's title in one line


@dataclass(frozen=True)
class ByWidth:
    """A table, or its narrow form if the screen is too small for the table."""

    table: Columns | Table
    narrow: RenderableType

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the form that fits the screen."""
        room = options.update(width=10_000)
        fits = self.table.__rich_measure__(console, room).minimum <= options.max_width
        yield self.table if fits else self.narrow

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        """Return all the room there is: which form fits is asked again."""
        return Measurement(1, options.max_width)


def of_steps(plan: Plan, verbose: bool) -> ByWidth:
    """Return the steps with lock, hazard, rows, bytes and time: in columns, or some of it below the title."""
    least = min(_READABLE, max(len(step.title) for step in plan.steps))
    lock_and_hazard = (Column("lock", "dim"), Column("hazard", "yellow"))
    columns = (*_titled(least), *lock_and_hazard, *_of_numbers("rows", "reads", "writes", "time"))
    broad, small = list[Row](), list[Row]()
    for step in plan.steps:
        number, rows = str(step.number), str(step.effect.rows) if step.effect.rows else ""
        lock, hazard, time = str(step.lock).lower(), str(step.hazard or ""), time_of(step.cost.seconds)
        reads, writes = bytes_of(step.cost.reads), bytes_of(step.cost.writes)
        sql = [Text(step.sql, style="dim")] if verbose else []
        broad.append((number, [Text(step.title), *sql], lock, hazard, rows, reads, writes, time))
        small.append((number, [Text(step.title), _beneath(lock, hazard, reads, writes), *sql], rows, time))
    return ByWidth(Columns(columns, broad), Columns((*_titled(), *_of_numbers("rows", "time")), small))


def _titled(least: int = 1) -> tuple[Column, Column]:
    """Return the columns for the number and the title of a step."""
    return Column("#", "dim", right=True), Column("step", folds=True, least=least)


def _of_numbers(*names: str) -> Iterator[Column]:
    """Yield columns of numbers."""
    return (Column(name, right=True) for name in names)


def _beneath(lock: str, hazard: str, reads: str, writes: str) -> Text:
    """Return in one line what has no column of its own."""
    said = {"lock": lock, "hazard": hazard, "reads": reads, "writes": writes}
    return Text(", ".join(f"{name} {value}" for name, value in said.items() if value), style="dim")


def of_ledger(entries: Iterable[Entry]) -> RenderableType:
    """Return the ledger, which accounts for every row: a table, or a sum for each table."""
    title = "ledger: before + inserted = after + quarantined"
    columns = (Column("table"), *_of_numbers("before", "inserted", "after", "quarantined"))
    rows, sums = list[Row](), [Text(title, style="italic")]
    for entry in entries:
        cells = (entry.before, entry.inserted, entry.after, entry.quarantined)
        rows.append((str(entry.table), *map(str, cells)))
        sums.append(Text("  {}: {} + {} = {} + {}".format(entry.table, *cells)))
    return ByWidth(Columns(columns, rows, title, edge="  "), Group(*sums, Text()))


def of_runs(runs: Sequence[PastRun]) -> RenderableType:
    """Return past runs, the newest first: a table, or some lines for each."""
    from rich import box
    from rich.table import Table

    names = ("run", "started", "finished", "mode", "role", "steps", "quarantined", "undo", "contract", "plan")
    rows, lines = [names], list[RenderableType]()
    for run in runs:
        moved = "" if run.quarantined is None else str(run.quarantined)
        began, ended = _moment(run.started_at), _moment(run.finished_at or "unfinished")
        cells = (str(run.run), began, ended, run.mode, run.role, str(run.steps), moved, _undo(run))
        rows.append((*cells, run.contract, run.plan))
        finished = f"finished {ended}" if run.finished_at else ended
        lines += [Text(f"run {run.run}, started {began}, {finished}", style="bold")]
        lines += [Text(f"  {run.mode}, by {run.role}, {counted(run.steps, 'step')}, {moved or 'unknown'} quarantined")]
        lines += [Text(f"  undo: {_undo(run) or 'not possible'}; plan {run.plan} for {run.contract}")]
    table = Table(box=box.SIMPLE_HEAD)
    for column in zip(*rows, strict=True):  # as wide as it is: rich would cut what has blanks
        right = column[0] in ("run", "steps", "quarantined")
        width = max(map(cell_len, column))
        table.add_column(column[0], no_wrap=True, min_width=width, justify="right" if right else "left")
    for row in rows[1:]:
        table.add_row(*row)
    return ByWidth(table, Group(*lines))


def _moment(text: str) -> str:
    """Return a moment without the parts of its second."""
    whole, _, rest = text.partition(".")
    return whole + rest.lstrip("0123456789")


def _undo(run: PastRun) -> str:
    """Return whether a run can be undone, or was."""
    if run.undone_by:
        return f"by run {run.undone_by}"
    return "possible" if run.undoable else ""
