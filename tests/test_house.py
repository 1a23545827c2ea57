"""The house of the tests: what they are made of stands in tests/lab, and no test file leans on another."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

TESTS = Path(__file__).parent
NAMES = Counter(file.stem for file in TESTS.rglob("test_*.py"))
LINES = 300  # no file of the lab is longer


def imported(file: Path) -> set[str]:
    """Return every name that stands in the imports of a file, part by part."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names.update(part for alias in node.names for part in alias.name.split("."))
        if isinstance(node, ast.ImportFrom):
            names.update((node.module or "").split("."))
    return names


def test_no_test_file_is_imported() -> None:
    leaning = {str(file.relative_to(TESTS)): imported(file) & {*NAMES, "conftest"} for file in TESTS.rglob("*.py")}

    assert {file: names for file, names in leaning.items() if names} == {}


def test_no_file_of_the_lab_is_long() -> None:
    lines = {file.name: len(file.read_text(encoding="utf-8").splitlines()) for file in TESTS.rglob("lab/**/*.py")}

    assert {name: count for name, count in lines.items() if count > LINES} == {}


def test_each_test_file_has_a_name_of_its_own() -> None:
    """Test files are modules without a package, so two of one name would hide each other."""
    assert [name for name, count in NAMES.items() if count > 1] == []
