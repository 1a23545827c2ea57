"""Text for people: the plan as a table, the ledger."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from fixer.model.choice import Left
from fixer.model.plan import ATOMIC, Plan, Published
from fixer.model.run import Entry, PastRun, Run, Undone
from fixer.model.step import Hazard
from fixer.report.findings import HOLDS, heading, is_itself, of_finding, of_point, uncounted, warned


def of_plan(plan: Plan, *, verbose: bool = False) -> RenderableType:
    """Return the ordered steps, with lock, hazard, rows and time."""
    parts: list[RenderableType] = [heading(plan.target, plan.contract)]
    if plan.steps:
        parts.append(_steps(plan, verbose))
    for refusal in plan.refusals:
        parts.append(Text.assemble(("✗ ", "red"), refusal))
    parts += map(of_finding, plan.beside)
    parts += [_left(Left(f.slug, f.object, f.left_out)) for f in plan.findings if f.accepted]
    parts += [*map(_left, plan.left), *uncounted(plan.uncounted)]
    parts += [warned(f"The event trigger {each.name} may refuse this plan: {each.way}.\n") for each in plan.guards]
    parts += [_published(plan.published)] if plan.published else []
    return Group(*parts, plan_verdict(plan))


def _left(left: Left) -> Text:
    return Text.assemble(("· ", "yellow"), f"left out: {left.slug}:{left.object}, {left.why}")


def _published(published: Published) -> Text:
    """Return what subscribers need before a plan runs, so that they do not stop."""
    who = published.opening
    if not published.heard:
        return Text(f"{who} the tables of the fixer, too: a subscriber that comes later needs them first.\n", "dim")
    lines = [f"{who} what this plan makes. Subscribers stop until they have the same."]
    if published.tables:
        lines += ["Run there first, as the owner of the subscription:", *(f"  {table};" for table in published.tables)]
    if published.steps:
        noun, verb = ("Step", "changes") if len(published.steps) == 1 else ("Steps", "change")
        numbers = ", ".join(map(str, published.steps))
        lines.append(f"{noun} {numbers} {verb} names, columns, types or keys of published tables: do the same there.")
    return Text.assemble(("! ", "yellow"), "\n".join(lines), "\n")


def _steps(plan: Plan, verbose: bool) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("#", justify="right", style="dim")
    table.add_column("step", overflow="fold", ratio=1)
    table.add_column("lock", style="dim", no_wrap=True)
    table.add_column("hazard", style="yellow", no_wrap=True)
    table.add_column("rows", justify="right")
    table.add_column("reads", justify="right", no_wrap=True)
    table.add_column("writes", justify="right", no_wrap=True)
    table.add_column("time", justify="right", no_wrap=True)
    for step in plan.steps:
        title: RenderableType = Group(Text(step.title), Text(step.sql, style="dim")) if verbose else Text(step.title)
        rows = str(step.effect.rows) if step.effect.rows else ""
        table.add_row(
            str(step.number),
            title,
            str(step.lock).lower(),
            str(step.hazard or ""),
            rows,
            _bytes(step.cost.reads),
            _bytes(step.cost.writes),
            _time(step.cost.seconds),
        )
    return table


def _time(seconds: float) -> str:
    if seconds < 1:
        return f"{max(1, round(seconds * 1000))} ms"
    return f"{seconds:.1f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _bytes(number: float) -> str:
    """Return a number of bytes in words; nothing for none."""
    units = ["GB", "MB", "kB", "B"]
    while number >= 1000 and units[1:]:
        number /= 1000
        units.pop()
    return f"{number:.0f} {units[-1]}" if number else ""


def plan_verdict(plan: Plan) -> Text:
    """Return what to do with a plan."""
    if plan.refusals:
        rest = f"\nTo repair the rest, add: {plan.way_out}" if plan.way_out else ""
        words = "This plan cannot be applied: it needs a human decision."
        return Text.assemble((words, "bold red"), rest)
    if not plan.steps:
        return _nothing(plan)
    total = _time(sum(step.cost.seconds for step in plan.steps))
    noun = "step" if len(plan.steps) == 1 else "steps"
    how = "in one transaction" if plan.mode == ATOMIC else "in short transactions"
    disk = _bytes(sum(step.cost.disk for step in plan.steps))
    room = f", needs {disk} of disk" if disk else ""
    words = f"{len(plan.steps)} {noun}, about {total}, {how}{room}. "
    command = "fixer apply" if plan.mode == ATOMIC else f"fixer apply --mode {plan.mode}"
    if plan.hazards:
        command += f" --allow-hazards {','.join(sorted(plan.hazards))}"
    return Text.assemble((words, "bold"), "Run it with the same options: ", (command, "bold"), "\n", _explained(plan))


def _nothing(plan: Plan) -> Text:
    if plan.left:
        what = "all that was found" if is_itself(plan.contract) else "all that breaks the contract"
        return Text(f"Nothing to do: {what} is left out.", style="bold yellow")
    return Text(f"Nothing to do: {HOLDS[is_itself(plan.contract)]}.", style="bold green")


_HAZARDS = {
    Hazard.MOVES_ROWS: "rows that cannot stay go to the schema fixer_quarantine",
    Hazard.REWRITES_VALUES: "values are changed; the old ones are kept in the schema fixer_journal",
    Hazard.REWRITES_TABLE: "a table is written anew under its lock",
    Hazard.REPLACES_CONSTRAINT: "a constraint is dropped, and another takes its place",
    Hazard.REPLACES_CODE: "a function, view, trigger or policy takes the place of another of its name",
    Hazard.STOPS_SUBSCRIBERS: "subscribers stop until they have what it makes: see above",
    Hazard.CREATES_SCHEMA: "schemas are created, or all tables of the contract beside those of others",
}


def _explained(plan: Plan) -> Text:
    said = {**_HAZARDS, Hazard.CREATES_SCHEMA: plan.question or _HAZARDS[Hazard.CREATES_SCHEMA]}
    lines = [f"  {hazard}: {said[hazard]}" for hazard in sorted(plan.hazards)]
    return Text("\n".join(lines), style="dim")


def of_run(run: Run, *, verbose: bool = False) -> RenderableType:
    """Return what `apply` did: its steps, the ledger, and whether the contract holds."""
    if run.run is None:
        return _nothing(run.plan)
    parts: list[RenderableType] = [of_ledger(run.ledger)]
    if run.report is not None:
        parts += [of_point(number, title, ok) for number, title, ok in run.report.points]
    noun = "step" if len(run.steps) == 1 else "steps"
    done, itself = f"Run {run.run}: {len(run.steps)} {noun} done", is_itself(run.contract)
    if run.plan.left:
        lines = [
            Text(),
            *map(_left, run.plan.left),
            Text(
                f"{done}; {'what is left out remains' if itself else 'what is left out breaks the contract'}.",
                "bold yellow",
            ),
        ]
        return Group(*parts, *lines)
    return Group(*parts, Text(), Text(f"{done}, {HOLDS[itself]}.", style="bold green"))


def of_undone(done: Undone) -> RenderableType:
    """Return what `undo` did: the ledger, and what comes next."""
    but = f", but {', '.join(done.without)} stays away: a build that failed had left it" if done.without else ""
    words = f"Run {done.undone} was undone (as run {done.run}): definitions are as before{but}."
    return Group(of_ledger(done.ledger), Text(), Text(words, style="bold green"))


def of_ledger(entries: Iterable[Entry]) -> Table:
    """Return the ledger, which accounts for every row."""
    table = Table(title="ledger: before + inserted = after + quarantined", box=box.SIMPLE_HEAD, title_justify="left")
    table.add_column("table")
    for name in ("before", "inserted", "after", "quarantined"):
        table.add_column(name, justify="right")
    for entry in entries:
        cells = (entry.before, entry.inserted, entry.after, entry.quarantined)
        table.add_row(str(entry.table), *map(str, cells))
    return table


def of_history(runs: Sequence[PastRun]) -> RenderableType:
    """Return past runs, the newest first."""
    if not runs:
        return Text("No runs: the fixer has not changed this database.")
    table = Table(box=box.SIMPLE_HEAD)
    for name in ("run", "started", "finished", "mode", "role", "steps", "quarantined", "undo", "contract", "plan"):
        table.add_column(name)
    for run in runs:
        moved = "" if run.quarantined is None else run.quarantined
        finished = run.finished_at or "unfinished"
        cells = (
            run.run,
            run.started_at,
            finished,
            run.mode,
            run.role,
            run.steps,
            moved,
            _undo(run),
            run.contract,
            run.plan,
        )
        table.add_row(*map(str, cells))
    return table


def _undo(run: PastRun) -> str:
    """Return whether a run can be undone, or was."""
    if run.undone_by:
        return f"by run {run.undone_by}"
    return "possible" if run.undoable else ""


def show(console: Console, text: RenderableType) -> None:
    """Print a text; unless it is on a terminal, without trailing blanks."""
    if console.is_terminal:
        console.print(text)
        return
    with console.capture() as captured:
        console.print(text)
    console.file.write("\n".join(line.rstrip() for line in captured.get().splitlines()) + "\n")


def console(*, color: bool = True, stderr: bool = False) -> Console:
    """Return a console; it writes no colour unless wanted, and does not fold lines in a pipe."""
    made = Console(no_color=not color, highlight=False, stderr=stderr, soft_wrap=False, emoji=False, markup=False)
    if not made.is_terminal:
        made = Console(no_color=True, highlight=False, stderr=stderr, width=160, emoji=False, markup=False)
    return made
