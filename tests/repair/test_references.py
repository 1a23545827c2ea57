"""Texts of an old key are mapped online: no relation is lost, whatever comes in meanwhile and whoever is killed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg2
import pytest

from fixer.defects import text_key, text_reference
from lab.commands import holds, undo
from lab.database import Database, all_of
from lab.examples.library import LIBRARY, apply, library
from lab.laboratory import Laboratory
from lab.online import APPLY, ends
from lab.process import begun, wait_for

MAPPED, NUMBERED = text_reference.SPECIMENS[0].breaks, text_key.SPECIMENS[0].breaks
TITLES = "SELECT r.body, b.title FROM reviews r JOIN books b ON b.id = r.book_id WHERE r.body = 'late'"
NAMES = "SELECT b.title, a.name FROM books b JOIN authors a ON a.id = b.author_id WHERE b.title = 'late'"
BOOK = "INSERT INTO books (author_id, editor_id, title, price) VALUES ('A-99', 1, 'late', 1)"
AUTHOR = "INSERT INTO authors (id, code, name) VALUES (99, 'A-99', 'later')"
LEFT = (
    "SELECT tgname FROM pg_trigger WHERE tgname ~ 'pgmend' UNION SELECT proname FROM pg_proc WHERE proname ~ 'pgmend'"
)


@contextmanager
def asleep(database: Database, tag: str, query: str) -> Iterator[None]:
    """Let the fixer sleep after a command of this tag within such a statement."""
    database.run(
        "CREATE FUNCTION doze() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN"
        f" IF current_query() ~ '{query}' THEN PERFORM pg_sleep(3); END IF; END $$;"
        f"CREATE EVENT TRIGGER doze ON ddl_command_end WHEN TAG IN ('{tag}') EXECUTE FUNCTION doze()"
    )
    yield
    database.run("DROP EVENT TRIGGER doze; DROP FUNCTION doze")


def dozes(database: Database) -> bool:
    query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"
    return bool(database.ask(query))


def until_it_dozes(database: Database) -> None:
    wait_for(lambda: dozes(database))


BEFORE_THE_CHANGE = ("CREATE FUNCTION", "RENAME COLUMN")  # of names: the table is not locked yet


def test_a_child_that_comes_in_before_its_parent_is_mapped(laboratory: Laboratory) -> None:
    with library(laboratory, 18, MAPPED) as database:
        with asleep(database, *BEFORE_THE_CHANGE):
            process = begun(*APPLY, *LIBRARY, "--dsn", database.dsn)
            until_it_dozes(database)
            database.run(f"{BOOK}; {AUTHOR}")
            process.communicate(timeout=60)

        assert (process.returncode, database.run(NAMES)) == (0, [("late", "later")])
        assert holds(database, *LIBRARY)
        assert database.run(LEFT) == []


def test_a_child_of_a_writer_who_does_not_see_the_numbers_is_mapped(laboratory: Laboratory) -> None:
    with library(laboratory, 18, NUMBERED) as database, closing(psycopg2.connect(database.dsn)) as writer:
        writer.set_session(isolation_level="REPEATABLE READ")
        writer.cursor().execute("SELECT FROM authors")
        with asleep(database, *BEFORE_THE_CHANGE):
            process = begun(*APPLY, *LIBRARY, "--dsn", database.dsn)
            until_it_dozes(database)
            writer.cursor().execute("INSERT INTO reviews (book_id, body) VALUES ('B-7', 'late')")
            writer.commit()
            process.communicate(timeout=60)

        assert (process.returncode, database.run(TITLES)) == (0, [("late", "title 7")])


OLD_KEY = (
    "ALTER TABLE authors RENAME code TO sign; ALTER TABLE authors ADD UNIQUE (sign);"
    "ALTER TABLE books ADD FOREIGN KEY (author_id) REFERENCES authors (sign)"
)
WRITTEN = "SELECT id, author_id FROM books ORDER BY id"


@pytest.mark.parametrize("mode", ["atomic", "online"])
@pytest.mark.parametrize("breaks", [MAPPED, MAPPED + OLD_KEY], ids=["a declared key", "a referenced key"])
def test_what_was_interrupted_before_the_last_row_was_mapped_is_taken_up(
    laboratory: Laboratory, breaks: str, mode: str
) -> None:
    with library(laboratory, 18, "SELECT") as database:
        meant = database.run(WRITTEN)
        database.run(breaks)
        with asleep(database, "DROP FUNCTION", "pgmend_sync"):
            process = begun(*APPLY, *LIBRARY, "--dsn", database.dsn)
            until_it_dozes(database)
            ends(database, process, "kill -9")
        database.run("UPDATE books SET author_id = NULL WHERE id IN (3, 4)")  # as if the search had missed them
        resumed = apply(database, "-q", "--mode", mode)

        assert (resumed.stderr, database.run(WRITTEN)) == ("", meant)
        assert holds(database, *LIBRARY)
        assert database.run(LEFT) == []


def test_what_was_interrupted_before_the_last_row_was_mapped_can_be_taken_back(laboratory: Laboratory) -> None:
    with library(laboratory, 18, MAPPED + OLD_KEY) as database:
        before = all_of(database)
        with asleep(database, "DROP FUNCTION", "pgmend_sync"):
            process = begun(*APPLY, *LIBRARY, "--dsn", database.dsn)
            until_it_dozes(database)
            ends(database, process, "kill -9")

        assert (undo(database, 1, "-q").stderr, all_of(database), database.run(LEFT)) == ("", before, [])
