"""A plan announces each row that follows another: by several ways at once, or by the text of an old key."""

from __future__ import annotations

from contextlib import closing

import psycopg2
import pytest
import sqlalchemy as sa
from sqlalchemy import CheckConstraint, Column, ForeignKey, MetaData

import fixer
from fixer.model.plan import MODES
from lab.database import Database
from lab.examples.models import contract, integer, key, text

SHELVES = """
CREATE TABLE rooms (id serial PRIMARY KEY);
CREATE TABLE shelves (id serial PRIMARY KEY, room integer NOT NULL, n integer);
CREATE TABLE jars (id serial PRIMARY KEY, shelf integer);
INSERT INTO rooms DEFAULT VALUES;
INSERT INTO shelves (room, n) VALUES (1, 1), (9, 2), (1, -3), (1, NULL);
INSERT INTO jars (shelf) VALUES (1), (2), (3), (4), (77), (2);
"""


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("orphans", ["null", "adopt"])
def test_rows_whose_parents_go_for_several_reasons_are_all_announced(empty: Database, orphans: str, mode: str) -> None:
    room, n = integer("room", ForeignKey("rooms.id"), nullable=False), integer("n", nullable=False)
    shelf = integer("shelf", ForeignKey("shelves.id"), info={"orphans": orphans})
    wanted = contract(rooms=(key(),), shelves=(key(), room, n), jars=(key(), shelf))
    wanted.tables["shelves"].append_constraint(CheckConstraint("n > 0"))
    wanted.tables["shelves"].info["default_rows"] = [{"id": 1, "room": 1, "n": 1}]
    empty.run(SHELVES)
    plan = fixer.plan(empty.dsn, wanted, mode=mode)
    with closing(psycopg2.connect(empty.dsn)) as connection:
        fixer.apply(connection, wanted, mode=mode, allow_hazards="all")

    told = [step.effect.rows for step in plan.steps if step.table.name == "jars" and step.effect.changes]
    assert (told, empty.run("SELECT count(*) FROM fixer_journal.before_image")) == ([5], [(5,)])


CHAIN = """
CREATE TABLE a ({key}code text, up text, n integer);
CREATE TABLE b ({key}code text, a_id text);
CREATE TABLE c (id serial PRIMARY KEY, b_id text);
INSERT INTO a (code, up, n) VALUES ('a1', NULL, 1), ('a2', 'a1', 2), ('a3', 'gone', 3), ('a4', 'a3', 4),
  ('a5', 'a4', 5), ('a6', 'a1', NULL), ('a7', 'a6', 7);
INSERT INTO b (code, a_id) VALUES ('b1', 'a1'), ('b2', 'gone'), ('b3', 'a5'), ('b4', 'a7'), ('b5', NULL), ('b6', 'a2');
INSERT INTO c (b_id) VALUES ('b1'), ('b2'), ('b3'), ('b4'), ('b5'), ('b6'), ('gone'), ('b2');
"""
UUID = "id uuid PRIMARY KEY DEFAULT gen_random_uuid(), "


def chain(type_: sa.types.TypeEngine[object], **made: sa.TextClause) -> MetaData:
    """Return a contract of tables that reference each other by keys which are none of the texts they hold today."""
    hint = {"legacy_keys": ["code"]}
    keys = [Column("id", type_, primary_key=True, info=hint, server_default=made.get("default")) for _ in "ab"]
    above, of_a = Column("up", type_, ForeignKey("a.id")), Column("a_id", type_, ForeignKey("a.id"), nullable=False)
    of_b = Column("b_id", type_, ForeignKey("b.id"), nullable=False)
    a = (keys[0], text("code"), above, integer("n", nullable=False))
    return contract(a=a, b=(keys[1], text("code"), of_a), c=(key(), of_b))


KEYS = {
    "numbers": ("", chain(sa.Integer())),
    "uuids": ("", chain(sa.Uuid(), default=sa.text("gen_random_uuid()"))),
    "uuids that are there": (UUID, chain(sa.Uuid(), default=sa.text("gen_random_uuid()"))),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", KEYS)
def test_what_follows_a_row_by_the_text_of_its_old_key_is_announced(empty: Database, kind: str, mode: str) -> None:
    there, wanted = KEYS[kind]
    empty.run(CHAIN.replace("{key}", there))
    told = fixer.plan(empty.dsn, wanted, mode=mode).moves
    with closing(psycopg2.connect(empty.dsn)) as connection:
        run = fixer.apply(connection, wanted, mode=mode, allow_hazards="all")

    moved = {entry.table.name: entry.quarantined for entry in run.ledger}
    assert {table.name: rows for table, rows in told.items()} == moved == {"a": 5, "b": 4, "c": 6}
