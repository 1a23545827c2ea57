"""An index that was never finished, where partitions or heirs are: no repair builds it, which undo could not undo."""

from __future__ import annotations

import pytest
from sqlalchemy import BigInteger, Column, Uuid
from sqlalchemy import text as sql

from fixer.model.plan import MODES
from lab.examples.models import contract, key, text
from lab.laboratory import Laboratory
from lab.outcomes import outcome

WANTED = contract(p=(key(), Column("v", BigInteger), text("w")))
TEXTS = "ALTER TABLE p ALTER v TYPE text;"
NARROW = "ALTER TABLE p ALTER v TYPE integer;"
PARTED = (
    "CREATE TABLE p(id serial PRIMARY KEY, v bigint, w text) PARTITION BY HASH (id);"
    "CREATE {} TABLE p0 PARTITION OF p FOR VALUES WITH (MODULUS 1, REMAINDER 0);"
    "INSERT INTO p(v, w) VALUES (1, 'a'), (2, 'a');"
)
HEIRS = (
    "CREATE TABLE p(id serial PRIMARY KEY, v bigint, w text); CREATE TABLE h() INHERITS (p);"
    "INSERT INTO h(v, w) VALUES (1, 'a'), (2, 'a');"
)
FAILED = "UPDATE pg_index SET indisvalid = false, indisunique = {} WHERE indexrelid = 'i'::regclass;"
WHOLE = "the index i of p was never finished, and this repair would build it, which undo could not take back: attach to"
PART = "the index i of p0 was never finished, and this repair would build it, which undo could not take back: run"
AGAIN = f"{PART} REINDEX INDEX public.i, or DROP INDEX public.i; then plan again"

CASES = {
    "of the whole alone": (TEXTS + "CREATE INDEX i ON ONLY p (v)", WHOLE),
    "of some partitions": (TEXTS + "CREATE INDEX i ON ONLY p (w, v); CREATE INDEX o ON p0 (w, v)", WHOLE),
    "that needs the old type": (TEXTS + "CREATE INDEX i ON ONLY p (lower(v))", WHOLE),
    "with a condition on the old type": (TEXTS + "CREATE INDEX i ON ONLY p (w) WHERE v LIKE 'a%'", WHOLE),
    "over a column that gets wider": (NARROW + "CREATE INDEX i ON ONLY p (v)", WHOLE),
    "over another column of the whole": (NARROW + "CREATE INDEX i ON ONLY p (w)", "mended"),
    "of a partition, over the column": (TEXTS + "CREATE INDEX i ON p0 (v);" + FAILED.format(False), AGAIN),
    "of a partition, over another column": (NARROW + "CREATE INDEX i ON p0 (w);" + FAILED.format(True), AGAIN),
    "of a constraint": (
        NARROW + "ALTER TABLE p0 ADD CONSTRAINT i UNIQUE (v);" + FAILED.format(True),
        f"{PART} REINDEX INDEX public.i, or ALTER TABLE ONLY public.p0 DROP CONSTRAINT i; then plan again",
    ),
    "that is whole": (TEXTS + "CREATE INDEX i ON p (v)", "mended"),
    "where no type changes": ("CREATE INDEX i ON ONLY p (v); ALTER TABLE p ALTER id DROP DEFAULT", "mended"),
}  # fmt: skip


@pytest.mark.parametrize("version", [16, 18])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("case", CASES)
def test_nothing_builds_it_in_partitions(laboratory: Laboratory, case: str, mode: str, version: int) -> None:
    made, expected = CASES[case]

    assert expected in outcome(laboratory, WANTED, PARTED.format("") + made, mode, version)


@pytest.mark.parametrize("of", ["p", "h"])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "change", [NARROW, "ALTER TABLE p ALTER w TYPE varchar(9);"], ids=["rows are rewritten", "only undo rewrites them"]
)
def test_nothing_builds_that_of_heirs(laboratory: Laboratory, change: str, of: str, mode: str) -> None:
    rows = "INSERT INTO p(v, w) VALUES (3, 'c');"
    made = f"{HEIRS}{rows}{change} CREATE INDEX i ON {of} (v); {FAILED.format(of == 'h')}"

    assert f"the index i of {of} was never finished" in outcome(laboratory, WANTED, made, mode)


def test_nothing_builds_it_as_a_partition_becomes_permanent(laboratory: Laboratory) -> None:
    made = PARTED.format("UNLOGGED") + f"CREATE INDEX i ON p0 (w); {FAILED.format(True)}"

    assert AGAIN in outcome(laboratory, WANTED, made, "atomic")


def test_nothing_builds_it_as_rows_get_a_new_column(laboratory: Laboratory) -> None:
    wanted = contract(p=(key(), Column("v", BigInteger), Column("u", Uuid, server_default=sql("gen_random_uuid()"))))
    made = PARTED.format("") + f"CREATE INDEX i ON p0 (w); {FAILED.format(True)}"

    assert AGAIN in outcome(laboratory, wanted, made, "atomic")
