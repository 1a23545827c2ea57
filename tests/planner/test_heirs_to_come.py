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


COUNTED = "CREATE TABLE p (id serial PRIMARY KEY, n integer); CREATE TABLE h (PRIMARY KEY (id)) INHERITS (p);"
UNFINISHED = "CREATE INDEX ix ON p (n); UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'ix'::regclass;"
NUMBERED = {  # what is broken, what is left out, and what numbers the heir
    "by another sequence": (
        "CREATE SEQUENCE s; ALTER TABLE p ALTER id SET DEFAULT nextval('s'); DROP SEQUENCE p_id_seq",
        "",
        "nextval('s'::regclass)",
    ),
    "by none, as the column is left out": ("ALTER TABLE p DROP id", "missing-key-column:public.p.id", None),
}


@pytest.mark.parametrize("mode", ["atomic", "online"])
@pytest.mark.parametrize("how", NUMBERED.values(), ids=NUMBERED.keys())
def test_an_heir_to_come_counts_as_the_table_above_does_by_then(
    database: Database, how: tuple[str, str, str | None], mode: str
) -> None:
    broken, left, counts = how
    database.run(COUNTED)
    other = database.server.database_dsn(database.server.create_database(database.name))
    database.run(f"DROP TABLE h; {broken}")
    skip = (left, "missing-inheritance:public.h") if left else ()
    run = fixer.apply(database.dsn, other, mode=mode, skip=skip, allow_hazards="all")
    again = fixer.plan(database.dsn, other, mode=mode, skip=skip).steps
    default = database.ask("SELECT column_default FROM information_schema.columns WHERE table_name = 'h'")

    assert (run.ok, again, default) == (not left, (), counts)
