"""Checks and indexes that ask for the whole row, which PostgreSQL spells by the name of the table."""

from __future__ import annotations

from contextlib import closing

import psycopg2
import pytest
from sqlalchemy import DDL, CheckConstraint, Index, MetaData, event
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import ExcludeConstraint

import fixer
from fixer.connect.target import resolve
from lab.database import lent
from lab.examples.models import contract, integer, key, text
from lab.laboratory import VERSIONS, Laboratory
from lab.outcomes import outcome

FULL = 'CHECK (("Papers 1".*) IS NOT NULL)'
PARTED = (
    'CREATE TABLE papers(id serial PRIMARY KEY, a integer, b text) PARTITION BY RANGE (id); CREATE TABLE "Papers 1"'
)
PART = "PARTITION OF papers {} FOR VALUES FROM (0) TO (100);"
ROWS = "INSERT INTO papers(a, b) VALUES (1, 'x'), (1, 'y'), (2, NULL), (2, NULL)"


def papers() -> MetaData:
    """Return a contract in which full papers have a number of their own, twice said, and full ones are numbered."""
    wanted = contract(papers=(key(), integer("a"), text("b")))
    table, full = wanted.tables["papers"], sql("papers.* IS NOT NULL")
    Index("ux", table.c.a, unique=True, postgresql_where=full)
    table.append_constraint(ExcludeConstraint(("a", "="), name="xx", using="btree", where=full))
    table.append_constraint(CheckConstraint("papers.* IS NOT NULL OR a > 0", name="numbered"))
    return wanted


def parted() -> MetaData:
    """Return a contract of a partition that has a check and a unique over the whole row alone."""
    wanted = contract(papers=(key(), integer("a"), text("b")))
    wanted.tables["papers"].dialect_options["postgresql"]["partition_by"] = "RANGE (id)"
    made = f'CREATE TABLE "Papers 1" {PART.format(f"(CONSTRAINT full_row {FULL})")}'
    unique = 'CREATE UNIQUE INDEX "ux 1" ON "Papers 1" (a) WHERE "Papers 1".* IS NOT NULL'
    event.listen(wanted.tables["papers"], "after_create", DDL(f"{made}{unique}"))  # type: ignore[no-untyped-call]
    return wanted


def found(laboratory: Laboratory, wanted: MetaData, made: str) -> set[tuple[str, int]]:
    """Return which defects a deep look finds, and in how many rows."""
    with lent(laboratory.server(max(VERSIONS)), None) as database:
        database.run(made)
        return {(each.slug, each.rows) for each in fixer.check(resolve(database.dsn), wanted, deep=True).findings}


def test_rows_that_repeat_or_conflict_among_whole_rows_are_counted(laboratory: Laboratory) -> None:
    made = f"CREATE TABLE papers(id serial PRIMARY KEY, a integer, b text, CONSTRAINT numbered CHECK (a > 0)); {ROWS}"

    assert {("duplicate-values", 1), ("conflicting-rows", 1)} <= found(laboratory, papers(), made)


def test_what_a_partition_asks_of_whole_rows_alone_is_counted(laboratory: Laboratory) -> None:
    seen = found(laboratory, parted(), f"{PARTED} {PART.format('')} {ROWS}")

    assert seen == {("bare-partition", 2), ("bare-partition", 1)}


@pytest.mark.parametrize("deed", ["", "DROP INDEX ux;", "ALTER TABLE papers DROP CONSTRAINT numbered;"])
def test_whole_rows_that_are_sound_are_proved(laboratory: Laboratory, deed: str) -> None:
    with lent(laboratory.server(max(VERSIONS)), None) as database:
        database.run("SELECT")
        with closing(psycopg2.connect(database.dsn)) as connection:
            fixer.apply(connection, papers(), allow_hazards="all")
        database.run(f"INSERT INTO papers(a, b) VALUES (1, 'x'), (2, 'y'), (2, NULL); {deed}")
        with closing(psycopg2.connect(database.dsn)) as connection:
            run = fixer.apply(connection, papers(), allow_hazards="all", deep=True)

    assert (run.report.ok, bool(run.plan.steps)) == (True, bool(deed))


@pytest.mark.parametrize("mode", ["atomic", "online"])
def test_a_partition_gets_what_it_asks_of_whole_rows(laboratory: Laboratory, mode: str) -> None:
    made = f"{PARTED} {PART.format('')} INSERT INTO papers(a, b) VALUES (1, 'x'), (2, 'y')"

    assert outcome(laboratory, parted(), made, mode) == "mended"
