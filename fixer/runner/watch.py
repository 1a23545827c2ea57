"""Watches a run from a second connection: how far the build of an index is, and which sessions block it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812

from fixer.connect.settings import OUR_PATH
from fixer.errors import PgmendError
from fixer.model.step.progress import Progress

EVERY = 0.5  # seconds
_BUILDS = """
SELECT greatest(blocks_done, tuples_done), greatest(blocks_total, tuples_total)
  FROM pg_catalog.pg_stat_progress_create_index WHERE pid = %s
"""
_BLOCKED = """
SELECT b.pid, b.usename, coalesce(b.state, ''), date_trunc('second', b.query_start)::text
  FROM pg_catalog.pg_stat_activity a, unnest(pg_catalog.pg_blocking_pids(a.pid)) AS blocker
  JOIN pg_catalog.pg_stat_activity b ON b.pid = blocker
 WHERE a.pid = %s AND a.wait_event_type = 'Lock' ORDER BY b.query_start LIMIT 3
"""

log = logging.getLogger("pgmend.apply")


@contextmanager
def watched(another: Callable[[], Connection], connection: Connection, progress: Progress) -> Iterator[None]:
    """Report builds and blocking sessions of `connection` to `progress` while the block runs, if `another` connects."""
    done = threading.Event()
    pid = connection.info.backend_pid
    watcher = threading.Thread(target=_watch, args=(another, pid, progress, done), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join(timeout=2 * EVERY)


def _watch(another: Callable[[], Connection], pid: int, progress: Progress, done: threading.Event) -> None:
    if done.wait(2 * EVERY):
        return  # the work ended before the first look
    try:
        with closing(another()) as connection:
            connection.autocommit = True
            while not done.wait(EVERY):
                _look(connection, pid, progress)
    except (psycopg2.Error, PgmendError) as error:
        log.info("nobody watches the run: %s", error)  # a server may have no connection to spare


def _look(connection: Connection, pid: int, progress: Progress) -> None:
    with connection.cursor() as cursor:
        cursor.execute(OUR_PATH + _BUILDS, (pid,))
        for done, total in cursor.fetchall():
            progress.builds(int(done), int(total))
        cursor.execute(OUR_PATH + _BLOCKED, (pid,))
        blockers = [f"{pid} ({user}, {state}, since {since})" for pid, user, state, since in cursor.fetchall()]
        if blockers:
            progress.waits(f"for a lock that is held by {', '.join(blockers)}")
