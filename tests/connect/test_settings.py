from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from fixer.connect import settings

HOUSE = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("words", ["SET LOCAL search_path", '"pg_catalog, pg_temp"'])
def test_the_path_that_is_safe_is_written_once(words: str) -> None:
    files = [file for package in ("fixer", "contracts") for file in (HOUSE / package).rglob("*.py")]

    assert [file.name for file in files if words in file.read_text(encoding="utf-8")] == ["settings.py"]


class Old:
    server_version = 160004


class New:
    server_version = 170000


@pytest.mark.parametrize(("connection", "expected"), [(Old, {}), (New, {"transaction_timeout": "0"})])
def test_only_servers_that_know_a_timeout_for_transactions_are_told(
    connection: Callable[[], object], expected: dict[str, str]
) -> None:
    assert settings.unhurried(connection()) == expected


def test_lines_for_psql_set_one_thing_each() -> None:
    assert settings.assigning({"a": "1", "b": "off"}) == "SET LOCAL a = 1;\nSET LOCAL b = off;"
