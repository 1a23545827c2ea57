"""The log of a command."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import psycopg2

from lab.database import Database
from lab.process import fixer


def test_the_log_file_has_the_sqlstate_of_what_failed(broken: Database, tmp_path: Path) -> None:
    with closing(psycopg2.connect(broken.dsn)) as other, other.cursor() as cursor:
        cursor.execute("LOCK TABLE users IN ACCESS SHARE MODE")
        words = ("apply", "--yes", "--allow-hazards", "all", "--lock-timeout", "50ms", "--log-file", tmp_path / "log")
        fixer(*words, "--dsn", broken.dsn)

    assert "55P03" in (tmp_path / "log").read_text()
