"""Names that PostgreSQL gives to the constraints of a foreign key to single partitions: no key of ours needs one.

Up to 17 it calls them as it would call any key of the same columns, which another key may be called by.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pytest

import fixer
from fixer.model.plan import MODES
from lab.database import Database, lent
from lab.evidence.dumps import everything
from lab.laboratory import Laboratory

PARTS = "; ".join(
    f"CREATE TABLE parted_{n} PARTITION OF parted FOR VALUES WITH (MODULUS 2, REMAINDER {n})" for n in range(2)
)
PARTED = "id integer PRIMARY KEY, of integer) PARTITION BY HASH (id)"
ENDS = f"CREATE TABLE parted ({PARTED}; {PARTS}; CREATE TABLE plain (id integer PRIMARY KEY);"
NATURAL, ODD = "t_of_fkey", "a_to_parted"
TO_PLAIN = f"ALTER TABLE t ADD CONSTRAINT {NATURAL} FOREIGN KEY (of) REFERENCES plain (id);"
TO_PARTED = f"ALTER TABLE t ADD CONSTRAINT {ODD} FOREIGN KEY (of) REFERENCES parted (id);"
BOTH = f"{ENDS} CREATE TABLE t (id integer PRIMARY KEY, of integer); {TO_PLAIN} {TO_PARTED}"
ROWS = "INSERT INTO parted VALUES (1), (2); INSERT INTO plain VALUES (1), (2); INSERT INTO t VALUES (1, 1), (2, 2);"
ITSELF = "ALTER TABLE parted ADD CONSTRAINT {} FOREIGN KEY (of) REFERENCES parted (id) {};"


class Named(NamedTuple):
    """What a contract wants, its rows, and what is broken."""

    contract: str
    rows: str
    broken: str


NAMED = {
    "two keys of one column are gone": Named(
        BOTH, ROWS, f"ALTER TABLE t DROP CONSTRAINT {NATURAL}, DROP CONSTRAINT {ODD}"
    ),
    "one was added again before the other": Named(
        BOTH, ROWS, f"ALTER TABLE t DROP CONSTRAINT {NATURAL}, DROP CONSTRAINT {ODD}; {TO_PARTED}"
    ),
    "two keys stand where one should": Named(
        f"CREATE TABLE parted ({PARTED}; {PARTS}; {ITSELF.format('parted_of_fkey', 'ON UPDATE CASCADE')}",
        "INSERT INTO parted VALUES (1, 2), (2, 1), (3, NULL);",
        "ALTER TABLE parted DROP CONSTRAINT parted_of_fkey;"
        + ITSELF.format("parted_of_fkey", "ON DELETE SET NULL")
        + ITSELF.format("a_second", "ON DELETE CASCADE"),
    ),
}


@pytest.fixture(params=[16, 18])
def aged(laboratory: Laboratory, request: pytest.FixtureRequest) -> Iterator[Database]:
    with lent(laboratory.server(request.param), None) as database:
        yield database


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("named", NAMED.values(), ids=NAMED)
def test_keys_and_those_of_partitions_have_names_of_their_own(aged: Database, named: Named, mode: str) -> None:
    aged.run(named.contract)
    wanted = aged.server.database_dsn(aged.server.create_database(aged.name))
    aged.run(f"{named.rows} {named.broken}")
    before = everything(aged.server, aged.name)
    run = fixer.apply(aged.dsn, wanted, mode=mode, allow_hazards="all")
    assert run.run is not None
    fixer.undo(aged.dsn, run.run)

    assert run.ok
    assert everything(aged.server, aged.name) == before
