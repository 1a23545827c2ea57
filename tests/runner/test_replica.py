"""A replica that cannot keep up: with --max-lag the fixer waits for it, and says so."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from urllib.parse import quote

import psycopg2
import pytest

from fixer.connect import _supervise, servers, snapshot
from lab.database import STORY, Database, ask, role
from lab.online import APPLY
from lab.process import begun, fixer, heard, running

STANDBY = "primary_conninfo = 'host={} user=postgres application_name=distant'\nhot_standby = on\n"
LAG = "SELECT coalesce(extract(epoch FROM max(replay_lag)), 0) FROM pg_stat_replication"


@contextmanager
def pair() -> Iterator[tuple[str, str]]:
    """Lend the DSNs of a broken database, and of its replica."""
    _, bindir = servers._choose(18)
    guise = _supervise.choose_guise(bindir, servers.GUISES)
    with _supervise.home(guise) as first, _supervise.home(guise) as second, ExitStack() as stack:
        words = [str(bindir / "initdb"), "-D", str(first / "data"), "-U", "postgres", "--no-sync"]
        assert _supervise.spawn(words, first, guise, -3).wait() == 0
        stack.enter_context(running(serving(bindir, first), first, guise))
        with closing(psycopg2.connect(dsn_of(first))) as connection:
            snapshot.load(snapshot.find()[STORY], connection)
        words = [str(bindir / "pg_basebackup"), "-D", str(second / "data"), "-h", str(first), "-U", "postgres"]
        assert _supervise.spawn([*words, "--no-sync", "-c", "fast", "-R"], second, guise, -3).wait() == 0
        with (second / "data" / "postgresql.auto.conf").open("a") as settings:
            settings.write(STANDBY.format(first))
        stack.enter_context(running(serving(bindir, second), second, guise))
        yield dsn_of(first), dsn_of(second)


def serving(bindir: Path, place: Path) -> list[str]:
    words = {"listen_addresses": "", "fsync": "off", "wal_receiver_status_interval": "1s"}
    settings = [word for name, value in words.items() for word in ("-c", f"{name}={value}")]
    return [str(bindir / "postgres"), "-D", str(place / "data"), "-k", str(place), *settings]


def dsn_of(place: Path) -> str:
    return f"postgresql://postgres@/postgres?host={quote(str(place), safe='')}"


def test_the_fixer_waits_for_a_replica_that_lags_and_then_goes_on() -> None:
    with pair() as (primary, replica):
        ask(primary, "CREATE TABLE seen AS SELECT 1")
        deadline = time.monotonic() + 30
        while not ask(replica, "SELECT to_regclass('seen') IS NOT NULL"):
            assert time.monotonic() < deadline
        ask(replica, "SELECT pg_wal_replay_pause()")
        while float(str(ask(primary, LAG))) < 0.5:
            assert time.monotonic() < deadline
            ask(primary, "INSERT INTO seen VALUES (2)")
            time.sleep(0.1)
        process = begun(*APPLY, "--max-lag", "300ms", "--dsn", primary)
        heard(process, r"waits for the replica distant, which lags by \d")
        waiting = process.poll() is None and ask(primary, "SELECT count(*) FROM fixer_journal.step") == 0
        ask(replica, "SELECT pg_wal_replay_resume()")
        process.communicate(timeout=60)

        assert waiting
        assert process.returncode == 0
        assert fixer("check", "-q", "--dsn", primary).returncode == 0


@pytest.mark.parametrize("pace", [("--max-lag", "1s"), ("--throttle", "5")])
def test_a_pace_that_the_role_cannot_keep_is_refused(broken: Database, pace: tuple[str, str]) -> None:
    with role(broken, "ALTER TABLE users OWNER TO {}; ALTER TABLE paper_trades OWNER TO {}") as name:
        broken.run(f"GRANT CREATE ON DATABASE {broken.name} TO {name}; GRANT CREATE ON SCHEMA public TO {name}")
        before = broken.dump()
        ended = fixer(*APPLY, "-q", *pace, "--dsn", broken.seen_by(name))

        assert (ended.returncode, ended.stdout) == (2, "")
        assert f"{pace[0]} needs to see what others do: GRANT pg_read_all_stats TO {name}" in ended.stderr
        assert broken.dump() == before

        broken.run(f"GRANT pg_read_all_stats TO {name}")

        assert fixer(*APPLY, "-q", *pace, "--dsn", broken.seen_by(name)).returncode == 0
