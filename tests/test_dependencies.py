"""What an installation needs: the few packages of a lean one, and a sentence for each that is missing."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from lab.database import Database
from lab.process import CLEAN, HOUSE

README = (HOUSE / "README.md").read_text(encoding="utf-8")
LEAN = re.findall(r"^pip install ([a-z0-9 -]*psycopg2-binary[a-z0-9 -]*)", README, re.M)[0].split()
LIBRARY = {"psycopg2-binary", "sqlalchemy"}
ENSURE = """
import sys, fixer
from contracts.trading import metadata
print(fixer.ensure(sys.argv[1], metadata, allow_hazards=["moves-rows"]).ok)
"""


def closure(names: set[str]) -> set[str]:
    """Return packages with all that they need themselves."""
    wanted = [Requirement(each) for name in names for each in distribution(name).requires or ()]
    more = {each.name for each in wanted if each.marker is None or each.marker.evaluate({"extra": ""})}
    return names if more <= names else closure(names | more)


def python_with(place: Path, names: set[str]) -> dict[str, str]:
    """Return the environment of a Python that finds pgmend and these packages, and no other."""
    place.mkdir()
    for name in closure(names):
        found = distribution(name)
        for top in {file.parts[0] for file in found.files or () if file.parts[0] not in ("..", "__pycache__")}:
            (place / top).symlink_to(str(found.locate_file(top)))
    for ours in ("fixer", "contracts"):
        (place / ours).symlink_to(HOUSE / ours)
    return {**CLEAN, "PYTHONPATH": str(place)}


def ran(environment: dict[str, str], cwd: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-S", *words]  # without the site-packages of the tests
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=120)


def test_a_lean_installation_checks_repairs_and_undoes(broken: Database, tmp_path: Path) -> None:
    environment = python_with(tmp_path / "site", set(LEAN))
    commands = (
        "check", "plan -o plan.json --sql plan.sql", "apply plan.json --yes --allow-hazards moves-rows", "check --deep",
        "history", "undo 1 --yes", "apply --mode online --yes --allow-hazards moves-rows", "check --format json",
    )  # fmt: skip
    ended = [
        ran(environment, tmp_path, "-m", "fixer", *each.split(), "--dsn", broken.dsn).returncode for each in commands
    ]

    assert ended == [1, 1, 0, 0, 0, 0, 0, 0]


def test_ensure_needs_only_sqlalchemy_and_psycopg2(broken: Database, tmp_path: Path) -> None:
    environment = python_with(tmp_path / "site", LIBRARY)
    first, second = (ran(environment, tmp_path, "-c", ENSURE, broken.dsn) for _ in range(2))

    assert (first.stdout, first.stderr, second.stdout) == ("True\n", "", "True\n")


MISSING = {
    "rich": ({*LEAN} - {"rich"}, "-m fixer plan --dsn DSN"),  # a check in a pipe may do without
    "click": (LIBRARY, "-m fixer check --dsn DSN"),
    "psycopg2-binary": ({"click", "rich", "sqlalchemy"}, "-m fixer check --dsn DSN"),
    "testcontainers": ({*LEAN}, "-m fixer check --dsn DSN --contract tables.sql --scratch docker:postgres:16"),
    "hypothesis": ({*LEAN, "pytest"}, "-m pytest --pyargs contracts --dsn DSN"),
}


@pytest.mark.parametrize(("package", "there", "words"), [(name, *each) for name, each in MISSING.items()], ids=MISSING)
def test_a_missing_package_is_named_in_one_sentence(
    healthy: Database, tmp_path: Path, package: str, there: set[str], words: str
) -> None:
    environment = python_with(tmp_path / "site", there)
    (note := tmp_path / "site" / "pgmend-0.dist-info").mkdir()
    (note / "METADATA").write_text("Metadata-Version: 2.1\nName: pgmend\nVersion: 0\n")
    (note / "entry_points.txt").write_text("[pytest11]\npgmend = fixer.cli.pytest_entry\n")
    (tmp_path / "tables.sql").write_text("CREATE TABLE parts (id integer);")
    ended = ran(environment, tmp_path, *(word.replace("DSN", healthy.dsn) for word in words.split()))
    said = [line for line in (ended.stdout + ended.stderr).splitlines() if line]

    assert ended.returncode in (2, 4)  # of the fixer, of pytest
    assert len(said) == 1
    assert f"needs the package {package}, which is not installed: pip install {package}." in said[0]


def test_each_dependency_has_its_reason_in_contributing() -> None:
    project = tomllib.loads((HOUSE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = {Requirement(each).name for each in project["dependencies"]}
    table = (HOUSE / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("## Dependencies")[2]

    assert set(re.findall(r"^\| ([a-z0-9-]+) \|", table, re.M)) - {"dependency"} == names
    assert set(LEAN) <= names
