"""The judge: which rows obey a law, as only the server can say."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import psycopg2
import pytest
import sqlalchemy as sa
from laws import Laboratory

from contracts.proof.judge import Judge
from contracts.rows.laws import Law

TABLE = sa.Table("t", sa.MetaData(), sa.Column("a", sa.Integer), sa.Column("b", sa.Integer))
ROWS = [{"a": a, "b": b} for a in (0, 1, 2**31 - 1) for b in (0, 1, 99)]


@pytest.fixture
def cursor(laboratory: Laboratory) -> Iterator[Any]:
    with closing(psycopg2.connect(laboratory.server(18).dsn)) as connection, connection.cursor() as found:
        yield found


def fitting(cursor: Any, text: str, **words: Any) -> list[tuple[int, int]]:
    law = Law(text, ("a", "b"), **words)
    found = Judge(TABLE, {"a": "integer", "b": "integer"}).fitting(cursor, [law], ROWS, 99)
    return [(row["a"], row["b"]) for row in found]


def test_a_row_for_which_a_check_is_false_does_not_fit(cursor: Any) -> None:
    assert fitting(cursor, "a = b") == [(0, 0), (1, 1)]


def test_a_row_for_which_an_expression_fails_does_not_fit(cursor: Any) -> None:
    assert fitting(cursor, "a + b", binding=False) == [(a, b) for a in (0, 1) for b in (0, 1, 99)] + [(2**31 - 1, 0)]
    assert fitting(cursor, "a / b = 0") == [(0, 1), (0, 99), (1, 99)]


def test_what_cannot_be_understood_forbids_nothing(cursor: Any) -> None:
    assert len(fitting(cursor, "there_is_no_such_function(a, b)")) == len(ROWS)
    assert len(fitting(cursor, "t.c > 0")) == len(ROWS)


def test_the_question_leaves_the_transaction_as_it_was(cursor: Any) -> None:
    cursor.execute("CREATE TEMPORARY TABLE seen ON COMMIT DROP AS SELECT 1")
    fitting(cursor, "a / b = 0")
    cursor.execute("SELECT count(*) FROM seen")

    assert cursor.fetchone() == (1,)
