"""The first second of the command, in which its modules are imported: it imports nothing heavy itself."""

from __future__ import annotations

import os
import signal
import sys
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from fixer.connect.memory import undisturbed
from fixer.errors import missing, words_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

_NAMES = ("fixer", "pgmend")


@contextmanager
def importing() -> Iterator[None]:
    """Let neither Ctrl-C nor a broken installation end the command in a traceback; leave other programs alone."""
    if not _is_command():
        yield
        return
    settle()
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:
        signal.signal(signal.SIGINT, _leave)
    try:
        with undisturbed():
            yield
    except Exception as error:
        said = missing(error) or f"cannot start: {words_of(error)}. Install it anew"
        _end(f"fixer: {said}. Nothing was changed.", 2)
    finally:
        signal.signal(signal.SIGINT, before)


def settle() -> None:
    """Put the process in order: the descriptors 0 to 2 are taken, and a warning is no error."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:  # closed by the caller: the next file or connection would take its place
            os.open(os.devnull, os.O_RDWR)
    if any(action == "error" for action, *_ in warnings.filters):
        warnings.simplefilter("default")


def _is_command() -> bool:
    """Return whether this process is the command line, as a script or by `python -m fixer`."""
    name = sys.argv[0] if sys.argv else ""
    if name == "-m":  # as long as Python looks for the module
        return any(word in ("fixer", "-mfixer") for word in sys.orig_argv)
    package = Path(__file__).parent.parent
    return Path(name).name in _NAMES or Path(name) == package / "__main__.py"


def _leave(_: int, __: FrameType | None) -> None:
    _end("fixer: Interrupted. Nothing is half done.", 130)


def _end(words: str, code: int) -> NoReturn:
    try:
        os.write(2, f"{words}\n".encode("utf-8", "backslashreplace"))
    finally:
        os._exit(code)
