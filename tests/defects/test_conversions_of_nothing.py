"""Columns of other types in which no row holds a value leave nothing to decide; one value, and a person decides."""

from __future__ import annotations

from pathlib import Path

import pytest

from fixer.model.plan import MODES
from lab.laboratory import VERSIONS, Laboratory
from lab.outcomes import outcome

MADE = "CREATE DOMAIN few AS integer CHECK (VALUE < 9); CREATE TYPE mood AS ENUM ('low', 'high');"
PAIRS = {  # the type found, a value of it, the type wanted
    "moments of no zone": ("timestamp", "2026-01-01", "timestamptz"),
    "moments of a zone": ("timestamptz", "2026-01-01", "timestamp"),
    "numbers for moments": ("bigint", "1", "timestamptz"),
    "numbers for labels": ("integer", "1", "mood"),
    "a text for a list of a domain": ("text", "{1}", "few[]"),
    "bytes for a number": ("bytea", "1", "integer"),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("version", sorted({min(VERSIONS), max(VERSIONS)}))
def test_only_a_value_needs_a_decision(
    laboratory: Laboratory, tmp_path: Path, version: int, pair: str, mode: str
) -> None:
    found, value, wanted = PAIRS[pair]
    table = "CREATE TABLE t (id integer PRIMARY KEY, a {}); CREATE INDEX i ON t (id) WHERE a IS NULL;"
    contract, broken = tmp_path / "contract.sql", MADE + table.format(found)
    contract.write_text(MADE + table.format(wanted))

    def after(rows: str) -> str:
        return outcome(laboratory, str(contract), broken + rows, mode, version)

    assert after("") == "mended"
    assert after("INSERT INTO t VALUES (1)") == "mended"
    assert "human decision" in after(f"INSERT INTO t VALUES (1, '{value}')")
