"""Models that are sound, and that pg_temp of the target has no room for."""

from __future__ import annotations

from contextlib import closing

import psycopg2
import pytest
from sqlalchemy import Column, Enum, Index, Integer, MetaData, Table, Text, text

import fixer as library
from fixer.contract.models import apart
from lab.database import Database

THERE = """
CREATE SCHEMA "o.ther"; CREATE SCHEMA web; CREATE SCHEMA extensions;
CREATE TABLE "o.ther"."select" (id serial PRIMARY KEY, name text);
CREATE TYPE "select" AS ENUM ('a', 'b');
CREATE FUNCTION extensions.new_code() RETURNS text LANGUAGE sql AS 'SELECT md5(random()::text)';
CREATE TABLE web.t (id serial PRIMARY KEY, kind public."select" NOT NULL, name text,
                    code text DEFAULT extensions.new_code());
CREATE INDEX ix_name ON "o.ther"."select" (name); CREATE INDEX ix_name ON web.t (name);
"""
PATH = "ALTER DATABASE {} SET search_path = public, extensions"


def models(code: str = "new_code()") -> MetaData:
    """Return models with an enum and a table of one name, two indexes of one name, and a function of another schema."""
    metadata = MetaData()
    number, name = Column("id", Integer, primary_key=True), Column("name", Text)
    Table("select", metadata, number, name, Index("ix_name", "name"), schema="o.ther")
    kind = Column("kind", Enum("a", "b", name="select"), nullable=False)
    others = [Column("id", Integer, primary_key=True), Column("name", Text), kind]
    said = Column("code", Text, server_default=text(code))
    Table("t", metadata, *others, said, Index("ix_name", "name", postgresql_concurrently=True), schema="web")
    return metadata


def slugs(database: Database, metadata: MetaData) -> list[str]:
    with closing(psycopg2.connect(database.dsn)) as connection:
        return sorted(each.slug for each in library.check(connection, metadata).findings)


def test_one_name_may_stand_in_two_schemas_and_the_search_path_counts(
    empty: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty.run(THERE + PATH.format(f'"{empty.name}"'))
    assert slugs(empty, models()) == []
    empty.run("DROP INDEX web.ix_name; ALTER TABLE web.t ALTER code DROP DEFAULT")
    with monkeypatch.context() as patch:  # what was read is kept
        patch.setattr(apart, "read", refuse)
        assert slugs(empty, models()) == ["missing-default", "missing-index"]
    assert slugs(empty, models("lost_code()")) == ["missing-index", "refused-definition"]
    empty.run('ALTER FUNCTION extensions.new_code() SET SCHEMA public; DROP TABLE web.t; DROP TABLE "o.ther"."select"')
    empty.run(
        'CREATE TABLE web.t (id serial PRIMARY KEY, kind "select" NOT NULL, name text, code text DEFAULT new_code())'
    )
    assert "missing-default" not in slugs(empty, models())  # what was kept is not of this database any more


def refuse(*_: object) -> None:
    raise AssertionError
