"""Asks questions, which may fail, in one transaction; spreads long ones over two sessions with the same snapshot."""

from __future__ import annotations

import json
import logging
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import closing, suppress
from typing import Any  # rows of psycopg2

import psycopg2
from psycopg2 import errors as pg
from psycopg2.extensions import connection as Connection  # noqa: N812
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer.connect.failures import told
from fixer.connect.interrupt import cancel
from fixer.connect.link import beside as _beside
from fixer.connect.settings import BESIDE_A_SESSION, OUR_PATH, setting, waiting
from fixer.sql.compose import SQL, Composable, Composed

TOGETHER = 1_000  # questions in one statement, at most
ROOM = 60_000  # characters of one statement: PostgreSQL takes some 2 kB of memory to plan each of nested conditions
WORTH = 50_000  # cost that a second session must save, as PostgreSQL's planner counts: about a tenth of a second
PATIENCE = 2.0  # seconds to wait for the second session to end

# A second session joins only a repeatable-read, read-only transaction that has written nothing. It does not join
# through a pooler, recognised by its wrong backend pid, which may have no second connection for us; nor where parallel
# query is off, because that asks for a single process.
_INVITATION = """
SELECT pg_catalog.pg_export_snapshot(), session_user, current_user, json_object_agg(name, setting)
  FROM pg_catalog.pg_settings
 WHERE source = 'session' AND context IN ('user', 'superuser') AND name !~ '^transaction_'
HAVING pg_catalog.pg_backend_pid() = %s
   AND current_setting('max_parallel_workers_per_gather')::integer > 0
   AND current_setting('transaction_isolation') = 'repeatable read'
   AND current_setting('transaction_read_only')::boolean
   AND pg_catalog.pg_current_xact_id_if_assigned() IS NULL
"""
_JOIN = """
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SET TRANSACTION SNAPSHOT %s;
{path}SELECT set_config(key, value, true) FROM json_each_text(%s);
{locks};
SELECT session_user = %s AND current_user = %s;
"""  # its locks: the second session must not queue behind one that waits for a lock of the first

log = logging.getLogger("pgmend.rows")
Row = tuple[Any, ...]  # as psycopg2 returns it: only the caller knows the types of its cells
Answer = list[Row]
Question = tuple[int, Composable]


def together(questions: Sequence[Composable]) -> Composed:
    """Return one question that gives the rows of all (UNION ALL)."""
    return SQL("\nUNION ALL\n").join(questions)


class Session:
    """The transaction of a cursor; after a question that failed, `recover` makes it usable again.

    Long questions go to a second session as well if it may be `helped`.
    """

    def __init__(self, cursor: Cursor, *, helped: bool = True) -> None:
        self.cursor, self._helped, self._marked = cursor, helped, False

    def ask(self, question: Composable) -> Answer:
        """Return the rows that a question gives."""
        self.cursor.execute(self._unmarked() + SQL("SAVEPOINT pgmend_rows;\n") + question)
        self._marked = True
        return self.cursor.fetchall()

    def recover(self, error: psycopg2.Error) -> None:
        """Roll back a question that failed; raise an operational error, such as a lost connection or a timeout.

        Raises also the error of a first question that PostgreSQL cannot parse: no mark stands then, for it runs nothing
        of such a text.
        """
        unmarked = isinstance(error, pg.SyntaxError) and not self._marked
        if self.cursor.connection.closed or unmarked or isinstance(error, psycopg2.OperationalError):
            raise error
        self.cursor.execute("ROLLBACK TO SAVEPOINT pgmend_rows")
        self._marked = True

    def release(self) -> None:
        """Leave the transaction without a mark, so that another session value can use it."""
        if self._marked:
            self.cursor.execute(self._unmarked())
            self._marked = False

    def ask_all(self, questions: Sequence[Composable]) -> Answer:
        """Return the rows of all questions, asked in one statement, or by two sessions if that saves enough time."""
        whole = SQL(together(questions).as_string(self.cursor))  # spelt once, and sent twice
        if len(questions) < 2 or not self._helped or self._cost(whole) < 2 * WORTH:  # it saves half at most
            return self.ask(whole)
        costs = [self._cost(question) for question in questions]
        saved = min(sum(costs) / 2, sum(costs) - max(costs))
        invitation = self._invitation() if saved > WORTH else None
        if not invitation:
            return self.ask(whole)
        longest_first = [questions[n] for n in sorted(range(len(questions)), key=lambda n: -costs[n])]
        return self._over_two(longest_first, invitation)

    def _cost(self, question: Composable) -> float:
        ((plan,),) = self.ask(SQL("EXPLAIN (FORMAT JSON) ") + question)
        return float(plan[0]["Plan"]["Total Cost"])

    def _invitation(self) -> Row | None:
        """Export the snapshot, which PostgreSQL does only outside a savepoint; None if no second session may join."""
        invite = self._unmarked() + SQL(_INVITATION)
        self._marked = False
        self.cursor.execute(invite, (self.cursor.connection.info.backend_pid,))
        return self.cursor.fetchone()

    def _unmarked(self) -> SQL:
        return SQL("RELEASE SAVEPOINT pgmend_rows;\n" if self._marked else "")

    def _over_two(self, questions: Sequence[Composable], invitation: Row) -> Answer:
        """Ask one question after the other while a second session takes some; then ask what it left unanswered."""
        left, answers = deque(enumerate(questions)), dict[int, Answer]()
        second = _Second(self.cursor.connection, invitation, left, answers)
        second.start()
        try:
            while taken := _next(left):
                answers[taken[0]] = self.ask(taken[1])
            second.finish()
        finally:
            second.stop()
        for number, question in enumerate(questions):
            if number not in answers:
                answers[number] = self.ask(question)
        return [row for number in sorted(answers) for row in answers[number]]


class _Second(threading.Thread):
    """A second session, which takes questions until none is left."""

    def __init__(self, first: Connection, invitation: Row, left: deque[Question], answers: dict[int, Answer]) -> None:
        super().__init__(daemon=True)
        self._first, self._invitation, self._left, self._answers = first, invitation, left, answers
        self._connection: Connection | None = None
        self._asking, self._over = threading.Lock(), False

    def run(self) -> None:
        """Join the first session's snapshot and answer questions; if that fails, the first session answers them."""
        try:
            with closing(_beside(self._first)) as self._connection, self._connection.cursor() as cursor:
                self._connection.autocommit = True
                if self._joins(cursor):
                    while self._answered(cursor):
                        pass
        except psycopg2.Error as error:
            log.info("no second session helps to count: %s", told(error))

    def _joins(self, cursor: Cursor) -> bool:
        snapshot, session_user, current_user, settings = self._invitation
        join = SQL(_JOIN).format(path=SQL(OUR_PATH), locks=setting(waiting(BESIDE_A_SESSION)))
        cursor.execute(join, (snapshot, json.dumps(settings), session_user, current_user))
        return bool((cursor.fetchone() or (False,))[0])

    def _answered(self, cursor: Cursor) -> bool:
        with self._asking:
            taken = None if self._over else _next(self._left)
            if taken:
                cursor.execute(taken[1])
                self._answers[taken[0]] = cursor.fetchall()
        return bool(taken)

    def finish(self) -> None:
        """Wait for the answer in progress, and take no further question."""
        with self._asking:
            self._over = True

    def stop(self) -> None:
        """End the session, and cancel the question in progress."""
        self._over = True
        with suppress(psycopg2.Error):
            if self._connection and not self._connection.closed and self._asking.locked():
                cancel(self._connection)
        self.join(PATIENCE)


def _next(left: deque[Question]) -> Question | None:
    try:
        return left.popleft()
    except IndexError:
        return None
