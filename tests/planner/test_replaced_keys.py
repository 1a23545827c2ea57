"""Publications that tell rows by a primary key: rows are written while the plan replaces it, or it tells none."""

from __future__ import annotations

import pytest
from sqlalchemy import CheckConstraint, MetaData, PrimaryKeyConstraint

from fixer.model.plan import MODES
from lab.database import all_of, differences, lent
from lab.examples.models import contract, integer, key
from lab.examples.models import text as words
from lab.examples.shop import ALL, repair, take_back
from lab.laboratory import VERSIONS, Laboratory
from lab.outcomes import outcome

ROWS = "INSERT INTO t VALUES ('1', 1), ('b', 2), ('3', 3);"
TABLE = f"CREATE TABLE t (id text PRIMARY KEY, tenant integer NOT NULL); {ROWS}"
REPLACED = {
    "rows of a table": TABLE + ALL,
    "rows by the index of the key": f"{TABLE} {ALL} ALTER TABLE t REPLICA IDENTITY USING INDEX t_pkey;",
    "rows of partitions": (
        "CREATE TABLE t (id text PRIMARY KEY, tenant integer NOT NULL) PARTITION BY HASH (id);"
        'CREATE TABLE "t 1 %s {}" PARTITION OF t FOR VALUES WITH (MODULUS 2, REMAINDER 0);'
        f"CREATE TABLE t_2 PARTITION OF t FOR VALUES WITH (MODULUS 2, REMAINDER 1); {ROWS} {ALL}"
    ),
}
TELLING = (
    "SELECT relname, relreplident FROM pg_class"
    " WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace ORDER BY 1"
)


def by_two(what: str = "") -> MetaData:
    """Return a contract whose key has a second column, and which one of the rows does not fit."""
    parted = "partitions" in what
    columns = words("id", primary_key=True) if parted else key(autoincrement=False)
    wanted = contract(t=(columns, integer("tenant", primary_key=True, autoincrement=False)))
    if parted:
        wanted.tables["t"].append_constraint(CheckConstraint("tenant > 1"))
        wanted.tables["t"].dialect_options["postgresql"]["partition_by"] = "HASH (id)"
    return wanted


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("what", REPLACED)
def test_rows_move_while_the_key_that_told_them_is_replaced(laboratory: Laboratory, what: str, mode: str) -> None:
    with lent(laboratory.server(max(VERSIONS)), None) as database:
        database.run(REPLACED[what])
        before, told = all_of(database), database.run(TELLING)
        repair(database, by_two(what), mode)
        kept = database.ask("SELECT count(*) FROM t"), database.run(TELLING)
        take_back(database)

        assert (kept, differences(before, database)) == ((2, told), [])


@pytest.mark.skipif(max(VERSIONS) < 15, reason="lists of columns came with PostgreSQL 15")
def test_rows_that_move_while_a_listed_key_is_replaced_are_left_to_a_person(laboratory: Laboratory) -> None:
    made = "CREATE TABLE t (id integer PRIMARY KEY, tenant integer); CREATE PUBLICATION p FOR TABLE t (id);"
    rows = "INSERT INTO t VALUES (1, 1), (2, NULL);"

    assert "the publication p lists columns of public.t" in outcome(laboratory, by_two(), made + rows, "atomic")


LATE = "CREATE TABLE t (id integer PRIMARY KEY DEFERRABLE, tenant integer);"
LATE_ROWS = "INSERT INTO t VALUES (1, 1), (2, -2), (3, NULL);"


def told_late(*, deferrable: bool) -> MetaData:
    """Return a contract of which one row breaks a check, and another needs a value."""
    tenant = integer("tenant", CheckConstraint("tenant > 0"), nullable=False, info={"backfill": 7})
    wanted = contract(t=(integer("id", autoincrement=False), tenant))
    wanted.tables["t"].append_constraint(PrimaryKeyConstraint("id", deferrable=deferrable or None))
    return wanted


@pytest.mark.parametrize("deferrable", [False, True], ids=["it is replaced", "it stays"])
@pytest.mark.parametrize("mode", MODES)
def test_rows_move_where_a_deferrable_key_tells_none(laboratory: Laboratory, mode: str, *, deferrable: bool) -> None:
    with lent(laboratory.server(max(VERSIONS)), None) as database:
        database.run(LATE + LATE_ROWS + ALL)
        before, told = all_of(database), database.run(TELLING)
        repair(database, told_late(deferrable=deferrable), mode)
        kept = database.ask("SELECT sum(tenant) FROM t"), database.run(TELLING)
        take_back(database)

        assert (kept, differences(before, database)) == ((8, told), [])
