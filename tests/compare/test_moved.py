"""Rows that move are counted alike in one statement and in many, and no statement takes a server's memory."""

from __future__ import annotations

import pytest
from sqlalchemy import Column, ForeignKey, MetaData, String

from fixer import plan
from fixer.compare import sessions
from fixer.compare.sessions import ROOM, Session
from fixer.connect.target import resolve
from fixer.sql.compose import Composable
from lab.database import Database, lent
from lab.examples.models import contract, integer
from lab.laboratory import Laboratory

TABLES = 3


def stalls() -> MetaData:
    """Return a contract of tables, each with a key of texts, two uniques, and references to itself and to the last."""
    return contract(
        **{
            f"t{n}": (
                Column("k", String(9), primary_key=True),
                *(integer(name, unique=True) for name in ("u", "v")),
                Column("s", ForeignKey(f"t{n}.k")),
                Column("p", ForeignKey(f"t{max(n - 1, 0)}.k")),
            )
            for n in range(TABLES)
        }
    )


def fill(database: Database) -> None:
    """Create the tables without any constraint, as after a restore that failed, with rows that repeat."""
    for n in range(TABLES):
        database.run(
            f"CREATE TABLE t{n} (k varchar(9), u integer, v integer, s varchar(9), p varchar(9));"
            f"INSERT INTO t{n} SELECT 'k' || g % 5, g % 4, (g + 1) % 4, 'k' || (g + 1) % 6, 'k' || g % 7"
            " FROM generate_series(1, 8) AS g"
        )


def test_rows_are_counted_alike_in_one_statement_and_in_many(
    laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes, ask = list[int](), Session.ask

    def asked(session: Session, question: Composable) -> sessions.Answer:
        sizes.append(session.size(question))
        return ask(session, question)

    with lent(laboratory.server(18), None) as database:
        fill(database)
        monkeypatch.setattr(Session, "ask", asked)
        in_parts = plan(resolve(database.dsn), stalls())
        largest, _ = max(sizes), sizes.clear()
        monkeypatch.setattr("fixer.compare.moved.ROOM", 10_000_000)
        at_once = plan(resolve(database.dsn), stalls())

    assert largest < 2 * ROOM < max(sizes)
    assert [step.effect.rows for step in at_once.steps] == [step.effect.rows for step in in_parts.steps]
