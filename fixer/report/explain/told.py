"""Reads what each defect class says of itself from its file, which is not imported: no driver, also with python -OO."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any  # JSON

from fixer.errors import UsageError
from fixer.model.expression.patterns import pattern
from fixer.model.values import dataclass

_DEFECTS = Path(__file__).parents[2] / "defects"
_SEEN = Path(__file__).with_name("seen.json")
_CLAIMS = pattern(r"(?P<what>.+?) Costs: (?P<costs>.+?) Cure: (?P<cure>.+?)(?: Hint: (?P<hint>.+))?")


@dataclass(frozen=True)
class Told:
    """What a defect class says of itself; `hint` is what the contract may declare to decide, or empty."""

    slug: str
    point: int
    what: str
    costs: str
    cure: str
    hint: str = ""

    @property
    def hints(self) -> tuple[str, ...]:
        """The names of the hints."""
        return tuple(re.findall(r"`(\w+)`", self.hint))


@dataclass(frozen=True)
class Example:
    """A specimen of a class: its SQL, what check says about the database that it breaks, and the steps of its repair.

    `steps` are pairs of a title, and the lock and the hazard that it needs, which may be empty.
    """

    name: str
    sql: str
    message: str
    rows: int
    repair: str
    refusal: str
    steps: tuple[Mapping[str, str], ...]


@dataclass(frozen=True)
class Seen:
    """What was seen on the specimens of a class: what its repairs need, and one example, if a database can be one."""

    needs: tuple[str, ...]
    example: Example | None


@cache
def every() -> tuple[Told, ...]:
    """Return what all classes say of themselves, sorted by point and slug."""
    files = (file for file in _DEFECTS.glob("*.py") if not file.name.startswith("_"))
    return tuple(sorted(map(_told, files), key=lambda each: (each.point, each.slug)))


def of(slug: str) -> Told:
    """Return what a class says of itself; raise UsageError with the nearest slug where there is no such class."""
    slugs = {file.stem.replace("_", "-"): file for file in _DEFECTS.glob("*.py") if not file.name.startswith("_")}
    called = slug.strip().lower().replace("_", "-").partition(":")[0]
    if called not in slugs:
        near = get_close_matches(called, slugs, n=1, cutoff=0.5)
        way = f"did you mean {near[0]}?" if near else "`fixer explain` lists them all."
        raise UsageError(f"There is no defect {slug!r}: {way}")
    return _told(slugs[called])


def seen(slug: str) -> Seen:
    """Return what was seen on the specimens of a class when docs/defects.py ran last."""
    return seen_from(_all_seen()[slug])


def seen_from(kept: Mapping[str, Any]) -> Seen:
    """Return what was seen from its JSON."""
    example = kept["example"]
    if example is None:
        return Seen(tuple(kept["needs"]), None)
    return Seen(tuple(kept["needs"]), Example(**{**example, "steps": tuple(example["steps"])}))


@cache
def _all_seen() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_SEEN.read_text(encoding="utf-8"))
    return found


def claims(text: str) -> Iterable[str] | None:
    """Return the parts of a docstring: what is wrong, costs, cure, hint; None if it does not have them."""
    found = _CLAIMS.fullmatch(" ".join(text.split()))
    return [part or "" for part in found.groups()] if found else None


def _told(file: Path) -> Told:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    parts = claims(ast.get_docstring(tree) or "")
    if parts is None:
        raise ValueError(f"{file.name} should say what is wrong, then 'Costs: …', then 'Cure: …' in its docstring.")
    return Told(file.stem.replace("_", "-"), _point(tree), *parts)


def _point(tree: ast.Module) -> int:
    """Return the value of POINT."""
    values = [
        node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and _names(node) == ["POINT"]
    ]
    return int(str(values[0]))


def _names(node: ast.Assign) -> list[str]:
    return [target.id for target in node.targets if isinstance(target, ast.Name)]
