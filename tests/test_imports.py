"""The plan of the house: imports run one way, and rooms and files stay small enough to be looked through."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# Each may import what stands behind it, and what stands beside it.
ORDER = (
    {"cli"},
    {"api"},
    {"snapshots"},
    {"runner", "report"},
    {"planner"},
    {"compare"},
    {"defects"},
    {"repair"},
    {"sql", "introspect", "contract"},
    {"connect"},
    {"model"},
    {"errors"},
)
RANKS = {room: rank for rank, rooms in enumerate(ORDER) for room in rooms}
FLAT = "fixer/defects"  # a file for each class, and no more to it
LINES, FUNCTION, ENTRIES, ROOMS = 300, 40, 16, 16
IMPORTED = """
import sys
from importlib import import_module
for name in sys.argv[1:]:
    package, _, part = name.rpartition(".")
    before = vars(import_module(package)).get(part) if package else None
    exec(f"import {name} as it")
    if it is not sys.modules[name] or before not in (None, it):
        print(name, "is also", before)
"""


def name_of(file: Path) -> str:
    """Return the full name of the module in a file."""
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


FILES = {name_of(file): file for package in ("fixer", "contracts") for file in sorted((ROOT / package).rglob("*.py"))}


def walk(name: str) -> Iterator[ast.AST]:
    """Yield every part of a module."""
    return ast.walk(ast.parse(FILES[name].read_text(encoding="utf-8")))


def imported_by(name: str) -> Iterator[str]:
    """Yield the full name of everything that a module imports, wherever in it; parts of modules stand for these."""
    file = FILES[name]
    home = name.split(".") if file.name == "__init__.py" else name.split(".")[:-1]
    for node in walk(name):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = home[: len(home) - node.level + 1] if node.level else []
            source = ".".join([*above, *(node.module or "").split(".")]).strip(".")
            yield from (whole if (whole := f"{source}.{alias.name}") in FILES else source for alias in node.names)


IMPORTS = {name: {each for each in imported_by(name) if each != name} for name in FILES}
OURS = {name: {each for each in imports if each in FILES} for name, imports in IMPORTS.items()}


def rank(name: str) -> int:
    """Return the place of a module in the order; contracts, and what only leads into fixer, come before all."""
    package, _, rest = name.partition(".")
    return -1 if package == "contracts" else RANKS.get(rest.partition(".")[0], -1)


def folders() -> Iterator[Path]:
    """Yield every folder of both packages."""
    for package in (ROOT / "fixer", ROOT / "contracts"):
        yield from (each for each in (package, *package.rglob("*")) if each.is_dir() and each.name != "__pycache__")


def entries(folder: Path) -> list[str]:
    """Return what a folder holds for a reader."""
    return [each.name for each in folder.iterdir() if not each.name.startswith("__") and each.name != "py.typed"]


def long_files() -> dict[str, int]:
    """Return the files with too many lines."""
    lines = {str(f.relative_to(ROOT)): len(f.read_text(encoding="utf-8").splitlines()) for f in FILES.values()}
    return {file: count for file, count in lines.items() if count > LINES}


def test_no_module_imports_itself_by_way_of_others() -> None:
    try:
        TopologicalSorter(OURS).prepare()
    except CycleError as error:
        pytest.fail(" → ".join(reversed(error.args[1])))


def test_imports_run_one_way() -> None:
    upwards = {(name, each) for name, imports in OURS.items() for each in imports if rank(name) > rank(each)}

    assert upwards == set()


def test_the_fixer_needs_neither_the_suite_nor_its_tools() -> None:
    tools = {"contracts", "hypothesis", "pytest", "_pytest"}
    ours = [(name, each) for name, imports in IMPORTS.items() for each in imports if name.startswith("fixer")]

    assert [(name, each) for name, each in ours if each.partition(".")[0] in tools] == []


def test_every_module_is_what_its_full_name_imports() -> None:
    """Where a package has a function of that name, one of both hides the other."""
    done = subprocess.run([sys.executable, "-c", IMPORTED, *FILES], cwd=ROOT, capture_output=True, text=True)

    assert (done.stdout, done.stderr) == ("", "")


def test_no_file_is_long() -> None:
    assert long_files() == {}


def test_no_function_is_long() -> None:
    functions = {f"{name}.{f.name}": f for name in FILES for f in walk(name) if isinstance(f, ast.FunctionDef)}
    lines = {name: (f.end_lineno or 0) - f.lineno + 1 for name, f in functions.items()}

    assert {name: count for name, count in lines.items() if count > FUNCTION} == {}


def test_no_folder_is_full() -> None:
    full = {str(folder.relative_to(ROOT)): len(entries(folder)) for folder in folders()}

    assert {name: count for name, count in full.items() if count > ENTRIES and name != FLAT} == {}


def test_one_sees_the_rooms_at_a_glance() -> None:
    assert len(entries(ROOT / "fixer")) <= ROOMS


def test_patterns_are_made_when_they_are_needed() -> None:
    """A pattern by `re` costs each start of a command what it compiles."""
    dear = [
        f"{FILES[name].relative_to(ROOT)}:{node.lineno}"
        for name in FILES
        if name.startswith("fixer.")
        for node in ast.iter_child_nodes(ast.parse(FILES[name].read_text(encoding="utf-8")))
        if isinstance(node, ast.Assign) and ast.unparse(node.value).startswith("re.compile(")
    ]

    assert dear == []


def test_frozen_classes_are_made_when_they_are_needed() -> None:
    """One that `dataclasses` makes costs each start of a command what it compiles."""
    dear = [
        f"{FILES[name].relative_to(ROOT)}:{node.lineno}"
        for name in FILES
        if name.startswith("fixer.") and name != "fixer.model.values" and "fixer.model.values" not in IMPORTS[name]
        for node in walk(name)
        if isinstance(node, ast.ClassDef) and any("frozen=True" in ast.unparse(each) for each in node.decorator_list)
    ]

    assert dear == []


def test_what_takes_a_value_of_any_type_says_why() -> None:
    lines = [(name, line) for name, file in FILES.items() for line in file.read_text(encoding="utf-8").splitlines()]

    assert [each for each in lines if re.match(r"from typing import [^#]*\bAny\b[^#]*$", each[1])] == []


def test_no_assert_directs_the_fixer() -> None:
    """Python may be told to leave asserts out."""
    ours = [name for name in FILES if name.startswith("fixer")]

    assert [name for name in ours if any(isinstance(node, ast.Assert) for node in walk(name))] == []
