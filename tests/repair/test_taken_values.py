"""Cells are not given a value that a constraint would refuse: the plan foresees it, and a person decides."""

from __future__ import annotations

from contextlib import closing

import psycopg2
import pytest
from sqlalchemy import (
    CHAR,
    CheckConstraint,
    Column,
    Computed,
    Enum,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    UniqueConstraint,
)
from sqlalchemy import text as sql

import fixer
from fixer.errors import NeedsPermission
from fixer.model.plan import MODES
from lab.database import Database, all_of, differences, lent
from lab.examples.models import contract, integer, key
from lab.laboratory import Laboratory


def filled(*parts: object, v: Column[object] | None = None, name: str = "t") -> MetaData:
    """Return the contract of a table whose `v` may not be NULL, and is 'x' by default."""
    wanted = Column("v", String(20), nullable=False, server_default="x") if v is None else v
    return contract(**{name: (key(), wanted, integer("a"), *parts)})


def referring(v: Column[object], *parts: object, default_row: dict[str, object] | None = None) -> MetaData:
    """Return the contract of rows `t` that reference rows `p`, one of which may be declared."""
    wanted = contract(p=(key(), Column("n", String(9))), t=(key(), v, integer("a"), *parts))
    wanted.tables["p"].info["default_rows"] = [default_row] if default_row else []
    return wanted


ROWS = "CREATE TABLE t (id serial PRIMARY KEY, v varchar(20), a integer); INSERT INTO t (v, a) VALUES {}; {}"
PAIRS = (
    "CREATE TABLE p (id serial PRIMARY KEY, n varchar(9)); INSERT INTO p VALUES (1, 'd'), (2, 'e');"
    "SELECT setval('p_id_seq', 9); CREATE TABLE t (id serial PRIMARY KEY, v integer, a integer);"
    "INSERT INTO t (v, a) VALUES {}; {}"
)
WANTED = integer("v", nullable=False, server_default="1")
BOTH = "CREATE TABLE t (id serial PRIMARY KEY, v text, w text, UNIQUE (v, w)); INSERT INTO t (v, w) VALUES {}"
ADOPTED = {"orphans": "adopt"}
DEFERRED = UniqueConstraint("v", deferrable=True, initially="DEFERRED")
ALIKE = UniqueConstraint("v", postgresql_nulls_not_distinct=True)
REFUSED = {
    "one row gets what another has": (
        filled(UniqueConstraint("v")),
        ROWS.format("('x', 1), ('y', 2), (NULL, 3)", "ALTER TABLE t ADD UNIQUE (v)"),
        "UNIQUE (v) (t_v_key)",
    ),
    "one row gets what another has, and the unique is missing": (
        filled(UniqueConstraint("v")),
        ROWS.format("('x', 1), ('y', 2), (NULL, 3)", ""),
        "UNIQUE (v) (t_v_key)",
    ),
    "several rows under a deferrable unique": (
        filled(DEFERRED),
        ROWS.format("(NULL, 1), (NULL, 2)", "ALTER TABLE t ADD UNIQUE (v) DEFERRABLE INITIALLY DEFERRED"),
        "UNIQUE (v) DEFERRABLE INITIALLY DEFERRED (t_v_key)",
    ),
    "a part of a unique of two columns": (
        filled(UniqueConstraint("a", "v")),
        ROWS.format("('x', 1), (NULL, 1), (NULL, 2)", "ALTER TABLE t ADD UNIQUE (a, v)"),
        "UNIQUE (a, v) (t_a_v_key)",
    ),
    "both parts of a unique of two columns": (
        contract(
            t=(key(), *(integer(c, nullable=False, server_default="1") for c in "vw"), UniqueConstraint("v", "w"))
        ),
        "CREATE TABLE t (id serial PRIMARY KEY, v integer, w integer, a integer, UNIQUE (v, w));"
        "INSERT INTO t (v, w) VALUES (1, NULL), (NULL, 1)",
        "UNIQUE (v, w) (t_v_w_key)",
    ),
    "a row that enters a partial unique": (
        filled(Index("ix", "a", unique=True, postgresql_where=sql("v = 'x'"))),
        ROWS.format("('x', 1), (NULL, 1)", "CREATE UNIQUE INDEX ix ON t (a) WHERE v::text = 'x'::text"),
        "UNIQUE (a) WHERE ((v)::text = 'x'::text) (ix)",
    ),
    "a unique over an expression": (
        filled(Index("ix", sql("lower(v)"), unique=True)),
        ROWS.format("('X', 1), (NULL, 2)", "CREATE UNIQUE INDEX ix ON t (lower(v))"),
        "UNIQUE (lower((v)::text)) (ix)",
    ),
    "NULL beside it, where NULLs are alike": (
        filled(UniqueConstraint("a", "v", postgresql_nulls_not_distinct=True)),
        ROWS.format("('x', NULL), (NULL, NULL)", "ALTER TABLE t ADD UNIQUE NULLS NOT DISTINCT (a, v)"),
        "UNIQUE (a, v) NULLS NOT DISTINCT (t_a_v_key)",
    ),
    "a value over other columns": (
        filled(UniqueConstraint("v"), v=integer("v", nullable=False, info={"backfill": sql("a * 10")})),
        "CREATE TABLE t (id serial PRIMARY KEY, v integer UNIQUE, a integer);"
        "INSERT INTO t (v, a) VALUES (20, 1), (NULL, 2)",
        "UNIQUE (v) (t_v_key)",
    ),
    "the moment of the repair": (
        filled(UniqueConstraint("v"), v=Column("v", String(60), nullable=False, server_default=sql("now()::text"))),
        "CREATE TABLE t (id serial PRIMARY KEY, v varchar(60) UNIQUE DEFAULT now()::text, a integer);"
        "INSERT INTO t (v) VALUES (NULL), (NULL)",
        "UNIQUE (v) (t_v_key)",
    ),
    "a text that is made": (
        filled(UniqueConstraint("v"), v=Column("v", String(9), nullable=False, server_default=sql("lpad('x', 3)"))),
        ROWS.format("(NULL, 1), (NULL, 2)", "ALTER TABLE t ADD UNIQUE (v)"),
        "UNIQUE (v) (t_v_key)",
    ),
    "a text that a backfill makes": (
        filled(UniqueConstraint("v"), v=Column("v", String(9), nullable=False, info={"backfill": sql("lpad('x', 3)")})),
        ROWS.format("(NULL, 1), (NULL, 2)", "ALTER TABLE t ADD UNIQUE (v)"),
        "UNIQUE (v) (t_v_key)",
    ),
    "a reference that the contract lacks": (
        filled(),
        "CREATE TABLE others (v varchar(20) PRIMARY KEY);"
        + ROWS.format("(NULL, 1)", "ALTER TABLE t ADD FOREIGN KEY (v) REFERENCES others"),
        "FOREIGN KEY (v) (t_v_fkey)",
    ),
    "texts that become labels": (
        filled(UniqueConstraint("v"), v=Column("v", Enum("x", "y", name="k"), nullable=False, server_default="x")),
        ROWS.format("('x', 1), (NULL, 2)", "ALTER TABLE t ADD UNIQUE (v)"),
        "UNIQUE (v) (t_v_key)",
    ),
    "texts that become labels, alike but for blanks": (
        filled(UniqueConstraint("v"), v=Column("v", Enum("x", "y", name="k"), nullable=False, server_default="x")),
        ROWS.format("('y', 1), (' y', 2)", "ALTER TABLE t ADD UNIQUE (v)"),
        "rows that t_v_key tells apart would be alike",
    ),
    "texts that become alike only together, by their blanks": (
        contract(t=(key(), Column("v", CHAR(5)), Column("w", CHAR(5)), UniqueConstraint("v", "w"))),
        BOTH.format("('a', '1'), ('a ', '1 ')"),
        "rows that t_v_w_key tells apart would be alike",
    ),
    "texts that become alike only together, one a number": (
        contract(t=(key(), Column("v", CHAR(5)), integer("w"), UniqueConstraint("v", "w"))),
        BOTH.format("('a', '1'), ('a ', '01')"),
        "rows that t_v_w_key tells apart would be alike",
    ),
    "more characters than fit": (
        filled(v=Column("v", String(3), nullable=False, info={"backfill": "long"})),
        ROWS.format("('x', 1), (NULL, 2)", "ALTER TABLE t ALTER v TYPE varchar(3)"),
        "character varying(3) NOT NULL would refuse the contract's value",
    ),
    "NULL, as other columns have it": (
        filled(v=integer("v", nullable=False, info={"backfill": sql("a * 2")})),
        "CREATE TABLE t (id serial PRIMARY KEY, v integer, a integer); INSERT INTO t (a) VALUES (1), (NULL)",
        "integer NOT NULL would refuse the contract's value",
    ),
    "a number that is too large, computed": (
        filled(v=integer("v", nullable=False, info={"backfill": sql("a * 2")})),
        "CREATE TABLE t (id serial PRIMARY KEY, v integer, a integer); INSERT INTO t (a) VALUES (1), (2000000000)",
        "integer out of range (22003)",
    ),
    "a missing column, whose expression gives more characters than fit": (
        filled(v=Column("v", String(3), Computed("'no ' || a", persisted=True))),
        "CREATE TABLE t (id serial PRIMARY KEY, a integer); INSERT INTO t (a) VALUES (1)",
        "the expression of v gives more characters than fit in one row",
    ),
    "a missing column, whose backfill gives more characters than fit": (
        filled(v=Column("v", String(3), nullable=False, info={"backfill": sql("'no ' || a")})),
        "CREATE TABLE t (id serial PRIMARY KEY, a integer); INSERT INTO t (a) VALUES (1)",
        "the backfill of v gives NULL or more characters than fit in one row",
    ),
    "a missing column, whose expression fails": (
        filled(v=integer("v", Computed("100 / a", persisted=True))),
        "CREATE TABLE t (id serial PRIMARY KEY, a integer); INSERT INTO t (a) VALUES (1), (0)",
        "division by zero (22012)",
    ),
    "a unique over what is generated": (
        filled(integer("g", Computed("length(v)", persisted=True)), UniqueConstraint("g")),
        ROWS.format("('y', 1), (NULL, 2)", "ALTER TABLE t ADD g integer GENERATED ALWAYS AS (length(v)) STORED UNIQUE"),
        "UNIQUE (g) (t_g_key)",
    ),
    "a check of what is generated": (
        filled(integer("g", Computed("length(v)", persisted=True)), CheckConstraint("g > 2", name="c")),
        ROWS.format("('why', 1), (NULL, 2)", "ALTER TABLE t ADD g integer GENERATED ALWAYS AS (length(v)) STORED,")
        + " ADD CONSTRAINT c CHECK (g > 2)",
        "CHECK (g > 2) (c)",
    ),
    "odd names": (
        filled(UniqueConstraint('o"%.d'), v=Column('o"%.d', Integer, nullable=False, server_default="1"), name='T"%.t'),
        'CREATE TABLE "T""%.t" (id serial PRIMARY KEY, "o""%.d" integer UNIQUE, a integer);'
        'INSERT INTO "T""%.t" ("o""%.d") VALUES (1), (NULL)',
        'UPDATE "public"."T""%.t" SET "o""%.d" = … WHERE "o""%.d" IS NULL',
    ),
    "a check": (
        filled(CheckConstraint("length(v) > a", name="c")),
        ROWS.format("('x', 0), (NULL, 7)", "ALTER TABLE t ADD CONSTRAINT c CHECK (length(v) > a)"),
        "CHECK (length(v) > a) (c)",
    ),
    "a reference": (
        referring(integer("v", ForeignKey("p.id"), nullable=False, server_default="7")),
        PAIRS.format("(1, 1), (NULL, 2)", "ALTER TABLE t ADD FOREIGN KEY (v) REFERENCES p"),
        "FOREIGN KEY (v) (t_v_fkey)",
    ),
    "one orphan gets what another row has": (
        referring(integer("v", ForeignKey("p.id"), info=ADOPTED), UniqueConstraint("v"), default_row={"id": 1}),
        PAIRS.format("(1, 1), (7, 2)", "ALTER TABLE t ADD UNIQUE (v)"),
        "UNIQUE (v) (t_v_key) would refuse the default row instead",
    ),
    "orphans get what other rows have, in part": (
        referring(integer("v", ForeignKey("p.id"), info=ADOPTED), UniqueConstraint("v", "a"), default_row={"id": 1}),
        PAIRS.format("(1, 1), (7, 1), (8, 2)", "ALTER TABLE t ADD UNIQUE (v, a)"),
        "UNIQUE (v, a) (t_v_a_key) would refuse the default row instead",
    ),
    "orphans get a row that is still missing": (
        referring(integer("v", ForeignKey("p.id"), info=ADOPTED), UniqueConstraint("v"), default_row={"n": "new"}),
        PAIRS.format("(7, 1), (8, 2)", "ALTER TABLE t ADD UNIQUE (v)"),
        "UNIQUE (v) (t_v_key) would refuse the default row instead",
    ),
    "orphans get NULL, where NULLs are alike": (
        referring(integer("v", ForeignKey("p.id", ondelete="SET NULL")), ALIKE),
        PAIRS.format("(7, 1), (8, 2)", "ALTER TABLE t ADD UNIQUE NULLS NOT DISTINCT (v)"),
        "UNIQUE (v) NULLS NOT DISTINCT (t_v_key) would refuse NULL instead",
    ),
    "orphans get NULL under a check": (
        referring(integer("v", ForeignKey("p.id", ondelete="SET NULL")), CheckConstraint("v > 0 IS TRUE", name="c")),
        PAIRS.format("(1, 1), (8, 2)", "ALTER TABLE t ADD CONSTRAINT c CHECK (v > 0 IS TRUE)"),
        'declare info={"orphans": "quarantine"} for v',
    ),
}
DONE = {
    "no row has it": (
        filled(UniqueConstraint("v")),
        ROWS.format("('z', 1), (NULL, 3)", "ALTER TABLE t ADD UNIQUE (v)"),
    ),
    "rows that a partial unique leaves out": (
        filled(Index("ix", "v", unique=True, postgresql_where=sql("a > 1"))),
        ROWS.format("('x', 2), (NULL, 1), (NULL, 1)", "CREATE UNIQUE INDEX ix ON t (v) WHERE a > 1"),
    ),
    "a value of its own for each row": (
        filled(UniqueConstraint("v"), v=integer("v", nullable=False, info={"backfill": sql("id * 10")})),
        "CREATE TABLE t (id serial PRIMARY KEY, v integer UNIQUE, a integer); INSERT INTO t (v) VALUES (NULL), (NULL)",
    ),
    "a row that breaks another check, and goes": (
        filled(CheckConstraint("a > 0", name="c")),
        ROWS.format("('x', 1), (NULL, -1)", "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID"),
    ),
    "a reference to the default row, which is inserted": (
        referring(integer("v", ForeignKey("p.id"), nullable=False, server_default="5"), default_row={"id": 5}),
        PAIRS.format("(1, 1), (NULL, 2)", "ALTER TABLE t ADD FOREIGN KEY (v) REFERENCES p"),
    ),
    "orphans that differ otherwise": (
        referring(integer("v", ForeignKey("p.id"), info=ADOPTED), UniqueConstraint("v", "a"), default_row={"id": 1}),
        PAIRS.format("(1, 1), (7, 2), (8, 3)", "ALTER TABLE t ADD UNIQUE (v, a)"),
    ),
    "texts that differ otherwise": (
        contract(t=(key(), Column("v", CHAR(5)), integer("w"), UniqueConstraint("v", "w"))),
        BOTH.format("('a', '1'), ('a ', '2')"),
    ),
    "a generated column over one that is converted": (
        contract(t=(key(), integer("v"), integer("g", Computed("v * 2", persisted=True)))),
        "CREATE TABLE t (id serial PRIMARY KEY, v text); INSERT INTO t (v) VALUES ('1'), (NULL), ('x')",
    ),
    "a generated column that may not be NULL, over one that is converted": (
        contract(t=(key(), integer("v"), integer("g", Computed("v * 2", persisted=True), nullable=False))),
        "CREATE TABLE t (id serial PRIMARY KEY, v text); INSERT INTO t (v) VALUES ('1'), ('2'), ('x')",
    ),
    "labels": (
        filled(UniqueConstraint("v"), v=Column("v", Enum("x", "y", name="k"), nullable=False, server_default="x")),
        ROWS.format("('y', 1), (NULL, 2)", "ALTER TABLE t ADD UNIQUE (v)"),
    ),
}  # fmt: skip


@pytest.fixture
def database(laboratory: Laboratory) -> object:
    with lent(laboratory.server(18), None) as database:
        yield database


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", REFUSED)
def test_a_value_that_would_be_refused_is_for_a_person(database: Database, name: str, mode: str) -> None:
    models, setup, words = REFUSED[name]
    database.run(setup)
    before = all_of(database)

    with (
        closing(psycopg2.connect(database.dsn)) as connection,
        pytest.raises(NeedsPermission, match="needs a human decision") as refused,
    ):
        fixer.apply(connection, models, allow_hazards="all", mode=mode)

    assert words in str(refused.value)
    assert differences(before, database) == []


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", DONE)
def test_a_value_that_fits_is_written_and_taken_back(database: Database, name: str, mode: str) -> None:
    models, setup = DONE[name]
    database.run(setup)
    before = all_of(database)

    with closing(psycopg2.connect(database.dsn)) as connection:
        run = fixer.apply(connection, models, allow_hazards="all", mode=mode)
        assert fixer.check(connection, models, deep=True).findings == ()
        fixer.undo(connection, run.run)

    assert differences(before, database) == []
