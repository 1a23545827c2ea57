"""A default that its column does not take is judged as the plan leaves the column, and nobody's code runs for it."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

import fixer
from lab.database import lent
from lab.laboratory import Laboratory

TABLE = "CREATE TABLE a (id integer PRIMARY KEY, x {});"
MARK = """
CREATE TABLE ran (at text);
CREATE FUNCTION marked(t text) RETURNS boolean LANGUAGE plpgsql AS
    'BEGIN INSERT INTO ran VALUES (t); RETURN false; END';
CREATE FUNCTION given() RETURNS text LANGUAGE plpgsql AS 'BEGIN PERFORM marked(''d''); RETURN ''long''; END';
"""
FILLS = """
CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.x := 3; RETURN NEW; END $$;
CREATE TRIGGER fills BEFORE INSERT ON a FOR EACH ROW EXECUTE FUNCTION fill();
"""
CASES = {  # what the contract is, and what the table has besides, with the slugs that are found
    "the table takes it": (TABLE.format("varchar(3) DEFAULT 'abcd'"), "ALTER TABLE a ALTER x TYPE varchar(9)", set()),
    "the plan lets it take it": (
        TABLE.format("varchar(4) DEFAULT 'abcd'"),
        "ALTER TABLE a ALTER x TYPE varchar(3)",
        {"narrow-column"},
    ),
    "the plan gives another": (
        TABLE.format("varchar(3) DEFAULT 'abc'"),
        "ALTER TABLE a ALTER x SET DEFAULT 'abcd'",
        {"different-default"},
    ),
    "the plan gives it": (
        TABLE.format("varchar(3) DEFAULT 'abcd'"),
        "ALTER TABLE a ALTER x DROP DEFAULT",
        {"missing-default", "unfit-default"},
    ),
    "the plan forbids NULL": (
        TABLE.format("text DEFAULT nullif('a', 'a') NOT NULL"),
        "ALTER TABLE a ALTER x DROP NOT NULL",
        {"missing-not-null", "unfit-default"},
    ),
    "a trigger fills it before a check": (TABLE.format("integer DEFAULT 0 CHECK (x > 0)"), FILLS, set()),
    "a trigger comes too late for a type": (TABLE.format("smallint DEFAULT 70000"), FILLS, {"unfit-default"}),
    "a function of others": (MARK + TABLE.format("varchar(3) DEFAULT given() CHECK (marked(x))"), "", set()),
    "a check of others": (MARK + TABLE.format("varchar(3) DEFAULT 'a' CHECK (marked(x))"), "", set()),
}


@pytest.mark.parametrize("case", CASES)
def test_it_is_judged_as_the_plan_leaves_it(laboratory: Laboratory, tmp_path: Path, case: str) -> None:
    declared, besides, wanted = CASES[case]
    contract = tmp_path / "c.sql"
    contract.write_text(declared)
    with lent(laboratory.server(18), None) as database, closing(psycopg2.connect(database.dsn)) as connection:
        database.run(declared + besides)

        found = fixer.check(connection, str(contract)).findings

        assert {each.slug for each in found} - {"rogue-trigger"} == wanted
        if "ran" in declared:
            assert database.ask("SELECT count(*) FROM ran") == 0
