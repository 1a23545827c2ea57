"""A plan announces the rows that will move, and no more, where its own steps change what references mean."""

from __future__ import annotations

from contextlib import closing

import psycopg2
import pytest
from sqlalchemy import ForeignKey, MetaData

import fixer
from fixer.model.plan import MODES
from lab.database import lent
from lab.examples.models import contract, integer, key, text
from lab.laboratory import Laboratory

STALLS = """
CREATE TABLE stalls (id serial, n integer, above integer, name text);
CREATE TABLE wares (id serial PRIMARY KEY, stall integer);
INSERT INTO stalls (n, above) VALUES (2, NULL), (4, 1), (6, 1), (8, 2);
INSERT INTO wares (stall) VALUES (1), (2), (3), (4);
"""
KEYS = {
    "the row that gets a new number goes": ("INSERT INTO stalls VALUES (1, 2, NULL, 'of the same n')", (1, 0)),
    "the row that gets a new number is an orphan": ("INSERT INTO stalls VALUES (1, 99, 77)", (1, 0)),
    "the row that keeps its number goes, with what is under it": (
        "UPDATE stalls SET n = 2 WHERE n = 8; INSERT INTO stalls VALUES (4, 99, 1), (5, 7, 4)",
        (2, 1),
    ),
    "both go": ("INSERT INTO stalls VALUES (4, 6, 1); UPDATE stalls SET n = 2 WHERE n = 8", (2, 1)),
    "the row that keeps its number goes before that": (
        "ALTER TABLE stalls ALTER n TYPE text; UPDATE stalls SET n = 'many' WHERE id = 1;"
        "INSERT INTO stalls VALUES (1, '99')",
        (1, 0),
    ),
}


def stalls() -> MetaData:
    above, stall = integer("above", ForeignKey("stalls.id")), integer("stall", ForeignKey("stalls.id"))
    return contract(stalls=(key(), integer("n", unique=True), above, text("name")), wares=(key(), stall))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("how", KEYS.values(), ids=KEYS.keys())
def test_references_stay_with_the_row_that_keeps_its_number(
    laboratory: Laboratory, how: tuple[str, tuple[int, int]], mode: str
) -> None:
    breaks, moving = how
    assert announced_and_moved(laboratory, stalls(), STALLS + breaks, mode) == [moving, moving]


def yards(**known: object) -> MetaData:
    above = integer("above", ForeignKey("stalls.id"))
    wanted = contract(stalls=(key(), text("n", unique=True), above), wares=(key(), integer("stall")))
    wanted.tables["wares"].append_column(text("n", ForeignKey("stalls.n")))
    wanted.tables["wares"].c.stall.append_foreign_key(ForeignKey("stalls.id"))
    wanted.tables["stalls"].info["default_rows"] = [known]
    return wanted


YARDS = """
CREATE TABLE stalls (id serial PRIMARY KEY, n text UNIQUE, above integer);
CREATE TABLE wares (id serial PRIMARY KEY, stall integer, n text);
INSERT INTO stalls VALUES (2, 'a', NULL), (3, 'b', 1), (4, 'c', 77); SELECT setval('stalls_id_seq', 4);
INSERT INTO wares (stall, n) VALUES (1, 'a'), (2, 'root'), (3, 'd');
"""


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("known", "moving"), [({"id": 1, "n": "root"}, (1, 1)), ({"n": "root"}, (2, 2))], ids=["by its number", "by name"]
)
def test_what_references_a_default_row_that_comes_stays(
    laboratory: Laboratory, known: dict[str, object], moving: tuple[int, int], mode: str
) -> None:
    assert announced_and_moved(laboratory, yards(**known), YARDS, mode) == [moving, moving]


def announced_and_moved(laboratory: Laboratory, wanted: MetaData, breaks: str, mode: str) -> list[tuple[int, ...]]:
    """Return how many rows of each table a plan says that it moves, and how many it moved."""
    with lent(laboratory.server(18), None) as database, closing(psycopg2.connect(database.dsn)) as connection:
        database.run(breaks)
        told = fixer.plan(connection, wanted, mode=mode).moves
        run = fixer.apply(connection, wanted, mode=mode, allow_hazards="all")
        moved = {entry.table: entry.quarantined for entry in run.ledger}
        return [tuple(each.get(table, 0) for table in sorted(moved)) for each in ({**told}, moved)]


TAGS = """
CREATE TABLE tags (id text, n integer, name text, old text);
INSERT INTO tags VALUES ('K1', 1, 'a', NULL), ('K2', 2, NULL, 'b'), ('K3', 2, 'c', NULL), ('K3', 4, 'd', NULL);
"""


@pytest.mark.parametrize("mode", MODES)
def test_a_row_that_gets_the_value_of_its_legacy_column_has_no_fault(laboratory: Laboratory, mode: str) -> None:
    name = text("name", nullable=False, info={"legacy_names": ["old"]})
    wanted = contract(tags=(text("id", primary_key=True), integer("n", unique=True), name))
    assert announced_and_moved(laboratory, wanted, TAGS, mode) == [(1,), (1,)]
