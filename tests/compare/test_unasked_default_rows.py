"""A default row whose values cannot be compared is never taken for one that is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.database import Database
from lab.process import fixer

HINT = """
[tool.pgmend.hints."public.users"]
default_rows = [{{id = {}}}]
"""


@pytest.mark.parametrize("value", ["[1]", '{sql = "gone(7)"}'])
@pytest.mark.parametrize("rows", ["", "INSERT INTO users VALUES (5)"])
def test_a_person_decides_though_the_table_may_be_empty(empty: Database, tmp_path: Path, value: str, rows: str) -> None:
    (tmp_path / "contract.sql").write_text("CREATE TABLE users (id integer PRIMARY KEY)")
    (tmp_path / "pyproject.toml").write_text(HINT.format(value))
    empty.run(f"CREATE TABLE users (id integer PRIMARY KEY); {rows}")
    words = ("--dsn", empty.dsn, "--contract", "contract.sql")
    checked = fixer("check", *words, cwd=tmp_path)
    applied = fixer("apply", *words, "--yes", cwd=tmp_path)

    assert (checked.returncode, applied.returncode) == (2, 1), checked.stdout
    assert "needs a human decision" in applied.stderr
