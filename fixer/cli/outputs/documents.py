"""Results as documents: one for each output, written where it goes."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from fixer.cli.outputs import STANDARD, Output
from fixer.cli.outputs.files import append, write
from fixer.errors import OutputFailed
from fixer.model.values import dataclass
from fixer.report import streams
from fixer.report.words import plainly

if TYPE_CHECKING:
    from rich.console import RenderableType

    from fixer.report.account import Account

SUMMARY, OUTPUTS = "GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT"  # the files of a step, by their variables


@dataclass(frozen=True)
class Forms:
    """The forms of one result, each made only if it is asked for."""

    text: Callable[[], RenderableType]
    json: Callable[[], str]
    account: Callable[[], Account] | None = None
    html: Callable[[bool], str] | None = None


def document(format_: str, forms: Forms, *, exit_code: int = 0, show_values: bool = False) -> str:
    """Return a result in a format that its command has."""
    if format_ == "json":
        return forms.json() + "\n"
    if format_ == "text":
        return _plain(forms.text())
    if format_ == "html" and forms.html:
        return forms.html(show_values)
    if forms.account is None:
        raise ValueError(f"{format_} is no format of this command")
    return of_account(format_, forms.account(), exit_code)


def of_account(format_: str, account: Account, exit_code: int) -> str:
    """Return an account in a format that is made of one, or the page of one that failed."""
    if format_ == "sarif":
        from fixer.report import sarif

        return sarif.of_account(account, exit_code=exit_code)
    if format_ == "junit":
        from fixer.report import junit

        return junit.of_account(account)
    if format_ == "github":
        from fixer.report import github

        return github.log(account)
    from html import escape

    said = f"<h1>pgmend {account.command} could not work</h1>\n<p>{escape(account.error)}</p>"
    return f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>pgmend</title>\n{said}\n</html>\n'


def put(output: Output, text: str) -> None:
    """Write a document; raise OutputFailed where that fails."""
    if output.path == STANDARD:
        streams.emit(text)
    else:
        write(output.path, text)


def write_all(outputs: Sequence[Output], forms: Forms, *, exit_code: int, show_values: bool) -> None:
    """Write a result to each output; raise OutputFailed at the end if one of them cannot be written."""
    from fixer.cli.known import complain, known

    failed = list[OutputFailed]()
    for output in outputs:
        text = document(output.format, forms, exit_code=exit_code, show_values=show_values)
        known.wrote(output.path)  # or tried to: no other document takes its place
        try:
            put(output, text)
        except OutputFailed as error:
            failed.append(error)
    if forms.account and any(output.format == "github" for output in outputs):
        tell_github(forms.account(), complain)
    if failed:
        raise failed[0]


def tell_github(account: Account, complain: Callable[[str], None]) -> None:
    """Add the summary and the outputs of the step, where GitHub names files for them.

    If that fails, the verdict stands, and one sentence says so.
    """
    from fixer.report import github

    for variable, made in ((SUMMARY, github.summary), (OUTPUTS, github.outputs)):
        if path := os.environ.get(variable):
            try:
                append(path, made(account))
            except OutputFailed as error:
                complain(f"{variable}: {error}")


def _plain(shown: RenderableType) -> str:
    """Return a text as it stands in a file: without colour."""
    if (text := plainly(shown)) is not None:
        return text
    from rich.console import Console

    from fixer.report import text as as_text

    console = as_text.console(color=False)
    said = io.StringIO()
    kept = Console(file=said, no_color=True, width=console.width, highlight=False, emoji=False, markup=False)
    as_text.show(kept, shown)
    return said.getvalue()
