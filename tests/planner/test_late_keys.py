"""Keys that speak at another time than the contract's: what changes them, and what a foreign key makes of it."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

import fixer
from lab.database import Database

WHEN = ("", " DEFERRABLE", " DEFERRABLE INITIALLY DEFERRED")
KINDS = {
    "id integer CONSTRAINT k PRIMARY KEY{}": {"wrong-primary-key"},
    "id integer CONSTRAINT k UNIQUE{}": {"missing-unique", "rogue-unique"},
    "id integer, CONSTRAINT k EXCLUDE USING btree (id WITH =){}": {"different-exclusion"},
    "id integer CONSTRAINT k REFERENCES p{}": {"wrong-foreign-key-actions"},
}
PARENT = "CREATE TABLE p (id integer PRIMARY KEY);"


def plan(database: Database, contract: Path) -> fixer.Plan:
    with closing(psycopg2.connect(database.dsn)) as connection:
        return fixer.plan(connection, str(contract))


@pytest.mark.parametrize("kind", KINDS)
def test_each_difference_is_found(empty: Database, tmp_path: Path, kind: str) -> None:
    contract = tmp_path / "c.sql"
    for wanted in WHEN:
        contract.write_text(f"{PARENT} CREATE TABLE t ({kind.format(wanted)});")
        for found in WHEN:
            empty.run(f"DROP TABLE IF EXISTS t, p; {PARENT} CREATE TABLE t ({kind.format(found)})")

            slugs = {finding.slug for finding in plan(empty, contract).findings}

            assert (wanted, found, bool(slugs)) == (wanted, found, wanted != found)
            assert slugs <= KINDS[kind]


def test_a_key_that_is_to_wait_is_for_a_person_where_a_foreign_key_needs_it(empty: Database, tmp_path: Path) -> None:
    contract = tmp_path / "c.sql"
    contract.write_text("CREATE TABLE p (id integer PRIMARY KEY DEFERRABLE);")
    empty.run(f"{PARENT} CREATE TABLE t (p_id integer CONSTRAINT refers REFERENCES p)")

    refusals = plan(empty, contract).refusals

    assert [each.partition(": ")[2] for each in refusals] == [
        "the foreign key refers of public.t needs it to speak at once: drop that first"
    ]
