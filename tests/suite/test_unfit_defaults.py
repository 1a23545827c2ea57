"""Where a column cannot hold its own default, or a trigger never ends, suite and check agree that nothing is broken.

The check warns of such a default.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

import fixer
from lab.database import lent
from lab.laboratory import Laboratory
from lab.proof import Proof, place_of

TABLE = "CREATE TABLE a (id integer PRIMARY KEY, x {});"
ENDLESS = (
    "CREATE FUNCTION g() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN {}; RETURN new; END';"
    "CREATE TRIGGER t AFTER {} ON a FOR EACH ROW EXECUTE FUNCTION g();"
)
DOMAIN = 'CREATE DOMAIN "d.%" AS text '
CASES = {
    "a text that is too long": TABLE.format("varchar(3) NOT NULL DEFAULT 'abcdef'"),
    "a number that is too large": TABLE.format("smallint DEFAULT 70000"),
    "a number of too many digits": TABLE.format("numeric(3, 1) NOT NULL DEFAULT 12345"),
    "an expression that fails": TABLE.format("integer NOT NULL DEFAULT 1 / (length('a') - 1)"),
    "a NULL that its domain refuses": DOMAIN + "NOT NULL;" + TABLE.format('"d.%" DEFAULT NULL'),
    "its domain's own": DOMAIN + "DEFAULT 'q' CHECK (VALUE LIKE '%@%');" + TABLE.format('"d.%"'),
    "a trigger that inserts without end": TABLE.format("integer")
    + ENDLESS.format("INSERT INTO a (id) VALUES (new.id + 1)", "INSERT"),
    "a trigger that updates without end": TABLE.format("integer")
    + ENDLESS.format("UPDATE a SET x = 1 WHERE id = new.id", "UPDATE"),
}


@pytest.mark.parametrize("version", [16, 18])
@pytest.mark.parametrize("case", CASES)
def test_it_is_not_tried(laboratory: Laboratory, tmp_path: Path, case: str, version: int) -> None:
    with lent(laboratory.server(version), None) as database:
        database.run(CASES[case])

        with closing(psycopg2.connect(database.dsn)) as connection:
            report = fixer.check(connection, "self")
        assert report.ok
        told = {(each.slug, each.object) for each in report.findings if each.severity == "warning"}
        assert told == (set() if "trigger" in case else {("unfit-default", "public.a.x")})
        with place_of(database.dsn, "self", tmp_path) as place:
            assert Proof(place).red == {}


def test_another_refusal_of_such_a_table_is_red(laboratory: Laboratory, tmp_path: Path) -> None:
    with lent(laboratory.server(18), None) as database:
        database.run(CASES["a number that is too large"] + "ALTER TABLE a ADD y integer")
        contract = tmp_path / "c.sql"
        contract.write_text(CASES["a number that is too large"] + "ALTER TABLE a ADD y integer")
        database.run("ALTER TABLE a ADD CHECK (y IS NULL) NOT VALID, ADD CHECK (y IS NOT NULL) NOT VALID")

        with place_of(database.dsn, str(contract), tmp_path) as place:
            assert "good_rows_go_in_change_and_go_out[a]" in Proof(place).red


@pytest.mark.parametrize("version", [16, 18])
def test_a_key_that_lost_its_mark_is_found(laboratory: Laboratory, version: int) -> None:
    with lent(laboratory.server(version), None) as database:
        database.run("CREATE TABLE a (id integer PRIMARY KEY)")
        database.run("UPDATE pg_attribute SET attnotnull = false WHERE attrelid = 'a'::regclass AND attname = 'id'")

        with closing(psycopg2.connect(database.dsn)) as connection:
            (found,) = fixer.plan(connection, "self").findings
        assert (found.slug, found.object) == ("missing-not-null", "public.a.id")
        assert ("attnotnull = true" in str(found.repair)) == (version >= 18)
