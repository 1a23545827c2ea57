"""PostgreSQL 18 keeps each NOT NULL as a constraint: repaired beside heirs and partitions, and back as it was."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Column, Integer, MetaData, Table

import fixer
from lab.database import Database
from lab.laboratory import VERSIONS

pytestmark = pytest.mark.skipif(max(VERSIONS) < 18, reason="needs PostgreSQL 18")
METADATA = MetaData()
Table("p", METADATA, Column("id", Integer, primary_key=True), Column("a", Integer, nullable=False))
P = "CREATE TABLE p (id serial PRIMARY KEY, a integer);"
OPEN = "ALTER TABLE p ADD CONSTRAINT nn NOT NULL a {}NOT VALID;"
HEIRS = "CREATE TABLE h () INHERITS (p); CREATE TABLE h2 () INHERITS (h);"
KEYLESS = "CREATE TABLE p (id serial, a integer NOT NULL); ALTER TABLE p ALTER id DROP NOT NULL;"
CASES = {
    "heirs": P + HEIRS + OPEN.format(""),
    "an heir with its own": P + "CREATE TABLE h (CONSTRAINT own NOT NULL a) INHERITS (p);" + OPEN.format(""),
    "two parents": P + "CREATE TABLE q (a integer NOT NULL); CREATE TABLE h () INHERITS (p, q);" + OPEN.format(""),
    "without heirs": P + OPEN.format("NO INHERIT "),
    "heirs that do without": P + HEIRS + OPEN.format("NO INHERIT "),
    "a partition": "CREATE TABLE p (id serial PRIMARY KEY, a integer) PARTITION BY RANGE (id);"
    "CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (9);" + OPEN.format(""),
    "the key of heirs": KEYLESS + HEIRS + "ALTER TABLE p ADD CONSTRAINT idn NOT NULL id NOT VALID;",
}
KEPT = """SELECT conrelid::regclass::text, conname, convalidated, conislocal, coninhcount, connoinherit
            FROM pg_constraint WHERE contype = 'n' AND connamespace = 'public'::regnamespace ORDER BY 1, 2"""


def kept(database: Database) -> Any:
    return database.run(KEPT)


@pytest.mark.parametrize("mode", ["atomic", "online"])
@pytest.mark.parametrize("case", CASES)
def test_undo_brings_every_not_null_back_as_it_was(empty: Database, case: str, mode: str) -> None:
    empty.run(CASES[case])
    before = kept(empty)
    run = fixer.apply(empty.dsn, METADATA, mode=mode, allow_hazards="all")
    assert fixer.plan(empty.dsn, METADATA, mode=mode).steps == ()
    assert run.run
    fixer.undo(empty.dsn, run.run)

    assert before == kept(empty)


@pytest.mark.parametrize("mode", ["atomic", "online"])
@pytest.mark.parametrize(("made", "column"), [(P, "a"), (KEYLESS, "id")])
def test_an_heir_that_keeps_its_not_null_from_heirs_is_for_a_person(
    empty: Database, made: str, column: str, mode: str
) -> None:
    empty.run(f"{made} CREATE TABLE h (CONSTRAINT hn NOT NULL {column} NO INHERIT) INHERITS (p)")
    (refusal,) = fixer.plan(empty.dsn, METADATA, mode=mode).refusals
    empty.run(refusal.partition(": run ")[2].partition("; then")[0])

    assert fixer.apply(empty.dsn, METADATA, mode=mode, allow_hazards="all").ok
