"""What fills the columns that a contract does not know is computed, if it is PostgreSQL's own; else nobody calls it."""

from __future__ import annotations

from contextlib import closing

import psycopg2
import pytest
from sqlalchemy import Column, Integer, MetaData, Table, Text

import fixer
from lab.database import Database

SCHEMA, NAME = 's."x%', "T t.é%"
METADATA = MetaData(schema=SCHEMA)
Table(
    NAME,
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("a b", Text, info={"legacy_names": ["old name"]}),
    Column("n", Integer),
)
HOME = '"s.""x%"'
TABLE = f'{HOME}."T t.é%"'
MADE = f'CREATE SCHEMA {HOME}; CREATE TABLE {TABLE} (id serial PRIMARY KEY, "a b" text, n integer);'
FUNCTION = f"CREATE FUNCTION {HOME}.{{}} LANGUAGE {{}} AS $$ {{}} $$;"
# A default for each column, whether the column takes it; they stand beside each other in one table.
DEFAULTS = {
    "null": ("integer NOT NULL DEFAULT 1", "nullif(1, 1)", False),
    "fails %s": ("integer", "1 / 0", False),
    "cast": ("date", "('a' || 'b')::date", False),
    "long.": ("varchar(2)", "'abc'", False),
    "blanks": ("varchar(2)", "'ab   '", True),
    "longs": ("varchar(2)[]", "'{ab,abc}'", False),
    "bits": ("bit(3)", "B'10'", False),
    "wide": ("smallint", "40000", False),
    "digits": ("numeric(3, 1)", "123.4", False),
    "rounded": ("numeric(3, 1)", "12.34", True),
    "mood": (f"{HOME}.mood NOT NULL DEFAULT 'a'", f"nullif('a', 'a')::{HOME}.mood", False),
    "fine": (f"{HOME}.mood NOT NULL DEFAULT 'a'", f"lower('A')::{HOME}.mood", True),
    "later": ("timestamptz NOT NULL DEFAULT now()", "now() + interval '1 day'", True),
    "beyond": ("date", "('2001-02-' || '30')::date", False),
    "even": (f"{HOME}.even", "3", False),
    "even too": (f"{HOME}.even", "4", True),
    "spent": ("text", f"'A' || nextval('{HOME}.spent')", False),
    "raises": ("integer", f"{HOME}.raises()", False),
    "may raise": ("integer", f"{HOME}.may_raise()", True),
    "set": ("text", "current_setting('no.such')", True),
}


@pytest.fixture
def made(empty: Database) -> Database:
    empty.run(
        MADE
        + f"CREATE TYPE {HOME}.mood AS ENUM ('a'); CREATE DOMAIN {HOME}.even AS integer CHECK (VALUE % 2 = 0);"
        + f"CREATE SEQUENCE {HOME}.spent MAXVALUE 3; SELECT setval('{HOME}.spent', 3);"
        + FUNCTION.format("raises() RETURNS integer", "plpgsql", "BEGIN PERFORM 1; RAISE 'no'; END")
        + FUNCTION.format("may_raise() RETURNS integer", "plpgsql", "BEGIN IF true THEN RAISE 'no'; END IF; END")
    )
    return empty


def found(database: Database) -> dict[str, str]:
    with closing(psycopg2.connect(database.dsn)) as connection:
        findings = fixer.check(connection, METADATA, schema=SCHEMA).findings
        return {each.object.removeprefix(f"{SCHEMA}.{NAME}."): each.severity for each in findings}


def test_a_default_that_its_column_does_not_take_is_an_error(made: Database) -> None:
    for name, (type_, default, _) in DEFAULTS.items():
        made.run(f'ALTER TABLE {TABLE} ADD "{name}" {type_}; ALTER TABLE {TABLE} ALTER "{name}" SET DEFAULT {default}')

    made.run(f"ALTER TABLE {TABLE} ALTER n SET DEFAULT 2147483647 + 1")  # which the contract lets be left out

    assert found(made) == {name: "error" for name, (*_, taken) in DEFAULTS.items() if not taken} | {"n": "error"}


def test_what_is_made_of_a_renamed_column_is_no_finding(made: Database) -> None:
    length = 'integer GENERATED ALWAYS AS (length("old name")) STORED'
    made.run(f'ALTER TABLE {TABLE} RENAME "a b" TO "old name"; ALTER TABLE {TABLE} ADD size {length};')
    made.run(f'CREATE INDEX ON {TABLE} (lower("old name"))')

    assert found(made) == {"a b": "error"}  # its name


# What others made, in each place where an insert would run it; each leaves a lock that no rollback takes back.
MARK = """
CREATE FUNCTION {0}.mark(integer) RETURNS integer IMMUTABLE LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_advisory_lock(4711); RETURN $1; END $$;
CREATE FUNCTION {0}.marked(integer, integer) RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_advisory_lock(4711); RETURN $1 < $2; END $$;
CREATE OPERATOR {0}.+ (FUNCTION = {0}.mark, RIGHTARG = integer);
CREATE OPERATOR {0}.<< (FUNCTION = {0}.marked, LEFTARG = integer, RIGHTARG = integer);
CREATE DOMAIN {0}.small AS integer CHECK ({0}.mark(VALUE) < 9);
CREATE TABLE {0}.parents (id integer PRIMARY KEY);
ALTER TABLE {1} ALTER id SET DEFAULT {0}.mark(1), ADD a integer, ADD b {0}.small, ADD c integer, ADD d integer,
    ADD e integer GENERATED ALWAYS AS ({0}.mark(7)) STORED, ADD CHECK ({0}.mark(a) > 0),
    ADD CHECK (d OPERATOR({0}.<<) 5), ADD FOREIGN KEY (c) REFERENCES {0}.parents;
ALTER TABLE {1} ALTER a SET DEFAULT {0}.mark(2), ALTER b SET DEFAULT 3, ALTER c SET DEFAULT OPERATOR({0}.+) 4,
    ALTER d SET DEFAULT 5;
CREATE INDEX ON {1} (({0}.mark(n))) WHERE {0}.mark(n) > 0;
"""
LOCKS = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711"


@pytest.mark.parametrize("deep", [False, True])
def test_no_code_of_others_runs(made: Database, deep: bool) -> None:
    made.run(MARK.format(HOME, TABLE))
    with closing(psycopg2.connect(made.dsn)) as connection:
        fixer.check(connection, METADATA, schema=SCHEMA, deep=deep)
        fixer.plan(connection, METADATA, schema=SCHEMA)

        assert made.ask(LOCKS) == 0


# How a key may be numbered, and what the check says of it.
NUMBERS = {
    "nextval('{0}.\"T t.é%_id_seq\"') * 2": None,
    "lastval()": "error",
    "5::bigint": "error",
    "(extract(epoch FROM now()))::integer": "error",
    "(random() * 1000)::integer": "warning",
    "{0}.counted()": "warning",
    "{0}.constant()": "error",
    "{0}.drawn()": None,
    "{0}.atomic()": None,
    "{0}.by_counter()": None,
    "{0}.locked()": None,
    "{0}.inner(1)": None,
    "abs({0}.drawn())": None,
}
BODIES = (
    ("counted() RETURNS integer", "sql", "SELECT coalesce(max(id), 0) + 1 FROM {1} -- nextval()"),
    ("constant() RETURNS integer STABLE", "plpgsql", "BEGIN RETURN (1); END"),
    ("drawn() RETURNS integer", "sql", "SELECT nextval('{0}.spent')::integer"),
    ("by_counter() RETURNS integer", "sql", "UPDATE {0}.counter SET n = n + 1 RETURNING n"),
    ("locked() RETURNS integer", "plpgsql", "BEGIN LOCK {1}; RETURN (SELECT max(id) + 1 FROM {1}); END"),
    ("inner(integer) RETURNS integer", "sql", "SELECT {0}.drawn()"),
)


def test_a_default_numbers_a_key_if_it_draws_numbers(made: Database) -> None:
    made.run(f"CREATE TABLE {HOME}.counter AS SELECT 1 AS n")
    for head, language, body in BODIES:
        made.run(FUNCTION.format(head, language, body.format(HOME, TABLE)))
    made.run(f"CREATE FUNCTION {HOME}.atomic() RETURNS bigint BEGIN ATOMIC SELECT nextval('{HOME}.spent'); END")
    said = {}
    for default in NUMBERS:
        made.run(f"ALTER TABLE {TABLE} ALTER id SET DEFAULT {default.format(HOME)}")
        said[default] = next(iter(found(made).values()), None)

    assert said == NUMBERS
