"""Logical replication: servers that publish and subscribe, and a database whose rows arrive in another."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from fixer.connect import _supervise, servers
from lab.database import Database, lent
from lab.examples.shop import ALL
from lab.process import running

LOGICAL = {**_supervise.SETTINGS, "wal_level": "logical", "max_wal_senders": "10", "wal_retrieve_retry_interval": "100"}


@contextmanager
def logical(version: int) -> Iterator[servers.Server]:
    """Lend a server that can publish and subscribe."""
    _, bindir = servers._choose(version)
    guise = _supervise.choose_guise(bindir, servers.GUISES)
    with _supervise.home(guise) as place:
        words = [str(bindir / "initdb"), "-D", str(place / "data"), "-U", "postgres", "--no-sync", "--encoding=UTF8"]
        assert _supervise.spawn(words, place, guise, -3).wait() == 0
        flags = [word for name, value in LOGICAL.items() for word in ("-c", f"{name}={value}")]
        command = [str(bindir / "postgres"), "-D", str(place / "data"), "-k", str(place), *flags]
        with running(command, place, guise):
            yield servers.Server(servers._socket_dsn(str(place)), version, bindir)


@dataclass(frozen=True)
class Pair:
    """A database, and one that subscribes to all that it publishes."""

    publisher: Database
    subscriber: Database

    def goes_on(self, patience: float = 20.0) -> bool:
        """Tell whether a row of the application still arrives, written after all else."""
        email = f"{os.urandom(6).hex()}@x"
        self.publisher.run(f"INSERT INTO users (email) VALUES ('{email}')")
        return self.arrives(f"SELECT count(*) FROM users WHERE email = '{email}'", 1, patience)

    def arrives(self, question: str, expected: object, patience: float = 20.0) -> bool:
        end = time.monotonic() + patience
        while self.subscriber.ask(question) != expected:
            if time.monotonic() > end:
                return False
            time.sleep(0.02)
        return True


@contextmanager
def subscribed(two: tuple[servers.Server, servers.Server], made: str, rows: str) -> Iterator[Pair]:
    """Lend a pair of databases in step, whose tables were made alike."""
    with lent(two[0], None) as publisher, lent(two[1], None) as subscriber:
        publisher.run(made + rows + ALL)
        subscriber.run(made)
        subscriber.run(f"CREATE SUBSCRIPTION {subscriber.name} CONNECTION '{publisher.dsn}' PUBLICATION p")
        pair = Pair(publisher, subscriber)
        try:
            assert pair.arrives("SELECT bool_and(srsubstate = 'r') FROM pg_subscription_rel", True)
            yield pair
        finally:
            subscriber.run(f"DROP SUBSCRIPTION {subscriber.name}")
