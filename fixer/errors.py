"""What can stop the fixer: one exception a way out, each with the exit code of the command line."""

from __future__ import annotations

import json
from collections.abc import Iterable
from shlex import quote

EMPTY = "{} is empty: see whether the shell variable behind it is set, or leave it out."


class _Speech:
    """How options are called: by flags, or by the arguments of Python's functions."""

    flags: bool = False


_speech = _Speech()


def speak_of_flags() -> None:
    """Call options by their flags from now on: the command line does, and pytest."""
    _speech.flags = True


def option(name: str, value: str | None = None) -> str:
    """Return how to give an option: ``--mode atomic`` or ``mode="atomic"``, ``--max-moved`` or ``max_moved``."""
    if _speech.flags:
        return f"--{name.replace('_', '-')}" + ("" if value is None else f" {quote(value)}")
    return name if value is None else f"{name}={json.dumps(value, ensure_ascii=False)}"


def options(name: str, values: Iterable[str]) -> str:
    """Return how to give an option several times: ``--skip A --skip B``, or ``skip=["A", "B"]``."""
    if _speech.flags:
        return " ".join(option(name, each) for each in values)
    return f"{name}={json.dumps([*values], ensure_ascii=False)}"


def listed(name: str, values: Iterable[str]) -> str:
    """Return how to give an option that takes a list: ``--allow-hazards a,b``, or ``allow_hazards=["a", "b"]``."""
    return option(name, ",".join(values)) if _speech.flags else options(name, values)


class PgmendError(Exception):
    """The root of every error this package raises on purpose; its text is one sentence for the user.

    `busy` where others were at work on the database, so that trying again later helps; `sqlstate` where the database
    gave one.
    """

    exit_code = 2

    def __init__(self, message: str, *, busy: bool = False, sqlstate: str | None = None) -> None:
        super().__init__(message)
        self.busy = busy
        self.sqlstate = sqlstate


class UsageError(PgmendError):
    """The words of a call are off: an unknown option value, two options that exclude each other."""


def refuse_empty(name: str, value: str | None) -> None:
    """Raise UsageError where a value is given and is empty: taken for left out, it would mean something else."""
    if value is not None and not value.strip():
        raise UsageError(EMPTY.format(name))


# What each package that may be missing is called when it is installed.
_DISTRIBUTIONS = {name: name for name in ("click", "hypothesis", "rich", "sqlalchemy", "testcontainers")}
_DISTRIBUTIONS["psycopg2"] = "psycopg2-binary"


def missing(error: BaseException) -> str:
    """Return the sentence that names the package to install, if one that pgmend needs is missing; else nothing."""
    name = (error.name or "").partition(".")[0] if isinstance(error, ModuleNotFoundError) else ""
    return needs(_DISTRIBUTIONS[name], "This") if name in _DISTRIBUTIONS else ""


def needs(package: str, what: str) -> str:
    """Return the sentence that names a package to install for something."""
    return f"{what} needs the package {package}, which is not installed: pip install {package}"


def words_of(error: BaseException) -> str:
    """Return the kind of an error and what it says, in one line without a full stop."""
    return " ".join(f"{type(error).__name__}: {error}".split()).rstrip(".:")


class OutputFailed(PgmendError):
    """The result cannot be written where it should go."""


class TargetError(PgmendError):
    """The target cannot be named, reached or worked with: nothing was changed."""


class ContractError(PgmendError):
    """The contract cannot be imported, or no database could satisfy it."""


class ServerError(PgmendError):
    """No PostgreSQL server of our own could be started."""


class SnapshotError(PgmendError):
    """A snapshot is incomplete or does not load."""


class PlanRefused(PgmendError):
    """The plan was made for another schema, another contract or another version: nothing was changed."""


class ApplyFailed(PgmendError):
    """A step failed, or the contract did not hold at the end: everything was rolled back."""


class UndoRefused(PgmendError):
    """The run cannot be taken back, by the reason given: nothing was changed."""


class NeedsPermission(PgmendError):
    """The plan needs hazards that were not allowed, or a person: nothing was changed."""

    exit_code = 1
