"""Writes [tool.pgmend] to the end of a pyproject.toml, and changes nothing else of it."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from fixer.contract.project import nearest
from fixer.contract.project.reading import of_text
from fixer.errors import OutputFailed, UsageError


def home(directory: Path | None = None) -> Path:
    """Return the pyproject.toml of a directory, or else that of the nearest above, or else where to make one.

    Raises UsageError if it has [tool.pgmend] already, or cannot be read.
    """
    file = nearest(directory) or (directory or Path.cwd()) / "pyproject.toml"
    try:
        tools = tomllib.loads(_text(file)).get("tool", {})
    except ValueError as error:
        raise UsageError(f"{file} is not TOML: {error}.") from None
    if isinstance(tools, dict) and "pgmend" in tools:
        raise UsageError(f"{file} has [tool.pgmend] already: change it there.")
    return file


def table(contract: str, others: Iterable[str], accepted: Iterable[str], reason: str) -> str:
    """Return the table as TOML: the contract, others that it might be as comments, and findings to live with."""
    lines = ["[tool.pgmend]", f"contract = {_quoted(contract)}", *(f"# contract = {_quoted(each)}" for each in others)]
    for each in accepted:
        lines += ["", "[[tool.pgmend.accept]]", f"finding = {_quoted(each)}", f"reason = {_quoted(reason)}"]
    return "\n".join(lines) + "\n"


def add(file: Path, table_: str) -> None:
    """Append a table to a file, in the file's own kind of lines; raise UsageError where it would be no TOML."""
    before = _text(file)
    line = "\r\n" if "\r\n" in before else "\n"
    gap = "" if not before else line if before.endswith(("\n", "\r\n")) else line * 2
    added = gap + table_.replace("\n", line)
    try:
        of_text(before + added, str(file))
    except ValueError:
        raise UsageError(f"{file} takes no table after what it has; write this where it fits:\n\n{table_}") from None
    is_new = not file.exists()
    try:
        with file.open("ab") as end:
            end.write(added.encode("utf-8"))
            end.flush()
            os.fsync(end.fileno())
    except OSError as error:
        with suppress(OSError):  # half a table would be no TOML
            file.unlink() if is_new else os.truncate(file, len(before.encode("utf-8")))
        raise OutputFailed(f"{file} cannot be written: {error.strerror}.") from None


def _text(file: Path) -> str:
    """Return what a file says, byte for byte; nothing if there is none."""
    if not file.exists():
        return ""
    try:
        return file.read_bytes().decode("utf-8")
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}.") from None
    except UnicodeError:
        raise UsageError(f"{file} is not text in UTF-8.") from None


def _quoted(text: str) -> str:
    """Return a text as TOML spells it: as JSON does, but for one character."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
