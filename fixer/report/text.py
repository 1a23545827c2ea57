"""Text for people: findings by point, the plan as a table, the ledger."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich import box
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from fixer.model.choice import Left
from fixer.model.finding import Accepted, Finding
from fixer.model.plan import ATOMIC, Plan, Published
from fixer.model.report import Report
from fixer.model.run import Entry, PastRun, Run, Undone
from fixer.model.step import Hazard

_MARKS = {"error": ("✗", "red"), "warning": ("!", "yellow"), "info": ("·", "dim")}
_CURES = {
    "automatic": "can be repaired automatically",
    "needs-hazard": "can be repaired with permission",
    "manual": "needs a human decision",
}
_CURES_OF_MANY = {**_CURES, "manual": "need a human decision"}


def of_report(report: Report, *, next_command: str = "fixer plan") -> RenderableType:
    """Return what `check` found, by point, with the summary and the next command last."""
    parts: list[RenderableType] = [_heading(report.target, report.contract)]
    for number, title, ok in report.points:
        findings = [finding for finding in report.findings if finding.point == number]
        parts.append(_point(number, title, ok))
        parts += [Padding(_finding(finding), (0, 0, 0, 4)) for finding in findings]
    parts += [*_uncounted(report.comparison.uncounted), *map(_stale, report.comparison.stale)]
    return Group(*parts, Text(), _verdict(report.findings, next_command))


def _uncounted(why: str) -> list[Text]:
    return [_warned(f"The rows that go after others could not be counted: {why}")] if why else []


def _warned(text: str) -> Text:
    return Text.assemble(("! ", "yellow"), text)


def _stale(accepted: Accepted) -> Text:
    return Text.assemble(("! ", "yellow"), f"stale: {accepted.finding} is accepted, and this check does not find it")


def _heading(target: str, contract: str) -> Text:
    return Text.assemble((target, "bold"), "  against  ", (contract, "bold"), "\n")


def _point(number: int, title: str, ok: bool) -> Text:
    mark, colour = ("✓", "green") if ok else ("✗", "red")
    return Text.assemble("  ", (f"{mark} {number} {title}", f"bold {colour}"))


def _finding(finding: Finding) -> Text:
    mark, colour = _MARKS["info" if finding.accepted else finding.severity]
    line = Text.assemble((f"{mark} ", colour), finding.message)
    if finding.sample:
        line.append(f": {evidence(finding)}")
    if finding.accepted:
        return line.append(f"  [{finding.slug}; {finding.accepted.term}]\n  {finding.accepted.reason}", style="dim")
    line.append(f"  [{finding.slug}; {_CURES[finding.repair.label]}]", style="dim")
    return line.append(f"\n  {finding.repair.refusal}", style="yellow") if finding.repair.refusal else line


def evidence(finding: Finding) -> str:
    """Return the rows behind a finding: how many, and the first of them."""
    noun = "row" if finding.rows == 1 else "rows"
    shown = ", ".join("/".join("NULL" if cell is None else cell for cell in row) for row in finding.sample)
    more = ", …" if finding.rows > len(finding.sample) else ""
    return f"{finding.rows} {noun} ({shown}{more})"


def _verdict(findings: Sequence[Finding], next_command: str) -> Text:
    broken = [finding for finding in findings if finding.breaks]
    if not broken:
        but = ", but for what is accepted" if any(finding.accepted for finding in findings) else ""
        return Text(f"The contract holds{but}.", style="bold green")
    by_label = {label: sum(f.repair.label == label for f in broken) for label in _CURES}
    shares = ", ".join(_share(label, count) for label, count in by_label.items() if count)
    noun = "finding breaks" if len(broken) == 1 else "findings break"
    verdict = Text(f"{len(broken)} {noun} the contract: {shares}.", style="bold red")
    if by_label["automatic"] or by_label["needs-hazard"]:
        verdict.append(f"\nSee the repair with: {next_command}", style="not bold default")
    return verdict


def _share(label: str, count: int) -> str:
    return f"{count} {(_CURES if count == 1 else _CURES_OF_MANY)[label]}"


def of_plan(plan: Plan, *, verbose: bool = False) -> RenderableType:
    """Return the ordered steps, with lock, hazard, rows and time."""
    parts: list[RenderableType] = [_heading(plan.target, plan.contract)]
    if plan.steps:
        parts.append(_steps(plan, verbose))
    for refusal in plan.refusals:
        parts.append(Text.assemble(("✗ ", "red"), refusal))
    parts += [_left(Left(f.slug, f.object, f.left_out)) for f in plan.findings if f.accepted]
    parts += [*map(_left, plan.left), *_uncounted(plan.uncounted)]
    parts += [_warned(f"The event trigger {each.name} may refuse this plan: {each.way}.\n") for each in plan.guards]
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
        return Text("Nothing to do: all that breaks the contract is left out.", style="bold yellow")
    return Text("Nothing to do: the contract holds.", style="bold green")


_HAZARDS = {
    Hazard.MOVES_ROWS: "rows that cannot stay go to the schema fixer_quarantine",
    Hazard.REWRITES_VALUES: "values are changed; the old ones are kept in the schema fixer_journal",
    Hazard.REWRITES_TABLE: "a table is written anew under its lock",
    Hazard.REPLACES_CONSTRAINT: "a constraint is dropped, and another takes its place",
    Hazard.STOPS_SUBSCRIBERS: "subscribers stop until they have what it makes: see above",
    Hazard.CREATES_SCHEMA: "all tables of the contract are created beside those of others",
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
        parts += [_point(number, title, ok) for number, title, ok in run.report.points]
    noun = "step" if len(run.steps) == 1 else "steps"
    done = f"Run {run.run}: {len(run.steps)} {noun} done"
    if run.plan.left:
        lines = [
            Text(),
            *map(_left, run.plan.left),
            Text(f"{done}; what is left out breaks the contract.", "bold yellow"),
        ]
        return Group(*parts, *lines)
    return Group(*parts, Text(), Text(f"{done}, the contract holds.", style="bold green"))


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
