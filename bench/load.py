"""An application at work: a writer and a reader, hundreds of small transactions a second, each of them timed."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field

import psycopg2
from psycopg2.extensions import cursor as Cursor  # noqa: N812

RATE = 150  # transactions a second, of the writer and of the reader each


@dataclass
class Waits:
    """How long each transaction of one kind took, in seconds, and which errors came instead."""

    taken: list[float] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)
    done: int = 0  # transactions that were committed, the first ones too

    @property
    def longest(self) -> float:
        """The longest of all."""
        return max(self.taken)

    @property
    def p99(self) -> float:
        """What 99 of 100 did not exceed."""
        return sorted(self.taken)[int(len(self.taken) * 0.99)]


class Client(threading.Thread):
    """One connection of the application."""

    def __init__(self, dsn: str, users: int, seed: int) -> None:
        super().__init__(daemon=True)
        self.dsn, self.users, self.random = dsn, users, random.Random(seed)
        self.waits, self.over = Waits(), threading.Event()
        self.number = 0

    def run(self) -> None:
        """Do one transaction after another, at the rate, or as fast as the database lets it."""
        due = time.monotonic()
        with closing(psycopg2.connect(self.dsn)) as connection, connection.cursor() as cursor:
            while not self.over.is_set():
                started = time.perf_counter()
                try:
                    self.transaction(cursor)
                    connection.commit()
                    self.waits.done += 1
                except psycopg2.Error as error:
                    connection.rollback()
                    self.waits.errors[str(error.pgcode)] += 1
                self.waits.taken.append(time.perf_counter() - started)
                due = max(due + 1 / RATE, time.monotonic() - 1 / RATE)
                time.sleep(max(0.0, due - time.monotonic()))

    def transaction(self, cursor: Cursor) -> None:
        """Do what this client does."""
        raise NotImplementedError

    def user(self) -> int:
        """Return the number of some user."""
        return self.random.randrange(self.users) // 2000 * 2000 + 1  # one that no fault has touched


class Writer(Client):
    """Changes a balance and enters a trade, whose number it makes itself, below those that are there."""

    def transaction(self, cursor: Cursor) -> None:
        """Do both."""
        user, self.number = self.user(), self.number - 1
        cursor.execute("UPDATE users SET current_balance = current_balance + 1 WHERE id = %s", (user,))
        cursor.execute(
            'INSERT INTO paper_trades (id, user_id, symbol, action, quantity, price, "timestamp", status, created_at)'
            " VALUES (%s, %s, 'RELIANCE', 'BUY', 1, 10, now(), 'EXECUTED', now())",
            (self.number, user),
        )


class Reader(Client):
    """Reads the trades of a user."""

    def transaction(self, cursor: Cursor) -> None:
        """Read them."""
        cursor.execute("SELECT id, symbol, price FROM paper_trades WHERE user_id = %s LIMIT 50", (self.user(),))
        cursor.fetchall()


@contextmanager
def load(dsn: str, users: int) -> Iterator[tuple[Waits, Waits]]:
    """Let a writer and a reader work meanwhile; give what they waited."""
    clients = (Writer(dsn, users, 1), Reader(dsn, users, 2))
    for client in clients:
        client.start()
    time.sleep(0.5)
    for client in clients:
        client.waits.taken.clear()  # the first ones also connect
    try:
        yield clients[0].waits, clients[1].waits
    finally:
        time.sleep(0.5)
        for client in clients:
            client.over.set()
        for client in clients:
            client.join()
