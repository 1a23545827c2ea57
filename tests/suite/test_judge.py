"""The judge: which rows obey a law, as only the server can say."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import psycopg2
import pytest
import sqlalchemy as sa

from contracts.proof.advice.judge import Judge
from contracts.proof.advice.savepoint import Savepoint
from contracts.rows.laws.law import Law
from lab.laboratory import Laboratory

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


def test_a_row_that_breaks_a_law_raises_nothing_by_another(cursor: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, ask = list[str](), Savepoint.ask
    monkeypatch.setattr(Savepoint, "ask", lambda self, query: (asked.append(""), ask(self, query)))
    laws = [Law("int4range(a, b)", ("a", "b"), binding=False), Law("a < b", ("a", "b"))]
    rows = [{"a": a, "b": b} for a, b in ((3, 1), (2, 1), (1, 2), (1, 1), (2, 3), (3, 2))]
    found = Judge(TABLE, {"a": "integer", "b": "integer"}).fitting(cursor, laws, rows, 99)

    assert found == [{"a": 1, "b": 2}, {"a": 2, "b": 3}]
    assert len(asked) == 3  # one about each law, and one about all rows


def test_what_cannot_be_understood_forbids_nothing(cursor: Any) -> None:
    assert len(fitting(cursor, "there_is_no_such_function(a, b)")) == len(ROWS)
    assert len(fitting(cursor, "t.c > 0")) == len(ROWS)


def test_the_question_leaves_the_transaction_as_it_was(cursor: Any) -> None:
    cursor.execute("CREATE TEMPORARY TABLE seen ON COMMIT DROP AS SELECT 1")
    fitting(cursor, "a / b = 0")
    cursor.execute("SELECT count(*) FROM seen")

    assert cursor.fetchone() == (1,)
