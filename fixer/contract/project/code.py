"""The modules of a project as text: what each defines, imports and derives from what. Nothing is imported."""

from __future__ import annotations

import ast
import os
import warnings
from collections.abc import Iterator
from dataclasses import field
from functools import cached_property
from pathlib import Path

from fixer.model.values import dataclass

_PASSED_OVER = frozenset((
    "build", "dist", "doc", "docs", "examples", "migrations", "alembic", "versions", "node_modules", "site-packages",
    "test", "tests", "__pycache__", "vendor",
))  # fmt: skip
MOST, LARGEST = 5000, 1_000_000  # files, and bytes of one, that are looked at

Name = tuple[str, str]  # a module, and a name in it


@dataclass(frozen=True)
class Module:
    """A module: its name, whether it is a package, and its syntax tree."""

    name: str
    package: bool
    tree: ast.Module
    stars: list[str] = field(default_factory=list)  # modules from which it takes all names

    @cached_property
    def bound(self) -> dict[str, Name]:
        """The names that it imports, by how it calls them; of a module that is imported, the second is empty."""
        found = dict[str, Name]()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                found |= {each.asname or each.name.partition(".")[0]: _as_module(each) for each in node.names}
            elif isinstance(node, ast.ImportFrom):
                source = self.absolute(node)
                self.stars.extend(source for each in node.names if each.name == "*")
                found |= {each.asname or each.name: (source, each.name) for each in node.names if each.name != "*"}
        return found

    @cached_property
    def imports(self) -> set[str]:
        """The modules that it may import; a name that it takes from one may be a module, too."""
        found = set[str]()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                found |= {each.name for each in node.names}
            elif isinstance(node, ast.ImportFrom):
                source = self.absolute(node)
                found |= {source, *(f"{source}.{each.name}" for each in node.names)}
        return found

    def absolute(self, node: ast.ImportFrom) -> str:
        """Return the module from which names are imported."""
        if not node.level:
            return node.module or ""
        parts = self.name.split(".")
        parts = parts[: len(parts) - node.level + self.package]
        return ".".join([*parts, *([node.module] if node.module else [])])

    @property
    def classes(self) -> Iterator[ast.ClassDef]:
        """Its classes, those inside others left out."""
        return (node for node in self.tree.body if isinstance(node, ast.ClassDef))


def _as_module(alias: ast.alias) -> Name:
    return (alias.name if alias.asname else alias.name.partition(".")[0]), ""


@dataclass(frozen=True)
class Code:
    """The modules of a project, by their names."""

    modules: dict[str, Module]

    def meaning(self, module: str, text: str, depth: int = 0) -> Name:
        """Return where what a module calls by a name, with dots or without, is defined."""
        name, _, rest = text.partition(".")
        here = self.modules.get(module)
        if here is None or depth > 20:
            return module, text
        found = here.bound.get(name)
        if found is None:
            inside = f"{module}.{name}"
            if rest and inside in self.modules:
                return self.meaning(inside, rest, depth + 1)
            through = (self.meaning(star, text, depth + 1) for star in here.stars if self.defines(star, name))
            return next(through, (module, text)) if not self._defines_itself(here, name) else (module, text)
        source, taken = found
        if taken and f"{source}.{taken}" in self.modules:
            source, taken = f"{source}.{taken}", ""
        wanted = ".".join(filter(None, (taken, rest)))
        return self.meaning(source, wanted, depth + 1) if wanted else (source, "")

    def defines(self, module: str, name: str, depth: int = 0) -> bool:
        """Return whether a module has a name, its own or one that it imports."""
        here = self.modules.get(module)
        if here is None or depth > 20:
            return False
        return (
            name in here.bound
            or self._defines_itself(here, name)
            or any(self.defines(star, name, depth + 1) for star in here.stars)
        )

    def _defines_itself(self, module: Module, name: str) -> bool:
        return any(name in _names_of(node) for node in module.tree.body)

    def reached(self, module: str) -> set[str]:
        """Return the modules that are imported along with one, itself and the packages above it too."""
        seen, waiting = set[str](), [module]
        while waiting:
            name = waiting.pop()
            if name in seen or name not in self.modules:
                continue
            seen.add(name)
            waiting += [*self.modules[name].imports, name.rpartition(".")[0]]
        return seen


def _names_of(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.ClassDef | ast.FunctionDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return [each.id for each in targets if isinstance(each, ast.Name)]


def code_of(root: Path) -> Code:
    """Return the modules below a directory, or below its `src`; those that cannot be read are left out."""
    modules = dict[str, Module]()
    for file in _files(root):
        relative = file.relative_to(root / "src" if (root / "src") in file.parents else root)
        parts = [*relative.with_suffix("").parts]
        package = parts[-1] == "__init__"
        name = ".".join(parts[:-1] if package else parts)
        if name and all(part.isidentifier() for part in name.split(".")) and (tree := _tree(file)):
            modules[name] = Module(name, package, tree)
    return Code(modules)


def _files(root: Path) -> Iterator[Path]:
    """Yield the files of Python below a directory; hidden ones, environments and tests are passed over."""
    count = 0
    for place, directories, names in os.walk(root):
        keep = (each for each in sorted(directories) if each not in _PASSED_OVER and not each.startswith("."))
        directories[:] = [each for each in keep if not (Path(place) / each / "pyvenv.cfg").exists()]
        for name in sorted(names):
            count += name.endswith(".py")
            if count > MOST:
                return
            if name.endswith(".py") and not name.startswith("test_") and name not in ("setup.py", "conftest.py"):
                yield Path(place) / name


def _tree(file: Path) -> ast.Module | None:
    try:
        if file.stat().st_size > LARGEST:
            return None
        text = file.read_bytes()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return None
