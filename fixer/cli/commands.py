"""The command line: `fixer check · plan · apply · undo · history · init · demo`, and what else commands share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any  # click hands over options

import click

from fixer import api
from fixer import contract as contracts
from fixer.api import Session
from fixer.cli import options, outcome
from fixer.cli.known import NOTHING, known, note
from fixer.cli.options import Settings, common
from fixer.cli.outputs import options as reports
from fixer.connect.link import Link, opened
from fixer.connect.redact import redact
from fixer.contract.project import contract_named, scratch_named
from fixer.contract.source import Source
from fixer.errors import UsageError
from fixer.model.choice import ATOMIC, ONLINE, Choice
from fixer.model.step.progress import SILENT, Progress
from fixer.report import findings

if TYPE_CHECKING:
    from fixer.model.plan import Plan
    from fixer.model.run import Run
    from fixer.runner.online.pace import Pace

_GOES_ON = "Finished steps are kept: `fixer apply --mode online` continues from there."


commands = click.Group()


@contextmanager
def session_on(settings: Settings, dsn: str | None) -> Iterator[Session]:
    """Lend a session on the target; a contract that does not load is reported before anything else."""
    contract = named(settings.contract, settings.scratch)
    with api.session(settings.target(dsn), contract, schema=settings.schema) as session:
        note(session.contract.notes)
        with told_of_locks(settings, session.link):
            yield session


def named(name: str | None, scratch: str | None) -> Source:
    """Return the contract that was named, or else the default; errors speak of it."""
    spec = name if name is not None else contract_named()
    known.contract = redact(spec)
    found = contracts.in_project(contracts.load(spec, scratch or scratch_named()))
    known.contract = found.name
    return found


@commands.command()
@options.dsn
@options.deep
@options.role
@reports.of_check
@common
def check(settings: Settings, dsn_argument: str | None, deep: bool, role: str | None, **gate: Any) -> int:
    """Print findings by point, and the summary; change nothing."""
    from fixer.cli.gate.checking import conclude, of_words

    words = of_words(settings.fail_on, **gate)
    with session_on(settings, dsn_argument) as session:
        report = session.check(deep=deep, role=role)
    return conclude(settings, words, report, dsn_argument, deep=deep, role=role)


@commands.command()
@options.dsn
@reports.of_plan
@options.file_option("--sql", "script", help="Write it as a psql script; - prints that.")
@options.mode
@options.max_moved
@options.deep
@options.skip
@options.only
@common
def plan(
    settings: Settings,
    dsn_argument: str | None,
    output: str | None,
    script: str | None,
    mode: str,
    max_moved: tuple[str, ...],
    deep: bool,
    skip: tuple[str, ...],
    only: tuple[str, ...],
) -> int:
    """Print the ordered steps with lock, hazard, rows and estimated time; change nothing."""
    from fixer.cli import plans
    from fixer.report import json as as_json
    from fixer.runner import script as as_sql

    if output == script == "-":
        raise UsageError("The plan and the script cannot both go to the standard output: name a file for one.")
    with session_on(settings, dsn_argument) as session:
        bounds = session.bounds(max_moved)
        report, made = session.made(deep=deep, mode=mode, choice=Choice(skip, only))
        bounds.bound(made)
        if script and mode != ATOMIC:
            raise UsageError("A script is one transaction: --sql goes with --mode atomic.")
        if script:
            plans.write(script, as_sql.of_plan(made, session.render, session.link.settings, session.moment(made)))
    if output:
        plans.write(output, as_json.of_plan(made) + "\n")
    code = 1 if (made.steps or made.refusals or made.left) and settings.fail_on != "never" else 0
    chosen = {"--skip": skip, "--only": only, "--max-moved": max_moved}
    following = settings.applying(dsn_argument, chosen) + " --deep" * deep
    forms = plans.forms_of_plan(made, report, settings, following, passed=not code)
    settings.tell(forms, exit_code=code, taken="-" in (output, script))
    return code


@commands.command()
@options.plan_file
@options.yes
@options.proved
@options.mode_of_plan
@options.max_lag
@options.throttle
@options.allow_hazards
@options.max_moved
@options.deep
@options.skip
@options.only
@reports.of_apply
@common
def apply(
    settings: Settings,
    plan_file: str | None,
    yes: bool,
    proved: str | None,
    mode: str | None,
    max_lag: str | None,
    throttle: int | None,
    allow_hazards: tuple[str, ...],
    max_moved: tuple[str, ...],
    deep: bool,
    skip: tuple[str, ...],
    only: tuple[str, ...],
) -> int:
    """Repair the database, by a fresh plan or by exactly the given one, until the contract holds."""
    from fixer.cli import plans
    from fixer.runner.online.pace import Pace

    choice = Choice(skip, only)
    proof = plans.read_proof(proved)
    given = plans.given(plan_file, mode, choice, proof)
    contract = named(settings.contract if settings.contract or not given else given.contract, settings.scratch)
    plans.see_that_it_is_for(contract.name, given)
    with api.session(settings.target(), contract, schema=settings.schema) as session:
        note(session.contract.notes)
        bounds = session.bounds(max_moved)
        with told_of_locks(settings, session.link):
            plans.see_that_it_is_proved(given, proof, session)
            made = (None, session.published(given)) if given else None
            report, chosen = made or session.made(deep=deep, mode=mode or ATOMIC, choice=choice)
        plans.announce(settings, chosen)
        plans.permit_or_report(settings, chosen, allow_hazards, bounds, session)
        if chosen.steps and not yes:
            plans.ask(f"Apply this plan to {session.link.target}?", "to apply the plan")
        carry = partial(session.apply, chosen, report, allowed=allow_hazards, bounds=bounds)
        run = _applied(settings, session.link, chosen, carry, Pace(max_lag, throttle))
    code = 0 if run.ok else 1
    settings.tell(plans.forms_of_run(run, settings), exit_code=code)
    return code


def _applied(settings: Settings, link: Link, plan: Plan, carry: Callable[..., Run], pace: Pace) -> Run:
    """Carry a plan out that was permitted, and show how far it is."""
    from fixer.runner.online.pace import Pace

    if plan.mode == ATOMIC and pace != Pace():
        raise UsageError("--max-lag and --throttle go with --mode online: an atomic repair cannot pause.")
    settings.check_output()
    known.stands = _GOES_ON if plan.mode == ONLINE else NOTHING
    with _shown(settings, link) as progress:
        run = carry(progress=progress, pace=pace)
        holds = findings.HOLDS[findings.is_itself(run.contract)] if run.ok else "what it left out breaks the contract"
        known.committed(f"Run {run.run} was committed, and {holds}." if run.run else NOTHING)
    return run


@contextmanager
def told_of_locks(settings: Settings, link: Link) -> Iterator[None]:
    """Show which sessions hold a lock that is waited for."""
    from fixer.report.progress import Teller
    from fixer.runner.watch import watched

    if settings.quiet:
        yield
        return
    with watched(link.another, link.connection, Teller(settings.notes)):
        yield


@contextmanager
def _shown(settings: Settings, link: Link) -> Iterator[Progress]:
    """Lend what shows the progress of a run, also what another session sees of it."""
    from fixer.report import text as as_text
    from fixer.runner.watch import watched

    if not settings.speaks:
        yield SILENT
        return
    teller = as_text.teller_of(settings.notes())
    with teller.shown(), watched(link.another, link.connection, teller):
        yield teller


@commands.command()
@click.argument("run", type=int)
@options.yes
@common
def undo(settings: Settings, run: int, yes: bool) -> int:
    """Undo a run: rows, values and definitions as they were before it; refuse if later writes stand in the way."""
    from fixer.cli import plans
    from fixer.report import json as as_json
    from fixer.report import text as as_text

    with opened(settings.target()) as link:
        if not yes:
            plans.ask(f"Undo run {run} of {link.target}?", "to undo the run")
        settings.check_output()
        with told_of_locks(settings, link):
            done = api.undo(link, run, progress=titles(settings))
        known.committed(f"Run {run} was undone (as run {done.run}).")
    settings.show(as_text.of_undone(done), lambda: as_json.of_undone(done))
    return 0


def titles(settings: Settings) -> Callable[[str], None]:
    """Return what shows the titles of steps."""
    from fixer.report.progress import Teller

    teller = Teller(settings.notes)

    def show(title: str) -> None:
        if title and settings.speaks:
            teller.say(title)

    return show


@commands.command()
@click.option("--prune", is_flag=True, help="Forget what undo needs of finished runs; the quarantine stays.")
@click.option("--yes", is_flag=True, help="Do not ask before pruning.")
@common
def history(settings: Settings, prune: bool, yes: bool) -> int:
    """List past runs, the newest first."""
    from fixer.cli import plans
    from fixer.report import json as as_json
    from fixer.report import text as as_text

    with opened(settings.target()) as link:
        if prune:
            if not yes:
                plans.ask(f"Forget what undo needs of the runs on {link.target}?", "to prune")
            settings.check_output()
            with told_of_locks(settings, link):
                api.prune(link)
            known.committed("What undo needs of finished runs is forgotten.")
        with told_of_locks(settings, link):
            runs = api.history(link)
    settings.show(as_text.of_history(runs), lambda: as_json.of_history(link.target, runs))
    return 0


@commands.command()
@options.dsn
@click.option("--dry-run", is_flag=True, help="Print what would be written, and write nothing.")
@click.option("--accept", is_flag=True, help="Note what a check of the database finds as accepted.")
@common
def init(settings: Settings, dsn_argument: str | None, dry_run: bool, accept: bool) -> int:
    """Note the contract of a project in pyproject.toml; with a DSN, check that first."""
    from fixer.cli.alone.init import begin

    return begin(settings, dsn_argument, dry=dry_run, accept=accept)


@commands.command()
@common
def demo(settings: Settings) -> int:
    """Tell the whole story on the embedded server: broken, proved, planned, repaired, proved again."""
    from fixer.cli.alone.demo import tell

    def done(run: Run) -> None:
        if settings.format == "json":
            from fixer.report import json as as_json

            outcome.emit(as_json.of_run(run) + "\n")

    return tell(settings.console(quiet=not settings.speaks), done)
