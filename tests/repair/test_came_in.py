"""Values that come in between the plan and the conversion: none is cut, rounded or turned into another in silence."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.commands import psql, undo
from lab.database import Database, lent
from lab.examples.items import dozing, kept
from lab.laboratory import Laboratory
from lab.online import ends
from lab.process import fixer

CONTRACT = """
from sqlalchemy import {0}, Column, Integer, MetaData, Table
metadata = MetaData()
Table("items", metadata, Column("id", Integer, primary_key=True), Column("v", {0}({1})))
"""
WAYS = {  # the type that is found, a value that fits, the one that comes in, the type that is wanted
    "a longer number": ("integer", "12", "123456", "String", "5"),
    "a digit more": ("text", "'1.23'", "'1.239'", "Numeric", "10, 2"),
    "another word": ("text", "'yes'", "'maybe'", "Boolean", ""),
    "a part of a number": ("numeric", "1", "1.5", "Integer", ""),
    "a larger number": ("text", "'7'", "'99999'", "SmallInteger", ""),
    "a part of a float": ("double precision", "1", "1.5", "Integer", ""),
    "a longer float": ("double precision", "1.5", "1.23456789", "String", "5"),
}


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> tuple[str, ...]:
    return WAYS[request.param]


@pytest.fixture
def contract(way: tuple[str, ...], tmp_path: Path) -> Path:
    (tmp_path / "things.py").write_text(CONTRACT.format(*way[3:]))
    return tmp_path


@pytest.fixture
def items(way: tuple[str, ...], laboratory: Laboratory) -> Iterator[Database]:
    with lent(laboratory.server(18), None) as database:
        database.run(f"CREATE TABLE items (id serial PRIMARY KEY, v {way[0]}); INSERT INTO items (v) VALUES ({way[1]})")
        yield database


def command(database: Database, contract: Path, *words: object) -> subprocess.CompletedProcess[str]:
    return fixer(*words, "--contract", "things:metadata", "--dsn", database.dsn, cwd=contract)


def apply(database: Database, contract: Path, *words: object) -> subprocess.CompletedProcess[str]:
    return command(database, contract, "apply", "--yes", "--allow-hazards", "all", "-q", *words)


def comes_in(database: Database, way: tuple[str, ...]) -> None:
    database.run(f"INSERT INTO items (v) VALUES ({way[2]})")


def test_a_plan_that_was_kept_stops_at_it(items: Database, contract: Path, way: tuple[str, ...]) -> None:
    plan = contract / "plan.json"
    command(items, contract, "plan", "-o", plan)
    comes_in(items, way)
    before = items.dump()
    ended = apply(items, contract, plan)

    assert "Everything was rolled back" in ended.stderr
    assert ended.returncode == 2
    assert items.dump() == before


def test_a_script_stops_at_it(items: Database, contract: Path, way: tuple[str, ...]) -> None:
    script = contract / "repair.sql"
    command(items, contract, "plan", "--sql", script)
    comes_in(items, way)
    before = items.dump()

    assert psql(items, script).returncode != 0
    assert items.dump() == before


def test_where_nothing_comes_in_the_values_are_converted(items: Database, contract: Path) -> None:
    ended = apply(items, contract)

    assert (ended.stderr, items.ask("SELECT count(*) FROM items WHERE v IS NOT NULL")) == ("", 1)


def test_what_is_converted_in_place_online_is_planned_again(
    items: Database, contract: Path, way: tuple[str, ...]
) -> None:
    items.run("ALTER TABLE items ADD COLUMN g integer GENERATED ALWAYS AS (id * 2) STORED; CREATE TABLE went (id int)")
    items.run(
        # As the conversion begins, and not before it: in the transaction of another.
        "CREATE FUNCTION late() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN"
        " IF current_query() ~ 'fixer_journal' AND NOT EXISTS (SELECT FROM public.went) THEN"
        f"  INSERT INTO public.went VALUES (1); INSERT INTO public.items (id, v) VALUES (100, {way[2]});"
        " END IF; END $$; CREATE EVENT TRIGGER late ON ddl_command_end EXECUTE FUNCTION late()"
    )
    ended = apply(items, contract, "--mode", "online")
    moved = items.run("""SELECT "row" ->> 'v' FROM fixer_quarantine.items""")

    assert (ended.returncode, moved) == (0, [(way[2].strip("'"),)])


def test_the_second_column_of_another_contract_is_not_taken_up(empty: Database, tmp_path: Path) -> None:
    items = empty
    items.run("CREATE TABLE items (id integer PRIMARY KEY, v text); INSERT INTO items VALUES (1, '1'), (2, '2')")
    (tmp_path / "things.py").write_text(CONTRACT.format("Integer", ""))
    ends(items, dozing(items, tmp_path, "VALIDATE CONSTRAINT"), "kill -9")
    items.run("DROP EVENT TRIGGER doze; DROP FUNCTION doze; UPDATE items SET v = '3' WHERE id = 2")
    (tmp_path / "things.py").write_text(CONTRACT.format("Numeric", "10, 2"))
    items.run("ALTER TABLE items DISABLE TRIGGER ALL; UPDATE items SET v = '1.5' WHERE id = 1")
    ended = apply(items, tmp_path, "--mode", "online")

    assert (ended.stderr, kept(items)) == ("", ["pgmend_was_v"])
    assert items.run("SELECT v::text FROM items ORDER BY id") == [("1.50",), ("3.00",)]
    assert undo(items, 1, "-q").stderr == ""
