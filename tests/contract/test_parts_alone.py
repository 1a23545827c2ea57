"""What partitions have alone: what the contract lets them have, and what refuses more than their bounds do."""

from __future__ import annotations

from pathlib import Path

import pytest

import fixer as library
from fixer.connect.target import resolve
from lab.database import lent, role
from lab.laboratory import Laboratory
from lab.process import fixer

SCHEMA = """
CREATE SCHEMA app;
CREATE TABLE app.a (n integer, q numeric CHECK (q > 0)) PARTITION BY RANGE (n);
CREATE TABLE app.a_1 PARTITION OF app.a FOR VALUES FROM (0) TO (100);
CREATE TABLE app.a_rest PARTITION OF app.a DEFAULT;
CREATE TABLE app.d (day date) PARTITION BY RANGE (day);
CREATE TABLE app.d_1 PARTITION OF app.d FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE app.t (at timestamptz) PARTITION BY RANGE (at);
CREATE TABLE app.t_1 PARTITION OF app.t FOR VALUES FROM ('2026-01-01 00:00+00') TO ('2026-02-01 00:00+00');
CREATE TABLE app.l ("k%" text) PARTITION BY LIST ("k%");
CREATE TABLE app.l_1 PARTITION OF app.l FOR VALUES IN ('x', 'it''s');
CREATE TABLE app.l_rest PARTITION OF app.l DEFAULT;
CREATE TABLE app.e (at timestamptz, n integer) PARTITION BY RANGE (date_trunc('day', at AT TIME ZONE 'UTC'));
CREATE TABLE app.e_1 PARTITION OF app.e FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE app.h (id integer) PARTITION BY HASH (id);
CREATE TABLE app.h_1 PARTITION OF app.h FOR VALUES WITH (MODULUS 1, REMAINDER 0);
CREATE TABLE app.m ("a b" integer, c date, "k%" text) PARTITION BY RANGE ("a b", c);
CREATE TABLE app.m_1 PARTITION OF app.m FOR VALUES FROM (1, '2026-01-01') TO (1, '2026-02-01') PARTITION BY LIST ("k%");
CREATE TABLE app.m_1x PARTITION OF app.m_1 FOR VALUES IN ('x', NULL);
CREATE TABLE app.m_1r PARTITION OF app.m_1 DEFAULT;
CREATE TABLE app.m_2 PARTITION OF app.m FOR VALUES FROM (2, MINVALUE) TO (5, MAXVALUE);
"""
# Checks that refuse no more than the bounds of their partitions, or of those above, and those that do.
CHECKS = {
    "a_1": (["n >= 0 AND n < 100 AND q > 0", "n BETWEEN 0 AND 99", "n IS NOT NULL", "n <> 100"], ["n < 50", "n <> 7"]),
    "a_rest": (["n < 0 OR n >= 100", "n IS NULL OR NOT (n >= 0 AND n < 100)"], ["n >= 1000", "n IS NOT NULL"]),
    "d_1": (["day BETWEEN '2026-01-01' AND '2026-01-31'", "day > '2025-01-01'"], ["day <= '2026-01-30'"]),
    "t_1": (
        ["at < '2026-02-01 09:00+09'", "at <= '2026-01-31 23:59:59.999999Z'", "extract(year FROM at) = 2026"],
        ["at < '2026-01-31 23:00Z'"],
    ),
    "l_1": (["\"k%\" IN ('x', 'y', 'it''s')", "\"k%\" <> 'z'"], ["\"k%\" = 'it''s'", "\"k%\" <> 'x'"]),
    "l_rest": (["\"k%\" <> 'x'"], ["\"k%\" = 'q'"]),
    "e_1": (["at >= '2026-01-01 00:00Z'"], ["n > 5"]),
    "h_1": ([], ["id > 0"]),
    "m_1": (['"a b" = 1', "c >= '2026-01-01' AND c < '2026-02-01'"], ["c < '2026-01-31'"]),
    "m_1x": (['"a b" < 2'], ['"k%" IS NOT NULL']),
    "m_1r": (['"k%" IS NOT NULL'], ["c > '2026-01-02'"]),
    "m_2": (['"a b" BETWEEN 2 AND 5', '"a b" > 2 OR ("a b" = 2 AND c > \'1900-01-01\')'], ['"a b" <= 4']),
}


def test_a_check_of_a_partition_over_its_key_is_its_bound_only_where_it_refuses_no_more(
    laboratory: Laboratory, tmp_path: Path
) -> None:
    (tmp_path / "schema.sql").write_text(SCHEMA)
    with lent(laboratory.server(18), None) as database:
        database.run(SCHEMA)
        database.run("SET TimeZone = 'Asia/Tokyo'")
        for part, (sane, odd) in CHECKS.items():
            for name, checks in (("sane", sane), ("odd", odd)):
                for number, check in enumerate(checks):
                    database.run(f'ALTER TABLE app.{part} ADD CONSTRAINT "{part} {name} {number}" CHECK ({check})')
        copied = "pg_get_partition_constraintdef(oid)"
        for part, said in database.run(f"SELECT oid::regclass::text, {copied} FROM pg_class WHERE relispartition"):
            database.run(f'ALTER TABLE {part} ADD CONSTRAINT "copied {part}" CHECK ({said})')

        report = library.check(resolve(database.dsn), str(tmp_path / "schema.sql"))

    told = {(finding.slug, finding.object, finding.severity) for finding in report.findings}
    assert told == {
        ("rogue-check", f"app.{part}.{part} odd {number}", "warning")
        for part, (_, odd) in CHECKS.items()
        for number, _ in enumerate(odd)
    }


OWN = """
CREATE SCHEMA app; CREATE TABLE app.targets (id integer PRIMARY KEY); INSERT INTO app.targets VALUES (1);
CREATE TABLE app.k (id integer NOT NULL, t integer, "c%" text, u integer) PARTITION BY RANGE (id);
CREATE TABLE app."K 1" PARTITION OF app.k FOR VALUES FROM (0) TO (10);
ALTER TABLE app."K 1" ADD CONSTRAINT k_t FOREIGN KEY (t) REFERENCES app.targets,
    ADD CONSTRAINT k_c CHECK (u > 0), ADD CONSTRAINT k_u PRIMARY KEY ("c%"), ALTER u SET NOT NULL;
CREATE UNIQUE INDEX k_lower ON app."K 1" (lower("c%")) WHERE u > 3; CREATE INDEX k_plain ON app."K 1" (u);
CREATE TABLE app.k_2 PARTITION OF app.k FOR VALUES FROM (10) TO (20);
"""
UNPROVED = """
ALTER TABLE app."K 1" DROP CONSTRAINT k_t, DROP CONSTRAINT k_c;
ALTER TABLE app."K 1" ADD CONSTRAINT k_c CHECK (u > 0) NOT VALID,
    ADD CONSTRAINT k_t FOREIGN KEY (t) REFERENCES app.targets NOT VALID;
UPDATE pg_index SET indisvalid = false WHERE indexrelid IN ('app.k_lower'::regclass, 'app.k_plain'::regclass);
"""


@pytest.mark.parametrize("mode", ["atomic", "online"])
def test_a_partition_gets_back_what_the_contract_lets_it_have_alone(
    laboratory: Laboratory, tmp_path: Path, mode: str
) -> None:
    """Also where the partition itself is missing; and where it has all of that, there is nothing to say."""
    (tmp_path / "schema.sql").write_text(OWN)
    owned = [f"ALTER TABLE {name} OWNER TO {{}}" for name in ("app.k", 'app."K 1"', "app.k_2", "app.targets")]
    with lent(laboratory.server(18), None) as database:
        database.run(OWN)
        sound = library.check(resolve(database.dsn), str(tmp_path / "schema.sql")).findings
        database.run('DROP TABLE app."K 1"')
        rights = [f"GRANT CREATE ON DATABASE {database.name} TO {{}}", "GRANT ALL ON SCHEMA app TO {}"]
        with role(database, *owned[:1], *owned[2:], *rights) as owner:
            words = ("--contract", "schema.sql", "--dsn", database.seen_by(owner))
            ended = fixer("apply", "--mode", mode, "--yes", "-q", *words, cwd=tmp_path)
            there = database.ask(
                "SELECT array_agg(indexrelid::regclass::text ORDER BY indexrelid::regclass::text) FROM pg_index"
                " WHERE indrelid = 'app.\"K 1\"'::regclass"
            )
            undone = fixer("undo", "1", "--yes", "-q", "--dsn", database.seen_by(owner), cwd=tmp_path)

    assert sound == ()
    assert (ended.returncode, ended.stderr) == (0, "")
    assert there == ["app.k_lower", "app.k_plain", "app.k_u"]
    assert undone.returncode == 0, undone.stderr


def test_self_asks_partitions_for_the_proof_of_what_they_have_alone(laboratory: Laboratory) -> None:
    with lent(laboratory.server(18), None) as database:
        database.run(OWN)
        sound = {each.slug for each in library.check(resolve(database.dsn), "self").findings}
        database.run(UNPROVED)
        found = library.check(resolve(database.dsn), "self").findings
        ended = fixer("apply", "--yes", "-q", "--contract", "self", "--dsn", database.dsn)
        database.run('UPDATE app.k SET u = 1; ALTER TABLE app."K 1" DROP CONSTRAINT k_c')
        database.run("INSERT INTO app.k VALUES (1, 1, 'x', -1); ALTER TABLE app.\"K 1\" ADD CHECK (u > 0) NOT VALID")
        (broken,) = [e for e in library.check(resolve(database.dsn), "self").findings if e.slug == "bare-partition"]

    assert sound == {"missing-primary-key"}
    told = {each.object for each in found if each.slug == "bare-partition" and each.severity == "error"}
    assert told == {f"app.K 1.{name}" for name in ("k_t", "k_c", "k_lower", "k_plain")}
    assert (ended.returncode, ended.stderr) == (0, "")
    assert (broken.rows, broken.repair.label) == (1, "manual")
