"""Online, a plan that adds several foreign keys moves rows as if none of them stood: it ends without another plan."""

from __future__ import annotations

import pytest

from fixer.model.defect import Specimen
from fixer.model.step import Phase
from lab.laboratory import Laboratory

CHAIN = """
CREATE TABLE x (id integer PRIMARY KEY);
CREATE TABLE a (id integer PRIMARY KEY, x_id integer REFERENCES x);
CREATE TABLE b (id integer PRIMARY KEY, a_id integer REFERENCES a ON DELETE CASCADE);
CREATE TABLE c (id integer PRIMARY KEY, b_id integer REFERENCES b ON DELETE SET NULL);
"""
CHAIN_ROWS = """
INSERT INTO x VALUES (1);
INSERT INTO a VALUES (1, 1), (2, NULL);
INSERT INTO b VALUES (1, 1), (2, 2), (3, NULL);
INSERT INTO c VALUES (1, 1), (2, 2), (3, 3);
"""
ITSELF = """
CREATE TABLE a (id integer PRIMARY KEY);
CREATE TABLE b (id integer PRIMARY KEY, up integer REFERENCES b ON DELETE CASCADE, a_id integer REFERENCES a);
"""
ITSELF_ROWS = "INSERT INTO a VALUES (1); INSERT INTO b VALUES (1, NULL, 1), (2, 1, 1), (3, 2, 1), (4, 1, NULL);"
CIRCLE = """
CREATE TABLE a (id integer PRIMARY KEY, b_id integer);
CREATE TABLE b (id integer PRIMARY KEY, a_id integer REFERENCES a);
ALTER TABLE a ADD CONSTRAINT a_b_id_fkey FOREIGN KEY (b_id) REFERENCES b;
"""
CIRCLE_ROWS = "INSERT INTO a VALUES (1), (2), (3); INSERT INTO b VALUES (1, 1), (2, 2), (3, 3); UPDATE a SET b_id = id;"
DROP = "ALTER TABLE {0} DROP CONSTRAINT {0}_{1}_fkey;"
CASES = {
    "a chain": (
        CHAIN,
        CHAIN_ROWS,
        DROP.format("a", "x_id")
        + DROP.format("b", "a_id")
        + DROP.format("c", "b_id")
        + "UPDATE a SET x_id = 9 WHERE id = 2;"
        "UPDATE b SET a_id = 9 WHERE id = 3",
        3,
    ),
    "a chain of which one key stands": (
        CHAIN,
        CHAIN_ROWS,
        DROP.format("a", "x_id") + DROP.format("c", "b_id") + "UPDATE a SET x_id = 9 WHERE id = 2",
        2,
    ),
    "a table to itself": (
        ITSELF,
        ITSELF_ROWS,
        DROP.format("b", "up") + DROP.format("b", "a_id") + "UPDATE b SET a_id = 9 WHERE id = 2;"
        "UPDATE b SET up = 9 WHERE id = 4",
        3,
    ),
    "a circle": (
        CIRCLE,
        CIRCLE_ROWS,
        DROP.format("a", "b_id") + DROP.format("b", "a_id") + "UPDATE a SET b_id = 9 WHERE id = 2",
        2,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_plan_of_online_mode_needs_no_other(laboratory: Laboratory, name: str) -> None:
    contract, rows, breaks, moved = CASES[name]
    with laboratory.database(18, Specimen(name, breaks, contract=lambda: contract, setup=rows)) as case:
        case.break_(breaks)

        plan = case.plan(mode="online")
        run = case.apply(plan=plan, mode="online", allow_hazards="all")

        assert sum(entry.quarantined for entry in run.ledger) == moved
        assert [f.message for f in case.check(deep=True).findings if f.breaks] == []


def test_a_new_key_binds_new_rows_before_its_orphans_are_settled(laboratory: Laboratory) -> None:
    contract, rows, breaks, _ = CASES["a chain"]
    with laboratory.database(18, Specimen("chain", breaks, contract=lambda: contract, setup=rows)) as case:
        case.break_(breaks)
        steps = [step for step in case.plan(mode="online").steps if step.phase in (Phase.GUARDS, Phase.ORPHANS)]

    assert [(step.table.name, step.phase.name) for step in steps] == [
        ("a", "GUARDS"),
        ("a", "ORPHANS"),
        ("b", "GUARDS"),
        ("b", "ORPHANS"),
        ("c", "GUARDS"),
        ("c", "ORPHANS"),
    ]
