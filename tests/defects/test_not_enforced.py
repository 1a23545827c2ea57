"""Constraints that are NOT ENFORCED are called that, and neither NOT VALID nor asleep."""

from __future__ import annotations

from contextlib import closing

import psycopg2
import pytest
from sqlalchemy import CheckConstraint, ForeignKey

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
