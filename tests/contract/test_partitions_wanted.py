"""Partitions that SQL, a database or models want: what is missing is created, and what stands is not touched."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table

import fixer as library
from fixer.connect.target import resolve
from fixer.model.expression.bounds import bound_of, taken
from lab.database import Database, lent, lent_copy, role
from lab.evidence.facts import facts
from lab.laboratory import Laboratory
from lab.process import fixer

SCHEMA = """
CREATE SCHEMA app; CREATE SCHEMA "par.ts";
CREATE TABLE app.users (id integer PRIMARY KEY);
CREATE TABLE app."Vis ""its" (
    id integer, "Day" date NOT NULL, user_id integer REFERENCES app.users, PRIMARY KEY (id, "Day")
) PARTITION BY RANGE ("Day");
CREATE TABLE "par.ts"."50% 1" PARTITION OF app."Vis ""its" FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE app.v2 PARTITION OF app."Vis ""its" FOR VALUES FROM ('2026-02-01') TO ('2026-03-01')
    PARTITION BY LIST (id);
CREATE TABLE app.v2_a PARTITION OF app.v2 FOR VALUES IN (1, 2);
CREATE TABLE app.v2_b PARTITION OF app.v2 DEFAULT;
CREATE TABLE app.notes (id integer PRIMARY KEY, visit integer, day date,
    FOREIGN KEY (visit, day) REFERENCES app."Vis ""its");
CREATE TABLE app.spread (id integer, at timestamptz) PARTITION BY HASH (id);
CREATE TABLE app.spread_0 PARTITION OF app.spread FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE app.spread_1 PARTITION OF app.spread FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE app.hours (at timestamptz, n integer) PARTITION BY RANGE (at);
CREATE TABLE app.hours_1 PARTITION OF app.hours FOR VALUES FROM ('2026-01-01 00:00+00') TO ('2026-02-01 00:00+00');
"""
ROWS = """
INSERT INTO app.users VALUES (1);
INSERT INTO app."Vis ""its" VALUES (1, '2026-01-15', 1);
INSERT INTO app.notes VALUES (1, 1, '2026-01-15');
"""
VISITS = 'app."Vis ""its"'


@pytest.fixture(params=[18])
def made(laboratory: Laboratory, request: pytest.FixtureRequest) -> Iterator[Database]:
    with lent_copy(laboratory, request.param, "wanted", lambda database: database.run(SCHEMA + ROWS)) as database:
        yield database


def found(database: Database, contract: Path) -> dict[tuple[str, str], str]:
    """Give the repair of each finding: its label, or why a person decides."""
    report = library.check(resolve(database.dsn), str(contract))
    return {(each.slug, each.object): each.repair.refusal or each.repair.label for each in report.findings}


def shape(database: Database) -> object:
    """Give what a dump says of each table, and how tables are divided, but for the schemas of pgmend."""
    divided = "SELECT array_agg(oid::regclass || pg_get_expr(relpartbound, oid) ORDER BY oid) FROM pg_class"
    tables = {name: each for name, each in facts(database.dump()).items() if not name.startswith("fixer_")}
    return tables, database.ask(f"{divided} WHERE relispartition AND relkind <> 'i'")


@pytest.mark.parametrize("mode", ["atomic", "online"])
def test_missing_partitions_are_made_and_go_again_at_undo(made: Database, tmp_path: Path, mode: str) -> None:
    """Those of a hash, those below one that is missing as well, and those of a table that is missing."""
    schema = tmp_path / "schema.sql"
    schema.write_text(SCHEMA)
    owned = [f"ALTER TABLE {name} OWNER TO {{}}" for name in (VISITS, "app.users", "app.notes", "app.spread")]
    wanted = made.dump()
    made.run(
        f"ALTER TABLE {VISITS} DETACH PARTITION app.v2; DROP TABLE app.v2, app.spread_1, app.hours;"
        "SET TimeZone = 'Asia/Tokyo'"
    )
    rights = ["GRANT CREATE ON DATABASE {} TO {{}}".format(made.ask("SELECT current_database()"))]
    rights += ['GRANT ALL ON SCHEMA app, "par.ts" TO {}']
    with role(made, *owned, *rights) as owner:
        broken = shape(made)
        words = ("--contract", "schema.sql", "--dsn", made.seen_by(owner))
        before = found(made, schema)
        ended = fixer("apply", "--mode", mode, "--yes", "-q", *words, cwd=tmp_path)
        after = found(made, schema)
        mended = made.ask("SELECT count(*) FROM pg_class WHERE relispartition")
        made.run(f"BEGIN; INSERT INTO {VISITS} VALUES (7, '2026-02-07', NULL); ROLLBACK")
        undone = fixer("undo", "1", "--yes", "--dsn", made.seen_by(owner), cwd=tmp_path)

        assert before == {
            ("missing-table", "app.v2"): "automatic",
            ("missing-table", "app.spread_1"): "automatic",
            ("missing-table", "app.hours"): "automatic",
        }
        assert (ended.returncode, ended.stderr, after) == (0, "", {})
        assert mended == wanted.count("ATTACH PARTITION")
        assert undone.returncode == 0, undone.stderr
        assert shape(made) == broken


PARTED = """
CREATE TABLE app.a (n integer, m text) PARTITION BY RANGE (n);
CREATE TABLE app.a_1 PARTITION OF app.a FOR VALUES FROM (MINVALUE) TO (10);
CREATE TABLE app.a_2 PARTITION OF app.a FOR VALUES FROM (10) TO (20);
CREATE TABLE app.b (n integer, m text) PARTITION BY LIST (m);
CREATE TABLE app.b_1 PARTITION OF app.b FOR VALUES IN ('x', 'it''s', NULL);
CREATE TABLE app.b_2 PARTITION OF app.b FOR VALUES IN ('y');
CREATE TABLE app.c (n integer, m text);
"""
DROPPED = "DROP TABLE app.a_2; CREATE TABLE app.a_rest PARTITION OF app.a DEFAULT;"
TOLD = {
    "the DEFAULT partition is empty": (DROPPED, {("missing-table", "app.a_2"): "automatic"}),
    "the DEFAULT partition holds others": (
        f"{DROPPED} INSERT INTO app.a VALUES (20, 'x'), (NULL, 'x')",
        {("missing-table", "app.a_2"): "automatic"},
    ),
    "the DEFAULT partition holds rows for it": (
        f"{DROPPED} INSERT INTO app.a VALUES (19, 'x')",
        {("missing-table", "app.a_2"): "the DEFAULT partition app.a_rest holds rows for it: BEGIN;"},
    ),
    "the DEFAULT partition holds rows of a list": (
        "DROP TABLE app.b_1; CREATE TABLE app.b_rest PARTITION OF app.b DEFAULT; INSERT INTO app.b VALUES (1, 'it''s')",
        {("missing-table", "app.b_1"): "the DEFAULT partition app.b_rest holds rows for it: BEGIN;"},
    ),
    "it is detached": (
        "ALTER TABLE app.a DETACH PARTITION app.a_2; INSERT INTO app.a_2 VALUES (11)",
        {("missing-table", "app.a_2"): "a table of its own has its name, perhaps detached: ALTER TABLE"},
    ),
    "others take its rows": (
        "DROP TABLE app.a_2; CREATE TABLE app.p PARTITION OF app.a FOR VALUES FROM (10) TO (15);"
        "CREATE TABLE app.q PARTITION OF app.a FOR VALUES FROM (15) TO (MAXVALUE);"
        "DROP TABLE app.b_1, app.b_2; CREATE TABLE app.r PARTITION OF app.b FOR VALUES IN ('y', NULL, 'z');"
        "CREATE TABLE app.s PARTITION OF app.b FOR VALUES IN ('x', 'it''s')",
        {},
    ),
    "another takes some of its rows": (
        "DROP TABLE app.a_2; CREATE TABLE app.p PARTITION OF app.a FOR VALUES FROM (10) TO (15)",
        {("missing-table", "app.a_2"): "the partition p FOR VALUES FROM (10) TO (15) takes some of its rows"},
    ),
    "it is plain": (
        "DROP TABLE app.a; CREATE TABLE app.a (n integer, m text)",
        {("different-partitioning", "app.a"): "all its rows would have to be written anew: ALTER TABLE"},
    ),
    "it should be plain": (
        "DROP TABLE app.c; CREATE TABLE app.c (n integer, m text) PARTITION BY LIST (n)",
        {("different-partitioning", "app.c"): "a row that no partition takes is refused: if that may not be, run"},
    ),
    "it should be plain, and takes every row": (
        "DROP TABLE app.c; CREATE TABLE app.c (n integer, m text) PARTITION BY LIST (n);"
        "CREATE TABLE app.c_1 PARTITION OF app.c DEFAULT",
        {},
    ),
}


def test_what_a_person_decides_is_told_and_what_is_sound_is_met_with_silence(
    laboratory: Laboratory, tmp_path: Path
) -> None:
    (tmp_path / "schema.sql").write_text(f"CREATE SCHEMA app; {PARTED}")
    with lent(laboratory.server(18), None) as database:
        for case, (deed, told) in TOLD.items():
            database.run(f"DROP SCHEMA IF EXISTS app CASCADE; CREATE SCHEMA app; {PARTED} {deed}")

            answer = found(database, tmp_path / "schema.sql")

            assert {key: why[: len(told.get(key, ""))] for key, why in answer.items()} == told, case


def test_what_is_said_for_rows_of_the_default_partition_can_be_pasted(laboratory: Laboratory, tmp_path: Path) -> None:
    """So can what is said of one that is detached."""
    (tmp_path / "schema.sql").write_text(f"CREATE SCHEMA app; {PARTED}")
    with lent(laboratory.server(18), None) as database:
        for deed in (TOLD["the DEFAULT partition holds rows for it"][0], TOLD["it is detached"][0]):
            database.run(f"DROP SCHEMA IF EXISTS app CASCADE; CREATE SCHEMA app; {PARTED} {deed}")
            (why,) = found(database, tmp_path / "schema.sql").values()
            database.run(why.partition(": ")[2])

            assert found(database, tmp_path / "schema.sql") == {}
            assert database.ask("SELECT count(*) FROM app.a_2") == 1


def test_another_database_wants_its_partitions_and_models_want_none(laboratory: Laboratory) -> None:
    models = MetaData()
    Table("a", models, Column("n", Integer), Column("m", String), schema="app", postgresql_partition_by="RANGE (n)")
    Table("b", models, Column("n", Integer), Column("m", String), schema="app")
    with lent(laboratory.server(16), None) as wanted, lent(laboratory.server(18), None) as database:
        for each in (wanted, database):
            each.run(f"CREATE SCHEMA app; {PARTED}")
        database.run(
            "DROP TABLE app.a_2, app.b_1;CREATE TABLE app.a_3 PARTITION OF app.a FOR VALUES FROM (20) TO (9999)"
        )

        by_another = library.check(resolve(database.dsn), wanted.dsn).findings
        by_models = library.check(resolve(database.dsn), models).findings
        by_itself = library.check(resolve(database.dsn), "self", deep=True).findings

    assert [each.object for each in by_another] == ["app.a_2", "app.b_1"]
    assert by_models == ()
    assert [(each.severity, each.object) for each in by_itself] == [("info", f"app.{name}") for name in "abc"]


BOUNDS = {
    "FOR VALUES FROM ('2026-01-01 09:00:00+09') TO ('2026-01-02 09:00:00+09')": (
        "FOR VALUES FROM ('2025-12-31 19:00:00-05') TO ('2026-01-02 00:00:00+00')",
    ),
    "FOR VALUES WITH (modulus 2, remainder 1)": (
        "FOR VALUES WITH (modulus 4, remainder 1)",
        "FOR VALUES WITH (modulus 4, remainder 3)",
    ),
    "FOR VALUES FROM ('-1', MINVALUE) TO (10, 'b')": (
        "FOR VALUES FROM (MINVALUE, MINVALUE) TO (10, 'a')",
        "FOR VALUES FROM (10, 'a') TO (10, 'b')",
    ),
}


@pytest.mark.parametrize("wanted", BOUNDS)
def test_bounds_are_known_by_what_they_take(wanted: str) -> None:
    there = [bound_of(each) for each in BOUNDS[wanted]]

    assert taken(bound_of(wanted), there)
    assert all(not taken(bound_of(wanted), there[:place]) for place in range(len(there)))
