"""Rows that share a key and have another by which others reference them: what hangs on them is never lost."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

import psycopg2
import pytest
from sqlalchemy import Column, ForeignKey, Integer, MetaData, Table, Text

import fixer
from fixer.model.plan import MODES, PlannedStep
from fixer.model.step.progress import Progress
from lab.database import Database, all_of, differences, lent
from lab.laboratory import VERSIONS, Laboratory

MADE = """
CREATE TABLE nodes (id int NOT NULL, code text UNIQUE{});
CREATE TABLE tags (id serial PRIMARY KEY, node text REFERENCES nodes (code) ON DELETE CASCADE);
INSERT INTO nodes VALUES (1, 'first'), (1, 'second'), (2, 'other');
INSERT INTO tags (node) VALUES ('first'), ('second'), ('other');
"""
ITSELF = ", parent text REFERENCES nodes (code)"
SHAPES = pytest.mark.parametrize("itself", ["", ITSELF], ids=["alone", "which references itself"])


def wanted(itself: str) -> MetaData:
    metadata = MetaData()
    parent = [Column("parent", Text, ForeignKey("nodes.code"))] if itself else []
    key = Column("id", Integer, primary_key=True, autoincrement=False)
    Table("nodes", metadata, key, Column("code", Text, unique=True), *parent)
    node = Column("node", Text, ForeignKey("nodes.code", ondelete="CASCADE"))
    Table("tags", metadata, Column("id", Integer, primary_key=True), node)
    return metadata


class BeforeRowsGo(Progress):
    """Does something once, before the first step that moves rows of a table."""

    def __init__(self, table: str, deed: Callable[[], object]) -> None:
        self.table, self.deed, self.done = table, deed, False

    def step(self, step: PlannedStep, count: int) -> None:
        if step.effect.moves and step.table.name == self.table and not self.done:
            self.done = True
            self.deed()


def kept(database: Database) -> list[str]:
    """Return what all tags point at that stand in their table or in quarantine."""
    rows = database.run(
        "SELECT node FROM tags UNION ALL SELECT \"row\" ->> 'node' FROM fixer_quarantine.tags ORDER BY 1"
    )
    return [node for (node,) in rows]


@SHAPES
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("version", VERSIONS)
def test_what_references_a_row_by_its_other_key_goes_with_it(
    laboratory: Laboratory, version: int, mode: str, itself: str
) -> None:
    with lent(laboratory.server(version), None) as database:
        database.run(MADE.format(itself))
        before = all_of(database)
        with closing(psycopg2.connect(database.dsn)) as connection:
            run = fixer.apply(connection, wanted(itself), mode=mode, allow_hazards="all")
        tags = kept(database)
        with closing(psycopg2.connect(database.dsn)) as connection:
            fixer.undo(connection, run.run or 0)

        assert tags == ["first", "other", "second"]
        assert differences(before, database) == []


@SHAPES
def test_what_comes_in_under_a_row_that_goes_is_kept_as_well(laboratory: Laboratory, itself: str) -> None:
    with lent(laboratory.server(max(VERSIONS)), None) as database:
        database.run(MADE.format(itself))
        late = BeforeRowsGo("nodes", lambda: database.run("INSERT INTO tags (node) VALUES ('second')"))
        with closing(psycopg2.connect(database.dsn)) as connection:
            fixer.apply(connection, wanted(itself), mode="online", allow_hazards="all", progress=late)

        assert kept(database) == ["first", "other", "second", "second"]
