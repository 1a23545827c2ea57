"""Every defect that the fixer detects, one class a file; the folder is the registry."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Protocol, cast, runtime_checkable

from fixer.model.contract import Contract, TableHints
from fixer.model.defect import Specimen, Stage
from fixer.model.finding import Finding, Guaranteed, made
from fixer.model.schema import Schema
from fixer.model.schema.code import Code
from fixer.model.step import Repair
from fixer.model.table import Table
from fixer.sql.compose import Composable


class DefectClass(Protocol):
    """What a module in fixer/defects must define. Its file name is its slug, in snake case."""

    SLUG: str
    POINT: int
    STAGE: Stage
    SPECIMENS: tuple[Specimen, ...]
    NEAR_MISSES: tuple[Specimen, ...]

    def detect(self, actual: Schema, contract: Contract) -> Iterable[Finding | Guaranteed]:
        """Yield what may be wrong, judging by the catalogue; the probe of a finding counts the rows behind it."""

    def repair(self, finding: Finding, actual: Schema, contract: Contract) -> Repair:
        """Return the repair of one finding; raises RefusalError if no safe one exists."""


@runtime_checkable
class Foreseeing(Protocol):
    """A defect class whose repair changes names or shapes that later stages look at."""

    def foresee(self, finding: Finding, actual: Schema, contract: Contract) -> Schema:
        """Return the schema as the repair of a finding leaves it."""


@runtime_checkable
class Mutating(Protocol):
    """A defect class that can be planted in any fitting database."""

    def mutate(self, table: Table) -> Iterable[Composable]:
        """Yield the statements that plant it at each place of a sound table of a contract."""


@runtime_checkable
class MutatingHinted(Protocol):
    """A defect class that can be planted where the hints of a contract allow it."""

    def mutate_hinted(self, table: Table, hints: TableHints) -> Iterable[Composable]:
        """Yield the statements that plant it at each place of a sound table of a contract with these hints."""


@runtime_checkable
class MutatingCode(Protocol):
    """A defect class that can be planted where a contract declares code."""

    def mutate_code(self, each: Code) -> Iterable[Composable]:
        """Yield the statements that plant it in a sound database with this code."""


@runtime_checkable
class MutatingAlone(Protocol):
    """A defect class that can be planted where a contract lets a partition have something alone."""

    def mutate_alone(self, part: Table) -> Iterable[Composable]:
        """Yield the statements that plant it at each place of such a partition, given as what it has alone."""


MUTATING = (Mutating, MutatingHinted, MutatingCode, MutatingAlone)


@cache
def all_classes() -> tuple[DefectClass, ...]:
    """Return the defect classes, sorted by stage, point and slug."""
    files = (each for each in Path(__file__).parent.iterdir() if each.suffix == ".py")
    names = (each.stem for each in files if not each.name.startswith("_"))
    classes = [_class_in(import_module(f"{__name__}.{name}")) for name in names]
    return tuple(sorted(classes, key=lambda defect: (defect.STAGE, defect.POINT, defect.SLUG)))


def _class_in(module: ModuleType) -> DefectClass:
    """Return the class that a module is, judging by its names: a Protocol takes longer to ask than an import."""
    if not vars(module).keys() >= {*DefectClass.__annotations__, "detect", "repair"}:
        raise TypeError(f"{module.__name__} is no defect class")
    return cast("DefectClass", module)


def detected(defect: DefectClass, actual: Schema, contract: Contract) -> Iterator[Finding]:
    """Yield what a class detects, each finding made."""
    yield from map(made, defect.detect(actual, contract))


def mutations(contract: Contract) -> dict[str, list[Composable]]:
    """Return the statements that plant each class in a sound database of a contract, by slug."""
    ways: dict[str, list[Composable]] = {}
    for defect in all_classes():
        for name, table in contract.tables.items():
            if isinstance(defect, Mutating):
                ways.setdefault(defect.SLUG, []).extend(defect.mutate(table))
            if isinstance(defect, MutatingHinted):
                ways.setdefault(defect.SLUG, []).extend(defect.mutate_hinted(table, contract.hints[name]))
        code = contract.schema.code.parts if contract.schema.code else ()
        if isinstance(defect, MutatingCode):
            ways.setdefault(defect.SLUG, []).extend(way for each in code for way in defect.mutate_code(each))
        if isinstance(defect, MutatingAlone):
            alone = contract.schema.alone.values()
            ways.setdefault(defect.SLUG, []).extend(way for part in alone for way in defect.mutate_alone(part))
    return {slug: each for slug, each in ways.items() if each}


@cache
def by_slug() -> dict[str, DefectClass]:
    """Return the defect classes by their slugs."""
    return {defect.SLUG: defect for defect in all_classes()}
