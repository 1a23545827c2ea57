"""What a project says of its contract: the table [tool.pgmend] of its pyproject.toml."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fixer.errors import ContractError, refuse_empty

VARIABLE = "PGMEND_CONTRACT"
SELF = "self"
_KEYS = {"contract"}


@dataclass(frozen=True)
class Project:
    """What the table says."""

    contract: str | None = None


def of(directory: Path) -> Project:
    """Return what the pyproject.toml of a directory says, or else that of the nearest above; nothing without one.

    Raises ContractError with the file where it cannot be read, or says what it should not.
    """
    file = next((f for d in (directory, *directory.parents) if (f := d / "pyproject.toml").is_file()), None)
    return _read(file) if file else Project()


def _read(file: Path) -> Project:
    try:
        tools = tomllib.loads(file.read_text(encoding="utf-8")).get("tool", {})
    except OSError as error:
        raise ContractError(f"{file} cannot be read: {error.strerror}.") from None
    except ValueError as error:  # not TOML, or not UTF-8
        raise ContractError(f"{file} is not TOML: {error}.") from None
    said = tools.get("pgmend", {}) if isinstance(tools, dict) else {}
    if not isinstance(said, dict):
        raise ContractError(f"{file}: tool.pgmend should be a table.")
    if unknown := sorted(said.keys() - _KEYS):
        raise ContractError(f"{file}: [tool.pgmend] knows no {unknown[0]}; it knows {', '.join(sorted(_KEYS))}.")
    contract = said.get("contract")
    if contract is not None and (not isinstance(contract, str) or not contract.strip()):
        raise ContractError(f"{file}: contract in [tool.pgmend] should be a text, as in app.models:Base.")
    return Project(contract)


def contract_named(environ: Mapping[str, str] = os.environ, directory: Path | None = None) -> str:
    """Return the contract that the environment names, or else the nearest project; or else the target's own catalogue.

    Raises what `of` raises, and UsageError if the variable is empty.
    """
    named = environ.get(VARIABLE)
    refuse_empty(VARIABLE, named)
    return named or of(directory or Path.cwd()).contract or SELF
