"""The log of a command, and the tracebacks of unexpected errors; both without passwords."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from fixer.connect.redact import RedactingFilter, redact
from fixer.errors import UsageError

if TYPE_CHECKING:
    from fixer.connect.target import Target

_AT_MOST = 20  # tracebacks kept


@contextmanager
def logging_to(file: str | None, *, loud: bool, complain: Callable[[str], None]) -> Iterator[None]:
    """Write the log to a file, if one is named, and to the terminal if `loud`, for as long as this lasts.

    Raises UsageError if the file cannot be opened; if it cannot be written later, the work goes on, and `complain` is
    called at the end.
    """
    handlers: list[logging.Handler] = []
    if file:
        try:
            handlers.append(_File(file, encoding="utf-8", errors="backslashreplace"))
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else error
            raise UsageError(f"The log file cannot be written: {reason}: {file}.") from None
    if loud:
        handlers.append(logging.StreamHandler())
    logging.raiseExceptions = False  # otherwise a full disk prints a traceback for every line
    root = logging.getLogger("pgmend")
    root.setLevel(logging.INFO)
    root.propagate = False
    for handler in handlers or [logging.NullHandler()]:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        handler.addFilter(RedactingFilter())
        root.addHandler(handler)
    try:
        yield
    finally:
        for handler in list(root.handlers):
            root.removeHandler(handler)
            with suppress(OSError):
                handler.close()
        for handler in handlers:
            if isinstance(handler, _File) and handler.failure:
                complain(f"The log file is not whole: {handler.failure}: {file}.")


class _File(logging.FileHandler):
    """A log file that keeps why it could not be written."""

    failure = ""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's own
        """Note the first error."""
        error = sys.exc_info()[1]
        if isinstance(error, OSError):
            self.failure = self.failure or str(error.strerror)


def keep(error: BaseException, target: Target | None, file: str | None) -> str:
    """Keep the traceback of an error in the log file, or else in a new file; return its path, or nothing."""
    import platform  # only where something went wrong
    import tempfile
    import traceback

    from fixer.model.run import package_version

    system = f"pgmend {package_version()}, Python {platform.python_version()}, {platform.platform()}"
    trace = redact("".join(traceback.format_exception(error)), target)
    text = f"{time.strftime('%Y-%m-%d %H:%M:%S')} {system}\n{trace}"
    with suppress(OSError, ValueError):
        if file:
            return _append(Path(file), text)
    with suppress(OSError, ValueError, RuntimeError):
        return _append(_own_file(), text)
    with suppress(OSError, ValueError):
        descriptor, name = tempfile.mkstemp(prefix="pgmend-", suffix=".log")
        os.close(descriptor)
        return _append(Path(name), text)
    return ""


def _append(path: Path, text: str) -> str:
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "a", encoding="utf-8", errors="backslashreplace") as file:
        file.write(text)
    return str(path)


def _own_file() -> Path:
    """Return a new file for a traceback, in the directory for the state of programs; delete the oldest ones."""
    state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "pgmend"
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    for old in sorted(state.glob("fixer-*.log"))[: -_AT_MOST + 1]:
        old.unlink()
    return state / f"fixer-{time.strftime('%Y%m%dT%H%M%S')}-{os.getpid()}.log"
