"""The options for reports, and for a check as a gate."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any  # click's decorators have no types

import click

from fixer.cli.given import file_option, filled, option
from fixer.cli.known import known, note
from fixer.cli.outputs import FORMATS, PLAIN, STANDARD, Output, files, parsed, see_that_they_fit
from fixer.errors import UsageError

IN_ALL_FORMATS = ("check", "plan", "apply")  # the others have text and JSON
ANYWHERE = "\0"  # stands for a file that was not named


def filled_each(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    """Refuse an option that is repeatable, and empty once."""
    for value in values:
        filled(context, parameter, value)
    return values


_outputs = partial(click.option, "-o", "--output", "outputs", multiple=True, callback=filled_each)
outputs = _outputs(
    metavar="FORMAT=FILE",
    help="Write the result to a file as well, in this format; - is the standard output; repeatable.",
)
kept_or_outputs = _outputs(
    metavar="FILE|FORMAT=FILE",
    help="Keep the plan for `fixer apply`, - prints it; or write a report in this format; repeatable.",
)
fail_on = click.option(
    "--fail-on",
    type=click.Choice(["error", "warning", "never"]),
    default="error",
    show_default=True,
    help="Exit 1 if such a finding is new.",
)
baseline = file_option("--baseline", help="Let only what this file does not know fail.")
write_baseline = option(
    "--write-baseline",
    "written",
    is_flag=False,
    flag_value=ANYWHERE,
    metavar="[FILE]",
    help="Write all that is found to the baseline. [default: --baseline, else pgmend-baseline.json]",
)
diff = file_option("--diff", "before", help="Show what changed since an earlier `fixer check --format json`.")
show_values = click.option("--show-values", is_flag=True, help="html: show all values of a row, not only its key.")


def of_check(command: Any) -> Any:
    """Give `check` the options for reports and as a gate."""
    return _with(command, fail_on, baseline, write_baseline, diff, outputs, show_values)


def of_plan(command: Any) -> Any:
    """Give `plan` the options for its own file and for reports."""
    return _with(command, kept_or_outputs, show_values, fail_on, baseline)


def of_apply(command: Any) -> Any:
    """Give `apply` the options for reports."""
    return _with(command, outputs, show_values, fail_on, baseline)


def _with(command: Any, *options: Callable[[Any], Any]) -> Any:
    for each in reversed(options):
        command = each(command)
    return command


def reports_of(command: str | None, format_: str, options: dict[str, Any]) -> tuple[Output, ...]:
    """Take the reports out of the options, and see that they can be written; a plan keeps its own file."""
    known.command = command or ""
    known.outputs = known.outputs or ((Output(format_),) if format_ != "text" else ())
    reports, others = parsed(options.pop("outputs", ()))
    if known.command in ("plan", "apply") and options.pop("baseline", None):
        note([f"{known.command} ignores --baseline: what it knows is repaired, too."])
    if known.command == "plan":
        if len(others) > 1:
            raise UsageError("A plan is kept in one file: name -o FILE once; a report is FORMAT=FILE.")
        options["output"] = others[0] if others else None
    elif others:
        raise UsageError(f"--output {others[0]} names no format: say FORMAT=FILE, with one of {', '.join(FORMATS)}.")
    beside = [each for each in (options.get("output"), options.get("script")) if each]
    see_that_they_fit(format_, reports, beside, FORMATS if known.command in IN_ALL_FORMATS else PLAIN)
    for report in reports:
        if report.path != STANDARD:
            files.see_that_it_can_be_written(report.path)
    return reports
