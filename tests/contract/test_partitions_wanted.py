"""Partitions that SQL, a database or models want: what is missing is created, and what stands is not touched."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Column, Date, Integer, MetaData, Table

import fixer as library
from fixer.connect.target import resolve
from fixer.model.expression.bounds import bound_of, taken
from lab.database import Database, lent, lent_copy, role
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


@pytest.mark.parametrize("mode", ["atomic", "online"])
def test_missing_partitions_are_made_and_go_again_at_undo(made: Database, tmp_path: Path, mode: str) -> None:
    """Those of a hash, those below one that is missing as well, and those of a table that is missing."""
    schema = tmp_path / "schema.sql"
    schema.write_text(SCHEMA)
    owned = [f"ALTER TABLE {name} OWNER TO {{}}" for name in (VISITS, "app.users", "app.notes", "app.spread")]
    wanted = made.dump()
    made.run(f"ALTER TABLE {VISITS} DETACH PARTITION app.v2; DROP TABLE app.v2, app.spread_1, app.hours; SET TimeZone = 'Asia/Tokyo'")
    rights = ["GRANT CREATE ON DATABASE {} TO {{}}".format(made.ask("SELECT current_database()"))]
    rights += ['GRANT ALL ON SCHEMA app, "par.ts" TO {}']
    with role(made, *owned, *rights) as owner:
        broken = made.dump()
        words = ("--contract", "schema.sql", "--dsn", made.seen_by(owner))
        before = found(made, schema)
        ended = fixer("apply", "--mode", mode, "--yes", "-q", *words, cwd=tmp_path)
        after = found(made, schema)
        mended = made.ask("SELECT count(*) FROM pg_class WHERE relispartition")
        made.run(f"BEGIN; INSERT INTO {VISITS} VALUES (7, '2026-02-07', NULL); ROLLBACK")
        undone = fixer("undo", "--yes", "--dsn", made.seen_by(owner), cwd=tmp_path)

        assert before == {
            ("missing-table", "app.v2"): "automatic",
            ("missing-table", "app.spread_1"): "automatic",
            ("missing-table", "app.hours"): "automatic",
        }
        assert (ended.returncode, ended.stderr, after) == (0, "", {})
        assert mended == wanted.count("ATTACH PARTITION")
        assert (undone.returncode, undone.stderr) == (0, "")
        assert made.dump() == broken
