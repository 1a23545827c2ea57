"""The check that proves a NOT NULL, left behind by an interrupted run on a table above others, up to PostgreSQL 17."""

from __future__ import annotations

from contextlib import closing

import psycopg2
import pytest
import sqlalchemy as sa

import fixer
from fixer.model.plan import MODES
from lab.database import all_of, differences, lent
from lab.examples.models import contract, integer, key
from lab.laboratory import VERSIONS, Laboratory

OLDER = [version for version in VERSIONS if version < 18]
LEFT = "ALTER TABLE t ADD CONSTRAINT pgmend_new_n_not_null CHECK (n IS NOT NULL)"
ROWS = "INSERT INTO t VALUES (1, 1), (2, 2); INSERT INTO below VALUES (3, 3), (4, 4);"
HEIR = (
    f"CREATE TABLE t (id int PRIMARY KEY, n int NOT NULL); CREATE TABLE below (PRIMARY KEY (id)) INHERITS (t); {ROWS}"
)
PARTED = (
    "CREATE TABLE t (id int PRIMARY KEY, n int NOT NULL) PARTITION BY RANGE (id);"
    "CREATE TABLE below PARTITION OF t FOR VALUES FROM (1) TO (9); INSERT INTO t VALUES (3, 3), (4, 4);"
)
BROKEN = {
    "its own stands, and its heir's does not": (HEIR, "ALTER TABLE below ALTER n DROP NOT NULL;"),
    "neither stands": (HEIR, "ALTER TABLE t ALTER n DROP NOT NULL;"),
    "of a partition": (PARTED, "ALTER TABLE t ALTER n DROP NOT NULL;"),
}


@pytest.mark.skipif(not OLDER, reason="from PostgreSQL 18 on, a NOT NULL proves itself")
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("valid", ["", " NOT VALID"], ids=["valid", "not valid"])
@pytest.mark.parametrize("skip", [(), ("unfinished-repair",)], ids=["dropped", "left"])
@pytest.mark.parametrize("break_", BROKEN)
def test_it_goes_with_the_table_above(
    laboratory: Laboratory, break_: str, skip: tuple[str, ...], valid: str, mode: str
) -> None:
    made, broken = BROKEN[break_]
    wanted = contract(t=(key(autoincrement=False), integer("n", nullable=False)))
    if made == HEIR:
        sa.Table("below", wanted, key(autoincrement=False), postgresql_inherits="t")
    else:
        wanted.tables["t"].dialect_options["postgresql"]["partition_by"] = "RANGE (id)"
    with lent(laboratory.server(max(OLDER)), None) as database, closing(psycopg2.connect(database.dsn)) as connection:
        database.run(made + broken + LEFT + valid)
        before = all_of(database)
        found = {finding.slug for finding in fixer.check(connection, wanted).findings}
        run = fixer.apply(connection, wanted, mode=mode, skip=[each for each in skip if each in found])

        assert run.report.ok
        fixer.undo(connection, 1)
        assert differences(before, database) == []
