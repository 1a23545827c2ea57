"""What partitions and heirs have of their own is as it was: taken back, and where it may, repaired."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from sqlalchemy import Boolean, Column, ForeignKey, Integer, MetaData, String, Table, UniqueConstraint

import fixer
from fixer.model.defect import Specimen
from fixer.model.plan import MODES
from lab.commands import apply, psql, script, undo
from lab.database import Database, all_of, differences, lent
from lab.evidence.dumps import everything
from lab.laboratory import VERSIONS, Laboratory
from lab.laws import return_


def wide(kind: Any = None) -> MetaData:
    metadata, kind = MetaData(), kind or String(50)
    Table(
        "t",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("k", Integer, primary_key=True),
        Column("w", kind),
    )
    return metadata


def referencing(**how: Any) -> Callable[[], MetaData]:
    def build() -> MetaData:
        metadata = MetaData()
        Table("p", metadata, Column("id", Integer, primary_key=True))
        Table("t", metadata, Column("id", Integer, primary_key=True), Column("k", Integer, primary_key=True),
              Column("p_id", ForeignKey("p.id", **how)))  # fmt: skip
        return metadata

    return build


def once() -> MetaData:
    metadata = MetaData()
    Table("t", metadata, Column("id", Integer, primary_key=True), Column("k", Integer, primary_key=True),
          Column("w", String(9)), UniqueConstraint("w", "k", name="t_w_k_key"))  # fmt: skip
    return metadata


def filled() -> MetaData:
    metadata = MetaData()
    Table("e", metadata, Column("id", Integer, primary_key=True), Column("k", Integer, primary_key=True),
          Column("w", String(9), nullable=False))  # fmt: skip
    return metadata


PARTS = """
CREATE TABLE t (id int, k int, w varchar(9)) PARTITION BY LIST (k); CREATE TABLE t1 PARTITION OF t FOR VALUES IN (1);
CREATE TABLE t2 PARTITION OF t FOR VALUES IN (2) PARTITION BY RANGE (id); CREATE TABLE "T.2%a" PARTITION OF t2 DEFAULT;
INSERT INTO t SELECT g, 1 + g % 2, 'a' || g FROM generate_series(1, 4) g;
"""
KEYED = f"{PARTS} ALTER TABLE t ADD PRIMARY KEY (id, k);"
REFERENCES = """
CREATE TABLE p (id serial PRIMARY KEY); INSERT INTO p SELECT FROM generate_series(1, 3);
CREATE TABLE t (id int, k int, p_id int, PRIMARY KEY (id, k)) PARTITION BY LIST (k);
CREATE TABLE t1 PARTITION OF t FOR VALUES IN (1) PARTITION BY RANGE (id); CREATE TABLE t1a PARTITION OF t1 DEFAULT;
INSERT INTO t VALUES (1, 1, 1);
"""
STORED = """
ALTER TABLE t1 ALTER w SET STATISTICS 7, ALTER w SET STORAGE EXTERNAL; ALTER TABLE "T.2%a" ALTER w SET STORAGE MAIN;
"""
CASES: dict[str, tuple[Callable[[], MetaData], str]] = {
    "how cells are stored and sampled": (wide, KEYED + STORED),
    "how cells are stored, and converted": (
        lambda: wide(Boolean),
        KEYED.replace("varchar(9)", "text").replace("'a' || g", "'yes'") + STORED,
    ),
    "a list of texts": (
        wide,
        f"{KEYED} ALTER TABLE t ADD CONSTRAINT c CHECK (w IN ('a1', 'a2', 'a3', 'a4'));"
        "COMMENT ON CONSTRAINT c ON t1 IS '1';"
        "ALTER TABLE t1 ADD CONSTRAINT c1 CHECK (w IN ('a2', 'a4')); COMMENT ON CONSTRAINT c1 ON t1 IS 'own'",
    ),
    "an index": (
        wide,
        f"{KEYED} CREATE INDEX i ON t1 (lower(w), id) WHERE w IN ('a', 'b');"
        "ALTER INDEX i ALTER COLUMN 1 SET STATISTICS 9; COMMENT ON INDEX i IS 'own';"
        "CREATE STATISTICS s ON w, id FROM t1; ALTER STATISTICS s SET STATISTICS 8",
    ),
    "names of keys and indexes": (
        wide,
        f"{PARTS} ALTER TABLE t1 ADD CONSTRAINT own PRIMARY KEY (id, k); ALTER TABLE t ADD PRIMARY KEY (id, k);"
        "COMMENT ON INDEX own IS 'key'; CREATE INDEX i ON t1 (id) WHERE w IN ('a', 'b'); COMMENT ON INDEX i IS 'index';"
        "CREATE INDEX r ON t (id) WHERE w IN ('a', 'b')",
    ),
    "a key that is deferred": (
        once,
        f"{PARTS.replace('PARTITION BY RANGE (id)', '').replace('t2 DEFAULT', 't DEFAULT')}"
        "ALTER TABLE t ADD PRIMARY KEY (id, k); ALTER TABLE t1 ADD CONSTRAINT own UNIQUE (w, k) DEFERRABLE;"
        "COMMENT ON CONSTRAINT own ON t1 IS 'once'; COMMENT ON INDEX own IS 'i';"
        "ALTER TABLE t ADD CONSTRAINT t_w_k_key UNIQUE (w, k) DEFERRABLE",
    ),
    "a NOT NULL of its own, and rows that went": (
        filled,
        "CREATE TABLE e (id int, k int, w varchar(9), PRIMARY KEY (id, k)) PARTITION BY LIST (k);"
        "CREATE TABLE e1 PARTITION OF e FOR VALUES IN (1); ALTER TABLE e1 ALTER w SET NOT NULL;"
        "CREATE TABLE e2 PARTITION OF e DEFAULT; INSERT INTO e VALUES (1, 1, 'a'), (2, 2, NULL), (3, 3, 'b')",
    ),
    "a foreign key of its own": (
        referencing(),
        f"{REFERENCES} ALTER TABLE t1 ADD CONSTRAINT own FOREIGN KEY (p_id) REFERENCES p;"
        "COMMENT ON CONSTRAINT own ON t1 IS 'own'",
    ),
    "a foreign key with other deeds": (
        referencing(ondelete="CASCADE"),
        f"{REFERENCES} ALTER TABLE t1a ADD CONSTRAINT own FOREIGN KEY (p_id) REFERENCES p;"
        "ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (p_id) REFERENCES p; COMMENT ON CONSTRAINT own ON t1a IS 'own'",
    ),
    "heirs": (
        wide,
        "CREATE TABLE t (id int, k int, w varchar(9), PRIMARY KEY (id, k));"
        "CREATE TABLE h (x int DEFAULT 3) INHERITS (t); INSERT INTO t VALUES (1, 1, 'a1');"
        "ALTER TABLE h ALTER w SET STORAGE EXTERNAL, ALTER w SET STATISTICS 5,"
        " ADD CONSTRAINT c CHECK (w IN ('a', 'b')); COMMENT ON CONSTRAINT c ON h IS 'own'; CREATE INDEX i ON h (w)",
    ),
}
SAID = """
SELECT string_agg(d, '; ' ORDER BY d) FROM (
  SELECT conrelid::regclass || ' ' || conname || ' ' || obj_description(oid, 'pg_constraint') FROM pg_constraint
   UNION ALL SELECT c.relname || ' ' || obj_description(c.oid, 'pg_class') FROM pg_class c) AS x (d)
"""


def repaired(database: Database, wanted: MetaData, mode: str) -> fixer.Run:
    with closing(psycopg2.connect(database.dsn)) as connection:
        return fixer.apply(connection, wanted, mode=mode, allow_hazards="all")


@pytest.mark.parametrize("case", CASES)
def test_what_is_below_is_as_it_was_once_it_is_taken_back(laboratory: Laboratory, mode: str, case: str) -> None:
    build, made = CASES[case]
    with lent(laboratory.server(18 if mode == "atomic" else 16), None) as database:
        database.run(made)
        before, said = all_of(database), database.ask(SAID)
        assert repaired(database, build(), mode).steps
        with closing(psycopg2.connect(database.dsn)) as connection:
            fixer.undo(connection, 1)

        assert (differences(before, database), database.ask(SAID)) == ([], said)


@pytest.mark.parametrize("case", ["a list of texts", "a key that is deferred", "a foreign key with other deeds"])
def test_comments_below_are_kept_by_a_repair(laboratory: Laboratory, mode: str, case: str) -> None:
    build, made = CASES[case]
    with lent(laboratory.server(18), None) as database:
        database.run(made)
        said = database.ask(SAID)
        repaired(database, build(), mode)

        assert database.ask(SAID) == said


def test_what_others_changed_below_since_stays(laboratory: Laboratory, mode: str) -> None:
    with lent(laboratory.server(18), None) as database:
        database.run(CASES["a list of texts"][1] + "; CREATE TABLE t9 PARTITION OF t FOR VALUES IN (9)")
        repaired(database, wide(), mode)
        database.run("ALTER TABLE t1 DROP CONSTRAINT c1; ALTER TABLE t DETACH PARTITION t9; DROP TABLE t9")
        database.run("CREATE TABLE t5 PARTITION OF t FOR VALUES IN (5); COMMENT ON CONSTRAINT c ON t1 IS 'since'")
        with closing(psycopg2.connect(database.dsn)) as connection:
            fixer.undo(connection, 1)

        assert database.ask("SELECT array_agg(conname) FROM pg_constraint WHERE conname IN ('c1', 'c')") == ["c"] * 5


def parted() -> str:
    return """
    CREATE TABLE p (id integer PRIMARY KEY);
    CREATE SCHEMA s;
    CREATE TABLE s.t (id integer PRIMARY KEY, t integer REFERENCES s.t, p integer REFERENCES p) PARTITION BY HASH (id);
    CREATE TABLE s."t 0" PARTITION OF s.t FOR VALUES WITH (MODULUS 1, REMAINDER 0) PARTITION BY HASH (id);
    CREATE TABLE s."t 1" PARTITION OF s."t 0" FOR VALUES WITH (MODULUS 1, REMAINDER 0);
    """


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("version", sorted({min(VERSIONS), max(VERSIONS)}))
def test_partitions_of_the_run_take_their_foreign_keys_along(laboratory: Laboratory, version: int, mode: str) -> None:
    with laboratory.database(version, Specimen("", "", contract=parted)) as case:
        case.break_("DROP SCHEMA s CASCADE; ALTER TABLE p DROP CONSTRAINT p_pkey")
        before = everything(case.server, case.name)
        run = case.apply(mode=mode, allow_hazards="all")

        assert (run.report.ok, return_(case, run, before, refusable=False)) == (True, [])


def circular() -> str:
    return """
CREATE TABLE t (id integer PRIMARY KEY, up integer REFERENCES t, over integer REFERENCES t) PARTITION BY HASH (id);
CREATE TABLE t0 PARTITION OF t FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE t1 PARTITION OF t FOR VALUES WITH (MODULUS 2, REMAINDER 1) PARTITION BY HASH (id);
CREATE TABLE t2 PARTITION OF t1 FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE t3 PARTITION OF t1 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
"""


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("mode", MODES)
def test_a_partitioned_table_that_references_itself_is_taken_back(
    laboratory: Laboratory, mode: str, version: int
) -> None:
    with laboratory.database(version, Specimen("", "", contract=circular), "owner") as case:
        case.break_("DROP TABLE t CASCADE", "SELECT")
        before = everything(case.server, case.name)
        run = case.apply(mode=mode, allow_hazards="all")

        assert (run.report.ok, return_(case, run, before, refusable=False)) == (True, [])


WANDERING = """
CREATE TABLE p (id serial NOT NULL, k int NOT NULL, w text, PRIMARY KEY (id)) PARTITION BY HASH (id);
CREATE TABLE p0 PARTITION OF p FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE p1 PARTITION OF p FOR VALUES WITH (MODULUS 2, REMAINDER 1);
"""
WITHOUT_NUMBERS = """
INSERT INTO p (k) SELECT generate_series(1, 9);
ALTER TABLE p DROP CONSTRAINT p_pkey; ALTER TABLE p ALTER id DROP NOT NULL; UPDATE p SET id = NULL WHERE k IN (2, 3, 5);
CREATE SEQUENCE numbers; CREATE TABLE others (n int DEFAULT nextval('numbers'));
ALTER TABLE p0 ALTER id SET DEFAULT nextval('numbers');
"""


@pytest.mark.parametrize("way", [*MODES, "script"])
def test_rows_may_go_from_one_partition_into_another(laboratory: Laboratory, tmp_path: Path, way: str) -> None:
    (tmp_path / "contract.sql").write_text(WANDERING)
    with lent(laboratory.server(18), None) as database:
        database.run(WANDERING + WITHOUT_NUMBERS)
        before, of = all_of(database), "SELECT array_agg(tableoid::regclass::text || k ORDER BY k) FROM p"
        placed = database.ask(of)
        if way == "script":
            ended = psql(database, script(database, tmp_path, "contract.sql"))
            assert ended.stderr == ""
        else:
            apply(database, "--contract", tmp_path / "contract.sql", mode=way)
            went = database.ask(of)
            assert undo(database).returncode == 0
            assert (differences(before, database), database.ask(of)) == ([], placed) != ([], went)
