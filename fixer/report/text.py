"""Text for people: the plan and what to do with it, what a run did; and the console that shows it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any  # the words of rich's Console

from rich.console import Console, Group, RenderableType
from rich.text import Text

from fixer.model.choice import ATOMIC, Left
from fixer.model.step import Hazard
from fixer.report.findings import HOLDS, heading, is_itself, of_finding, of_point, uncounted, warned
from fixer.report.words import bytes_of, counted, time_of, typed, width_of_pipe

if TYPE_CHECKING:  # a check only needs the console
    from fixer.model.plan import Plan, Published
    from fixer.model.run import PastRun, Run, Undone
    from fixer.report.progress import Teller


def of_plan(plan: Plan, *, verbose: bool = False, following: str | None = "") -> RenderableType:
    """Return the ordered steps, with lock, hazard, rows and time.

    `following` is the command that carries them out; None where they are carried out next.
    """
    parts: list[RenderableType] = [heading(plan.target, plan.contract)]
    if plan.steps:
        from fixer.report.tables import of_steps  # a check need not wait for tables

        parts.append(of_steps(plan, verbose))
    for refusal in plan.refusals:
        parts.append(Text.assemble(("✗ ", "red"), refusal))
    parts += map(of_finding, plan.beside)
    parts += [_left(Left(f.slug, f.object, f.left_out)) for f in plan.findings if f.accepted]
    parts += [*map(_left, plan.left), *uncounted(plan.uncounted)]
    parts += [warned(f"The event trigger {each.name} may refuse this plan: {each.way}.\n") for each in plan.guards]
    parts += [warned(f"Before this plan can run: {need}\n") for need in plan.needs]
    parts += [published(plan.published)] if plan.published else []
    return Group(*parts, plan_verdict(plan, following))


def _left(left: Left) -> Text:
    return Text.assemble(("· ", "yellow"), f"left out: {left.slug}:{left.object}, {left.why}")


def published(told: Published) -> Text:
    """Return what subscribers need before a plan runs, so that they do not stop."""
    who = told.opening
    if not told.heard:
        return Text(f"{who} the tables of the fixer, too: a subscriber that comes later needs them first.\n", "dim")
    lines = [f"{who} what this plan makes. Subscribers stop until they have the same."]
    if told.tables:
        lines += ["Run there first, as the owner of the subscription:", *(f"  {table};" for table in told.tables)]
    if told.steps:
        noun, verb = ("Step", "changes") if len(told.steps) == 1 else ("Steps", "change")
        numbers = ", ".join(map(str, told.steps))
        lines.append(f"{noun} {numbers} {verb} names, columns, types or keys of published tables: do the same there.")
    return Text.assemble(("! ", "yellow"), "\n".join(lines), "\n")


def plan_verdict(plan: Plan, following: str | None = "") -> RenderableType:
    """Return what to do with a plan.

    `following` is the command that carries it out, but for what it permits; None where it is carried out next.
    """
    if plan.refusals:
        rest = f"\nTo repair the rest, add: {plan.way_out}" if plan.way_out else ""
        return Text.assemble((plan_words(plan), "bold red"), rest)
    if not plan.steps:
        return Text(plan_words(plan), style=f"bold {'yellow' if plan.left else 'green'}")
    way = "Run it with" if following else "Run it with the same options"
    command = [] if following is None else [typed(way, command_of(plan, following))]
    return Group(Text(plan_words(plan), "bold"), *command, _explained(plan))


def plan_words(plan: Plan) -> str:
    """Return what a plan comes to, in a sentence."""
    if plan.refusals:
        return "This plan cannot be applied: it needs a human decision."
    if not plan.steps:
        everything = "all that was found" if is_itself(plan.contract) else "all that breaks the contract"
        done = f"{everything} is left out" if plan.left else HOLDS[is_itself(plan.contract)]
        return f"Nothing to do: {done}.{_warnings(plan)}"
    total = time_of(sum(step.cost.seconds for step in plan.steps))
    how = "in one transaction" if plan.mode == ATOMIC else "in short transactions"
    disk = bytes_of(sum(step.cost.disk for step in plan.steps))
    room = f", needs {disk} of disk" if disk else ""
    return f"{counted(len(plan.steps), 'step')}, about {total}, {how}{room}."


def _warnings(plan: Plan) -> str:
    """Return the sentence that names the warnings of a plan that only a person can settle; empty if there are none."""
    found = (each for each in plan.findings if each.severity == "warning" and not each.accepted)
    number = sum(each.repair.label == "manual" for each in found)
    told = f"{counted(number, 'warning')} for a person: `fixer check` shows {'it' if number == 1 else 'them'}."
    return f" There {'is' if number == 1 else 'are'} {told}" if number else ""


def command_of(plan: Plan, following: str = "") -> str:
    """Return the command that carries out a plan; `following` is it, but for what it permits."""
    mode = "" if plan.mode == ATOMIC else f" --mode {plan.mode}"
    hazards = f" --allow-hazards {','.join(sorted(plan.hazards))}" if plan.hazards else ""
    return f"{following or 'fixer apply'}{mode}{hazards}"


_HAZARDS = {
    Hazard.MOVES_ROWS: "rows that cannot stay go to the schema fixer_quarantine",
    Hazard.REWRITES_VALUES: "values are changed; the old ones are kept in the schema fixer_journal",
    Hazard.REWRITES_TABLE: "a table is written anew under its lock",
    Hazard.REPLACES_CONSTRAINT: "a constraint is dropped, and another takes its place",
    Hazard.REPLACES_CODE: "a function, view, trigger or policy takes the place of another of its name",
    Hazard.STOPS_SUBSCRIBERS: "subscribers stop until they have what it makes: see above",
    Hazard.CREATES_SCHEMA: "schemas are created, or all tables of the contract beside those of others",
}


def hazards_of(plan: Plan) -> list[tuple[Hazard, str]]:
    """Return the hazards of a plan, each with what happens."""
    said = {**_HAZARDS, Hazard.CREATES_SCHEMA: plan.question or _HAZARDS[Hazard.CREATES_SCHEMA]}
    return [(hazard, said[hazard]) for hazard in sorted(plan.hazards)]


def _explained(plan: Plan) -> Text:
    return Text("\n".join(f"  {hazard}: {words}" for hazard, words in hazards_of(plan)), style="dim")


def of_run(run: Run, *, verbose: bool = False) -> RenderableType:
    """Return what `apply` did: its steps, the ledger, and whether the contract holds."""
    if run.run is None:
        return Text(plan_words(run.plan), style=f"bold {'yellow' if run.plan.left else 'green'}")
    from fixer.report.tables import of_ledger

    parts: list[RenderableType] = [of_ledger(run.ledger)] if run.ledger else []
    if run.report is not None:
        parts += [of_point(number, title, ok) for number, title, ok in run.report.points]
    done, itself = f"Run {run.run}: {counted(len(run.steps), 'step')} done", is_itself(run.contract)
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
    from fixer.report.tables import of_ledger

    but = f", but {', '.join(done.without)} stays away: a build that failed had left it" if done.without else ""
    but += f", but {', '.join(done.stays)} stays: PostgreSQL removes no label" if done.stays else ""
    words = f"Run {done.undone} was undone (as run {done.run}): definitions are as before{but}."
    return Group(of_ledger(done.ledger), Text(), Text(words, style="bold green"))


def of_history(runs: Sequence[PastRun]) -> RenderableType:
    """Return past runs, the newest first."""
    from fixer.report.tables import of_runs

    return of_runs(runs) if runs else Text("No runs: the fixer has not changed this database.")


def show(console: Console, text: RenderableType) -> None:
    """Print a text; unless it is on a terminal, without trailing blanks."""
    if console.is_terminal:
        console.print(text, crop=False)
        return
    with console.capture() as captured:
        console.print(text, crop=False)
    console.file.write("\n".join(line.rstrip() for line in captured.get().splitlines()) + "\n")


def console(*, color: bool = True, stderr: bool = False, quiet: bool = False) -> Console:
    """Return a console; it writes no colour unless wanted, and a pipe is as wide as COLUMNS says, or 160."""
    how: dict[str, Any] = {"highlight": False, "stderr": stderr, "emoji": False, "markup": False, "quiet": quiet}
    made = Console(no_color=not color, **how)
    if made.is_terminal:
        return made
    return Console(no_color=True, width=width_of_pipe(), **how)


def teller_of(console: Console) -> Teller:
    """Return what shows the progress of a run on a console, with a bar if it is a terminal."""
    if console.is_terminal:
        from fixer.report.bar import BarTeller

        return BarTeller(console)
    from fixer.report.progress import Teller

    return Teller(lambda: console)
