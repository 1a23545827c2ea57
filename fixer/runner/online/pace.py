"""Pauses a run for the sake of others, and stops it once nothing keeps other fixers out."""

from __future__ import annotations

import time
from collections.abc import Callable

from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer.connect.settings import seconds
from fixer.errors import ApplyFailed, TargetError, option
from fixer.model.step.progress import Progress
from fixer.model.values import dataclass
from fixer.runner.locking.sole_fixer import Floor
from fixer.runner.online.transactions import Transactions

LOOK_AGAIN = 0.5  # seconds between two checks of replicas and of busy sessions


@dataclass(frozen=True)
class Pace:
    """When to pause: a replica lags by more than `max_lag`, or more than `throttle` other sessions are busy.

    `max_lag` has a unit, as in ``"2s"``; raises TargetError if it has none.
    """

    max_lag: str | None = None
    throttle: int | None = None

    def __post_init__(self) -> None:
        _ = self.seconds

    @property
    def seconds(self) -> float | None:
        """The most seconds by which a replica may lag; None if it does not matter, which 0 says, as of a timeout."""
        return None if self.max_lag is None else seconds("max_lag", self.max_lag) or None


def look_ahead(cursor: Cursor, pace: Pace) -> None:
    """Raise TargetError if the pace needs to see replicas or sessions of others, and this role may not.

    That takes pg_read_all_stats (PostgreSQL manual, 27.2).
    """
    if pace == Pace():
        return
    cursor.execute("SELECT pg_has_role('pg_read_all_stats', 'USAGE'), quote_ident(current_user)")
    may, role = cursor.fetchone() or (False, "")
    if not may:
        words = option("max_lag" if pace.throttle is None else "throttle")
        raise TargetError(
            f"{words} needs to see what others do: GRANT pg_read_all_stats TO {role}, or leave it out."
            " Nothing was changed."
        )


class Pacer:
    """Pauses a run as its pace demands."""

    def __init__(
        self, transactions: Transactions, held: Floor, pace: Pace, progress: Progress, sleep: Callable[[float], None]
    ) -> None:
        self._transactions, self._held, self._pace = transactions, held, pace
        self._progress, self._sleep = progress, sleep
        self._looked = 0.0

    def keep_the_floor(self, *, ask: bool = True) -> None:
        """Raise ApplyFailed if the advisory lock that keeps other fixers out is lost; `ask` as in `Floor.lost`."""
        if reason := self._held.lost(ask=ask):
            lost = f"The connection that keeps other fixers out was lost ({reason})"
            raise ApplyFailed(f"{lost}, and nothing more is done without it. {self._transactions.stands()}")

    def breathe(self) -> None:
        """Pause while a replica lags or others are busy; raise ApplyFailed if the advisory lock is lost."""
        self.keep_the_floor(ask=False)
        if self._pace == Pace() or time.monotonic() - self._looked < LOOK_AGAIN:
            return
        while reason := self._strained():
            self._progress.waits(reason)
            self._sleep(LOOK_AGAIN)
            self.keep_the_floor()
        self._looked = time.monotonic()

    def _strained(self) -> str:
        with self._transactions.short() as cursor:
            return _lag(cursor, self._pace.seconds) or _load(cursor, self._pace.throttle)


def _lag(cursor: Cursor, most: float | None) -> str:
    """Return the reason to wait if a replica lags by more than `most` seconds; otherwise an empty string."""
    if most is None:
        return ""
    cursor.execute(
        "SELECT extract(epoch FROM max(replay_lag)), (array_agg(application_name ORDER BY replay_lag DESC"
        " NULLS LAST))[1] FROM pg_catalog.pg_stat_replication"
    )
    lag, replica = cursor.fetchone() or (None, "")
    return f"for the replica {replica}, which lags by {lag:.1f} s" if lag is not None and lag > most else ""


def _load(cursor: Cursor, most: int | None) -> str:
    """Return the reason to wait if more than `most` other sessions are busy; otherwise an empty string."""
    if most is None:
        return ""
    cursor.execute(
        "SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE state = 'active'"
        " AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
    )
    (busy,) = cursor.fetchone() or (0,)
    return f"while {busy} other sessions are busy" if busy > most else ""
