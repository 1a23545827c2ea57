"""Whoever waits is told what for, after two seconds."""

from __future__ import annotations

import socket
from contextlib import closing
from pathlib import Path

import pytest

from fixer.connect import servers
from fixer.errors import ServerError
from lab.commands import APPLY
from lab.database import Database, session
from lab.process import fixer, started


@pytest.mark.parametrize("words", [["check"], ["check", "--format", "json"], ["check", "-q"]], ids=" ".join)
def test_a_server_that_does_not_answer_is_named(words: list[str]) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        place = f"postgresql://u@127.0.0.1:{listener.getsockname()[1]}/d"
        with started(*words, "--dsn", f"{place}?connect_timeout=4") as process:
            _, said = process.communicate(timeout=60)

    assert said.count(f"fixer: Waiting for {place} to answer …\n") == ("-q" not in words)


@pytest.mark.parametrize("words", [("check", "--deep"), ("plan", "--deep"), APPLY], ids=" ".join)
def test_who_holds_a_lock_is_named(broken: Database, words: tuple[str, ...]) -> None:
    with session(broken, "LOCK TABLE users IN ACCESS EXCLUSIVE MODE") as other:
        ended = fixer(*words, "--lock-timeout", "3s", "--statement-timeout", "3s", "--dsn", broken.dsn)
        pid = other.info.backend_pid

    assert f"waits for a lock that is held by {pid} (" in ended.stderr
    assert ended.returncode == 2


def test_a_contract_that_takes_long_to_make_is_named(healthy: Database, tmp_path: Path) -> None:
    (tmp_path / "slow.sql").write_text("CREATE TABLE t (id int PRIMARY KEY); SELECT pg_sleep(3)")
    words = ("check", "--contract", "slow.sql", "--dsn", healthy.dsn)
    with started(*words, cwd=tmp_path, env={"XDG_CACHE_HOME": str(tmp_path)}) as process:
        _, said = process.communicate(timeout=60)

    assert "fixer: Waiting for the contract slow.sql to be made and read …\n" in said


def test_a_server_of_others_that_says_nothing_is_given_up_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGCONNECT_TIMEOUT", "2")
    with closing(socket.create_server(("127.0.0.1", 0))) as listener, pytest.raises(ServerError, match="timeout"):
        servers.outside(f"postgresql://u@127.0.0.1:{listener.getsockname()[1]}/d")


def test_it_is_given_up_after_ten_seconds_if_nobody_says_otherwise(
    healthy: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PGCONNECT_TIMEOUT", raising=False)

    assert "connect_timeout=10" in servers.outside(healthy.dsn).dsn
    assert "connect_timeout=3" in servers.outside(f"{healthy.dsn}&connect_timeout=3").dsn
