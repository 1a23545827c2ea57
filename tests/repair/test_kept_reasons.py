"""The reason that is kept with a row that goes: none that comes from what a person has yet to decide."""

from __future__ import annotations

from pathlib import Path

import pytest

from fixer.model.plan import MODES
from lab.database import Database
from lab.process import fixer

CONTRACT = """
CREATE TABLE k (id integer PRIMARY KEY, v integer NOT NULL DEFAULT 1 UNIQUE);
CREATE TABLE o (id integer PRIMARY KEY, k_id integer NOT NULL REFERENCES k, u integer UNIQUE);
"""
BROKEN = """
CREATE TABLE k (id integer PRIMARY KEY);
CREATE TABLE o (id integer PRIMARY KEY, k_id integer NOT NULL REFERENCES k, u integer);
INSERT INTO k VALUES (1), (2), (3); INSERT INTO o VALUES (1, 2, 7), (2, 1, 7), (3, 3, 8);
"""


@pytest.mark.parametrize("mode", MODES)
def test_no_row_goes_because_another_would_that_stays(empty: Database, tmp_path: Path, mode: str) -> None:
    (tmp_path / "contract.sql").write_text(CONTRACT)
    empty.run(BROKEN)
    words = ("--contract", str(tmp_path / "contract.sql"), "--mode", mode, "--yes", "--allow-hazards", "all")
    done = fixer("apply", "--dsn", empty.dsn, *words, "--skip", "duplicate-values:public.k.k_v_key")

    assert done.returncode == 1, done.stderr
    assert empty.ask("SELECT count(*) FROM k") == 3
    assert "quarantine" not in empty.ask("SELECT reason FROM fixer_quarantine.o")
