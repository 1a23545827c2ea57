"""Keys over periods (PostgreSQL 18) under plain keys of the contract: no good row moves, no key is lost."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Column, ForeignKeyConstraint, Integer, MetaData, Table
from sqlalchemy.dialects.postgresql import DATERANGE, INT4RANGE

import fixer
from fixer.connect.target import resolve
from fixer.errors import NeedsPermission
from lab.database import Database, lent, written
from lab.laboratory import Laboratory

MODES = pytest.mark.parametrize("mode", ["atomic", "online"])
ROWS = """
CREATE TABLE price (id int4range, during daterange, PRIMARY KEY (id, during WITHOUT OVERLAPS));
CREATE TABLE sale (id serial PRIMARY KEY, price_id int4range, during daterange,
    CONSTRAINT at_price FOREIGN KEY (price_id, PERIOD during) REFERENCES price (id, PERIOD during));
INSERT INTO price VALUES ('[1,2)', '[2020-01-01,2021-01-01)'), ('[1,2)', '[2021-01-01,2022-01-01)');
INSERT INTO sale (price_id, during) VALUES ('[1,2)', '[2020-06-01,2021-06-01)'), ('[1,2)', '[2020-01-01,2021-01-01)');
"""


def shop(*keys: str) -> MetaData:
    """Return the plain contract, with these columns in the key of prices."""
    metadata = MetaData()
    columns = {"id": INT4RANGE, "during": DATERANGE}
    Table("price", metadata, *(Column(name, type_, primary_key=name in keys) for name, type_ in columns.items()))
    sale = [Column("id", Integer, primary_key=True), Column("price_id", INT4RANGE), Column("during", DATERANGE)]
    if len(keys) > 1:
        sale.append(ForeignKeyConstraint(["price_id", "during"], ["price.id", "price.during"], name="at_price"))
    Table("sale", metadata, *sale)
    return metadata


@pytest.fixture
def database(laboratory: Laboratory) -> Iterator[Database]:
    with lent(laboratory.server(18), None) as database:
        database.run(ROWS)
        yield database


def test_a_period_that_several_rows_cover_together_is_no_orphan(database: Database) -> None:
    assert fixer.check(resolve(database.dsn), shop("id", "during"), deep=True).findings == ()


@MODES
def test_a_foreign_key_over_a_period_is_validated_without_moving_rows(database: Database, mode: str) -> None:
    definition = database.ask("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'at_price'")
    database.run(f"ALTER TABLE sale DROP CONSTRAINT at_price, ADD CONSTRAINT at_price {definition} NOT VALID")
    fixer.apply(resolve(database.dsn), shop("id", "during"), mode=mode, allow_hazards="all")

    assert database.ask("SELECT convalidated FROM pg_constraint WHERE conname = 'at_price'")
    assert database.ask("SELECT count(*) FROM sale") == 2


@MODES
def test_a_lost_foreign_key_over_a_period_is_for_a_person_who_gets_the_statement(database: Database, mode: str) -> None:
    database.run("ALTER TABLE sale DROP CONSTRAINT at_price")
    before = written(database)
    with pytest.raises(NeedsPermission) as refused:
        fixer.apply(resolve(database.dsn), shop("id", "during"), mode=mode, allow_hazards="all")

    assert before == written(database)
    database.run(str(refused.value).split("run: ")[1].split(". Nothing")[0])
    assert fixer.check(resolve(database.dsn), shop("id", "during"), deep=True).ok


@MODES
def test_a_key_without_overlaps_is_not_replaced_unseen(database: Database, mode: str) -> None:
    before = written(database)
    refusals = fixer.plan(resolve(database.dsn), shop("id"), mode=mode).refusals
    with pytest.raises(NeedsPermission):
        fixer.apply(resolve(database.dsn), shop("id"), mode=mode, allow_hazards="all")

    assert before == written(database)
    assert [each.split(": ")[1] for each in refusals] == [
        "they are versions of one thing, which price_pkey tells apart by during",
        "price_pkey is WITHOUT OVERLAPS, and would be lost; if it shall go, run",
    ]
