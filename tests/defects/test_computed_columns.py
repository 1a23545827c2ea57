"""Computed columns: what rows will have in them is known beforehand, and a row that comes in late loses nothing."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any

import psycopg2
import pytest
from sqlalchemy import CheckConstraint, Column, Computed, Enum, ForeignKey, Integer, SmallInteger, UniqueConstraint

import fixer
from fixer.errors import ApplyFailed
from fixer.model.plan import MODES
from lab.database import Database
from lab.evidence.dumps import everything
from lab.examples.models import contract, key
from lab.laboratory import Laboratory
from lab.outcomes import outcome

PARENTS = "CREATE TABLE p (id serial PRIMARY KEY); INSERT INTO p VALUES (2), (6);"
TEXTS = "CREATE TABLE t (id serial PRIMARY KEY, a text); INSERT INTO t (a) VALUES {};"


def double() -> Computed:
    return Computed("a * 2", persisted=True)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("rows", "parts", "words"),
    [
        (
            "('1'), ('01')",
            lambda: (Column("b", Integer, double()), UniqueConstraint("b")),
            "t has rows that repeat (b)",
        ),
        (
            "('1'), ('7')",
            lambda: (Column("b", Integer, double()), CheckConstraint("b < 10")),
            "t should satisfy CHECK (b < 10)",
        ),
        ("('1'), (NULL)", lambda: (Column("b", Integer, double(), nullable=False),), "gives NULL in one row of t"),
        ("('1'), ('7')", lambda: (Column("b", ForeignKey("p.id"), double()),), "t.b points at no row of p"),
        ("('1'), ('30000')", lambda: (Column("b", SmallInteger, double()),), "smallint out of range"),
    ],
    ids=["unique", "check", "not null", "foreign key", "type"],
)
def test_what_refuses_its_values_is_found_before_anything_is_converted(
    laboratory: Laboratory, rows: str, parts: Callable[[], tuple[Any, ...]], words: str, mode: str
) -> None:
    wanted = contract(p=(key(),), t=(key(), Column("a", Integer), *parts()))

    assert words in outcome(laboratory, wanted, PARENTS + TEXTS.format(rows), mode)


@pytest.mark.parametrize("mode", MODES)
def test_values_that_fit_need_nobody_and_rows_that_leave_none(laboratory: Laboratory, mode: str) -> None:
    made = PARENTS + TEXTS.format("(' 1'), ('3'), ('none')")
    parts = Column("b", ForeignKey("p.id"), double(), nullable=False), UniqueConstraint("b"), CheckConstraint("b > 1")
    wanted = contract(p=(key(),), t=(key(), Column("a", Integer, nullable=False), *parts))

    assert outcome(laboratory, wanted, made, mode) == "mended"


@pytest.mark.parametrize("mode", MODES)
def test_it_may_be_computed_from_an_enum_to_come(laboratory: Laboratory, mode: str) -> None:
    made = TEXTS.format("('x'), ('x'), ('y')")
    computed = Column("b", Integer, Computed("CASE WHEN a = 'x' THEN 1 ELSE id END", persisted=True))
    wanted = contract(t=(key(), Column("a", Enum("x", "y", name="kind")), computed, UniqueConstraint("b")))

    assert "t has rows that repeat (b)" in outcome(laboratory, wanted, made, mode)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("found", "wanted", "cells"),
    [
        ("b integer", (double(),), "(2, 77)"),
        ("b integer GENERATED ALWAYS AS (a * 3) STORED", (double(),), "(2, DEFAULT)"),
        ("b integer GENERATED ALWAYS AS (a * 3) STORED", (), "(2, DEFAULT)"),
    ],
    ids=["plain", "by another expression", "computed where the contract has a plain one"],
)
def test_a_row_that_came_in_since_the_plan_was_made_keeps_its_value(
    empty: Database, found: str, wanted: tuple[Any, ...], cells: str, mode: str
) -> None:
    empty.run(f"CREATE TABLE t (id serial PRIMARY KEY, a integer, {found})")
    columns = contract(t=(key(), Column("a", Integer), Column("b", Integer, *wanted)))
    with closing(psycopg2.connect(empty.dsn)) as connection:
        made = fixer.plan(connection, columns, mode=mode)
        empty.run(f"INSERT INTO t (a, b) VALUES {cells}")
        before = everything(empty.server, empty.name)
        with pytest.raises(ApplyFailed, match=r"rows of public\.t came in since the plan was made, whose b a person"):
            fixer.apply(connection, columns, plan=made, allow_hazards="all")

    assert everything(empty.server, empty.name) == before
