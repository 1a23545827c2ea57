"""What a project says of its contract: the table [tool.pgmend] of its pyproject.toml."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from fixer.contract.migrations.project import PREFIX, parts_of
from fixer.contract.project.reading import Project, read
from fixer.errors import refuse_empty

__all__ = ["SELF", "Project", "contract_named", "nearest", "of", "placed", "scratch_named"]

VARIABLE = "PGMEND_CONTRACT"
SCRATCH = "PGMEND_SCRATCH"
SELF = "self"


def of(directory: Path | None = None) -> Project:
    """Return what the pyproject.toml of a directory says, or else that of the nearest above; nothing without one.

    Raises ContractError with the file where it cannot be read, or says what it should not.
    """
    file = nearest(directory)
    return _read(file, file.stat().st_mtime_ns, file.stat().st_ino) if file else Project()


def nearest(directory: Path | None = None) -> Path | None:
    """Return the pyproject.toml of a directory, or else that of the nearest above."""
    here = directory or Path.cwd()
    return next((f for d in (here, *here.parents) if (f := d / "pyproject.toml").is_file()), None)


@lru_cache(maxsize=1)
def _read(file: Path, changed: int, number: int) -> Project:
    """Return what a file says, which a command asks twice; it is read anew once it has changed."""
    return read(file)


def contract_named(environ: Mapping[str, str] = os.environ, directory: Path | None = None) -> str:
    """Return the contract that the environment names, or else the nearest project; or else the target's own catalogue.

    Raises what `of` raises, and UsageError if the variable is empty.
    """
    named = environ.get(VARIABLE)
    refuse_empty(VARIABLE, named)
    project = of(directory) if not named else Project()
    return named or (placed(project.contract, Path(project.file).parent) if project.contract else SELF)


def placed(contract: str, home: Path) -> str:
    """Return a contract that a file in `home` names; of SQL that is there and not here, the way from here.

    So it is of migrations that are there.
    """
    if contract.startswith(PREFIX):
        named = contract.removeprefix(PREFIX) or "."
        path, _ = parts_of(f"{PREFIX}{home / named}")
        return f"{PREFIX}{Path(os.path.relpath(home)) / named}" if path.exists() else contract
    there = home / contract
    elsewhere = contract != SELF and there.exists() and not Path(contract).exists()
    return os.path.relpath(there) if elsewhere else contract


def scratch_named(environ: Mapping[str, str] = os.environ, directory: Path | None = None) -> str | None:
    """Return the server of throw-away databases that the environment names, or else the nearest project.

    Raises what `contract_named` raises.
    """
    named = environ.get(SCRATCH)
    refuse_empty(SCRATCH, named)
    return named or of(directory).scratch
