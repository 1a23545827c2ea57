"""A table to come that INHERITs from one whose column changes its type: promised only in the mode that can do it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import fixer
from fixer.connect.servers import Server
from fixer.errors import NeedsPermission
from lab.database import Database, lent

WANTED = "CREATE TABLE p (id integer PRIMARY KEY, n {}); CREATE TABLE h (k integer) INHERITS (p);"
FOUND = "CREATE TABLE p (id integer PRIMARY KEY, n {}); INSERT INTO p VALUES (1, '3');"


@pytest.fixture
def database(server: Server) -> Iterator[Database]:
    with lent(server, None) as database:
        yield database


def contract(database: Database, type_: str) -> str:
    other = database.server.create_database()
    Database(database.server, other).run(WANTED.format(type_))
    return database.server.database_dsn(other)


def test_an_heir_of_a_table_that_keeps_an_old_column_is_not_promised_online(database: Database) -> None:
    database.run(FOUND.format("text"))
    wanted = contract(database, "numeric(10, 2)")
    online = fixer.plan(database.dsn, wanted, mode="online")

    assert ["which h lacks: this takes " in each for each in online.refusals] == [True]
    with pytest.raises(NeedsPermission):
        fixer.apply(database.dsn, wanted, mode="online", allow_hazards="all")
    assert database.ask("SELECT to_regclass('h') IS NULL AND to_regclass('fixer_journal.runs') IS NULL") is True
    assert fixer.apply(database.dsn, wanted, allow_hazards="all").ok


@pytest.mark.parametrize("mode", ["atomic", "online"])
def test_an_heir_of_a_table_whose_columns_stay_is_made(database: Database, mode: str) -> None:
    database.run(FOUND.format("integer"))

    assert fixer.apply(database.dsn, contract(database, "integer"), mode=mode, allow_hazards="all").ok
