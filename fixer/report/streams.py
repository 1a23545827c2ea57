"""Where the command writes: the reader may go away, the disk may be full, the encoding may lack ✓."""

from __future__ import annotations

import codecs
import fcntl
import io
import os
import select
import stat
import sys
from typing import TYPE_CHECKING, TextIO

from fixer.errors import OutputFailed

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_PLAIN = {"✓": "+", "✗": "x", "·": "-", "≠": "!=", "…": "...", "→": "->", "—": "-", "─": "-", "━": "-"}


def prepare() -> None:
    """Replace the standard streams by ours, unless something else already stands in for them."""
    codecs.register_error("pgmend", _plainly)
    if sys.stdin is None:
        sys.stdin = open(0, closefd=False)  # noqa: SIM115 - as long as the process
    sys.stdout = _stream(sys.stdout, 1, loud=True)
    sys.stderr = _stream(sys.stderr, 2, loud=False)


def _plainly(error: UnicodeError) -> tuple[str, int]:
    """Return a replacement for characters that an encoding lacks, and where to go on."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(_PLAIN.get(each) or each.encode("ascii", "backslashreplace").decode() for each in lacking), error.end


class _Stream(io.FileIO):
    """A descriptor that accepts every write, even if its reader is gone."""

    def __init__(self, descriptor: int, *, loud: bool) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self._loud, self._gone = loud, False

    def write(self, data: ReadableBuffer) -> int:
        """Write the data; raise OutputFailed if that fails, unless the reader is gone or the stream is not `loud`."""
        if not self._gone:
            try:
                while (written := super().write(data)) is None:  # a full pipe that does not block
                    select.select([], [self], [])
                return int(written)
            except BrokenPipeError:
                self._gone = True
            except OSError as error:
                self._gone = True
                if self._loud:
                    raise OutputFailed(f"The output cannot be written: {error.strerror}.") from None
        return memoryview(data).nbytes


def _stream(was: TextIO | None, descriptor: int, *, loud: bool) -> TextIO:
    try:
        if was is not None and was.fileno() != descriptor:
            return was
    except (OSError, ValueError, AttributeError):  # not a real file: it is captured
        return was or io.StringIO()
    encoding, lines = (was.encoding, bool(was.line_buffering)) if was else ("utf-8", False)
    raw = io.BufferedWriter(_Stream(descriptor, loud=loud))
    return io.TextIOWrapper(raw, encoding, "pgmend", line_buffering=lines or not loud)


def check() -> None:
    """Raise OutputFailed if it shows already that the standard output cannot be written."""
    if fcntl.fcntl(1, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
        raise OutputFailed("The output cannot be written: it is open for reading only.")
    if stat.S_ISREG(os.fstat(1).st_mode) and os.fstatvfs(1).f_bavail == 0:
        raise OutputFailed("The output cannot be written: no space is left on its disk.")


def emit(text: str) -> None:
    """Write a document for machines on the standard output, in UTF-8 whatever the terminal's encoding is."""
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode("utf-8", "backslashreplace"))
    sys.stdout.flush()
