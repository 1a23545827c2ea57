"""Files for results: each is written whole, or stays as it was."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path

from fixer.errors import OutputFailed


def write(path: str, text: str) -> None:
    """Write a file; raise OutputFailed if that fails, and leave the file as it was."""
    data = text.encode("utf-8", "backslashreplace")
    try:
        file = Path(path)
        if file.exists() and not file.is_file():  # a pipe or a device
            with file.open("wb") as there:
                there.write(data)
        else:
            _replace(Path(os.path.realpath(path)), data)
    except (OSError, ValueError) as error:
        raise _failed(path, error) from None


def _replace(file: Path, data: bytes) -> None:
    """Put a whole new file in the place of one; what cannot be replaced is written where it stands."""
    new = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666), "wb") as beside:
            beside.write(data)
        if file.exists():
            new.chmod(file.stat().st_mode & 0o7777)
        new.replace(file)
    except PermissionError:  # of the folder
        if not file.exists():
            raise
        file.write_bytes(data)
    finally:
        with suppress(OSError):
            new.unlink(missing_ok=True)


def append(path: str, text: str) -> None:
    """Add to the end of a file that others write as well; raise OutputFailed if that fails."""
    try:
        with Path(path).open("ab") as file:
            file.write(text.encode("utf-8", "backslashreplace"))
    except (OSError, ValueError) as error:
        raise _failed(path, error) from None


def see_that_it_can_be_written(path: str) -> None:
    """Raise OutputFailed if it shows already that a file cannot be written; change nothing."""
    file = Path(path)
    try:
        if file.is_file():
            with file.open("r+b"):
                pass
        elif not file.exists():
            with file.open("xb"):
                pass
            file.unlink()
        elif file.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        elif not os.access(path, os.W_OK):  # a pipe is not opened: its reader would take the close for the end
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except (OSError, ValueError) as error:
        raise _failed(path, error) from None


def _failed(path: str, error: Exception) -> OutputFailed:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return OutputFailed(f"The file cannot be written: {reason}: {path}.")
