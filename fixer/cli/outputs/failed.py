"""The documents of a command that could not work: each output says why, so that nobody reads an older one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from fixer.cli.outputs import STANDARD, Output
from fixer.errors import OutputFailed

if TYPE_CHECKING:
    from fixer.cli.outcome import Known


def write_to(outputs: Iterable[Output], known: Known, message: str, sqlstate: str | None, code: int) -> list[str]:
    """Write a document to each output; return a sentence for each that cannot be written, if there is more to say."""
    from fixer.cli.outputs.documents import put

    failed = []
    for output in outputs:
        try:
            put(output, _document(output.format, known, message, sqlstate, code))
        except OutputFailed as error:
            failed.append("" if output.path == STANDARD else str(error))
    return failed


def _document(format_: str, known: Known, message: str, sqlstate: str | None, code: int) -> str:
    target = known.target.redacted if known.target else None
    if format_ == "json":
        from fixer.report import json as as_json

        return as_json.of_error(target, known.contract, known.findings, message, sqlstate) + "\n"
    from fixer.cli.outcome import complain
    from fixer.cli.outputs.documents import of_account, tell_github
    from fixer.report import account

    told = account.of_error(known.command, target, known.contract, known.findings, message, sqlstate)
    if format_ == "github":
        tell_github(told, complain)
    return of_account(format_, told, code)
