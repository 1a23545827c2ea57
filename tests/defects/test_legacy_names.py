"""Several tables and columns under their legacy names: each is renamed, and nothing else is done."""

from __future__ import annotations

from contextlib import closing

import psycopg2
import pytest
from sqlalchemy import Column, ForeignKey, Integer, MetaData, Table, Text

import fixer
from fixer.model.plan import MODES
from lab.database import Database, all_of, differences
from lab.examples.models import contract, integer, key, once_called
from lab.laboratory import Laboratory
from lab.outcomes import outcome

MADE = """
CREATE TABLE people (id serial PRIMARY KEY, boss_id integer REFERENCES people);
CREATE TABLE purchases (id serial PRIMARY KEY, person_id integer NOT NULL REFERENCES people);
CREATE TABLE lines (id serial PRIMARY KEY, purchase_id integer REFERENCES purchases);
INSERT INTO people DEFAULT VALUES; INSERT INTO purchases (person_id) VALUES (1), (1);
"""


def wanted() -> MetaData:
    user = integer("user_id", ForeignKey("users.id"), nullable=False, info={"legacy_names": ["person_id"]})
    tables = contract(
        users=(key(), integer("boss_id", ForeignKey("users.id"))),
        orders=(key(), user),
        lines=(key(), integer("purchase_id", ForeignKey("orders.id"))),
    )
    return once_called(once_called(tables, "users", "people"), "orders", "purchases")


@pytest.mark.parametrize("mode", MODES)
def test_tables_that_reference_each_other_are_renamed_without_a_hazard(empty: Database, mode: str) -> None:
    empty.run(MADE)
    before = all_of(empty)
    with closing(psycopg2.connect(empty.dsn)) as connection:
        run = fixer.apply(connection, wanted(), mode=mode)

        assert (run.ok, {step.hazard for step in run.steps}) == (True, {None})
        fixer.undo(connection, 1)
        assert differences(before, empty) == []


REFUSING = {
    "a foreign key": ("CREATE TABLE u (n int UNIQUE); INSERT INTO u VALUES (3)", "FOREIGN KEY (n) REFERENCES u (n)"),
    "a unique": ("UPDATE t SET old = 3", "UNIQUE (n)"),
    "a check": ("UPDATE t SET old = -3 WHERE id = 1", "CHECK (n > 0)"),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("made", "constraint"), REFUSING.values(), ids=REFUSING.keys())
def test_what_refuses_a_copied_value_is_said(laboratory: Laboratory, made: str, constraint: str, mode: str) -> None:
    wanted = contract(t=(key(), integer("n", info={"legacy_names": ["old"]})))
    rows = "CREATE TABLE t (id serial PRIMARY KEY, n integer, old integer); INSERT INTO t (n, old) VALUES (NULL, 1)"
    ended = outcome(laboratory, wanted, f"{rows}, (3, 3); {made}; ALTER TABLE t ADD {constraint}", mode)

    assert f"t.n should hold what its legacy column old holds; {constraint.partition(' REF')[0]} (t_n_" in ended
    assert 'would refuse it: write other values, as by UPDATE "public"."t" SET n = … WHERE n IS NULL' in ended


BELOW = {  # what is wrong with a table under its old name, or with what refers to it
    "disabled-foreign-key": "ALTER TABLE trades DISABLE TRIGGER ALL; ALTER TABLE people DISABLE TRIGGER ALL",
    "wrong-foreign-key-actions": "ALTER TABLE trades DROP CONSTRAINT refers,"
    " ADD CONSTRAINT refers FOREIGN KEY (owner) REFERENCES people ON UPDATE CASCADE",
    "missing-unique": "ALTER TABLE people DROP CONSTRAINT people_name_key",
    "missing-not-null": "ALTER TABLE people ALTER name DROP NOT NULL",
}


@pytest.mark.parametrize("slug", BELOW)
def test_the_check_names_what_is_wrong_besides_the_name(empty: Database, slug: str) -> None:
    metadata = MetaData()
    named = Column("name", Text, nullable=False, unique=True)
    Table("users", metadata, Column("id", Integer, primary_key=True), named, info={"legacy_names": ["people"]})
    owner = Column("owner", ForeignKey("users.id"))
    Table("trades", metadata, Column("id", Integer, primary_key=True), owner)
    empty.run(
        "CREATE TABLE people (id serial PRIMARY KEY, name text NOT NULL UNIQUE);"
        f"CREATE TABLE trades (id serial PRIMARY KEY, owner integer CONSTRAINT refers REFERENCES people); {BELOW[slug]}"
    )

    with closing(psycopg2.connect(empty.dsn)) as connection:
        found = {finding.slug for finding in fixer.check(connection, metadata).findings}

    assert found == {"legacy-table", slug}
