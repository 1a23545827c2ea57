"""The ways out of a command: each has its exit code, its sentence and, with `--format json`, its document.

An unexpected error exits 2, since 1 means findings, and its sentence says what is true of the database.
"""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NoReturn

import click

from fixer.cli.known import complain, known
from fixer.cli.outputs import STANDARD, asked
from fixer.connect import memory, startup
from fixer.errors import OutputFailed, PgmendError, missing, speak_of_flags
from fixer.report import streams

if TYPE_CHECKING:
    pass

FAILED, INTERRUPTED = 2, 130
INTERRUPT = "fixer.connect.interrupt"  # which brings along psycopg2, for commands that want it
_LONGEST = 300  # characters of the text of an unexpected error


class _CarriedError(Exception):
    """Carries an error past click, which handles some errors itself."""


@contextmanager
def carried() -> Iterator[None]:
    """Carry errors that click would handle itself to the end of the command."""
    try:
        yield
    except (OSError, EOFError, SystemExit, KeyboardInterrupt) as error:
        raise _CarriedError from error


def run(command: Callable[[], object]) -> NoReturn:
    """Run the command and end the process by its exit code."""
    startup.settle()
    speak_of_flags()
    streams.prepare()
    threading.excepthook = _log_of_thread
    known.outputs = asked(sys.argv[1:])
    try:
        code = command()
        if not isinstance(code, int):  # Python would exit by 0
            raise TypeError(f"a command returned {code!r}")
        sys.stdout.flush()
    except BaseException as error:
        _let_ctrl_c_end_by(INTERRUPTED)
        code = _ended(error.__cause__ if isinstance(error, _CarriedError) and error.__cause__ else error)
    _end_by(code)


def emit(text: str) -> None:
    """Write a document for machines."""
    streams.emit(text)
    known.wrote(STANDARD)


def _ended(error: BaseException) -> int:
    """Report why the command ended; return the exit code."""
    code, message = _meaning(error)
    code = _documented(message, error, code)
    if isinstance(error, click.ClickException):
        with suppress(OSError):
            sys.stderr.write(_of_click(error))
    else:
        if code == INTERRUPTED and sys.stderr.isatty():
            sys.stderr.write("\n")  # the line begins with ^C
        complain(message)
    return code


def _of_click(error: click.ClickException) -> str:
    """Return what click says of a wrong command, which repeats what was typed: without passwords, and what to do."""
    from fixer.connect.redact import redact

    error.show(file=(said := io.StringIO()))
    misplaced = isinstance(error, click.UsageError) and "://" in error.format_message()
    advice = "A database is named by --dsn, or as the one argument of check and plan.\n" if misplaced else ""
    return redact(said.getvalue(), known.target) + advice


def _meaning(error: BaseException) -> tuple[int, str]:
    if isinstance(error, OutputFailed):
        done = "" if known.verdict is None else f" {known.stands}"
        return FAILED if known.verdict is None else known.verdict, f"{error}{done}"
    if isinstance(error, click.Abort | KeyboardInterrupt) or (_was_interrupted() and known.verdict is None):
        said = str(error) if isinstance(error, KeyboardInterrupt) else ""
        return INTERRUPTED, said or f"Interrupted. {known.stands}"
    if isinstance(error, PgmendError):
        return error.exit_code, str(error)
    if isinstance(error, click.ClickException):
        return FAILED, error.format_message()
    lacking = missing(error)
    return FAILED, f"{lacking}. {known.stands}" if lacking else _unforeseen(error)


def _was_interrupted() -> bool:
    """Return whether there was a Ctrl-C since a command began to listen for it."""
    interrupt = sys.modules.get(INTERRUPT)
    return interrupt is not None and bool(interrupt.was_heard())


def _unforeseen(error: BaseException) -> str:
    """Keep the traceback of an unexpected error; return its sentence."""
    from fixer.cli.log import keep

    try:
        file = keep(error, known.target, known.log_file)
    except Exception:  # a traceback that cannot be encoded, no memory left
        file = ""
    lines = str(error).strip().splitlines() or [""]
    said = f": {lines[0][:_LONGEST]}" if lines[0] else ""
    where = f"The traceback is in {file}; please report it." if file else "Say --log-file to keep the traceback."
    return f"unexpected {type(error).__name__} in {_module(error)}{said.rstrip('.')}. {known.stands} {where}"


def _module(error: BaseException) -> str:
    """Return the innermost module of ours that an error went through."""
    found, trace = __name__, error.__traceback__
    while trace:
        name = str(trace.tb_frame.f_globals.get("__name__"))
        if name.partition(".")[0] in ("fixer", "contracts") and name != "fixer.__main__":
            found = name
        trace = trace.tb_next
    return found


def _documented(message: str, error: BaseException, code: int) -> int:
    """Write why the command ended to each output that has no document yet; return the exit code."""
    lacking = [output for output in known.outputs if output not in known.written]
    if lacking:
        from fixer.cli.outputs.failed import write_to
        from fixer.connect.redact import redact

        said = redact(message, known.target)
        failed = write_to(lacking, known, said, _sqlstate(error), code)
        for reason in failed:
            if reason not in message:
                complain(reason)
        code = max(code, FAILED) if failed and known.verdict is None else code
    return code


def _sqlstate(error: BaseException) -> str | None:
    """Return the SQLSTATE of an error, or of its cause."""
    import psycopg2

    here: BaseException | None = error
    while here is not None:
        if isinstance(here, psycopg2.Error) and here.pgcode:
            return here.pgcode
        if isinstance(here, PgmendError) and here.sqlstate:
            return here.sqlstate
        here = here.__cause__ or here.__context__
    return None


def _log_of_thread(what: threading.ExceptHookArgs) -> None:
    """Keep the traceback of a failed thread; the command goes on without it."""
    from fixer.cli.log import keep

    if what.exc_value is not None and known.log_file:
        with suppress(Exception):
            keep(what.exc_value, known.target, known.log_file)


def _let_ctrl_c_end_by(code: int) -> None:
    """Let Ctrl-C end the process at once, now that only the report is left."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, lambda *_: os._exit(code))


def _end_by(code: int) -> NoReturn:
    _let_ctrl_c_end_by(code)
    with suppress(OutputFailed, OSError, ValueError):
        sys.stdout.flush()
    memory.leave()
    sys.exit(code)
