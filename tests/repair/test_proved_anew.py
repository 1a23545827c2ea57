"""What PostgreSQL proves anew as a column changes its type, or asks of a key, is seen to before."""

from __future__ import annotations

import pytest
from sqlalchemy import ForeignKey, MetaData, UniqueConstraint

import fixer
from fixer.model.plan import MODES
from lab.database import lent
from lab.examples.models import contract, integer, key, text
from lab.laboratory import VERSIONS, Laboratory
from lab.outcomes import outcome


def parted(wanted: MetaData, table: str) -> MetaData:
    wanted.tables[table].dialect_options["postgresql"]["partition_by"] = "LIST (id)"
    return wanted


def unique(column: str) -> UniqueConstraint:
    return UniqueConstraint(column, deferrable=True, initially="DEFERRED")


P_AND_C = contract(p=(key(),), c=(key(), integer("p_id", ForeignKey("p.id"), nullable=False)))
ODD = contract(**{'P".%': (key('i"%'),), "c": (key(), integer("p_id", ForeignKey('P".%.i"%')))})
SELF = contract(p=(key(), integer("p_id", ForeignKey("p.id"))))
PARTED = parted(contract(p=(key(),), c=(key(autoincrement=False), integer("p_id", ForeignKey("p.id")))), "c")
TO_PARTS = parted(contract(p=(key(autoincrement=False),), c=(key(), integer("p_id", ForeignKey("p.id")))), "p")
PAIR = (
    "CREATE TABLE p (id {}serial PRIMARY KEY); INSERT INTO p SELECT FROM generate_series(1, 4);"
    "CREATE TABLE c (id serial PRIMARY KEY, p_id integer NOT NULL, CONSTRAINT k FOREIGN KEY (p_id) REFERENCES p);"
    "INSERT INTO c (p_id) VALUES (1), (2), (4); COMMENT ON CONSTRAINT k ON c IS 'why';"
)
PARTS = (
    "CREATE TABLE p (id {}serial PRIMARY KEY); INSERT INTO p SELECT FROM generate_series(1, 4);"
    "CREATE TABLE c (id integer PRIMARY KEY, p_id integer) PARTITION BY LIST (id);"
    "CREATE TABLE c1 PARTITION OF c FOR VALUES IN (1, 2); CREATE TABLE c2 PARTITION OF c FOR VALUES IN (3);"
    "ALTER TABLE c ADD FOREIGN KEY (p_id) REFERENCES p{}; INSERT INTO c VALUES (1, 1), (3, 2);"
)
STRAY = "SET session_replication_role = replica; UPDATE c SET p_id = 99 WHERE id = 1;"
ASLEEP = "ALTER TABLE c DISABLE TRIGGER ALL;"
KEYLESS = (
    "CREATE SEQUENCE t_id_seq; CREATE TABLE t (id integer DEFAULT nextval('t_id_seq'), v text,"
    " CONSTRAINT n NOT NULL id NO INHERIT); ALTER SEQUENCE t_id_seq OWNED BY t.id; INSERT INTO t (v) VALUES ('a');"
)
T = contract(t=(key(), text("v")))
CASES = {
    "a key whose triggers sleep": (P_AND_C, PAIR.format("small") + ASLEEP),
    "a key whose triggers sleep at the parent": (P_AND_C, PAIR.format("small") + "ALTER TABLE p DISABLE TRIGGER ALL"),
    "orphans under a valid key": (P_AND_C, PAIR.format("small") + STRAY),
    "orphans under a key whose triggers sleep": (P_AND_C, PAIR.format("small") + ASLEEP + STRAY),
    "orphans in a narrow column": (P_AND_C, PAIR.format("small") + "ALTER TABLE c ALTER p_id TYPE smallint;" + STRAY),
    "orphans where a generated column needs the narrow one": (
        P_AND_C,
        PAIR.format("") + "ALTER TABLE c ADD g integer GENERATED ALWAYS AS (id + 1) STORED,"
        f" ALTER p_id TYPE smallint; {STRAY}",
    ),
    "orphans in the table itself": (
        SELF,
        "CREATE TABLE p (id smallint PRIMARY KEY, p_id integer REFERENCES p); CREATE SEQUENCE p_id_seq OWNED BY p.id;"
        "ALTER TABLE p ALTER id SET DEFAULT nextval('p_id_seq'); INSERT INTO p (p_id) VALUES (NULL), (1), (2);"
        "SET session_replication_role = replica; UPDATE p SET p_id = 99 WHERE id = 2",
    ),
    "odd names": (
        ODD,
        'CREATE TABLE "P"".%" ("i""%" smallserial PRIMARY KEY); INSERT INTO "P"".%" VALUES (1);'
        'CREATE TABLE c (id serial PRIMARY KEY, p_id integer, CONSTRAINT "k"".%" FOREIGN KEY (p_id)'
        ' REFERENCES "P"".%");'
        f'INSERT INTO c (p_id) VALUES (1), (1); SELECT nextval(\'"P"".%_i""%_seq"\'); {ASLEEP + STRAY}',
    ),
    "orphans in partitions": (PARTED, PARTS.format("small", "") + STRAY),
    "a key of partitions that is not enforced": (PARTED, PARTS.format("", " NOT ENFORCED")),
    "orphans of partitions under a key that is not enforced": (PARTED, PARTS.format("", " NOT ENFORCED") + STRAY),
    "a key to partitions that is not enforced": (
        TO_PARTS,
        "CREATE TABLE p (id integer PRIMARY KEY) PARTITION BY LIST (id); CREATE TABLE p1 PARTITION OF p DEFAULT;"
        "INSERT INTO p VALUES (1); CREATE TABLE c (id serial PRIMARY KEY, p_id integer REFERENCES p NOT ENFORCED);"
        "INSERT INTO c (p_id) VALUES (1), (2)",
    ),
    "a unique whose trigger sleeps": (
        contract(t=(key(), integer("v"), unique("v"))),
        "CREATE TABLE t (id serial PRIMARY KEY, v smallint UNIQUE DEFERRABLE INITIALLY DEFERRED);"
        "INSERT INTO t (v) VALUES (1), (2); ALTER TABLE t DISABLE TRIGGER ALL",
    ),
    "a NOT NULL that heirs do not have": (T, KEYLESS),
    "a NOT NULL that heirs do not have, not proved": (
        T,
        KEYLESS + "ALTER TABLE t DROP CONSTRAINT n; INSERT INTO t VALUES (NULL, 'b');"
        "ALTER TABLE t ADD CONSTRAINT n NOT NULL id NO INHERIT NOT VALID",
    ),
    "a NOT NULL that heirs do not have, under another key": (T, f"{KEYLESS} ALTER TABLE t ADD UNIQUE (v)"),
    "a NOT NULL that heirs do not have, in a narrow column": (
        T,
        KEYLESS.replace("id integer", "id smallint"),
    ),
}
HEIRS = KEYLESS + "CREATE TABLE h () INHERITS (t); INSERT INTO h VALUES (NULL, 'b')"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", CASES)
def test_what_is_proved_anew_is_repaired_before(laboratory: Laboratory, name: str, mode: str) -> None:
    assert outcome(laboratory, *CASES[name], mode) == "mended"


@pytest.mark.parametrize("mode", MODES)
def test_heirs_get_no_not_null_that_their_rows_may_break(laboratory: Laboratory, mode: str) -> None:
    refusal = outcome(laboratory, T, HEIRS, mode)

    assert 'ALTER TABLE "public"."t" ALTER CONSTRAINT "n" INHERIT' in refusal


@pytest.mark.parametrize("mode", MODES)
def test_what_a_run_left_goes_from_heirs_with_the_table_above(laboratory: Laboratory, mode: str) -> None:
    left = "ALTER TABLE top ADD CONSTRAINT pgmend_new_a_not_null CHECK (a IS NOT NULL) NOT VALID"
    tables = (
        "CREATE TABLE top (id integer PRIMARY KEY, a integer{0}); CREATE TABLE low (PRIMARY KEY (id)) INHERITS (top)"
    )
    server = laboratory.server(min(VERSIONS))
    with lent(server, None) as model, lent(server, None) as database:
        model.run(tables.format(" NOT NULL"))
        database.run(f"{tables.format('')}; INSERT INTO top VALUES (1, 1); INSERT INTO low VALUES (2, 2); {left}")
        fixer.apply(database.dsn, model.dsn, mode=mode, allow_hazards="all")

        assert fixer.check(database.dsn, model.dsn).ok
