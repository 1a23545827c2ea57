"""Rows that are gone after their insert are red; what the owner of a database forbids is listed as not tried."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
import sqlalchemy as sa

import fixer
from contracts.proof.advice import causes
from contracts.proof.databases.place import Given
from fixer.defects import by_slug
from lab.database import Database, lent
from lab.examples import forbidding
from lab.laboratory import Laboratory
from lab.proof import Proof, place_of

MODELS = "lab.examples.forbidding:metadata"
GOOD = "good_rows_go_in_change_and_go_out"


@pytest.fixture(scope="module")
def made(laboratory: Laboratory) -> Iterator[Database]:
    with lent(laboratory.server(18), None) as database:
        engine = sa.create_engine("postgresql+psycopg2://", creator=lambda: psycopg2.connect(database.dsn))
        forbidding.metadata.create_all(engine)
        engine.dispose()
        database.run(forbidding.TRIGGERS + forbidding.RIGHTS)
        yield database


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Given, "examples", (8, 3))


def found(database: Database) -> dict[str, str]:
    with closing(psycopg2.connect(database.dsn)) as connection:
        return {f.table.name: f.severity for f in fixer.check(connection, forbidding.metadata).findings}


def test_the_check_says_what_the_catalogue_says(made: Database) -> None:
    kept = {"softly": "warning", "diverted": "warning", "lossy": "info"}

    assert found(made) == {"faulty": "error", "deleted": "error"} | kept


def test_only_rows_that_are_gone_and_faults_are_red(made: Database, tmp_path: Path) -> None:
    with place_of(made.dsn, MODELS, tmp_path) as place:
        proof = Proof(place, "good_rows|duplicate")

    lost = {f"{GOOD}[{name}]" for name in ("moved", "deleted", "keyless")}
    assert set(proof.red) - lost == {
        f"{GOOD}[faulty]",
        f"{GOOD}[mistaken]",
        "bad_row_is_refused[mistaken-duplicate-id]",
    }
    assert all("is gone after its insert" in proof.red[item] for item in lost)
    assert {item: _shortly(reason) for item, reason in proof.untried.items() if "good_rows" in item} == {
        f"{GOOD}[partly]": "not always so: a row of partly is gone after its insert: does a trigger delete it?",
        f"{GOOD}[added]": "UPDATE of added is forbidden: add only (P0001);"
        " DELETE of added is forbidden: add only (P0001)",
        f"{GOOD}[stated]": "UPDATE of stated is forbidden: restrict_violation (23001)",
        f"{GOOD}[softly]": "DELETE of softly: warning: softly should keep what is written, the trigger act keeps every"
        " row out ON DELETE: it returns NULL [swallowing-trigger]",
        f"{GOOD}[held]": "DELETE of held is forbidden: kept (23514)",
        f"{GOOD}[picky]": "a trigger refuses rows of picky: closed (P0001)",
        f"{GOOD}[lossy]": "not each row of lossy is kept: info: lossy should keep what is written, the trigger act may"
        " keep a row out ON INSERT: it returns NULL [swallowing-trigger]",
        f"{GOOD}[tenanted]": 'rows of tenanted need a setting of the session: null value in column "tenant" of relation'
        ' "tenanted" violates not-null constraint (23502)',
        f"{GOOD}[audited]": "rows of audited need a setting of the session: unrecognized configuration parameter"
        ' "app.user" (42704)',
        f"{GOOD}[stamped]": 'rows of stamped need a setting of the session: null value in column "a" of relation'
        ' "stamped" violates not-null constraint (23502)',
        f"{GOOD}[counted]": "rows of counted need a setting of the session: invalid input syntax for type integer:"
        ' "" (22P02)',
        f"{GOOD}[asserted]": "a trigger refuses rows of asserted: too small (P0004)",
        f"{GOOD}[divided]": "a trigger refuses rows of divided: division by zero (22012)",
        f"{GOOD}[logged]": "a trigger refuses rows of logged: duplicate key value violates unique constraint"
        ' "read_pkey" (23505)',
        f"{GOOD}[diverted]": "diverted takes a row and returns none: a trigger diverts it",
    }


def _shortly(reason: str) -> str:
    return reason.partition(" INSERT INTO")[0]


def test_what_a_role_may_not_do_is_not_tried(made: Database, tmp_path: Path) -> None:
    with place_of(made.seen_by("pgmend_app"), MODELS, tmp_path) as place:
        proof = Proof(place, r"row.*\[(read|stated|own|Their %s)(-duplicate-id)?\]")

    shut, unknown = "this role may not write each row of", 'unrecognized configuration parameter "app.tenant" (42704)'
    assert proof.red == {}
    assert {item: reason for item, reason in proof.untried.items() if "alike" not in item} == {
        f"{GOOD}[read]": f"{shut} read: permission denied for table read (42501)",
        "bad_row_is_refused[read-duplicate-id]": f"{shut} read: permission denied for table read (42501)",
        f"{GOOD}[stated]": "UPDATE of stated is forbidden: restrict_violation (23001);"
        " DELETE of stated is forbidden: permission denied for table stated (42501)",
        f"{GOOD}[own]": f"{shut} own: {unknown}",
        "bad_row_is_refused[own-duplicate-id]": f"{shut} own: {unknown}",
        f"{GOOD}[Their %s]": "UPDATE of Their %s: a policy keeps the row from this role;"
        " DELETE of Their %s: a policy keeps the row from this role",
    }


def test_nothing_is_on_purpose_where_the_check_has_an_error_about_the_table(made: Database, tmp_path: Path) -> None:
    made.run("CREATE RULE stays AS ON DELETE TO added DO INSTEAD NOTHING")
    with place_of(made.dsn, MODELS, tmp_path) as place:
        proof = Proof(place, r"good_rows.*\[added\]")
    made.run("DROP RULE stays ON added")

    assert "add only (P0001)" in proof.red[f"{GOOD}[added]"]


def test_a_trigger_that_writes_to_a_table_that_is_broken_refuses_nothing_on_purpose(
    made: Database, tmp_path: Path
) -> None:
    made.run("ALTER TABLE read ADD COLUMN more text NOT NULL")
    with place_of(made.dsn, MODELS, tmp_path) as place:
        proof = Proof(place, r"good_rows.*\[logged\]")
    made.run("ALTER TABLE read DROP COLUMN more")

    assert 'null value in column "more" of relation "read"' in proof.red[f"{GOOD}[logged]"]


LEADS = """
CREATE TABLE above (id integer PRIMARY KEY);
CREATE TABLE below (id serial PRIMARY KEY, above_id integer NOT NULL REFERENCES above);
CREATE TABLE writing (id serial PRIMARY KEY, n integer);
CREATE FUNCTION writes() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN INSERT INTO below (above_id) VALUES (7); RETURN NULL; END';
CREATE TRIGGER writes AFTER INSERT ON writing FOR EACH ROW EXECUTE FUNCTION writes();
"""
LOST = """
CREATE FUNCTION lost() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO gone VALUES (1); RETURN NULL; END';
CREATE TRIGGER lost AFTER DELETE ON {} FOR EACH ROW EXECUTE FUNCTION lost();
"""
FAULTS = {  # by whether they can be why a row of `below` finds no parent
    "of a function that is gone, there": (LOST.format("below"), False),
    "of a function that is gone, here": (LOST.format("writing"), False),
    "of a check that is gone": ("ALTER TABLE below ADD CHECK (id > 0);", False),
    "of a value that comes with each row": ("ALTER TABLE below ALTER above_id SET DEFAULT 3;", True),
    "of the parents": ("ALTER TABLE above ALTER id SET DEFAULT 7;", True),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_only_a_finding_that_can_be_the_cause_explains_a_refusal(
    laboratory: Laboratory, tmp_path: Path, fault: str
) -> None:
    statements, can = FAULTS[fault]
    contract = tmp_path / "c.sql"
    contract.write_text(LEADS + ("" if "gone" in fault and "check" not in fault else statements))
    broken = statements if "function" in fault else ""
    with lent(laboratory.server(18), None) as database:
        database.run(LEADS + broken)
        with place_of(database.dsn, str(contract), tmp_path) as place:
            proof = Proof(place, r"good_rows.*\[writing\]")

    item = f"{GOOD}[writing]"
    assert (item in proof.red, item in proof.untried) == (can, not can)
    assert "(23503)" in (proof.red if can else proof.untried)[item]


MEANT = """
CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE FUNCTION taken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    EXECUTE format('DELETE FROM %I WHERE id = $1.id', TG_TABLE_NAME) USING NEW;
    RETURN NULL;
END $$;
CREATE TABLE kept (id serial PRIMARY KEY, n integer NOT NULL);
CREATE RULE act AS ON DELETE TO kept DO INSTEAD NOTHING;
CREATE TABLE fixed (id serial PRIMARY KEY, n integer NOT NULL);
CREATE RULE act AS ON UPDATE TO fixed WHERE new.n IS NOT NULL DO INSTEAD NOTHING;
CREATE TABLE other (id integer, n integer);
CREATE TABLE led (id serial PRIMARY KEY, n integer NOT NULL);
CREATE RULE act AS ON INSERT TO led DO INSTEAD INSERT INTO other VALUES (new.id, new.n);
CREATE TABLE soft (id serial PRIMARY KEY, n integer NOT NULL);
CREATE TRIGGER act BEFORE DELETE ON soft FOR EACH ROW EXECUTE FUNCTION nothing();
CREATE TABLE shut (id serial PRIMARY KEY, n integer NOT NULL);
CREATE TRIGGER act BEFORE INSERT ON shut FOR EACH ROW EXECUTE FUNCTION nothing();
CREATE TABLE queue (id serial PRIMARY KEY, n integer NOT NULL);
CREATE TRIGGER act AFTER INSERT ON queue FOR EACH ROW EXECUTE FUNCTION taken();
CREATE TABLE asleep (id serial PRIMARY KEY, n integer NOT NULL);
CREATE RULE act AS ON DELETE TO asleep DO INSTEAD NOTHING;
ALTER TABLE asleep DISABLE RULE act;
"""


def test_what_code_of_the_contract_keeps_from_being_written_is_meant(laboratory: Laboratory, tmp_path: Path) -> None:
    (tmp_path / "meant.sql").write_text(MEANT)
    with lent(laboratory.server(18), None) as database:
        database.run(MEANT)
        with place_of(database.dsn, str(tmp_path / "meant.sql"), tmp_path) as place:
            proof = Proof(place, "good_rows|alike|bad_row|unknown")

    told = {
        name: f"{deed} of {name}: the {kind} act of public.{name}, which the contract has, may do something else"
        for name, deed, kind in (
            ("kept", "DELETE", "rule"),
            ("fixed", "UPDATE", "rule"),
            ("led", "INSERT", "rule"),
            ("soft", "DELETE", "trigger"),
            ("shut", "INSERT", "trigger"),
            ("queue", "INSERT", "trigger"),
        )
    }
    assert proof.red == {}
    assert {item: reason for item, reason in proof.untried.items() if "good_rows" in item} == {
        f"{GOOD}[{name}]": reason for name, reason in told.items()
    }


def test_code_that_the_contract_lacks_is_not_meant(laboratory: Laboratory, tmp_path: Path) -> None:
    (tmp_path / "meant.sql").write_text(MEANT)
    with lent(laboratory.server(18), None) as database:
        database.run(
            MEANT + "ALTER TABLE asleep ENABLE RULE act; CREATE RULE more AS ON INSERT TO soft DO INSTEAD NOTHING"
        )
        with place_of(database.dsn, str(tmp_path / "meant.sql"), tmp_path) as place:
            proof = Proof(place, r"(good_rows|unknown|wrong).*\[(asleep|soft)\]")

    assert "the rule public.asleep.act should be disabled, is to act" in "".join(proof.red.values())
    assert "the rule more says ON INSERT DO INSTEAD NOTHING" in "".join(proof.red.values())
    assert {f"{GOOD}[asleep]", f"{GOOD}[soft]"} <= proof.red.keys()


def test_each_cause_is_a_class() -> None:
    named = set(causes.ONLY).union(*causes.CAUSES.values())

    assert named - by_slug().keys() == set()
