"""Online repairs under watch: who writes meanwhile, what is locked, and ends that come too early."""

from __future__ import annotations

import signal
import threading
import time
from contextlib import closing
from typing import Any

import psycopg2
from psycopg2 import errors as pg

from lab.database import Database, alone
from lab.process import Begun, begun, heard, wait_for

APPLY = ("apply", "--mode", "online", "--yes", "--allow-hazards", "all")
STRENGTHS = ["ROW EXCLUSIVE", "SHARE UPDATE EXCLUSIVE", "SHARE", "SHARE ROW EXCLUSIVE", "EXCLUSIVE", "ACCESS EXCLUSIVE"]
WATCH = """
CREATE TABLE watched (query text, strength int, scanned bigint);
CREATE FUNCTION scanned() RETURNS bigint LANGUAGE sql AS $$
    SELECT sum(seq_tup_read) FROM pg_stat_xact_user_tables WHERE schemaname = 'public' AND relname <> 'watched';
$$;
CREATE FUNCTION start() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM set_config('watched.scanned', public.scanned()::text, false); END $$;
CREATE FUNCTION watch() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.watched
    SELECT current_query(), max(array_position(ARRAY['RowExclusiveLock', 'ShareUpdateExclusiveLock', 'ShareLock',
               'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock'], l.mode)),
           public.scanned() - current_setting('watched.scanned')::bigint
      FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
     WHERE l.pid = pg_backend_pid() AND c.relkind = 'r' AND c.relname <> 'watched'
       AND c.relnamespace = 'public'::regnamespace;
END $$;
CREATE EVENT TRIGGER start ON ddl_command_start EXECUTE FUNCTION start();
CREATE EVENT TRIGGER watch ON ddl_command_end EXECUTE FUNCTION watch();
"""
BUILDING = "SELECT count(*) FROM pg_stat_activity WHERE query ~ '^CREATE.* INDEX' AND wait_event_type = 'Lock'\
 AND datname = current_database()"


class Writer(threading.Thread):
    """Somebody who writes all the while, and takes no for an answer; counts what went in."""

    def __init__(self, database: Database, statement: str, most: int = 10**9) -> None:
        super().__init__(daemon=True)
        self.most = most
        self.database, self.statement, self.done = database, statement, threading.Event()
        self.went_in = self.refused = 0

    def run(self) -> None:
        with closing(psycopg2.connect(self.database.dsn)) as connection:
            connection.autocommit = True
            while self.went_in < self.most and not self.done.is_set():
                try:
                    connection.cursor().execute(self.statement)
                    self.went_in += 1
                except psycopg2.Error as error:
                    self.refused += not isinstance(error, psycopg2.errors.LockNotAvailable)
                    time.sleep(0.005)

    def __enter__(self) -> Writer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.done.set()
        self.join()


def slow_down(database: Database, seconds: float) -> None:
    """Let every ALTER TABLE of a database take its time."""
    database.run(
        f"CREATE FUNCTION yawn() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep({seconds}); END';"
        " CREATE EVENT TRIGGER yawn ON ddl_command_end WHEN TAG IN ('ALTER TABLE') EXECUTE FUNCTION yawn()"
    )


def stop(database: Database, process: Begun, how: str) -> None:
    if how == "of its backend":
        database.run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'pgmend' AND datname = current_database()"
        )
    else:
        process.send_signal(signal.SIGKILL if how == "kill -9" else signal.SIGINT)
    process.communicate(timeout=60)


def ends(database: Database, process: Begun, how: str) -> None:
    stop(database, process, how)
    wait_for(lambda: alone(database))


def at(database: Database, mark: str, *words: object) -> Begun:
    """Start an apply, and return it as it says something."""
    process = begun(*APPLY, *words, "--dsn", database.dsn)
    heard(process, mark)
    return process


def trades(database: Database) -> Any:
    """Give the trades that there are, in their table or in quarantine."""
    quarantined = """SELECT ("row"->>'id')::int FROM fixer_quarantine.paper_trades"""
    there = database.ask("SELECT to_regclass('fixer_quarantine.paper_trades') IS NOT NULL")
    return database.run(f"SELECT id FROM paper_trades {'UNION ALL ' + quarantined if there else ''} ORDER BY 1")


def writes(database: Database, statement: str = "UPDATE users SET full_name = full_name WHERE id = 3") -> bool:
    """Tell whether a writer gets through at once."""
    try:
        database.run(f"SET lock_timeout = '250ms'; {statement}")
    except pg.LockNotAvailable:
        return False
    return True
