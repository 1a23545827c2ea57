"""Exclusion constraints of every kind: added and replaced where no rows conflict, and each pair of rows is named."""

from __future__ import annotations

from contextlib import closing
from random import Random

import psycopg2
import pytest
from sqlalchemy import BigInteger, Column, Integer, MetaData, Table, Text, text
from sqlalchemy.dialects.postgresql import INT4RANGE, NUMRANGE, TSTZRANGE, ExcludeConstraint
from sqlalchemy.types import UserDefinedType

import fixer
from fixer.model.plan import MODES
from lab.database import lent
from lab.examples.models import integer, key
from lab.laboratory import VERSIONS, Laboratory
from lab.outcomes import outcome


class Circle(UserDefinedType[str]):
    """A type of PostgreSQL that SQLAlchemy does not know."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        return "circle"


class Point(Circle):
    def get_col_spec(self, **_: object) -> str:
        return "point"


def excluding(*elements: tuple[object, str], parts: tuple[Column, ...] = (), **options: object) -> MetaData:
    """Return the contract of a table t with an exclusion over these elements."""
    metadata = MetaData()
    keys = () if parts[0].name == "a.b" else (key(),)
    Table("t", metadata, *keys, *parts, ExcludeConstraint(*elements, name="apart", **options))
    return metadata


def late(wanted: MetaData) -> MetaData:
    """Return the contract with another exclusion, which speaks at the end of the transaction."""
    apart = ExcludeConstraint(("n", "="), name="late", using="btree", deferrable=True, initially="DEFERRED")
    wanted.tables["t"].append_constraint(apart)
    return wanted


def default_row(wanted: MetaData) -> MetaData:
    wanted.tables["t"].info["default_rows"] = [{"code": "d", "r": "[5,9)"}]
    return wanted


def parted(*elements: tuple[object, str]) -> MetaData:
    """Return the contract of a table t whose key may be that of a partitioned table."""
    metadata, k = MetaData(), Column("k", Integer, primary_key=True, autoincrement=False)
    apart = ExcludeConstraint(*elements, name="apart", using="btree")
    Table("t", metadata, Column("id", Integer, primary_key=True, autoincrement=True), k, integer("n"), apart)
    return metadata


def odd() -> MetaData:
    """Return a contract in which no name is plain."""
    metadata = MetaData(schema='a "b".%')
    during = Column('d"u.r%ing', INT4RANGE)
    begins = text('int4range("be.gins%", "WITH ""x""")')
    parts = (during, Column("be.gins%", Integer), Column('WITH "x"', Integer))
    where = text("\"be.gins%\" <> 7 AND 'a WITH && WHERE (' <> 'b'")
    one = ExcludeConstraint((during, "&&"), name='a"p.a%rt', where=where, deferrable=True, initially="DEFERRED")
    Table('T "t"', metadata, key(), *parts, one, ExcludeConstraint((begins, "&&"), name="two"))
    return metadata


MADE_ODD = (
    'CREATE SCHEMA "a ""b"".%"; CREATE TABLE "a ""b"".%"."T ""t""" (id serial PRIMARY KEY, "d""u.r%ing" int4range,'
    ' "be.gins%" integer, "WITH ""x""" integer);'
    'INSERT INTO "a ""b"".%"."T ""t""" ("d""u.r%ing", "be.gins%", "WITH ""x""") VALUES (\'[1,3)\', 1, 3), {}'
)


def spans(**words: object) -> Column[object]:
    return Column("r", INT4RANGE, **words)


MADE = "CREATE TABLE t (id serial PRIMARY KEY, r int4range, n integer); INSERT INTO t (r, n) VALUES {}"
PARTED = (
    "CREATE TABLE t (id serial, k integer NOT NULL, n integer, PRIMARY KEY (id, k)) PARTITION BY LIST (k);"
    "CREATE TABLE t1 PARTITION OF t FOR VALUES IN (1);"
    "CREATE TABLE t2 PARTITION OF t FOR VALUES IN (2) PARTITION BY RANGE (k);"
    "CREATE TABLE t3 PARTITION OF t2 DEFAULT;"
)
MENDED = {
    "odd names": (odd(), MADE_ODD.format("('[2,9)', 7, 9), ('[3,9)', NULL, NULL)").replace(", NULL, NULL", ", 9, 10")),
    "by an index in space": (
        excluding(("p", "~="), parts=(Column("p", Point),), using="spgist"),
        "CREATE TABLE t (id serial PRIMARY KEY, p point); INSERT INTO t (p) VALUES ('(1,1)'), ('(1,2)'), (NULL)",
    ),
    "by a hash": (
        excluding(("c", "="), parts=(Column("c", Text),), using="hash"),
        "CREATE TABLE t (id serial PRIMARY KEY, c text); INSERT INTO t (c) VALUES ('a'), ('A'), (NULL), (NULL)",
    ),
    "of shapes": (
        excluding(("c", "&&"), parts=(Column("c", Circle),)),
        "CREATE TABLE t (id serial PRIMARY KEY, c circle); INSERT INTO t (c) VALUES ('((0,0),1)'), ('((5,0),1)')",
    ),
    "with a collation": (
        excluding((text('c COLLATE "C"'), "="), parts=(Column("c", Text),), using="btree"),
        "CREATE TABLE t (id serial PRIMARY KEY, c text); INSERT INTO t (c) VALUES ('a'), ('b')",
    ),
    "the column has an old name": (
        excluding(("r", "&&"), parts=(spans(info={"legacy_names": ["span"]}),)),
        "CREATE TABLE t (id serial PRIMARY KEY, span int4range); INSERT INTO t (span) VALUES ('[1,3)'), ('[3,4)')",
    ),
    "the column has an old name, and the constraint stands": (
        excluding(("r", "&&"), parts=(spans(info={"legacy_names": ["span"]}),)),
        "CREATE TABLE t (id serial PRIMARY KEY, span int4range, CONSTRAINT apart EXCLUDE USING gist (span WITH &&));"
        "INSERT INTO t (span) VALUES ('[1,3)'), ('[3,4)')",
    ),
    "the column has another type": (
        excluding(("n", "="), parts=(integer("n"),), using="btree"),
        "CREATE TABLE t (id serial PRIMARY KEY, n text); INSERT INTO t (n) VALUES ('1'), ('2'), (NULL)",
    ),
    "the column is missing": (
        excluding(("n", "="), ("r", "&&"), parts=(Column("n", INT4RANGE, server_default="[1,2)"), spans())),
        "CREATE TABLE t (id serial PRIMARY KEY, r int4range); INSERT INTO t (r) VALUES ('[1,3)'), ('[3,4)')",
    ),
    "without a key": (
        excluding(("r", "&&"), parts=(spans(),)),
        "CREATE TABLE t (id integer, r int4range); INSERT INTO t VALUES (1, '[1,3)'), (2, '[3,4)')",
    ),
    "another has its name and its comment": (
        excluding(("r", "&&"), parts=(spans(),)),
        MADE.format("('[1,3)', 1), ('[3,4)', 2)")
        + "; ALTER TABLE t ADD CONSTRAINT apart EXCLUDE USING gist (r WITH =) DEFERRABLE;"
        "COMMENT ON CONSTRAINT apart ON t IS 'kept'; CLUSTER t USING apart",
    ),
    "of a partitioned table": (
        parted(("k", "="), ("n", "=")),
        PARTED + "ALTER TABLE t1 ADD CONSTRAINT apart EXCLUDE USING btree (k WITH =, n WITH =);"
        "INSERT INTO t (k, n) VALUES (1, 1), (2, 1), (1, 2), (1, NULL)",
    ),
    "rows get values under another one that speaks late": (
        late(excluding(("r", "&&"), parts=(integer("n", nullable=False, info={"backfill": text("id + 9")}), spans()))),
        "CREATE TABLE t (id serial PRIMARY KEY, n integer, r int4range,"
        " CONSTRAINT late EXCLUDE USING btree (n WITH =) DEFERRABLE INITIALLY DEFERRED);"
        "INSERT INTO t (n, r) VALUES (1, '[1,2)'), (NULL, '[2,3)'), (NULL, '[3,4)')",
    ),
    "the column of one that stands is widened": (
        excluding(("n", "="), parts=(Column("n", BigInteger),), using="btree", deferrable=True, initially="DEFERRED"),
        "CREATE TABLE t (id serial PRIMARY KEY, n integer,"
        " CONSTRAINT apart EXCLUDE USING btree (n WITH =) DEFERRABLE INITIALLY DEFERRED); INSERT INTO t (n) VALUES (1)",
    ),
    "a unique has its name": (
        excluding(("r", "&&"), parts=(spans(),)),
        MADE.format("('[1,3)', 1), ('[3,4)', 2)") + "; ALTER TABLE t ADD CONSTRAINT apart UNIQUE (id, n)",
    ),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("case", MENDED)
def test_what_is_missing_or_different_is_mended_and_taken_back(laboratory: Laboratory, case: str, mode: str) -> None:
    wanted, made = MENDED[case]
    expected = "mended"
    if "PARTITION" in made and max(VERSIONS) < 17:
        expected = OLD

    assert expected in outcome(laboratory, wanted, made, mode)


# Few rows have a range, so that PostgreSQL looks them up in the index; the last one was written past it.
UNSEEN = (
    "CREATE TABLE t (id serial PRIMARY KEY, r int4range, CONSTRAINT apart EXCLUDE USING gist (r WITH &&) {});"
    "INSERT INTO t (r) SELECT CASE WHEN g % 100 = 0 THEN int4range(g, g + 1) END FROM generate_series(1, 20000) AS g;"
    "UPDATE pg_index SET indisready = false, indisvalid = false WHERE indexrelid = 'apart'::regclass;"
    "INSERT INTO t (r) VALUES ('[100,101)');"
    "UPDATE pg_index SET indisready = true, indisvalid = true WHERE indexrelid = 'apart'::regclass; ANALYZE t"
)
PAIRS = {
    "ranges overlap": (excluding(("r", "&&"), parts=(spans(),)), MADE.format("('[5,9)', 1), ('[1,6)', 2)"), ["1", "2"]),
    "the first is long": (
        excluding(("r", "&&"), parts=(spans(),)),
        MADE.format("('[1,99)', 1), ('[2,3)', 2), ('[4,5)', 3), ('[6,7)', 4)"),
        ["2", "1"], ["3", "1"], ["4", "1"],
    ),
    "one has no end": (excluding(("r", "&&"), parts=(spans(),)), MADE.format("('[9,)', 1), ('(,10)', 2)"), ["1", "2"]),
    "both include their end": (
        excluding(("r", "&&"), parts=(Column("r", NUMRANGE),)),
        "CREATE TABLE t (id serial PRIMARY KEY, r numrange);"
        "INSERT INTO t (r) VALUES ('[1,2]'), ('[2,3)'), ('(3,4]'), ('(4,5)'), ('[3,3]')",
        ["2", "1"],
    ),
    "numbers are equal": (
        excluding(("n", "="), parts=(integer("n"),), using="btree", where=text("n > 0")),
        MADE.format("(NULL, 5), (NULL, -1), (NULL, -1), (NULL, 5), (NULL, NULL), (NULL, NULL)"),
        ["4", "1"],
    ),
    "texts become equal numbers": (
        excluding(("n", "="), parts=(integer("n"),), using="btree"),
        "CREATE TABLE t (id serial PRIMARY KEY, n text); INSERT INTO t (n) VALUES ('1'), ('01')",
        ["2", "1"],
    ),
    "the missing column says the same of all": (
        excluding(("n", "="), parts=(integer("n", server_default="3"),), using="btree"),
        "CREATE TABLE t (id serial PRIMARY KEY); INSERT INTO t DEFAULT VALUES; INSERT INTO t DEFAULT VALUES",
        ["2", "1"],
    ),
    "shapes overlap": (
        excluding(("c", "&&"), parts=(Column("c", Circle),)),
        "CREATE TABLE t (id serial PRIMARY KEY, c circle);"
        "INSERT INTO t (c) VALUES ('((0,0),1)'), ('((5,0),1)'), ('((1,0),1)')",
        ["3", "1"],
    ),
    "two ranges overlap": (
        excluding((text("int4range(n, n + 2)"), "&&"), ("r", "&&"), parts=(integer("n"), spans())),
        MADE.format("('[1,6)', 1), ('[2,3)', 2), ('[1,3)', 5), ('[7,8)', 1)"),
        ["2", "1"],
    ),
    "in a table without a key": (
        excluding(("r", "&&"), parts=(Column("a.b", Text), spans())),
        'CREATE TABLE t ("a.b" text, r int4range); INSERT INTO t VALUES (NULL, \'[1,3)\'), (\'x\', \'[2,4)\')',
        ["x", "[2,4)", None, "[1,3)"],
    ),
    "in partitions": (
        parted(("k", "="), ("n", "=")),
        f"{PARTED} INSERT INTO t (id, k, n) VALUES (1, 1, 1), (2, 2, 1), (3, 1, 2), (4, 2, 1), (5, 1, NULL)",
        ["4", "2", "2", "2"],
    ),
    "with odd names": (odd(), MADE_ODD.format("('[2,9)', 2, 3)"), ["2", "1"], ["2", "1"]),
    "its index does not show one": (excluding(("r", "&&"), parts=(spans(),)), UNSEEN.format(""), ["20001", "100"]),
    "its partial index does not show one": (
        excluding(("r", "&&"), parts=(spans(),), where=text("r IS NOT NULL")),
        UNSEEN.format("WHERE (r IS NOT NULL)"),
        ["20001", "100"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", PAIRS)
def test_rows_that_conflict_are_named_in_pairs(laboratory: Laboratory, case: str) -> None:
    wanted, made, *pairs = PAIRS[case]
    with lent(laboratory.server(max(VERSIONS)), None) as database:
        database.run(made)
        with closing(psycopg2.connect(database.dsn)) as connection:
            found = [f for f in fixer.check(connection, wanted).findings if f.slug == "conflicting-rows"]

    assert sorted(map(list, (pair for f in found for pair in f.sample)), key=repr) == sorted(pairs, key=repr)
    assert {f.repair.label for f in found} == {"manual"}


BOUNDS = [
    "[1,2]",
    "[1,2)",
    "(1,2]",
    "(1,2)",
    "[2,2]",
    "(2,3]",
    "[2,3)",
    "[0,9]",
    "(,1]",
    "(,1)",
    "[3,)",
    "(,)",
    "empty",
]
OVERLAPS = "SELECT count(*) FROM t a JOIN t b ON a.r && b.r AND a.id < b.id"


@pytest.mark.parametrize("seed", range(3))
def test_ranges_conflict_if_any_two_overlap(laboratory: Laboratory, seed: int) -> None:
    chance, wanted = Random(seed), excluding(("r", "&&"), parts=(Column("r", NUMRANGE),))
    with lent(laboratory.server(max(VERSIONS)), None) as database:
        database.run("CREATE TABLE t (id serial PRIMARY KEY, r numrange)")
        for _ in range(12):
            rows = ", ".join(f"('{chance.choice(BOUNDS)}')" for _ in range(chance.choice([2, 2, 3, 6])))
            database.run(f"TRUNCATE t; INSERT INTO t (r) VALUES {rows}")
            with closing(psycopg2.connect(database.dsn)) as connection:
                found = {finding.slug for finding in fixer.check(connection, wanted).findings}

            assert ("conflicting-rows" in found) == bool(database.ask(OVERLAPS)), rows


OLD = "a partitioned table takes it from PostgreSQL 17 on: add it to each partition"
REFUSED = {
    "a partitioned table whose key it lacks": (
        parted(("n", "=")),
        PARTED,
        "it is partitioned by k, which a key over all partitions has to have",
    ),
    "a partition whose key it lacks": (
        parted(("k", "="), ("n", "=")),
        PARTED.replace("RANGE (k)", "RANGE (id)"),
        "it is partitioned by id, which a key over all partitions has to have",
    ),
    "a partitioned table whose key it does not compare for equality": (
        excluding((text("int4range(k, k + 1)"), "&&"), parts=(integer("k", nullable=False), integer("n"))),
        PARTED.replace("PRIMARY KEY (id, k)", "UNIQUE (id, k)"),
        "it is partitioned by k, which a key over all partitions has to have",
    ),
    "shapes of too many rows": (
        excluding(("c", "&&"), parts=(Column("c", Circle),)),
        "CREATE TABLE t (id serial PRIMARY KEY, c circle);"
        "UPDATE pg_class SET reltuples = 1e6 WHERE oid = 't'::regclass",
        "pgmend cannot compare so many rows; this fails if any conflict:"
        ' ALTER TABLE "public"."t" ADD CONSTRAINT "apart" EXCLUDE USING gist (c WITH &&);',
    ),
    "shapes of too many rows, under another": (
        excluding(("c", "&&"), parts=(Column("c", Circle),)),
        "CREATE TABLE t (id serial PRIMARY KEY, c circle, CONSTRAINT apart EXCLUDE USING gist (c WITH &&) DEFERRABLE);"
        "UPDATE pg_class SET reltuples = 1e6 WHERE oid = 't'::regclass",
        "pgmend cannot compare so many rows; this fails if any conflict:"
        ' ALTER TABLE "public"."t" DROP CONSTRAINT "apart", ADD CONSTRAINT "apart" EXCLUDE USING gist (c WITH &&);',
    ),
    "a value of the contract for two rows": (
        excluding(("n", "="), parts=(integer("n", nullable=False, info={"backfill": 7}),), using="btree"),
        "CREATE TABLE t (id serial PRIMARY KEY, n integer); INSERT INTO t (n) VALUES (NULL), (NULL)",
        "rows conflict, some once NULL has the contract's value",
    ),
    "a value of the contract that another row has": (
        excluding(("n", "="), parts=(integer("n", nullable=False, info={"backfill": 7}),), using="btree"),
        "CREATE TABLE t (id serial PRIMARY KEY, n integer, EXCLUDE USING btree (n WITH =));"
        "INSERT INTO t (n) VALUES (NULL), (7)",
        "rows conflict, some once NULL has the contract's value",
    ),
    "a default row that another excludes": (
        default_row(excluding(("r", "&&"), parts=(Column("code", Text, unique=True), spans()))),
        "CREATE TABLE t (id serial PRIMARY KEY, code text UNIQUE, r int4range);"
        "INSERT INTO t (code, r) VALUES ('a', '[4,6)')",
        "t should have the default row code 'd', but another row has its unique values",
    ),
    "a value that cannot be computed": (
        excluding((text("int4range(a, b)"), "&&"), parts=(integer("a"), integer("b"))),
        "CREATE TABLE t (id serial PRIMARY KEY, a integer, b integer); INSERT INTO t (a, b) VALUES (1, 2), (2, 1)",
        "range lower bound must be less than or equal to range upper bound",
    ),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_added_is_left_to_a_person(laboratory: Laboratory, case: str, mode: str) -> None:
    wanted, made, expected = REFUSED[case]
    if "PARTITION" in made and max(VERSIONS) < 17:
        expected = OLD

    assert expected in outcome(laboratory, wanted, made, mode)


def test_a_value_is_not_computed_for_a_row_that_the_condition_leaves_out(laboratory: Laboratory) -> None:
    wanted = excluding((text("int4range(a, b)"), "&&"), parts=(integer("a"), integer("b")), where=text("a <= b"))
    made = "CREATE TABLE t (id serial PRIMARY KEY, a integer, b integer); INSERT INTO t (a, b) VALUES (1, 2), (2, 1)"

    assert outcome(laboratory, wanted, made, "atomic") == "mended"


BOOKINGS = """
CREATE SCHEMA "e.x"; CREATE EXTENSION btree_gist SCHEMA "e.x";
CREATE TABLE t (id serial PRIMARY KEY, room integer, kind text, during tstzrange);
INSERT INTO t (room, kind, during) VALUES (1, 'a', '[2026-01-01,2026-01-02]'), (2, 'a', '[2026-01-01,2026-01-02]'),
    (1, 'a', '(2026-01-02,2026-01-03)'), (1, 'a', NULL), (NULL, 'b', '[2026-01-01,2026-01-09]'), {};
"""
WITH_BTREE_GIST = {
    "none": ("(1, 'a', '[2026-01-03,2026-01-04)')", []),
    "two of a room": ("(1, 'a', '[2026-01-02,2026-01-04)')", [["3", "6"], ["6", "1"]]),
    "two kinds": ("(1, 'b', '[2026-01-05,2026-01-06)')", [["6", "1"]]),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("case", WITH_BTREE_GIST)
def test_equal_and_different_numbers_are_compared_by_an_extension(laboratory: Laboratory, case: str, mode: str) -> None:
    row, pairs = WITH_BTREE_GIST[case]
    room, kind, during = integer("room"), Column("kind", Text), Column("during", TSTZRANGE)
    wanted = excluding(("room", "="), (during, "&&"), parts=(room, kind, during))
    wanted.tables["t"].append_constraint(ExcludeConstraint(("room", "="), ("kind", "<>"), name="alike"))
    with lent(laboratory.server(max(VERSIONS)), None) as database:
        if not database.ask("SELECT count(*) FROM pg_available_extensions WHERE name = 'btree_gist'"):
            pytest.skip("this server has no btree_gist")
        database.run(BOOKINGS.format(row))
        with closing(psycopg2.connect(database.dsn)) as connection:
            found = [f for f in fixer.check(connection, wanted).findings if f.slug == "conflicting-rows"]
            if not pairs:
                assert fixer.apply(connection, wanted, mode=mode).ok
                assert fixer.undo(connection, 1)

    assert [list(pair) for f in found for pair in f.sample] == pairs


def test_an_extension_that_the_target_lacks_is_named(laboratory: Laboratory) -> None:
    wanted = excluding(("room", "="), ("r", "&&"), parts=(integer("room"), spans()))
    with lent(laboratory.server(max(VERSIONS)), None) as database:
        database.run("CREATE TABLE t (id serial PRIMARY KEY, room integer, r int4range)")
        with closing(psycopg2.connect(database.dsn)) as connection:
            (found,) = (f for f in fixer.check(connection, wanted).findings if f.slug == "refused-definition")

    assert (found.object, found.severity) == ("public.t.apart", "error")
    assert "run CREATE EXTENSION btree_gist; in the database if that has it" in found.repair.refusal
