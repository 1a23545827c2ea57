"""`fixer mcp`: the fixer for a coding agent, over the Model Context Protocol on standard input and output."""

from __future__ import annotations

import click

from fixer.cli.known import known
from fixer.cli.options import Settings, common
from fixer.errors import UsageError

NEEDED = "fixer mcp needs the official SDK, which is not installed: pip install 'pgmend[mcp]'."


@click.command(name="mcp")
@common
def command(settings: Settings) -> int:
    """Serve check, plan, explain and history to a coding agent; apply and undo need a person's confirmation."""
    try:
        import mcp.server.mcpserver  # noqa: F401
    except ModuleNotFoundError as error:
        raise UsageError(NEEDED) from error
    from fixer.cli.alone.agent import Desk, serve
    from fixer.cli.commands import named

    known.outputs = ()  # the protocol has the standard output to itself
    serve(Desk(settings.target(), named(settings.contract, settings.scratch), settings.schema))
    return 0
