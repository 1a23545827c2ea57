"""Of many twins, the largest is counted and named, however it is stored; and each speaker hears of its own options."""

from __future__ import annotations

from contextlib import closing

import psycopg2
import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table

import fixer
from fixer import errors
from lab.database import Database, lent
from lab.laboratory import VERSIONS, Laboratory

ANALYZED = "INSERT INTO {0} SELECT n, 'u' || n, n FROM generate_series(1, {1}) AS n; ANALYZE {0};"
TABLE = "CREATE TABLE {} (id integer, email varchar(50), age integer)"
LARGE = {
    "of its schema": TABLE.format('"Users"') + ";" + ANALYZED.format('"Users"', 500),
    "in parts": f"CREATE SCHEMA z; {TABLE.format('z.users')} PARTITION BY RANGE (id);"
    f"CREATE TABLE z.part PARTITION OF z.users DEFAULT; {ANALYZED.format('z.users', 500)}",
}


def users() -> MetaData:
    metadata = MetaData()
    key, email = Column("id", Integer, primary_key=True), Column("email", String(50))
    Table("users", metadata, key, email, Column("age", Integer))
    return metadata


def refused(laboratory: Laboratory, made: str) -> str:
    """Return why users are not created."""
    with lent(laboratory.server(max(VERSIONS)), None) as database:
        database.run(made)
        return refusal(database)


def refusal(database: Database) -> str:
    with closing(psycopg2.connect(database.dsn)) as connection:
        [why] = fixer.plan(connection, users()).refusals
    return why


@pytest.mark.parametrize("large", LARGE)
def test_the_largest_twin_is_named_first(laboratory: Laboratory, large: str) -> None:
    small = "".join(
        f"CREATE SCHEMA {name}; {TABLE.format(f'{name}.users')}; {ANALYZED.format(f'{name}.users', 5)}"
        for name in ("a", "b", "c", "d")
    )
    told = refused(laboratory, small + LARGE[large])

    assert told.partition("missing, but ")[2].startswith('"Users" (500' if large == "of its schema" else "z.users (500")


@pytest.mark.parametrize(("flags", "way"), [(True, "say --schema 'we\"ird'"), (False, 'say schema="we\\"ird"')])
def test_the_schema_of_a_twin_is_said_as_the_caller_would(
    laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch, flags: bool, way: str
) -> None:
    monkeypatch.setattr(errors._speech, "flags", flags)
    home = '"we""ird"'
    told = refused(
        laboratory, f"CREATE SCHEMA {home}; {TABLE.format(home + '.users')}; {ANALYZED.format(home + '.users', 5)}"
    )

    assert way in told
