"""The first second of the command, in which its modules are imported: it imports nothing heavy itself.

Until Ctrl-C is caught, it would show a traceback; so this imports neither `signal` nor anything else that takes time.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # no stub has it
import os
import sys

TYPE_CHECKING = False  # as in `typing`
if TYPE_CHECKING:
    from types import FrameType, TracebackType
    from typing import NoReturn

_NAMES = ("fixer", "pgmend")


class _Importing:
    """Let neither Ctrl-C nor a broken installation end the command in a traceback; leave other programs alone."""

    def __enter__(self) -> None:
        self._mine = _is_command()
        if not self._mine:
            return
        self._before = _signal.getsignal(_signal.SIGINT)
        if self._before is _signal.default_int_handler:
            _signal.signal(_signal.SIGINT, _leave)
        settle()
        from fixer.connect.memory import undisturbed

        self._undisturbed = undisturbed()
        self._undisturbed.__enter__()

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if not self._mine:
            return
        if isinstance(error, Exception):
            from fixer.errors import missing, words_of

            said = missing(error) or f"cannot start: {words_of(error)}. Install it anew"
            said = f"{said}. Nothing was changed."
            if _asks_for_json():
                _write(1, _document(said))
            _end(f"fixer: {said}", 2)
        self._undisturbed.__exit__(None, None, None)
        _signal.signal(_signal.SIGINT, self._before)


def importing() -> _Importing:
    """Return what goes around the import of modules that the command needs."""
    return _Importing()


def import_driver() -> None:
    """Import psycopg2, for which Python's own TLS is imported as well unless it is absent: libpq brings its own.

    Where there is none, psycopg2 leaves locks to libpq, as without this it does where Python was built without TLS.
    """
    if not _is_command() or "ssl" in sys.modules or "psycopg2" in sys.modules:
        return
    sys.modules["ssl"] = None  # type: ignore[assignment]  # so that importing it fails
    try:
        import psycopg2  # noqa: F401
    finally:
        del sys.modules["ssl"]


def settle() -> None:
    """Put the process in order: the descriptors 0 to 2 are taken, and a warning is no error."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:  # closed by the caller: the next file or connection would take its place
            os.open(os.devnull, os.O_RDWR)
    import warnings

    if any(action == "error" for action, *_ in warnings.filters):
        warnings.simplefilter("default")


def _is_command() -> bool:
    """Return whether this process is the command line, as a script or by `python -m fixer`."""
    name = sys.argv[0] if sys.argv else ""
    if name == "-m":  # as long as Python looks for the module
        return any(word in ("fixer", "-mfixer") for word in sys.orig_argv)
    package = os.path.dirname(os.path.dirname(__file__))  # noqa: PTH120 - pathlib takes its time
    return os.path.basename(name) in _NAMES or name == f"{package}{os.sep}__main__.py"  # noqa: PTH119


def _leave(_: int, __: FrameType | None) -> None:
    _end("fixer: Interrupted. Nothing was changed.", 130)


def _asks_for_json() -> bool:
    """Return whether the words of the command ask for JSON, which nothing has read by now."""
    words = sys.argv[1:]
    return "--format=json" in words or any(words[place:][:2] == ["--format", "json"] for place in range(len(words)))


def _document(said: str) -> str:
    """Return the document of a command that could not work, whatever of it can be imported."""
    import json

    from fixer.model import POINTS

    points = [{"point": number, "title": title, "ok": False} for number, title in POINTS.items()]
    head = {"version": 1, "target": None, "contract": None, "ok": False, "points": points, "findings": []}
    return json.dumps({**head, "error": {"message": said, "sqlstate": None}}, indent=2)


def _write(descriptor: int, words: str) -> None:
    os.write(descriptor, f"{words}\n".encode("utf-8", "backslashreplace"))


def _end(words: str, code: int) -> NoReturn:
    try:
        _write(2, words)
    finally:
        os._exit(code)
