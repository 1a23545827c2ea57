"""The databases that the options of a session name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from contracts.proof.databases.options import Options
from fixer.connect.target import Target, resolve
from fixer.errors import UsageError


def named_by(options: Options) -> list[tuple[str, Target]]:
    """Return the named databases, each with a label of its own; the label is empty for the only one."""
    named = [*options.dsn, *_from_file(options.dsn_file)]
    found = [_as_role(resolve(dsn), options.role) for dsn in named]
    labels = _labels(found) if len(found) > 1 else [""]
    return list(zip(labels, found, strict=False))


def _from_file(name: str | None) -> list[str]:
    if not name:
        return []
    try:
        lines = Path(name).read_text("utf-8").splitlines()
    except OSError as error:
        raise UsageError(f"--dsn-file {name} cannot be read: {error.strerror}.") from None
    found = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    if not found:
        raise UsageError(f"--dsn-file {name} names no database.")
    return found


def _as_role(target: Target, role: str | None) -> Target:
    return replace(target, settings={**target.settings, "role": role}) if role else target


def _labels(targets: Sequence[Target]) -> list[str]:
    """Return a label for each target: its host and database, and a number where these repeat."""
    labels, seen = [], Counter[str]()
    for target in targets:
        label = f"{target.url.host or 'local'}/{target.url.database or target.url.username or ''}"
        seen[label] += 1
        labels.append(label if seen[label] == 1 else f"{label}-{seen[label]}")
    return labels
