"""The command line as a whole: what commands there are; each is imported when it is called."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from importlib import import_module
from typing import NoReturn

import click

from fixer.cli import outcome
from fixer.connect.startup import import_driver, importing

WORDS: Mapping[str, str] = {
    "apply": "Repair the database, by a fresh plan or by exactly the given one, until the contract holds.",
    "capture": "Write a snapshot of the target, with all rows or some, masked or not; only read the target.",
    "check": "Print findings by point, and the summary; change nothing.",
    "demo": "Tell the whole story on the embedded server: broken, proved, planned, repaired, proved again.",
    "explain": "Explain a defect: what it is, what it costs, its cure, and the hint that decides; all by point.",
    "history": "List past runs, the newest first.",
    "init": "Note the contract of a project in pyproject.toml; with a DSN, check that first.",
    "mcp": "Serve check, plan, explain and history to a coding agent; apply and undo need a person's confirmation.",
    "plan": "Print the ordered steps with lock, hazard, rows and estimated time; change nothing.",
    "prove": "Rehearse a repair on a copy of the target: check, plan, apply, undo; only read the target.",
    "undo": "Undo a run: rows, values and definitions as they were before it; refuse if later writes stand in the way.",
}
ALONE = ("capture", "explain", "mcp", "prove")  # each in a file of its own, fixer/cli/alone/NAME.py, as `command`


class _Later(click.Group):
    """A group whose commands are only names and words until one of them is called, which then is imported."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that was called, as it is, with the words that are left for it."""
        if args[0] in ALONE:
            with importing():
                alone: click.Command = import_module(f"fixer.cli.alone.{args[0]}").command
            return args[0], alone, args[1:]
        with importing():
            import_driver()
            from fixer.cli.commands import commands
        return commands.resolve_command(ctx, args)


def _version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    """Print the version, and end."""
    if wanted and not ctx.resilient_parsing:
        from fixer.model.run import package_version

        click.echo(f"fixer, version {package_version()}")
        ctx.exit()


_COMMANDS = {name: click.Command(name, help=said) for name, said in WORDS.items()}
_VERSION = click.Option(
    ["--version"], is_flag=True, expose_value=False, is_eager=True, callback=_version, help="Show the version and exit."
)
cli = _Later(
    commands=_COMMANDS,
    params=[_VERSION],
    help="Prove five things about a PostgreSQL database, repair what is broken, and lose no row.",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> NoReturn:
    """Run the command line; every way out has its exit code."""
    outcome.run(partial(cli.main, standalone_mode=False))
