"""Long questions over two sessions: they answer as one, whatever becomes of the second."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

import psycopg2
import pytest
from psycopg2 import errors as pg
from psycopg2.extensions import connection as Connection  # noqa: N812
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer.compare import sessions
from fixer.compare.examine import beginning, examine, snapshot
from fixer.compare.sessions import Answer, Session
from fixer.connect.settings import MODESTLY
from fixer.defects import duplicate_row, orphan_rows
from fixer.model.report import Comparison
from fixer.sql.compose import SQL
from lab.laboratory import Case

BROKEN = (duplicate_row.SPECIMENS[0].breaks, orphan_rows.SPECIMENS[0].breaks)
READING = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;"
BOOKS = "SELECT count(*) FROM public.books"
SLOW = "SELECT pg_sleep(CASE WHEN pg_backend_pid() = {} THEN 0.5 ELSE 60 END)::text"  # for the second session


@pytest.fixture
def reader(library: Case) -> Iterator[Cursor]:
    """The cursor of a transaction that `check` would ask in."""
    with snapshot(library.connection) as cursor:
        cursor.execute(beginning(library.connection, None) + "SELECT count(*) FROM public.books")
        yield cursor


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Connection]:
    """The second sessions that were opened, which any question is worth."""
    found: list[Connection] = []
    beside = sessions._beside
    monkeypatch.setattr(sessions, "WORTH", 0)
    monkeypatch.setattr(sessions, "_beside", lambda first: found.append(beside(first)) or found[-1])
    return found


def seen(comparison: Comparison) -> list[tuple[Any, ...]]:
    return [(f.slug, f.object, f.rows, f.sample) for f in comparison.findings]


def second(reader: Cursor, *questions: str) -> dict[int, Answer]:
    """Let a second session alone answer the questions of a reader."""
    left, answers = deque(enumerate(map(SQL, questions))), dict[int, Answer]()
    invitation = Session(reader)._invitation()
    assert invitation
    helper = sessions._Second(reader.connection, invitation, left, answers)
    helper.start()
    helper.join()
    return answers


def asked(reader: Cursor, *questions: str) -> Sequence[tuple[Any, ...]]:
    return sorted(Session(reader).ask_all([*map(SQL, questions)]))


@pytest.mark.parametrize("before", [(BOOKS,), ("SELECT 1 / 0",)], ids=["after an answer", "after a failure"])
def test_a_later_question_that_cannot_be_parsed_leaves_the_transaction_usable(
    reader: Cursor, before: Sequence[str]
) -> None:
    session = Session(reader)
    for question in (*before, "SELECT FROM WHERE"):
        try:
            session.ask(SQL(question))
        except psycopg2.Error as error:
            session.recover(error)

    assert session.ask(SQL(BOOKS)) == [(24,)]


def test_a_first_question_that_cannot_be_parsed_says_so(reader: Cursor) -> None:
    session = Session(reader)
    with pytest.raises(pg.SyntaxError) as failed:
        session.ask(SQL("SELECT FROM WHERE"))

    with pytest.raises(pg.SyntaxError, match='at or near "WHERE"'):
        session.recover(failed.value)


def test_two_sessions_find_what_one_finds(library: Case, opened: list[Connection]) -> None:
    library.break_(*BROKEN)
    found = examine(library.connection, library.sound.contract)
    alone = examine(library.connection, library.sound.contract, settings={"max_parallel_workers_per_gather": "0"})

    assert len(opened) == 1
    assert seen(found) == seen(alone)


@pytest.mark.parametrize(("settings", "asks"), [(MODESTLY, False), ({}, True)], ids=["one processor", "more"])
def test_a_check_that_no_second_session_may_help_asks_for_no_costs(
    library: Case, monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], asks: bool
) -> None:
    costs = list[float]()
    cost = sessions.Session._cost
    monkeypatch.setattr(sessions.Session, "_cost", lambda *asked: costs.append(cost(*asked)) or costs[-1])
    library.break_(*BROKEN)
    examine(library.connection, library.sound.contract, settings=settings)

    assert bool(costs) == asks


def test_what_is_quick_to_answer_is_asked_by_one_session(
    library: Case, opened: list[Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "WORTH", 50_000)
    library.break_(*BROKEN)
    examine(library.connection, library.sound.contract)

    assert opened == []


@pytest.mark.parametrize(("worth", "sessions_opened"), [(45, 1), (55, 0)])  # two save half of the time at most
def test_a_second_session_must_save_what_it_is_worth(
    reader: Cursor, opened: list[Connection], monkeypatch: pytest.MonkeyPatch, worth: int, sessions_opened: int
) -> None:
    costs = {"SELECT 1": 40, "SELECT 2": 30, "SELECT 3": 30}
    monkeypatch.setattr(sessions, "WORTH", worth)
    monkeypatch.setattr(sessions.Session, "_cost", lambda _, question: costs.get(question.as_string(reader), 1_000))
    asked(reader, *costs)

    assert len(opened) == sessions_opened


def test_the_second_session_sees_the_moment_of_the_first(library: Case, reader: Cursor) -> None:
    reader.execute(BOOKS)
    before = reader.fetchall()
    library.observer.cursor().execute("UPDATE books SET title = title || '!'; DELETE FROM reviews; DELETE FROM books")

    assert second(reader, BOOKS) == {0: before}


def test_the_second_session_reads_with_the_settings_of_the_first(reader: Cursor) -> None:
    reader.execute("SET LOCAL search_path = information_schema; SET LOCAL datestyle = 'German'")

    assert second(reader, "SHOW search_path", "SHOW datestyle", "SHOW row_security") == {
        0: [("information_schema",)],
        1: [("German, DMY",)],
        2: [("off",)],
    }


def test_the_second_session_answers_nothing_where_it_is_somebody_else(library: Case, reader: Cursor) -> None:
    reader.execute("SET LOCAL ROLE pg_monitor")

    assert second(reader, BOOKS) == {}


def test_a_question_that_fails_in_the_second_session_is_left_to_the_first(reader: Cursor) -> None:
    assert second(reader, "SELECT 1", "SELECT 1 / 0", "SELECT 2") == {0: [(1,)]}


def test_a_lock_that_somebody_waits_for_stops_the_second_session_only(library: Case, reader: Cursor) -> None:
    library.observer.cursor().execute("CREATE TABLE locked ()")
    library.observer.autocommit = False
    library.observer.cursor().execute("LOCK TABLE locked")
    answers = second(reader, "SELECT count(*) FROM locked")
    library.observer.rollback()

    assert answers == {}


def test_one_session_answers_all_where_no_second_one_can_be_had(
    reader: Cursor, opened: list[Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_: Connection) -> Connection:
        raise psycopg2.OperationalError("FATAL: sorry, too many clients already")

    monkeypatch.setattr(sessions, "_beside", refused)

    assert asked(reader, "SELECT 1", "SELECT 2", "SELECT 3") == [(1,), (2,), (3,)]


def test_one_session_answers_what_a_second_one_that_was_killed_had_taken(
    library: Case, reader: Cursor, opened: list[Connection]
) -> None:
    kill = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '{SLOW[:20]}%'"
    killer = threading.Timer(1, lambda: library.observer.cursor().execute(f"{kill} AND datname = current_database()"))
    killer.start()
    started = time.monotonic()
    answers = asked(reader, *[SLOW.format(reader.connection.info.backend_pid)] * 2)

    assert answers == [("",), ("",)]
    assert time.monotonic() - started < 30


def test_a_failure_of_the_first_session_ends_the_second(reader: Cursor, opened: list[Connection]) -> None:
    slow = SLOW.format(reader.connection.info.backend_pid)
    started = time.monotonic()
    with pytest.raises(psycopg2.Error):
        asked(reader, *[slow.replace("text", "text::integer::text")] * 2)

    assert opened[0].closed
    assert time.monotonic() - started < 30


@pytest.mark.parametrize(
    "begin",
    [
        "BEGIN",
        "BEGIN ISOLATION LEVEL REPEATABLE READ",
        "BEGIN READ ONLY",
        f"{READING} SET LOCAL max_parallel_workers_per_gather = 0",
        "BEGIN ISOLATION LEVEL REPEATABLE READ; CREATE TABLE written (); SET TRANSACTION READ ONLY",
    ],
)
def test_only_what_reads_one_moment_is_shared(library: Case, begin: str) -> None:
    with snapshot(library.connection) as cursor:
        cursor.execute(begin)
        asking = Session(cursor)
        asking.ask(SQL(BOOKS))

        assert asking._invitation() is None


def test_nothing_is_shared_through_a_pooler(reader: Cursor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "_INVITATION", sessions._INVITATION.replace("= %s", "= %s + 1"))

    assert Session(reader)._invitation() is None
