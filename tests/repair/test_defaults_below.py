"""A default that a partitioned table gets reaches partitions that have what the table has, and goes back exactly."""

from __future__ import annotations

import pytest

from fixer.model.plan import MODES
from lab.database import Database, all_of, differences, lent
from lab.examples.models import contract, integer, key
from lab.examples.shop import repair, take_back
from lab.laboratory import Laboratory

VISITS = """
CREATE TABLE visits (id integer PRIMARY KEY, n integer{}) PARTITION BY RANGE (id);
CREATE TABLE early PARTITION OF visits FOR VALUES FROM (0) TO (100) PARTITION BY RANGE (id);
CREATE TABLE "first %s" PARTITION OF early DEFAULT; CREATE TABLE late PARTITION OF visits DEFAULT;
INSERT INTO visits VALUES (1, 1), (200, 2);
"""
# How the table stands, and what its partitions default to after the repair: early, first, late.
STANDING = {
    "none has one": (VISITS.format(""), ["4", "4", "4"]),
    "all have another": (VISITS.format(" DEFAULT 7"), ["4", "4", "4"]),
    "one has its own": (VISITS.format("") + "ALTER TABLE late ALTER n SET DEFAULT 9;", ["4", "4", "9"]),
    "one below has its own": (VISITS.format("") + 'ALTER TABLE "first %s" ALTER n SET DEFAULT 9;', ["4", "9", "4"]),
    "one has it already": (VISITS.format("") + "ALTER TABLE late ALTER n SET DEFAULT 4;", ["4", "4", "4"]),
    "one alone has none": (VISITS.format(" DEFAULT 7") + "ALTER TABLE late ALTER n DROP DEFAULT;", ["4", "4", None]),
}
DEFAULTS = """
SELECT pg_get_expr(d.adbin, d.adrelid) FROM pg_class c
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'n'
  LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
 WHERE c.relname IN ('early', 'first %s', 'late') ORDER BY c.relname
"""


def defaults(database: Database) -> list[str | None]:
    return [default for (default,) in database.run(DEFAULTS)]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("how", STANDING)
def test_partitions_get_it_that_have_what_the_table_has(laboratory: Laboratory, how: str, mode: str) -> None:
    made, after = STANDING[how]
    with lent(laboratory.server(18), None) as database:
        database.run(made)
        before = all_of(database)
        repair(database, contract(visits=(key(autoincrement=False), integer("n", server_default="4"))), mode)
        given = defaults(database)
        take_back(database)

        assert (given, differences(before, database)) == (after, [])
