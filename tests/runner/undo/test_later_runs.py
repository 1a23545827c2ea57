"""undo: what happened to the tables of a run since, by a later run or by others, is heeded."""

from __future__ import annotations

from contextlib import closing

import psycopg2
import pytest

import fixer
from fixer.errors import UndoRefused
from lab.commands import apply, undo
from lab.database import Database, written
from lab.examples.library import LIBRARY, library
from lab.examples.models import contract, integer, key
from lab.laboratory import Laboratory

AGAIN = "CREATE TABLE reviews (id serial PRIMARY KEY, book_id integer NOT NULL REFERENCES books, body text)"


def test_a_table_that_a_run_made_is_kept_while_a_later_run_stands_on_it(empty: Database) -> None:
    wanted = contract(a=(key(),), b=(key(), integer("n", nullable=False, info={"backfill": 7})))
    empty.run("CREATE TABLE a (id serial PRIMARY KEY)")
    with closing(psycopg2.connect(empty.dsn)) as connection:
        fixer.apply(connection, wanted)
        empty.run("ALTER TABLE b ALTER n DROP NOT NULL; INSERT INTO b (n) VALUES (NULL)")
        fixer.apply(connection, wanted, allow_hazards="all")
        before = written(empty)

        with pytest.raises(UndoRefused, match=r"Run 2 came after and changed public\.b"):
            fixer.undo(connection, 1)
        assert written(empty) == before


def test_a_table_that_was_made_anew_since_is_not_the_one_of_the_run(laboratory: Laboratory) -> None:
    with library(laboratory, 18, "ALTER TABLE books ALTER title TYPE varchar(30)") as database:
        apply(database, *LIBRARY)
        database.run(f"DROP TABLE reviews; {AGAIN}")
        before = written(database)
        ended = undo(database, 1, "-q")

        assert "The table public.reviews was dropped since run 1." in ended.stderr
        assert (2, before) == (ended.returncode, written(database))
