"""The command line: `fixer check · plan · apply · history · demo`."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial, wraps
from pathlib import Path
from typing import Any, NoReturn

import click
from psycopg2.extensions import connection as Connection  # noqa: N812
from rich.console import Console, RenderableType

from fixer import api
from fixer.cli import outcome
from fixer.cli.log import logging_to
from fixer.cli.outcome import known
from fixer.compare.examine import Report, beginning, examine, snapshot
from fixer.connect.failures import doing
from fixer.connect.target import Target, resolve
from fixer.contract import build as contract
from fixer.contract.build import Contract
from fixer.errors import NeedsPermission, PlanRefused, TargetError, UsageError, refuse_empty
from fixer.model.finding import UNREADABLE
from fixer.model.run import Run, package_version
from fixer.model.step import JOURNAL, Hazard
from fixer.planner.build import ATOMIC, MODES, ONLINE, Plan, from_json
from fixer.report import json as as_json
from fixer.report import streams
from fixer.report import text as as_text
from fixer.report.progress import progress_of
from fixer.runner import script as as_sql
from fixer.runner.journal import reading
from fixer.runner.online.pace import Pace
from fixer.runner.preflight import permit
from fixer.runner.prune import prune as forget
from fixer.runner.undo import undo as take_back

_HAZARDS = ("all", *(str(hazard) for hazard in Hazard))


@dataclass(frozen=True)
class Settings:
    """The options that every command takes."""

    dsn: str | None
    contract: str | None
    schema: str
    format: str
    lock_timeout: str | None
    statement_timeout: str | None
    verbose: int
    quiet: bool
    color: bool
    log_file: str | None

    @property
    def contract_name(self) -> str:
        """The contract that was named, or the one that ships."""
        return self.contract or contract.DEFAULT

    def target(self) -> Target:
        """Return the target that the options and the environment name."""
        known.target = resolve(self.dsn, lock_timeout=self.lock_timeout, statement_timeout=self.statement_timeout)
        return known.target

    def console(self) -> Console:
        """Return where results go."""
        return as_text.console(color=self.color)

    def notes(self) -> Console:
        """Return where progress and questions go."""
        return as_text.console(color=self.color, stderr=True)

    def check_output(self) -> None:
        """Look, before the database is changed, whether the result can be written."""
        if self.format == "json" or not self.quiet:
            streams.check()

    def show(self, text: RenderableType, json_text: Callable[[], str]) -> None:
        """Print a result in the format that was asked for."""
        if self.format == "json":
            outcome.emit(json_text() + "\n")
        elif not self.quiet:
            as_text.show(self.console(), text)


def common(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that every command takes, as one Settings."""

    @wraps(command)
    def wrapped(**options: Any) -> Any:
        names = Settings.__dataclass_fields__
        mine = {name: options.pop(name) for name in list(options) if name in names}
        no_color = options.pop("no_color") or bool(os.environ.get("NO_COLOR"))
        settings = Settings(**mine, color=not no_color)
        with outcome.carried(), logging_to(settings.log_file, loud=settings.verbose > 1):
            known.log_file = settings.log_file
            return command(settings, **options)

    for option in reversed(_COMMON):
        wrapped = option(wrapped)
    return wrapped


def _filled(_: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Refuse an option or an argument that is given and empty."""
    option = isinstance(parameter, click.Option)
    refuse_empty(parameter.opts[-1] if option else f"The path {parameter.human_readable_name.strip('[]')}", value)
    return value


_option = partial(click.option, callback=_filled)
_COMMON = (
    _option("--dsn", metavar="DSN", help="A URL or libpq keywords; else DATABASE_URL, DATABASE_HOST …, PG*."),
    _option("--contract", metavar="MODULE:ATTR", help=f"What should hold. [default: {contract.DEFAULT}]"),
    _option("--schema", default="public", show_default=True, metavar="NAME", help="Of tables without one."),
    click.option("--format", type=click.Choice(["text", "json"]), default="text", show_default=True),
    _option("--lock-timeout", metavar="TIME", help="How long to wait for a lock. [default: 5s]"),
    _option("--statement-timeout", metavar="TIME", help="How long one statement may run. [default: no limit]"),
    click.option("-v", "--verbose", count=True, help="Show statements; -vv shows the log."),
    click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors."),
    click.option("--no-color", is_flag=True, help="No colour; NO_COLOR does the same."),
    _option("--log-file", type=click.Path(dir_okay=False), help="Write the log to this file."),
)  # fmt: skip


class _Seconds(click.ParamType[float]):
    """A time as PostgreSQL spells it: 500ms, 10s, 2min; a bare number is seconds."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|min|)\s*", str(value))
        if not found:
            self.fail(f"{value!r} is no time: say 500ms, 10s or 2min", param, ctx)
        return float(found[1]) * {"ms": 0.001, "s": 1, "min": 60, "": 1}[found[2]]


SECONDS = _Seconds()
_GOES_ON = "What was committed stands: `fixer apply --mode online` goes on from there."
_MODES = "atomic: one transaction, all or nothing. online: nobody waits for long."


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_version(), prog_name="fixer")
def cli() -> None:
    """Prove five things about a PostgreSQL database, repair what is broken, and lose no row."""


@contextmanager
def _connected(settings: Settings, name: str) -> Iterator[tuple[Target, Connection, Contract]]:
    """Lend a connection and the contract prepared for it; a contract that does not load is told first."""
    known.contract = name
    metadata = contract.load(name)
    target = settings.target()
    with closing(target.connect()) as connection, doing("The target could not be read"):
        yield (
            target,
            connection,
            contract.prepare(metadata, connection, name=name, schema=settings.schema),
        )


@cli.command()
@click.option("--deep", is_flag=True, help="Read rows even where the catalogue vouches for them.")
@common
def check(settings: Settings, deep: bool) -> int:
    """Print findings by point, and the summary; change nothing."""
    with _connected(settings, settings.contract_name) as (target, connection, prepared):
        report = Report(target.redacted, examine(connection, prepared, deep=deep, settings=target.settings))
    unreadable = any(finding.slug == UNREADABLE for finding in report.findings)
    known.findings = report.findings
    if not (unreadable and known.json):  # or else it is one document with the error
        settings.show(as_text.of_report(report), lambda: as_json.of_report(report))
    if unreadable:
        raise TargetError("Not all rows could be read: see the findings, and let their owner GRANT SELECT.")
    return 0 if report.ok else 1


@cli.command()
@_option("-o", "--output", type=click.Path(dir_okay=False), help="Keep the plan for `fixer apply`; - prints it.")
@_option("--sql", "script", type=click.Path(dir_okay=False), help="Write it as a psql script; - prints that.")
@click.option("--mode", type=click.Choice(MODES), default=ATOMIC, show_default=True, help=_MODES)
@click.option("--deep", is_flag=True, help="Read rows even where the catalogue vouches for them.")
@common
def plan(settings: Settings, output: str | None, script: str | None, mode: str, deep: bool) -> int:
    """Print the ordered steps with lock, hazard, rows and estimated time; change nothing."""
    with _connected(settings, settings.contract_name) as (target, connection, prepared):
        made = api.plan_with(connection, target.redacted, prepared, target.settings, deep=deep, mode=mode)
        if script and mode != ATOMIC:
            raise UsageError("A script is one transaction: --sql goes with --mode atomic.")
        if script:
            _write(script, as_sql.of_plan(made, lambda s: str(s.as_string(connection))))
    if output:
        _write(output, as_json.of_plan(made) + "\n")
    if "-" not in (output, script):
        settings.show(as_text.of_plan(made, verbose=settings.verbose > 0), lambda: as_json.of_plan(made))
    return 1 if made.steps or made.refusals else 0


def _write(path: str, text: str) -> None:
    if path == "-":
        return outcome.emit(text)
    try:
        Path(path).write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"The file cannot be written: {error.strerror}: {path}.") from None


def _hazards(_: click.Context, __: click.Parameter, value: str) -> tuple[str, ...]:
    """Take a list of hazards apart."""
    names = tuple(part.strip() for part in value.split(",") if part.strip())
    for name in names:
        if name not in _HAZARDS:
            raise click.BadParameter(f"{name!r} is no hazard; there are {', '.join(_HAZARDS)}")
    return names


@cli.command()
@click.argument("plan_file", required=False, metavar="[PLAN.JSON]", type=click.Path(dir_okay=False), callback=_filled)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--mode", type=click.Choice(MODES), help=_MODES)
@click.option("--max-lag", type=SECONDS, metavar="TIME", help="Online: pause while a replica lags by more.")
@click.option("--throttle", type=click.IntRange(min=0), metavar="N", help="Online: pause while more sessions are busy.")
@click.option(
    "--allow-hazards",
    default="",
    callback=_hazards,
    metavar="LIST|all",
    help=f"Of {', '.join(_HAZARDS[1:])}.",
)
@click.option("--deep", is_flag=True, help="Read rows even where the catalogue vouches for them.")
@common
def apply(
    settings: Settings,
    plan_file: str | None,
    yes: bool,
    mode: str | None,
    max_lag: float | None,
    throttle: int | None,
    allow_hazards: tuple[str, ...],
    deep: bool,
) -> int:
    """Repair the database, by a fresh plan or by exactly the given one, until the contract holds."""
    given = _read_plan(plan_file) if plan_file else None
    if given and mode not in (None, given.mode):
        raise PlanRefused(f"The plan was made for the mode {given.mode}, not for {mode}: plan again.")
    name = settings.contract or (given.contract if given else contract.DEFAULT)
    if given and name != given.contract:
        raise PlanRefused(f"The plan was made for the contract {given.contract}, not for {name}: plan again.")
    with _connected(settings, name) as (target, connection, prepared):
        if given:
            chosen = api.with_subscribers(connection, given)
        else:
            chosen = api.plan_with(
                connection, target.redacted, prepared, target.settings, deep=deep, mode=mode or ATOMIC
            )
        if chosen.steps or chosen.refusals:
            _announce(settings, chosen)
        try:
            permit(chosen, allow_hazards)
        except NeedsPermission:
            if settings.format == "json":
                outcome.emit(as_json.of_run(Run(target.redacted, prepared.name, chosen)) + "\n")
            raise
        if chosen.steps and not yes:
            _ask(f"Apply this plan to {target.redacted}?", "to apply the plan")
        link = api.Link(connection, target.redacted, target.settings, target.connect, target.pooled)
        if chosen.mode == ATOMIC and (max_lag, throttle) != (None, None):
            raise UsageError("--max-lag and --throttle go with --mode online: an atomic repair cannot pause.")
        loud = settings.format == "text" and not settings.quiet
        settings.check_output()
        known.stands = _GOES_ON if chosen.mode == ONLINE else outcome.NOTHING
        with progress_of(settings.notes(), link.another, connection, loud=loud) as progress:
            run = api.apply_with(
                link,
                prepared,
                chosen,
                allowed=allow_hazards,
                fixed=given is not None,
                progress=progress,
                pace=Pace(max_lag, throttle),
            )
            known.committed(f"Run {run.run} was committed, and the contract holds." if run.run else outcome.NOTHING)
    settings.show(as_text.of_run(run, verbose=settings.verbose > 0), lambda: as_json.of_run(run))
    return 0 if run.ok else 1


def _read_plan(path: str) -> Plan:
    try:
        return from_json(json.loads(Path(path).read_text(encoding="utf-8")))
    except OSError as error:
        raise UsageError(f"The plan cannot be read: {error.strerror}: {path}.") from None
    except ValueError:
        raise PlanRefused(f"The file is no plan of `fixer plan -o`: {path}.") from None


def _announce(settings: Settings, chosen: Plan) -> None:
    """Show the plan, now and not at the end: where it cannot be written, nothing is changed."""
    if settings.format == "text" and not settings.quiet:
        as_text.show(settings.console(), as_text.of_plan(chosen, verbose=settings.verbose > 0))
        sys.stdout.flush()


def _ask(question: str, deed: str) -> None:
    if sys.stdin is None or sys.stdin.closed or not sys.stdin.isatty():
        raise UsageError(f"There is no terminal to ask on: say --yes {deed}. Nothing was changed.")
    if not click.confirm(question, err=True):
        raise UsageError("Not confirmed. Nothing was changed.")


@cli.command()
@click.argument("run", type=int)
@click.option("--yes", is_flag=True, help="Do not ask.")
@common
def undo(settings: Settings, run: int, yes: bool) -> int:
    """Take a run back: rows, cells and definitions as they were before it; refuse where later writes forbid it."""
    target = settings.target()
    with closing(target.connect()) as connection, doing(f"Run {run} could not be taken back", schema=JOURNAL):
        if not yes:
            _ask(f"Take run {run} of {target.redacted} back?", "to take the run back")
        settings.check_output()
        done = take_back(
            connection,
            run,
            target=target.redacted,
            settings=target.settings,
            progress=_tell(settings),
        )
        known.committed(f"Run {run} is taken back, by run {done.run}.")
    settings.show(as_text.of_undone(done), lambda: as_json.of_undone(done))
    return 0


def _tell(settings: Settings) -> Callable[[str], None]:
    notes = settings.notes()

    def show(title: str) -> None:
        if title and settings.format == "text" and not settings.quiet:
            notes.print(title, style="dim")

    return show


@cli.command()
@click.option("--prune", is_flag=True, help="Forget what undo needs of finished runs; the quarantine stays.")
@click.option("--yes", is_flag=True, help="Do not ask before pruning.")
@common
def history(settings: Settings, prune: bool, yes: bool) -> int:
    """List past runs, the newest first."""
    target = settings.target()
    with closing(target.connect()) as connection, doing("The history could not be read", schema=JOURNAL):
        if prune:
            if not yes:
                _ask(f"Forget what undo needs of the runs on {target.redacted}?", "to prune")
            settings.check_output()
            forget(connection, settings=target.settings)
            known.committed("What undo needs of finished runs is forgotten.")
        with snapshot(connection) as cursor:
            cursor.execute(beginning(connection, target.settings))
            runs = reading.history(cursor)
    settings.show(as_text.of_history(runs), lambda: as_json.of_history(target.redacted, runs))
    return 0


@cli.command()
@common
def demo(settings: Settings) -> int:
    """Tell the whole story on the embedded server: broken, proved, planned, repaired, proved again."""
    from fixer.cli.demo import tell

    return tell(settings.console())


def main() -> NoReturn:
    """Run the command line; every way out has its exit code."""
    outcome.run(partial(cli.main, standalone_mode=False))
