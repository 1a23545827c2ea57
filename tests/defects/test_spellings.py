"""Conditions that are spelt otherwise are no fault; a cast that changes values is no spelling."""

from __future__ import annotations

from contextlib import closing

import psycopg2
import pytest
from sqlalchemy import CheckConstraint, Index, Integer, MetaData, Numeric, String
from sqlalchemy import Column as SAColumn
from sqlalchemy import Table as SATable
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import DOMAIN

import fixer
from lab.database import Database

MADE = """CREATE DOMAIN grade AS integer CHECK (3 = VALUE OR VALUE = 1 OR VALUE = 2);
CREATE DOMAIN whole AS integer; CREATE TABLE t (id serial PRIMARY KEY, kind varchar(9), f numeric, g grade, n whole,
    CONSTRAINT f_check CHECK (0 < f::integer AND f::numeric(4, 1) < 9), CONSTRAINT n_check CHECK (n > 0));
CREATE UNIQUE INDEX one ON t (f) WHERE n <> 2 AND (kind = 'b' OR kind = 'a') AND 1 <> n;
CREATE INDEX two ON t (g) WHERE kind = 'b' OR kind = 'a'; CREATE INDEX three ON t ((f::integer))"""
CHANGES = {
    "a cast of a check": "ALTER TABLE t DROP CONSTRAINT f_check, ADD CONSTRAINT f_check CHECK (0 < f AND f < 9)",
    "another cast of a check": "ALTER TABLE t DROP CONSTRAINT f_check,"
    " ADD CONSTRAINT f_check CHECK (0 < f::integer AND f::numeric(4, 2) < 9)",
    "a cast of an index": "DROP INDEX three; CREATE INDEX three ON t (f)",
    "a value of a unique": "DROP INDEX one; CREATE UNIQUE INDEX one ON t (f) WHERE n <> 2 AND kind IN ('a', 'b')",
    "a value of an index": "DROP INDEX two; CREATE INDEX two ON t (g) WHERE kind = 'b' OR kind = 'c'",
    "a value of a domain": "ALTER DOMAIN grade DROP CONSTRAINT grade_check;"
    "ALTER DOMAIN grade ADD CHECK (VALUE IN (1, 2))",
}
FOUND = {
    "a cast of a check": {"different-check"},
    "another cast of a check": {"different-check"},
    "a cast of an index": {"missing-index"},
    "a value of a unique": {"missing-unique", "rogue-unique"},
    "a value of an index": {"missing-index"},
    "a value of a domain": {"guarded-domain"},
}


def wanted() -> MetaData:
    metadata = MetaData()
    grade = DOMAIN("grade", Integer, check="VALUE IN (1, 2, 3)")
    kind, number = SAColumn("kind", String(9)), SAColumn("n", Integer)
    table = SATable("t", metadata, SAColumn("id", Integer, primary_key=True), kind, SAColumn("f", Numeric))
    table.append_column(SAColumn("g", grade))
    table.append_column(number)
    table.append_constraint(CheckConstraint("f::numeric(4, 1) < 9 AND f::integer > 0", name="f_check"))
    table.append_constraint(CheckConstraint("n > 0", name="n_check"))
    Index("one", table.c.f, unique=True, postgresql_where=sql("kind IN ('a', 'b') AND n NOT IN (1, 2)"))
    Index("two", table.c.g, postgresql_where=sql("kind IN ('a', 'b')"))
    Index("three", sql("(f::integer)"), _table=table)
    return metadata


@pytest.mark.parametrize("what", CHANGES)
def test_what_says_the_same_is_sound_and_what_does_not_is_found(empty: Database, what: str) -> None:
    empty.run(MADE)
    with closing(psycopg2.connect(empty.dsn)) as connection:
        sound = {each.message for each in fixer.check(connection, wanted()).findings}
        empty.run(CHANGES[what])
        found = {each.slug for each in fixer.check(connection, wanted()).findings}

    assert (sound, found) == (set(), FOUND[what])
