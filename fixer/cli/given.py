"""How one option or argument is declared: given and empty, it is refused."""

from __future__ import annotations

from functools import partial

import click

from fixer.errors import refuse_empty


def filled(_: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Refuse an option or an argument that is given and empty."""
    option = isinstance(parameter, click.Option)
    refuse_empty(parameter.opts[-1] if option else f"The argument {parameter.human_readable_name.strip('[]')}", value)
    return value


option = partial(click.option, callback=filled)
file_option = partial(option, type=click.Path(dir_okay=False))
