"""Types that stand and differ from the contract's: a plan that brings columns of them says so, and keeps its word."""

from __future__ import annotations

from contextlib import closing

import psycopg2
import pytest
from sqlalchemy import ARRAY, Column, Enum, Integer, MetaData, text
from sqlalchemy.dialects.postgresql import DOMAIN

import fixer
from fixer.errors import NeedsPermission
from fixer.model.plan import MODES
from lab.database import Database, all_of, differences
from lab.examples.models import contract, key

MADE = "CREATE TABLE other (id serial PRIMARY KEY); CREATE DOMAIN price AS integer {}"
WITHOUT = {
    "default": ("NOT NULL CHECK (VALUE > -1)", "SET DEFAULT 4"),
    "check": ("DEFAULT 4 NOT NULL", "ADD CHECK (VALUE > -1)"),
    "filled": ("DEFAULT 4 CHECK (VALUE > -1)", "SET NOT NULL"),
}
TO_COME = {"table": "", "column": "CREATE TABLE item (id serial PRIMARY KEY); INSERT INTO item DEFAULT VALUES"}


def wanted() -> MetaData:
    price = DOMAIN("price", Integer, check="VALUE > -1", default=text("4"), not_null=True)
    return contract(item=(key(), Column("p", price), Column("q", ARRAY(price))), other=(key(),))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("lost", WITHOUT)
@pytest.mark.parametrize("what", TO_COME)
def test_a_domain_that_demands_less_holds_up_columns_to_come(empty: Database, what: str, lost: str, mode: str) -> None:
    demands, way = WITHOUT[lost]
    empty.run(f"{MADE.format(demands)}; {TO_COME[what]}")
    before = all_of(empty)
    with closing(psycopg2.connect(empty.dsn)) as connection:
        plan = fixer.plan(connection, wanted(), mode=mode)
        named = {f"{each.slug}:{each.object}" for each in plan.findings if each.repair.refusal}
        with pytest.raises(NeedsPermission, match=r"ALTER DOMAIN (public|\"public\")\.price"):
            fixer.apply(connection, wanted(), mode=mode)
        run = fixer.apply(connection, wanted(), mode=mode, skip=named)
        left = {f"{each.slug}:{each.object}" for each in fixer.check(connection, wanted()).findings}
        assert run.run is not None
        fixer.undo(connection, run.run)

        assert named == left
        assert differences(before, empty) == []
        empty.run(f"ALTER DOMAIN price {way}")
        fixer.apply(connection, wanted(), mode=mode)
        assert fixer.check(connection, wanted()).findings == ()


@pytest.mark.parametrize("what", ["table", "column", "there"])
@pytest.mark.parametrize(
    ("stands", "said"),
    [
        ("DOMAIN mood AS text", 'should be of an enum, and "public".mood is a domain'),
        ("TYPE mood AS (a integer)", 'should be of an enum, and "public".mood is neither an enum nor a domain'),
    ],
)
def test_another_kind_of_type_under_the_name_of_an_enum_is_found(
    empty: Database, stands: str, said: str, what: str
) -> None:
    table = {"table": "", "column": "CREATE TABLE t (id serial PRIMARY KEY)"}
    empty.run(f"CREATE {stands}; {table.get(what, 'CREATE TABLE t (id serial PRIMARY KEY, k mood)')}")
    meant = contract(t=(key(), Column("k", Enum("a", "b", name="mood"))), u=(key(),))
    with closing(psycopg2.connect(empty.dsn)) as connection:
        plan = fixer.plan(connection, meant, skip=["missing-table:public.u"])
        found = [f"{each.message}: {each.repair.refusal}" for each in plan.findings if each.repair.refusal]
        empty.run("ALTER TYPE mood RENAME TO other")
        again = [each.repair.refusal for each in fixer.plan(connection, meant).findings if each.object != "public.t.k"]

    assert len(found) == 1
    assert said in found[0]
    assert 'ALTER TYPE "public".mood RENAME TO …' in found[0]
    assert set(again) == {None}


def test_a_domain_over_a_type_that_holds_less_is_no_type_of_columns_to_come(empty: Database) -> None:
    empty.run("CREATE DOMAIN price AS text DEFAULT '4' NOT NULL")
    with closing(psycopg2.connect(empty.dsn)) as connection, pytest.raises(NeedsPermission) as refused:
        fixer.apply(connection, wanted(), mode="atomic", allow_hazards="all")

    assert 'p should be of a domain over integer, and "public".price is over text' in str(refused.value)


@pytest.mark.parametrize(("check", "refused"), [("VALUE < 6", True), ("VALUE < 7", False)])
def test_a_domain_that_does_not_take_the_value_of_rows_holds_up_their_column(
    empty: Database, check: str, refused: bool
) -> None:
    price = DOMAIN("price", Integer, default=text("4"))
    meant = contract(item=(key(), Column("p", price, nullable=False, info={"backfill": 6})))
    empty.run(f"CREATE DOMAIN price AS integer DEFAULT 4 CHECK ({check}); {TO_COME['column']}")
    with closing(psycopg2.connect(empty.dsn)) as connection:
        found = [each.repair.refusal or "" for each in fixer.plan(connection, meant).findings if each.breaks]

    assert refused == any("value for domain public.price violates check constraint" in each for each in found)
