"""A target that declares its own contract is read once, unless something may have changed meanwhile."""

from __future__ import annotations

import pytest

from fixer.api import Session, session
from lab.database import Database

TABLES = """
CREATE TABLE owners (id serial PRIMARY KEY, name text NOT NULL UNIQUE CHECK (name <> ''));
CREATE TABLE pets (id serial PRIMARY KEY, owner_id integer REFERENCES owners, at timestamptz DEFAULT now());
CREATE INDEX ON pets (owner_id);
INSERT INTO owners (name) VALUES ('a'), ('b'); INSERT INTO pets (owner_id) VALUES (1), (2), (2);
"""
NAME = "attrelid = 'owners'::regclass AND attname = 'name'"
CHANGES = {
    "a table": ("DROP TABLE pets", "missing-table"),
    "a key": ("ALTER TABLE pets DROP CONSTRAINT pets_pkey", "missing-primary-key"),
    "a foreign key": ("ALTER TABLE pets DROP CONSTRAINT pets_owner_id_fkey", "missing-foreign-key"),
    "its triggers": ("ALTER TABLE pets DISABLE TRIGGER ALL", "disabled-foreign-key"),
    "a unique": ("ALTER TABLE owners DROP CONSTRAINT owners_name_key", "missing-unique"),
    "a check": ("ALTER TABLE owners DROP CONSTRAINT owners_name_check", "missing-check"),
    "a NOT NULL": ("ALTER TABLE owners ALTER name DROP NOT NULL", "missing-not-null"),
    "a default": ("ALTER TABLE pets ALTER at SET DEFAULT '2020-02-02'", "different-default"),
    "a type": ("ALTER TABLE owners ALTER name TYPE varchar(3)", "narrow-column"),
    "an index": ("DROP INDEX pets_owner_id_idx", "missing-index"),
    "a sequence": ("ALTER SEQUENCE pets_id_seq OWNED BY NONE", "unowned-sequence"),
}


def errors(work: Session) -> set[str]:
    return {finding.slug for finding in work.check().findings}


def is_read_once(database: Database) -> bool:
    """Return whether a check of a sound database takes the very tables from which its contract was made."""
    with session(database.dsn, "self") as work:
        report = work.check()

    assert report.findings == ()
    assert work.contract.seen is not None
    return report.comparison.actual.tables is work.contract.seen.tables


def test_the_catalogue_is_read_once(empty: Database) -> None:
    empty.run(TABLES)

    assert any(is_read_once(empty) for _ in range(20))  # others share the server, and end transactions in between


@pytest.mark.parametrize(("change", "slug"), CHANGES.values(), ids=CHANGES)
def test_what_changed_since_the_contract_was_read_is_found(empty: Database, change: str, slug: str) -> None:
    empty.run(TABLES)
    with session(empty.dsn, "self") as work:
        before = errors(work)
        empty.run(change)
        after = errors(work)

    assert (before, slug in after) == (set(), True)


def test_what_is_changed_back_is_sound_again(empty: Database) -> None:
    empty.run(TABLES)
    with session(empty.dsn, "self") as work:
        empty.run("ALTER TABLE owners ALTER name DROP NOT NULL")
        between = errors(work)
        empty.run("ALTER TABLE owners ALTER name SET NOT NULL")

        assert (between, errors(work)) == ({"missing-not-null"}, set())


def test_a_run_sees_what_it_has_changed_itself(empty: Database) -> None:
    empty.run(f"{TABLES} ALTER TABLE pets DISABLE TRIGGER ALL")
    with session(empty.dsn, "self") as work:
        report, plan = work.made()
        work.apply(plan, report)

        assert ({f.slug for f in report.findings}, errors(work)) == ({"disabled-foreign-key"}, set())


def test_a_change_that_was_under_way_is_found_once_it_is_done(empty: Database) -> None:
    empty.run(TABLES)
    with session(empty.dsn, "self") as other:
        with other.link.connection.cursor() as cursor:
            cursor.execute(f"UPDATE pg_attribute SET attnotnull = false WHERE {NAME}")  # locks out no reader
        with session(empty.dsn, "self") as work:
            before = errors(work)
            other.link.connection.commit()

            assert (before, errors(work)) == (set(), {"missing-not-null"})
