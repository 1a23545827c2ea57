"""Finds the models of a project in its code: each declarative base or MetaData, and the module that has all its tables.

A base alone is no contract: the tables are there only once the modules of the models are imported. So the module that
is named is the one that knows the base and imports most of these.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from fixer.contract.project.code import Code, Module, Name, code_of
from fixer.model.values import dataclass

_BASES = ("DeclarativeBase", "DeclarativeBaseNoMeta")
_MADE_BY = ("declarative_base", "generate_base", "automap_base", "MetaData", "SQLAlchemy")  # functions and classes
_SQLMODEL = ("sqlmodel", "SQLModel")


@dataclass(frozen=True)
class Models:
    """A base or MetaData, as a contract names it; how many models it has, and modules of these that lie beyond it."""

    spec: str
    count: int
    modules: int
    beyond: tuple[str, ...] = ()


def models_in(root: Path) -> list[Models]:
    """Return the models of a project, those with most tables first; a base without any only if there are no others."""
    code = code_of(root)
    bases = {base for module in code.modules.values() for base in _bases(module, code)}
    homes = _homes(code, bases)
    found = [_named(code, base, homes.get(base, [])) for base in sorted(bases)]
    found = [each for each in found if each.count] or found
    return sorted(found, key=lambda each: (-each.count, each.spec))


def _bases(module: Module, code: Code) -> Iterator[Name]:
    """Yield the bases and MetaData that a module defines, and SQLModel where it derives a table from it."""
    for node in module.tree.body:
        if isinstance(node, ast.ClassDef):
            meant = [code.meaning(module.name, text) for each in node.bases if (text := _dotted(each))]
            if any(name.rpartition(".")[2] in _BASES for _, name in meant) or _is_decorated(node):
                yield module.name, node.name
            if _SQLMODEL in meant and _is_table(node):
                yield _SQLMODEL
        elif isinstance(node, ast.Assign | ast.AnnAssign) and _is_made(node.value):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from ((module.name, each.id) for each in targets if isinstance(each, ast.Name))


def _is_made(value: ast.expr | None) -> bool:
    """Return whether a value is a call that makes a base or a MetaData."""
    return isinstance(value, ast.Call) and _dotted(value.func).rpartition(".")[2] in _MADE_BY


def _is_decorated(node: ast.ClassDef) -> bool:
    """Return whether a class is made a base by as_declarative."""
    made = (each.func if isinstance(each, ast.Call) else each for each in node.decorator_list)
    return any(_dotted(each).rpartition(".")[2] in ("as_declarative", "as_declarative_base") for each in made)


def _is_table(node: ast.ClassDef) -> bool:
    """Return whether a class of SQLModel is a table."""
    said = (each.value for each in node.keywords if each.arg == "table")
    return any(isinstance(each, ast.Constant) and each.value is True for each in said)


def _homes(code: Code, bases: set[Name]) -> dict[Name, list[str]]:
    """Return the module of each model, by its base."""
    derived = {base: base for base in bases}  # by class, abstract ones too
    classes = [(module, node) for module in code.modules.values() for node in module.classes]
    grown = True
    while grown:
        grown = False
        for module, node in classes:
            here = (module.name, node.name)
            root = None if here in derived else _root(code, module, node, derived)
            if root:
                derived[here], grown = root, True
    homes = dict[Name, list[str]]()
    for module, node in classes:
        base = derived.get((module.name, node.name))
        if base and base != (module.name, node.name) and _has_table(node, base):
            homes.setdefault(base, []).append(module.name)
    for module in code.modules.values():
        for base in _tables(code, module, bases):
            homes.setdefault(base, []).append(module.name)
    return homes


def _root(code: Code, module: Module, node: ast.ClassDef, derived: dict[Name, Name]) -> Name | None:
    """Return the base from which a class derives, itself or by others."""
    for each in node.bases:
        source, name = code.meaning(module.name, _dotted(each))
        if found := derived.get((source, name)) or derived.get((source, name.removesuffix(".Model"))):
            return found
    return None


def _has_table(node: ast.ClassDef, base: Name) -> bool:
    """Return whether a model has a table of its own, as far as one sees."""
    said = {each.id: item.value for item in node.body if isinstance(item, ast.Assign) for each in _plain(item.targets)}
    if base == _SQLMODEL:
        return _is_table(node)
    return not (isinstance(abstract := said.get("__abstract__"), ast.Constant) and abstract.value is True)


def _plain(targets: list[ast.expr]) -> list[ast.Name]:
    return [each for each in targets if isinstance(each, ast.Name)]


def _tables(code: Code, module: Module, bases: set[Name]) -> Iterator[Name]:
    """Yield the MetaData of each Table that a module makes; that of a base counts as the base's."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and _dotted(node.func).rpartition(".")[2] == "Table" and len(node.args) > 1:
            source, name = code.meaning(module.name, _dotted(node.args[1]))
            yield from (each for each in [(source, name), (source, name.removesuffix(".metadata"))] if each in bases)


def _named(code: Code, base: Name, homes: list[str]) -> Models:
    """Return the models of a base, as the module names them that knows it and imports most of them."""
    ways = [(name, called) for name in code.modules for called in _called(code, name, base) if "." not in called]
    wanted = set(homes)
    ranked = sorted(ways, key=lambda way: (-len(wanted & code.reached(way[0])), way[0].count("."), way != base, way))
    module, called = ranked[0] if ranked else base
    beyond = tuple(sorted(wanted - code.reached(module)))
    return Models(f"{module}:{called}", len(homes), len(wanted), beyond)


def _called(code: Code, module: str, base: Name) -> Iterator[str]:
    """Yield what a module calls a base."""
    if module == base[0]:
        yield base[1]
    for called in code.modules[module].bound:
        if code.meaning(module, called) == base:
            yield called
    if code.modules[module].stars and code.meaning(module, base[1]) == base:
        yield base[1]


def _dotted(node: ast.expr) -> str:
    """Return a name with its dots; empty for any other expression."""
    if isinstance(node, ast.Subscript):  # Generic[…]
        return _dotted(node.value)
    if isinstance(node, ast.Attribute):
        before = _dotted(node.value)
        return f"{before}.{node.attr}" if before else ""
    return node.id if isinstance(node, ast.Name) else ""
