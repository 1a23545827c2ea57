"""Each kind of obstacle is made of what the catalogue says, and spelt as kept plans know it."""

from __future__ import annotations

import re

import pytest

from fixer.introspect.obstacles import obstacle
from fixer.introspect.questions import query
from fixer.model.obstacle import ApartCheck, ApartIndex, MutePublication, PartitionKey, Trigger
from fixer.model.schema import Schema
from fixer.model.table import QName, Table

KINDS = {
    "trigger": ("note", (), "D"),
    "rule": ("note", (), "R"),
    "policy": ("note", (), "O"),
    "view": ("shop.list", ("id", "title"), "O"),
    "bound": ("default of part", ("id",), "O"),
    "dependent": ("statistics st", ("id",), "O"),
    "unbuilt": ("index i of part", ("id",), '["run DROP INDEX i", true]'),
    "needing": ("view list", ("books_pkey",), "O"),
    "parted": ("partition key", ("", "id"), "O"),
    "below": ("trigger note of part", (), "D"),
    "apart": ("index own", ("u USING btree (id)",), '["part"]'),
    "loose": ("foreign key own of part", ("id",), '["other", "ALTER TABLE part DROP CONSTRAINT own"]'),
    "mute": ("pub", ("title",), "O"),
    "told": ("pub", ('public."part 1"',), "n"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_plan_that_was_kept_still_fits_what_it_was_made_for(kind: str) -> None:
    name, columns, enabled = KINDS[kind]

    known = "O" if kind in ("apart", "loose", "unbuilt") else enabled
    spelt = f"Obstacle(kind={kind!r}, name={name!r}, columns={columns!r}, enabled={known!r})"
    assert spelt == repr(obstacle(kind, name, columns, enabled))


def test_what_stands_apart_is_an_index_or_a_check() -> None:
    index = obstacle("apart", "index own", ("unique USING btree (id)",), '["part"]')
    check = obstacle("apart", "check c of part", ("check a b",), '["part", "(n > 0)"]')

    assert (index, check) == (
        ApartIndex("index own", "unique", "USING btree (id)", "part"),
        ApartCheck("check c of part", "a b", "part", "(n > 0)"),
    )


def test_the_order_in_which_obstacles_are_read_does_not_matter() -> None:
    name = QName("public", "books")
    found = (MutePublication("pub", ()), Trigger("b"), PartitionKey(("id",)), Trigger("a"))
    ways = [Schema({name: Table(name, obstacles=order)}).fingerprint for order in (found, found[::-1])]

    assert ways[0] == ways[1]


def test_triggers_of_tables_and_of_what_lies_below_them_are_read_alike() -> None:
    read = [
        re.sub(r" +", " ", part)
        for name in ("obstacles", "heirs")
        for part in re.findall(
            r"ARRAY \(SELECT 'on '.*?LIKE 'search|LEFT JOIN LATERAL \(\n.*?OFFSET 0\) b ON.*?\n", query(name), re.DOTALL
        )
    ]

    assert len(read) == 4
    assert read[:2] == read[2:]
