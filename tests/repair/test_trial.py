"""What depends on a column is tried against its new type before anything is changed, and the plan says what fails."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.commands import APPLY
from lab.database import Database, lent
from lab.laboratory import Laboratory
from lab.process import fixer

THINGS = """
from sqlalchemy import Column, Enum, ForeignKey, Integer, MetaData, Numeric, Table
metadata = MetaData()
Table("Th.ings%", metadata, Column("id", Integer, primary_key=True, autoincrement=False),
      Column("st%ate", Enum("open", "shut", name="St ate")), Column("n", Integer), Column("m", Integer),
      Column("amount", Numeric), Column("part", Integer, primary_key=True, autoincrement=False),
      postgresql_partition_by="LIST (part)")
"""
BROKEN = """
CREATE TABLE "Th.ings%" (id integer NOT NULL, "st%ate" text, n text, m text, amount integer, part integer NOT NULL,
    PRIMARY KEY (id, part)) PARTITION BY LIST (part);
CREATE TABLE p0 PARTITION OF "Th.ings%" FOR VALUES IN (0); CREATE TABLE p1 PARTITION OF "Th.ings%" DEFAULT;
CREATE TABLE others (id integer PRIMARY KEY); CREATE FUNCTION f("Th.ings%") RETURNS text LANGUAGE sql AS 'SELECT 1';
INSERT INTO "Th.ings%" SELECT n, CASE n WHEN 1 THEN 'odd' ELSE 'open' END, n, n, n, 0 FROM generate_series(1, 9) AS n;
"""
TABLE, LEFT = '"Th.ings%"', "Nothing was changed."
AWAY = """
DROP STATISTICS IF EXISTS s; DROP VIEW IF EXISTS w; DROP VIEW IF EXISTS v; DROP INDEX IF EXISTS i;
DROP POLICY IF EXISTS p ON others; DROP POLICY IF EXISTS p ON p0; DROP POLICY IF EXISTS p ON "Th.ings%"
"""
STATE = 'operator does not exist: "St ate" = text (42883)'
UNFIT = {
    "CREATE POLICY p ON {} USING (\"st%ate\" = 'open') WITH CHECK (\"st%ate\" <> 'x CHECK ')": ("policy p", STATE),
    "CREATE POLICY p ON {} AS RESTRICTIVE FOR INSERT WITH CHECK (\"st%ate\" IN ('{{}}', 'open'))": ("policy p", STATE),
    "CREATE POLICY p ON others USING (EXISTS (SELECT FROM {} t WHERE t.id = others.id AND t.\"st%ate\" = 'x'))": (
        "policy p",
        STATE,
    ),
    "CREATE POLICY p ON {} USING (EXISTS (SELECT FROM {} AS o WHERE o.n > {}.n AND o.\"st%ate\" = 'a'))": (
        "policy p",
        STATE,
    ),
    "CREATE POLICY p ON p0 USING (n LIKE '1%')": ("policy p", "operator does not exist: integer ~~ text (42883)"),
    "CREATE VIEW v AS SELECT 'FROM {}' AS t, n FROM {}; CREATE VIEW w AS SELECT FROM v JOIN {} ON v.n < v.t": (
        "view w",
        "operator does not exist: integer < text (42883)",
    ),
    "CREATE VIEW v AS WITH x AS (SELECT n || 'y' AS c FROM {}) SELECT upper(a.n) FROM {} a, {} b, x WHERE c = b.n": (
        "view v",
        "function upper(integer) does not exist (42883)",
    ),
    "CREATE INDEX i ON {} (id, (amount & 1))": ("index i", "operator does not exist: numeric & integer (42883)"),
    "CREATE STATISTICS s ON (lower(n)), id FROM {}": (
        "statistics public.s",
        "function lower(integer) does not exist (42883)",
    ),
    "CREATE INDEX i ON {} USING spgist (n)": ("index i", "spgist has no operators for integer"),
    "CREATE INDEX i ON {} (id) WHERE (amount % 2) = 0 AND (amount # 1) > 0": (
        "index i",
        "operator does not exist: numeric # integer (42883)",
    ),
}
FIT = (
    'CREATE POLICY p ON {} USING ("st%ate" IS NOT NULL AND n = m AND m <> n); CREATE POLICY q ON p1 USING (n > m);'
    'CREATE VIEW v AS SELECT max("st%ate") AS "St ate", n || \'x\' AS x FROM {} WHERE n < m GROUP BY 2;'
    'CREATE VIEW w AS SELECT v.*, a.n FROM v, {} a WHERE a."st%ate" = a."st%ate" AND a.n IN (SELECT m FROM p0);'
    "CREATE VIEW g AS SELECT id, f(t) FROM {} t WHERE n IS NULL; CREATE INDEX i ON {} (id, (amount % 2) DESC);"
    'CREATE INDEX j ON {} USING brin (n, amount); CREATE INDEX k ON {} USING hash ("st%ate")'
)


@pytest.fixture
def broken(laboratory: Laboratory) -> Iterator[Database]:
    with lent(laboratory.server(18), None) as database:
        database.run(BROKEN)
        yield database


def test_the_plan_says_what_does_not_go_with_a_new_type(broken: Database, tmp_path: Path) -> None:
    (tmp_path / "things.py").write_text(THINGS)
    words = ("--mode", "online", "--format", "json", "--contract", "things:metadata", "--dsn", broken.dsn)
    told = {}
    for statement in UNFIT:
        broken.run(f"BEGIN; {statement.format(*[TABLE] * 4)}; COMMIT")
        ended = fixer("plan", *words, cwd=tmp_path)
        told[statement] = " ".join(json.loads(ended.stdout)["refusals"])
        broken.run(AWAY)

    assert {
        s: (n, w) for s, (n, w) in UNFIT.items() if not (f"the {n} " in told[s] and f"type: {w}: " in told[s])
    } == {}


@pytest.mark.parametrize("mode", ["atomic", "online"])
def test_what_goes_with_the_new_types_is_not_refused(broken: Database, tmp_path: Path, mode: str) -> None:
    (tmp_path / "things.py").write_text(THINGS)
    broken.run(FIT.format(*[TABLE] * 9))
    words = ("-q", "--mode", mode, "--contract", "things:metadata", "--dsn", broken.dsn)
    ended = fixer(*APPLY, *words, cwd=tmp_path)

    assert (ended.returncode, ended.stderr) == (0, "")


ONLY_TRIED = {
    "CREATE VIEW v AS SELECT n AS m FROM {}; CREATE VIEW w AS SELECT h(m) FROM v": (
        "DROP VIEW w; DROP VIEW v",
        "The view w would call the function public.h(integer) over the new type, which it did not call before",
    ),
    "CREATE VIEW v AS SELECT id, part, n FROM {} GROUP BY id, part; CREATE VIEW w AS SELECT upper(n) FROM v": (
        "DROP VIEW w; DROP VIEW v",
        "The view w does not go with new types of its columns: function upper(integer) does not exist (42883). Drop it",
    ),
    "ALTER TABLE p0 ADD CONSTRAINT odd CHECK (n <> '')": (
        "ALTER TABLE p0 DROP CONSTRAINT odd",
        "columns of public.p0 does not go with their new types: operator does not exist: integer <> text (42883)",
    ),
    "CREATE STATISTICS s ON (lower(n)), id FROM p1": (
        "DROP STATISTICS s",
        "columns of public.p1 does not go with their new types: function lower(integer) does not exist (42883)",
    ),
    "CREATE INDEX i ON p1 (upper(n))": (
        "DROP INDEX i",
        "columns of public.p1 does not go with their new types: function upper(integer) does not exist (42883)",
    ),
}
KEYS = """
CREATE FUNCTION h(text) RETURNS text LANGUAGE sql AS 'SELECT $1';
CREATE FUNCTION h(integer) RETURNS text LANGUAGE sql AS 'SELECT NULL::text';
CREATE UNIQUE INDEX u ON {} (n, part);
CREATE TABLE children (n text, part integer, FOREIGN KEY (n, part) REFERENCES {} (n, part));
"""


def test_online_what_only_a_rehearsal_shows_ends_the_run_before_it_begins(broken: Database, tmp_path: Path) -> None:
    (tmp_path / "things.py").write_text(
        f"{THINGS}from sqlalchemy import ForeignKeyConstraint, UniqueConstraint\n"
        'metadata.tables["Th.ings%"].append_constraint(UniqueConstraint("n", "part", name="u"))\n'
        'Table("children", metadata, Column("n", Integer), Column("part", Integer),'
        ' ForeignKeyConstraint(["n", "part"], ["Th.ings%.n", "Th.ings%.part"]))'
    )
    broken.run(KEYS.format(TABLE, TABLE))
    words = ("-q", "--mode", "online", "--contract", "things:metadata", "--dsn", broken.dsn)
    wrong = {}
    for statement, (away, why) in ONLY_TRIED.items():
        broken.run(statement.format(TABLE))
        before = broken.dump()
        ended = fixer(*APPLY, *words, cwd=tmp_path)
        if (ended.returncode, broken.dump()) != (2, before) or not (why in ended.stderr and LEFT in ended.stderr):
            wrong[statement] = ended.stderr
        broken.run(away)
    assert wrong == {}
    assert fixer(*APPLY, *words, cwd=tmp_path).stderr == ""
