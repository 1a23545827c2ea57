"""What one may type: the options of the commands, and what they mean."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from functools import wraps
from shlex import quote
from typing import TYPE_CHECKING, Any  # click hands over options

import click

from fixer.cli import outcome
from fixer.cli.given import file_option as file_option
from fixer.cli.given import filled as filled
from fixer.cli.given import option as option
from fixer.cli.known import complain, known
from fixer.cli.log import logging_to
from fixer.cli.outputs import FORMATS, STANDARD, Output, files
from fixer.cli.outputs.options import reports_of
from fixer.connect import interrupt, patience
from fixer.connect.redact import redact
from fixer.connect.settings import seconds
from fixer.connect.target import Target, resolve
from fixer.contract import project
from fixer.errors import TargetError, UsageError
from fixer.model.choice import ATOMIC, MODES
from fixer.model.step import Hazard
from fixer.model.values import dataclass
from fixer.report import streams
from fixer.report.words import plainly

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from fixer.cli.outputs.documents import Forms
    from fixer.report.findings import Next

_HAZARDS = ("all", *(str(hazard) for hazard in Hazard))
_MODES = "atomic: one transaction, all or nothing. online: short transactions, others keep writing."


@dataclass(frozen=True)
class Settings:
    """The options that every command takes."""

    dsn: str | None
    contract: str | None
    scratch: str | None
    schema: str
    format: str
    lock_timeout: str | None
    statement_timeout: str | None
    verbose: int
    quiet: bool
    color: bool
    log_file: str | None
    reports: tuple[Output, ...] = ()  # what `--output` names
    show_values: bool = False
    fail_on: str = "error"

    @property
    def speaks(self) -> bool:
        """Whether a person is shown what happens."""
        return self.format == "text" and not self.quiet and all(output.path != STANDARD for output in self.outputs)

    @property
    def outputs(self) -> list[Output]:
        """All documents to write; text on the standard output is none, unless `--output` says so."""
        return [*([] if self.format == "text" else [Output(self.format)]), *self.reports]

    @property
    def place(self) -> str:
        """The file that declares the contract."""
        from fixer.cli.outputs.place import place_of

        return place_of(known.contract)

    def target(self, argument: str | None = None) -> Target:
        """Return the target that the options, the argument of the command or the environment name."""
        if argument and self.dsn:
            raise UsageError("The database is named twice: leave out --dsn, or the argument.")
        known.target = resolve(
            argument or self.dsn, lock_timeout=self.lock_timeout, statement_timeout=self.statement_timeout
        )
        return known.target

    def command(self, name: str, argument: str | None) -> str:
        """Return another command on the same database and contract as they were typed, but without passwords."""
        schema = self.schema if self.schema != "public" else None
        options = (("--contract ", self.contract), ("--scratch ", self.scratch), ("--schema ", schema))
        said = (("", argument), ("--dsn ", self.dsn), *options)
        words = (f"{option}{quote(redact(value, known.target))}" for option, value in said if value)
        return " ".join(["fixer", name, *words])

    def applying(self, argument: str | None, chosen: Mapping[str, Sequence[str]]) -> str:
        """Return the command that carries out a plan of the same database and contract, with what was `chosen`."""
        words = [f"{option} {quote(value)}" for option, values in chosen.items() for value in values]
        return " ".join([replace(self, dsn=argument or self.dsn).command("apply", None), *words])

    def following(self, argument: str | None, contract: str, *, deep: bool) -> Next:
        """Return the commands that may come after a check of a contract."""
        from fixer.report.findings import Next, is_itself

        others = list[tuple[str, str]]()
        if is_itself(contract) and not deep:
            others.append(("Read all rows as well with", self.command("check --deep", argument)))
        if is_itself(contract) and self.contract is None and project.of().contract is None:
            others.append(("Write down what it should be with", self.command("init", argument)))
        return Next(self.command("plan --deep" if deep else "plan", argument), tuple(others))

    def console(self, *, quiet: bool = False) -> Console:
        """Return where results go."""
        from fixer.report import text as as_text

        return as_text.console(color=self.color, quiet=quiet)

    def notes(self) -> Console:
        """Return where progress and questions go."""
        from fixer.report import text as as_text

        return as_text.console(color=self.color, stderr=True)

    def check_output(self) -> None:
        """Check that the result can be written, before the database is changed."""
        if not self.quiet or any(output.path == STANDARD for output in self.outputs):
            streams.check()
        for output in self.outputs:
            if output.path != STANDARD:
                files.see_that_it_can_be_written(output.path)

    def show(self, text: RenderableType, json_text: Callable[[], str]) -> None:
        """Print a result that has the formats text and JSON."""
        from fixer.cli.outputs.documents import Forms

        self.tell(Forms(lambda: text, json_text))

    def tell(self, forms: Forms, *, exit_code: int = 0, taken: bool = False) -> None:
        """Give a result in all formats that were asked for, but on the standard output only if that is not `taken`."""
        if not taken:
            self.say(forms)
        self.document(forms, exit_code=exit_code, taken=taken)

    def say(self, forms: Forms) -> None:
        """Show a result to a person, if one is there."""
        if self.speaks:
            shown = forms.text()
            if (text := plainly(shown)) is not None:
                sys.stdout.write(text)
                return
            from fixer.report import text as as_text

            as_text.show(self.console(), shown)

    def document(self, forms: Forms, *, exit_code: int = 1, taken: bool = False) -> None:
        """Write a result to all outputs; raise OutputFailed at the end if one of them cannot be written."""
        if outputs := [output for output in self.outputs if not (taken and output.path == STANDARD)]:
            from fixer.cli.outputs.documents import write_all

            write_all(outputs, forms, exit_code=exit_code, show_values=self.show_values)


if TYPE_CHECKING:
    _TimeType = click.ParamType[str]
else:
    _TimeType = click.ParamType  # generic since click 8.3 only


class _Time(_TimeType):
    """A time as PostgreSQL spells it: 500ms, 10s, 2min."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            seconds("max_lag", str(value))
        except TargetError as error:
            self.fail(str(error), param, ctx)
        return str(value)


def _hazards(_: click.Context, __: click.Parameter, value: str) -> tuple[str, ...]:
    """Take a list of hazards apart."""
    names = tuple(part.strip() for part in value.split(",") if part.strip())
    for name in names:
        if name not in _HAZARDS:
            raise click.BadParameter(f"{name!r} is not a hazard; choose from {', '.join(_HAZARDS)}")
    return names


deep = click.option("--deep", is_flag=True, help="Also read rows that a valid constraint already guarantees.")
proved = file_option("--proved", metavar="PROOF", help="Apply only the plan that `fixer prove -o PROOF` has proved.")
mode = click.option("--mode", type=click.Choice(MODES), default=ATOMIC, show_default=True, help=_MODES)
mode_of_plan = click.option("--mode", type=click.Choice(MODES), help=_MODES)
yes = click.option("--yes", is_flag=True, help="Do not ask.")
max_lag = click.option("--max-lag", type=_Time(), metavar="TIME", help="Online: pause while a replica lags by more.")
throttle = click.option(
    "--throttle", type=click.IntRange(min=0), metavar="N", help="Online: pause while more sessions are busy."
)
allow_hazards = click.option(
    "--allow-hazards", default="", callback=_hazards, metavar="LIST|all", help=f"Of {', '.join(_HAZARDS[1:])}."
)
skip = click.option(
    "--skip",
    multiple=True,
    metavar="SLUG[:OBJECT]",
    help="Do not repair this finding, nor what depends on it; repeatable.",
)
only = click.option("--only", multiple=True, metavar="SLUG[:OBJECT]", help="Repair only this finding; repeatable.")
max_moved = click.option(
    "--max-moved",
    multiple=True,
    metavar="[TABLE=]N|P%",
    help="Refuse a plan that moves more rows to quarantine: N in all, N of TABLE, or P% of a table; repeatable.",
)
role = option("--role", metavar="ROLE", help="Find the rights that the application's role lacks.")
dsn = click.argument("dsn_argument", required=False, metavar="[DSN]", callback=filled)
plan_file = click.argument(
    "plan_file", required=False, metavar="[PLAN.JSON]", type=click.Path(dir_okay=False), callback=filled
)

_COMMON = (
    option("--dsn", metavar="DSN", help="A URL or libpq keywords; else DATABASE_URL, DATABASE_HOST …, PG*."),
    option("--contract", metavar="SOURCE",
           help="MODULE:ATTR, FILE.sql, DIR/, alembic:DIR, a database, or self. [default: self]"),
    option("--scratch", metavar="SERVER", help="Where throw-away databases are made: a DSN, or docker:IMAGE."),
    option("--schema", default="public", show_default=True, metavar="NAME", help="Where tables without one stand."),
    click.option("--format", type=click.Choice(FORMATS), default="text", show_default=True),
    option("--lock-timeout", metavar="TIME", help="How long to wait for a lock. [default: 5s]"),
    option("--statement-timeout", metavar="TIME", help="How long one statement may run. [default: no limit]"),
    click.option("-v", "--verbose", count=True, help="Show statements; -vv shows the log."),
    click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors."),
    click.option("--no-color", is_flag=True, help="No colour; NO_COLOR does the same."),
    file_option("--log-file", help="Write the log to this file."),
)  # fmt: skip


def common(command: Callable[..., int]) -> Callable[..., int]:
    """Give a command the options that every command takes, as one Settings."""

    @wraps(command)
    def wrapped(**options: Any) -> int:  # click hands each option over by its name
        mine = {each.name: options.pop(each.name) for each in fields(Settings) if each.name in options}
        no_color = options.pop("no_color") or bool(os.environ.get("NO_COLOR"))
        with outcome.carried():
            settings = Settings(
                **mine,
                reports=reports_of(click.get_current_context().info_name, mine["format"], options),
                color=not no_color,
            )
        interrupt.listen()
        patience.show(None if settings.quiet else complain)
        with outcome.carried(), logging_to(settings.log_file, loud=settings.verbose > 1, complain=complain):
            known.log_file = settings.log_file
            return command(settings, **options)

    for each in reversed(_COMMON):
        wrapped = each(wrapped)
    return wrapped
