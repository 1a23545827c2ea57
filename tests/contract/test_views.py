"""Views among the tables of models: no part of the contract, and no stranger to the suite."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
import sqlalchemy as sa
from sqlalchemy import Column, Integer, MetaData, Table, Text

import fixer as library
from lab.database import Database
from lab.process import fixer
from lab.proof import Proof, place_of

VIEWS = """
CREATE TABLE t (id serial PRIMARY KEY, v text NOT NULL);
CREATE VIEW "told.so" AS SELECT id FROM t;
CREATE VIEW made AS SELECT id FROM t;
CREATE MATERIALIZED VIEW kept AS SELECT id FROM t;
"""


def models(told: bool = True) -> MetaData:
    """Return models with a table that says that it stands for a view, and with views of SQLAlchemy 2.1."""
    metadata = MetaData()
    table = Table("t", metadata, Column("id", Integer, primary_key=True), Column("v", Text, nullable=False))
    Table("told.so", metadata, Column("id", Integer, primary_key=True), info={"is_view": told})
    if hasattr(sa, "CreateView"):
        sa.CreateView(sa.select(table.c.id), "made", metadata=metadata)
        sa.CreateView(sa.select(table.c.id), "kept", metadata=metadata, materialized=True)
    return metadata


@pytest.fixture
def made(empty: Database) -> Database:
    empty.run(VIEWS)
    return empty


def slugs(database: Database, metadata: MetaData) -> list[str]:
    with closing(psycopg2.connect(database.dsn)) as connection:
        return sorted(each.slug for each in library.check(connection, metadata).findings)


def test_views_are_no_part_of_the_contract(made: Database) -> None:
    assert slugs(made, models()) == []
    assert slugs(made, models(told=False)) == ["missing-table"]
    made.run("ALTER TABLE t ALTER v DROP NOT NULL")
    assert slugs(made, models()) == ["missing-not-null"]


def test_the_suite_leaves_views_alone(made: Database, tmp_path: Path) -> None:
    with place_of(made.dsn, f"{__name__}:models", tmp_path) as place:
        proof = Proof(place)

    assert (proof.red, {name for name in proof.untried if "made" in name or "told" in name}) == ({}, set())


ELSEWHERE = """
from sqlalchemy import Column, Integer, MetaData, Table, Text, create_engine
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import CreateTable

metadata = MetaData()
Table("t", metadata, Column("id", Integer, primary_key=True), Column("v", Text, nullable=False))
Table("words", metadata, Column("rowid", Integer), Column("v", Text), info={"elsewhere": True})


@compiles(CreateTable, "postgresql")
def made(element, compiler, **options):
    return "SELECT 1" if element.element.info else compiler.visit_create_table(element, **options)
"""


def test_a_table_that_the_models_make_on_other_databases_alone_is_no_part_of_the_contract(
    empty: Database, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere.py").write_text(ELSEWHERE)
    named = ("--contract", "elsewhere:metadata", "--dsn", empty.dsn)
    lacks = fixer("check", *named, cwd=tmp_path)
    repaired = fixer("apply", "--yes", "-q", *named, cwd=tmp_path)

    assert ("t should be a table" in lacks.stdout, "words" in lacks.stdout, lacks.returncode) == (True, False, 1)
    assert (repaired.returncode, repaired.stderr) == (0, "")
    assert empty.run("SELECT relname FROM pg_class WHERE relname IN ('t', 'words')") == [("t",)]
