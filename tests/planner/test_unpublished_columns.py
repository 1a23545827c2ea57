"""From PostgreSQL 18 on, all columns tell no rows to a publication that leaves out a generated one of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Column, Computed, Integer, MetaData, Table

from fixer.errors import UndoRefused
from lab.database import lent
from lab.examples.shop import ALL, repair, take_back
from lab.laboratory import VERSIONS, Laboratory
from lab.outcomes import outcome

pytestmark = pytest.mark.skipif(max(VERSIONS) < 18, reason="before PostgreSQL 18, generated columns hinder nobody")

COMPUTED = "n integer CHECK (n > 0), twice integer GENERATED ALWAYS AS (n * 2) {}"
WANTED = f"CREATE TABLE t (id integer PRIMARY KEY, {COMPUTED});"
ROWS = "INSERT INTO t (id, n) VALUES (1, 1), (2, -2);"
FOUND = f"CREATE TABLE t (id integer, {COMPUTED.replace(' CHECK (n > 0)', '')}, PRIMARY KEY (id{{more}}));"
STORED = "CREATE PUBLICATION p FOR ALL TABLES WITH (publish_generated_columns = stored);"
FULL = "ALTER TABLE t REPLICA IDENTITY FULL;"
MUTE = "leaves out the generated twice"
# How the table stands, of which kind the column is, and what is said; empty where it is repaired.
STANDING = {
    "its key is replaced": (FOUND.replace("{more}", ", n") + ROWS + ALL, "STORED", MUTE),
    "its key is replaced, and the column published": (FOUND.replace("{more}", ", n") + ROWS + STORED, "STORED", ""),
    "its key is replaced, and the column never published": (
        FOUND.replace("{more}", ", n") + ROWS + STORED,
        "VIRTUAL",
        MUTE,
    ),
    "all columns tell its rows": (FOUND.replace("{more}", "") + ROWS + FULL + ALL, "STORED", MUTE),
    "all columns tell its rows, and it is published": (
        FOUND.replace("{more}", "") + ROWS + FULL + STORED,
        "STORED",
        "",
    ),
    "its key tells its rows": (FOUND.replace("{more}", "") + ROWS + ALL, "STORED", ""),
    "the column is to come": (f"CREATE TABLE t (id integer PRIMARY KEY, n integer); {FULL} {ALL}", "STORED", MUTE),
    "column and key are to come": (f"CREATE TABLE t (id integer NOT NULL, n integer); {ALL}", "STORED", ""),
}


@pytest.mark.parametrize("how", STANDING)
def test_rows_that_nothing_would_tell_are_left_to_a_person(laboratory: Laboratory, tmp_path: Path, how: str) -> None:
    made, kind, said = STANDING[how]
    contract = tmp_path / "c.sql"
    contract.write_text(WANTED.format(kind))
    ended = outcome(laboratory, str(contract), made.format(kind), "atomic")

    assert said in ended
    assert bool(said) == (ended != "mended")


def test_undo_says_what_lets_it_tell_rows(laboratory: Laboratory) -> None:
    wanted = MetaData()
    columns = [Column("n", Integer), Column("twice", Integer, Computed("n * 2", persisted=True))]
    key = Column("id", Integer, primary_key=True, autoincrement=False)
    Table("t", wanted, key, *columns, info={"default_rows": [{"id": 7}]})
    with lent(laboratory.server(max(VERSIONS)), None) as database:
        database.run(f"CREATE TABLE t (id integer NOT NULL, {COMPUTED.format('STORED')}); {ALL}")
        repair(database, wanted)
        with pytest.raises(UndoRefused, match="publish_generated_columns = stored"):
            take_back(database)
        database.run("ALTER PUBLICATION p SET (publish_generated_columns = stored)")
        take_back(database)

        assert database.ask("SELECT count(*) FROM t") == 0
