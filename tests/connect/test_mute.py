"""A server that falls silent once the connection stands: it is not waited for, and what is said then is true."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import closing

import pytest
from psycopg2.extensions import connection as Connection  # noqa: N812 - it is a class

from fixer.connect import servers
from fixer.connect.address.libpq import ALIVE
from fixer.connect.link import beside
from fixer.connect.target import resolve
from lab.commands import APPLY
from lab.database import KEYLESS, Database, lent
from lab.laboratory import VERSIONS, Laboratory
from lab.mute import BRIEF, mute_at
from lab.process import fixer

COMMIT = b"COMMIT\0"
OPTIONS = {
    "keepalives_idle": socket.TCP_KEEPIDLE,
    "keepalives_interval": socket.TCP_KEEPINTVL,
    "keepalives_count": socket.TCP_KEEPCNT,
    "tcp_user_timeout": socket.TCP_USER_TIMEOUT,
}


@pytest.fixture
def keyless(laboratory: Laboratory) -> Iterator[Database]:
    with lent(laboratory.server(max(VERSIONS)), KEYLESS) as database:
        yield database


def has_run(database: Database) -> bool:
    """Return whether the journal has a run."""
    if not database.ask("SELECT to_regclass('fixer_journal.runs') IS NOT NULL"):
        return False
    return bool(database.ask("SELECT count(*) > 0 FROM fixer_journal.runs"))


def test_a_check_says_that_the_server_is_mute(keyless: Database) -> None:
    with mute_at(keyless, b"pg_get_expr") as way:
        ended = fixer("check", "--format", "json", "--dsn", f"{way}?{BRIEF}")

    assert "does not answer any more, look at the network" in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert (ended.returncode, json.loads(ended.stdout)["ok"]) == (2, False)


def test_before_its_commit_a_run_says_that_nothing_was_committed(keyless: Database) -> None:
    before = keyless.dump()
    with mute_at(keyless, b"OWNED BY") as way:
        ended = fixer(*APPLY, "--dsn", f"{way}?{BRIEF}")

        assert "Nothing was committed: the server rolls everything back once it notices" in ended.stderr
    assert (2, before) == (ended.returncode, keyless.dump())


@pytest.mark.parametrize("heard", [True, False])
@pytest.mark.parametrize("deed", ["apply", "undo"])
def test_a_commit_without_an_answer_is_not_told_as_one_or_the_other(keyless: Database, deed: str, heard: bool) -> None:
    if deed == "undo":
        assert fixer(*APPLY, "--dsn", keyless.dsn).returncode == 0
    words = APPLY if deed == "apply" else ["undo", "1", "--yes"]
    with mute_at(keyless, COMMIT, heard=heard) as way:
        ended = fixer(*words, "--dsn", f"{way}?{BRIEF}")

    assert "it was done whole or not at all, and `fixer history` tells whether" in ended.stderr
    assert "othing was" not in ended.stderr
    assert ended.returncode == 2
    number = "2" if deed == "undo" else "1"
    assert heard == (number in fixer("history", "--dsn", keyless.dsn).stdout.split())


@pytest.mark.parametrize("times", [1, 3])
def test_online_what_may_have_been_committed_is_said_and_the_next_run_ends_it(keyless: Database, times: int) -> None:
    with mute_at(keyless, COMMIT, times=times) as way:
        ended = fixer(*APPLY, "--mode", "online", "--dsn", f"{way}?{BRIEF}")

        assert "is not known" in ended.stderr
        assert "Nothing was changed" not in ended.stderr
        assert ended.returncode == 2
    keyless.run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    assert fixer(*APPLY, "--mode", "online", "--dsn", keyless.dsn).returncode == 0


def set_on(connection: Connection) -> dict[str, str]:
    """Return what the kernel knows of these options of a connection."""
    with socket.socket(fileno=os.dup(connection.fileno())) as there:
        found = {word: there.getsockopt(socket.IPPROTO_TCP, option) for word, option in OPTIONS.items()}
    return {word: str(value) for word, value in found.items()}


def test_every_connection_of_ours_notices_silence(keyless: Database) -> None:
    with mute_at(keyless, b"never") as way, closing(resolve(way, {}).connect()) as connection:
        with closing(beside(connection)) as other, closing(servers._connect(servers.outside(way).dsn)) as third:
            assert [set_on(each) for each in (connection, other, third)] == [ALIVE] * 3
        with resolve(way, {}).engine().connect() as engine:
            assert set_on(engine.connection.driver_connection) == ALIVE


def test_what_the_dsn_says_of_silence_counts(keyless: Database) -> None:
    with mute_at(keyless, b"never") as way:
        words = f"{way}?tcp_user_timeout=7000&keepalives_idle=7"
        expected = {**ALIVE, "tcp_user_timeout": "7000", "keepalives_idle": "7"}
        with closing(resolve(words, {}).connect()) as one, closing(servers._connect(servers.outside(words).dsn)) as two:
            assert [expected] * 2 == [set_on(each) for each in (one, two)]
