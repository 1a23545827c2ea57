"""A pg_dump without TLS is passed over where the target asks for TLS; where all are so, the way out is said."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from fixer.connect.binaries import dump_tools
from fixer.errors import ServerError, TargetError
from fixer.snapshots import dumping
from lab.database import Database

NO_TLS = [
    'sslmode value "require" invalid when SSL support is not compiled in',
    'connection to server at "db" (10.0.0.1), port 5432 failed: FATAL:  no pg_hba.conf entry for host "10.0.0.2",'
    ' user "app", database "it", no encryption',
    'FATAL:  no pg_hba.conf entry for host "10.0.0.2", user "app", database "it", SSL off',
]


def saying(place: Path, said: str) -> Path:
    """Return a program that only says something, and fails."""
    program = place / "pg_dump"
    program.write_text(f"#!/bin/sh\ncat >&2 <<'END'\npg_dump: error: {said}\nEND\nexit 1\n")
    program.chmod(0o755)
    return program


def dumped(database: Database) -> str:
    with closing(psycopg2.connect(database.dsn)) as connection:
        return dumping.dumped(connection, ["--schema-only"])


@pytest.mark.parametrize("said", NO_TLS)
def test_one_without_tls_is_passed_over(
    healthy: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    tools = [saying(tmp_path, said), *dump_tools(18)]
    monkeypatch.setattr(dumping, "dump_tools", lambda _: iter(tools))

    assert "CREATE TABLE public.users" in dumped(healthy)


@pytest.mark.parametrize("said", NO_TLS)
def test_where_none_has_tls_the_way_out_is_said(
    healthy: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    tool = saying(tmp_path, said)
    monkeypatch.setattr(dumping, "dump_tools", lambda _: iter([tool]))
    with pytest.raises(ServerError) as raised:
        dumped(healthy)

    assert str(raised.value) == (
        "A copy of the target needs pg_dump of PostgreSQL 18 or later, and none here can use TLS: install"
        " postgresql-client-18, or name the directory of its programs in PGMEND_BINDIRS."
    )


def test_another_failure_is_that_of_the_target(
    healthy: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = [saying(tmp_path, "permission denied for table users"), *dump_tools(18)]
    monkeypatch.setattr(dumping, "dump_tools", lambda _: iter(tools))
    with pytest.raises(TargetError, match="permission denied for table users"):
        dumped(healthy)
