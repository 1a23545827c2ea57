"""Undo above heirs: their primary keys hold no NULL, whatever the table above them allows again."""

from __future__ import annotations

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, Text, text

from fixer.model.plan import MODES
from lab.laboratory import VERSIONS, Laboratory
from lab.outcomes import outcome

TABLES = """
CREATE TABLE above (id integer PRIMARY KEY DEFAULT 0, n text NOT NULL);
CREATE TABLE heir (id integer PRIMARY KEY DEFAULT 0) INHERITS (above);
CREATE TABLE unknown () INHERITS (above);
INSERT INTO above VALUES (1, 'a'); INSERT INTO heir VALUES (2, 'b'); INSERT INTO unknown VALUES (3, 'c');
"""
BREAKS = {
    "the column of the key is gone": "ALTER TABLE above DROP COLUMN id CASCADE; DROP TABLE unknown; TRUNCATE above",
    "the key is gone": "ALTER TABLE above DROP CONSTRAINT above_pkey",
    "the key is gone, and NULL allowed": (
        "ALTER TABLE above DROP CONSTRAINT above_pkey; ALTER TABLE ONLY above ALTER id DROP NOT NULL;"
        "ALTER TABLE ONLY unknown ALTER id DROP NOT NULL"
    ),
    "the key is another, and heirs may hold its NULL": (
        "ALTER TABLE above DROP CONSTRAINT above_pkey; ALTER TABLE above ADD CONSTRAINT k PRIMARY KEY (n);"
        "ALTER TABLE ONLY heir ALTER n DROP NOT NULL; UPDATE ONLY heir SET n = NULL; DROP TABLE unknown"
    ),
}


def family() -> MetaData:
    metadata = MetaData()
    keys = [Column("id", Integer, primary_key=True, autoincrement=False, server_default=text("0")) for _ in range(2)]
    above = Table("above", metadata, keys[0], Column("n", Text, nullable=False))
    Table("heir", metadata, keys[1], postgresql_inherits="above").add_is_dependent_on(above)
    return metadata


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("what", BREAKS)
@pytest.mark.parametrize("version", sorted({min(VERSIONS), max(VERSIONS)}))
def test_a_key_above_that_of_an_heir_is_taken_back(laboratory: Laboratory, version: int, what: str, mode: str) -> None:
    if version >= 18 and "NULL" in what:
        pytest.skip("PostgreSQL 18 gives every heir the NOT NULL of the table above")

    assert outcome(laboratory, family(), TABLES + BREAKS[what], mode, version) == "mended"
