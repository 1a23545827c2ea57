"""Questions under a savepoint: one that fails spoils none that follow."""

from __future__ import annotations

from contextlib import closing

import psycopg2
import pytest

from contracts.proof.advice.savepoint import Savepoint
from fixer.sql.compose import SQL
from lab.database import Database


@pytest.mark.parametrize("question", ["SELECT 1 IS UNHEARD OF", "SELECT 1 / 0"])
def test_a_question_that_fails_at_first_spoils_no_other(empty: Database, question: str) -> None:
    with closing(psycopg2.connect(empty.dsn)) as connection, connection.cursor() as cursor:
        with Savepoint(cursor) as savepoint:
            with pytest.raises(psycopg2.Error):
                savepoint.ask(SQL(question))
            savepoint.ask(SQL("SELECT 7"))
            assert cursor.fetchone() == (7,)
            with pytest.raises(psycopg2.Error):
                savepoint.ask(SQL(question))
        cursor.execute("SELECT 8")
        assert cursor.fetchone() == (8,)
