"""Constraints that are NOT ENFORCED are called that, and neither NOT VALID nor asleep."""

from __future__ import annotations

from contextlib import closing

import psycopg2
import pytest
from sqlalchemy import CheckConstraint, Column, ForeignKey, String

import fixer
from lab.database import lent
from lab.examples.models import contract, integer, key
from lab.laboratory import VERSIONS, Laboratory

WANTED = contract(
    p=(key(),), c=(key(), integer("p_id", ForeignKey("p.id")), integer("q", CheckConstraint("q > 0", name="q_pos")))
)


@pytest.mark.skipif(max(VERSIONS) < 18, reason="PostgreSQL 17 enforces every constraint")
def test_what_is_not_enforced_is_said_to_be_that(laboratory: Laboratory) -> None:
    with lent(laboratory.server(max(VERSIONS)), None) as database:
        database.run(
            "CREATE TABLE p (id serial PRIMARY KEY); CREATE TABLE c (id serial PRIMARY KEY,"
            " p_id integer REFERENCES p NOT ENFORCED, q integer CONSTRAINT q_pos CHECK (q > 0) NOT ENFORCED)"
        )
        with closing(psycopg2.connect(database.dsn)) as connection:
            plan = fixer.plan(connection, WANTED)
            found = {finding.slug: finding.message for finding in fixer.check(connection, WANTED).findings}

    said = " ".join((*found.values(), *(step.title for step in plan.steps)))
    assert {slug for slug, message in found.items() if message.endswith("NOT ENFORCED")} == found.keys()
    assert "NOT VALID" not in said
    assert "superuser" not in said


def test_triggers_of_a_foreign_key_whose_column_gets_another_type_are_enabled(laboratory: Laboratory) -> None:
    wanted = contract(
        p=(Column("id", String(9), primary_key=True),), c=(key(), Column("p_id", String(9), ForeignKey("p.id")))
    )
    with lent(laboratory.server(18), None) as database:
        database.run(
            "CREATE TABLE p (id varchar(9) PRIMARY KEY); INSERT INTO p VALUES ('a');"
            "CREATE TABLE c (id serial PRIMARY KEY, p_id char(9) REFERENCES p);"
            "ALTER TABLE c DISABLE TRIGGER ALL; INSERT INTO c (p_id) VALUES ('a')"
        )
        assert fixer.apply(database.dsn, wanted, allow_hazards="all").ok
        fixer.undo(database.dsn, 1)
        assert database.run("SELECT tgenabled FROM pg_trigger WHERE tgrelid = 'c'::regclass") == [("D",), ("D",)]
