"""The files of a gate: baselines, which `check` reads and writes, and reports of earlier checks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any  # JSON

from fixer.cli.outputs.files import see_that_it_can_be_written
from fixer.cli.outputs.files import write as write_whole
from fixer.errors import UsageError
from fixer.model import baseline as values
from fixer.model.baseline import Baseline, Known

_ANEW = "write it anew by `fixer check --write-baseline"


def is_there(path: str) -> bool:
    """Return whether there is such a file."""
    return Path(path).exists()


def see_that_it_is_there(path: str) -> None:
    """Raise UsageError if a file cannot be read."""
    _text(path)


def see_that_a_baseline_can_stand(path: str) -> None:
    """Raise UsageError where another file has the name of a baseline, OutputFailed where it cannot be written."""
    if Path(path).is_file() and _text(path).strip():
        kept = _object(path)
        if kept is None or kept.get("kind") != "baseline":
            raise UsageError(f"{path} is another file, and no baseline: name another for --write-baseline.")
    see_that_it_can_be_written(path)


def write(baseline: Baseline) -> None:
    """Write a baseline to its file; raise OutputFailed if that fails."""
    write_whole(baseline.file, json.dumps(values.to_json(baseline), indent=2, ensure_ascii=False) + "\n")


def read(path: str, contract: str) -> Baseline:
    """Return the baseline in a file; raise UsageError if it is damaged, or of another contract."""
    kept = _object(path)
    if kept is not None and kept.get("kind") != "baseline" and "points" in kept:
        raise UsageError(f"{path} is the report of a check, and no baseline: make one by --write-baseline.")
    if kept is None or kept.get("kind") != "baseline":
        raise UsageError(f"{path} is no baseline, or is damaged: {_ANEW} {path}`.")
    if kept.get("version") != values.VERSION:
        raise UsageError(f"{path} is a baseline of version {kept.get('version')}, this fixer reads {values.VERSION}.")
    try:
        findings = tuple(values.known_from_json(each) for each in kept["findings"])
        found = Baseline(str(kept["contract"]), findings, bool(kept["deep"]), kept["role"], path)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise UsageError(f"{path} is a damaged baseline: {_ANEW} {path}`.") from None
    _see_that_it_is_of(path, "baseline", found.contract, contract)
    return found


def earlier(path: str, contract: str) -> tuple[Known, ...]:
    """Return the findings that an earlier check wrote as JSON; raise UsageError if it did not."""
    kept = _object(path)
    if kept is None or not {"version", "points", "findings", "contract"} <= kept.keys():
        raise UsageError(f"{path} is no report of `fixer check --format json`, or is damaged.")
    if "error" in kept:
        raise UsageError(f"{path} is the report of a command that could not work: there is nothing to compare with.")
    if kept["version"] != values.VERSION:
        raise UsageError(f"{path} is a report of version {kept['version']}, this fixer reads {values.VERSION}.")
    try:
        found = tuple(values.known_from_json(each) for each in kept["findings"])
    except (KeyError, TypeError, ValueError, AttributeError):
        raise UsageError(f"{path} is a damaged report, or of a fixer that gave findings no id: check anew.") from None
    _see_that_it_is_of(path, "report", str(kept["contract"]), contract)
    return found


def _see_that_it_is_of(path: str, what: str, named: str, contract: str) -> None:
    if named != contract:
        raise UsageError(f"{path} is a {what} of the contract {named}, not of {contract}: name another file.")


def _object(path: str) -> dict[str, Any] | None:
    """Return the JSON object in a file; None if it holds none."""
    try:
        kept = json.loads(_text(path))
    except (ValueError, RecursionError):
        return None
    return kept if isinstance(kept, dict) else None


def _text(path: str) -> str:
    try:
        return Path(path).read_bytes().decode("utf-8", "replace")
    except FileNotFoundError:
        raise UsageError(f"There is no file {path}.") from None
    except OSError as error:
        raise UsageError(f"The file cannot be read: {error.strerror}: {path}.") from None
