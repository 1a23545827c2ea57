"""Every kind of fault the fixer knows, one file each. The folder is the registry."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import cast

from fixer.model.finding import DefectClass


@cache
def all_classes() -> tuple[DefectClass, ...]:
    """Return the defect classes in the order of their stages, then of their points and names."""
    modules = [import_module(f"{__name__}.{m.name}") for m in iter_modules(__path__) if not m.name.startswith("_")]
    classes = [cast(DefectClass, module) for module in modules]
    return tuple(sorted(classes, key=lambda defect: (defect.STAGE, defect.POINT, defect.SLUG)))


@cache
def by_slug() -> dict[str, DefectClass]:
    """Return the defect classes by their slugs."""
    return {defect.SLUG: defect for defect in all_classes()}
