"""Partitions, and what they have of their own: nothing of it is lost, or taken for what it is not."""

from __future__ import annotations

from contextlib import closing

import psycopg2
import pytest
import sqlalchemy
from sqlalchemy import CheckConstraint, ForeignKey, Index, MetaData

import fixer
from fixer.connect.target import resolve
from fixer.errors import NeedsPermission
from fixer.model.plan import MODES
from lab.database import Database, lent
from lab.examples.models import contract, integer, key, once_called, text
from lab.laboratory import Laboratory
from lab.outcomes import outcome


def parted(columns: str) -> str:
    """Return what makes a table `p` of one partition `p0`, by hash of its id."""
    return (
        f"CREATE TABLE p({columns}) PARTITION BY HASH (id);"
        "CREATE TABLE p0 PARTITION OF p FOR VALUES WITH (MODULUS 1, REMAINDER 0);"
    )


def function(body: str) -> str:
    return f"CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN {body} END$$;"


def with_index(wanted: MetaData, expression: str) -> MetaData:
    Index("by_expression", sqlalchemy.text(expression), _table=wanted.tables["p"])
    return wanted


P, TWICE = contract(p=(key(), integer("n"))), "INSERT INTO p VALUES (1, 1), (1, 9); SELECT nextval('p_id_seq');"
FILLED = contract(p=(key(), integer("n", nullable=False)))
CHILD = contract(p=(key(),), k=(key(), integer("p_id", ForeignKey("p.id"))))
OWN = "the index own would become part of it, and go with it at undo; if it may, run: "
TRIGGER = "CREATE TRIGGER t BEFORE UPDATE ON {} FOR EACH ROW EXECUTE FUNCTION f();"

CASES = {
    "a foreign key to a partitioned table": (
        CHILD,
        parted("id serial PRIMARY KEY")
        + "INSERT INTO p DEFAULT VALUES; CREATE TABLE k(id serial PRIMARY KEY, p_id integer REFERENCES p);"
        "INSERT INTO k(p_id) VALUES (1)",
        "sound",
    ),
    "a partitioned table that references itself": (
        contract(p=(key(), integer("p_id", ForeignKey("p.id")))),
        parted("id serial PRIMARY KEY, p_id integer REFERENCES p") + "INSERT INTO p(p_id) VALUES (1)",
        "sound",
    ),
    "a contract that names a partition as well": (
        contract(p=(key(),), p0=(key(),)),
        parted("id serial PRIMARY KEY"),
        "sound",
    ),
    "rows without a parent": (
        CHILD,
        "CREATE TABLE k(id serial PRIMARY KEY, p_id integer);" + parted("id serial PRIMARY KEY")
        + "INSERT INTO k(p_id) VALUES (7)",
        "mended",
    ),
    "partitioned rows under one that goes": (
        contract(users=(key(), text("code", nullable=False))),
        "CREATE TABLE users(id serial PRIMARY KEY, code text); INSERT INTO users(code) VALUES ('a'), (NULL);"
        + parted("id integer, u integer REFERENCES users ON DELETE CASCADE") + "INSERT INTO p VALUES (1, 2)",
        "mended",
    ),
    "rows that share a key": (P, parted("id serial, n integer") + TWICE, "mended"),
    "a default of the partition's own": (
        contract(p=(key(), integer("n", server_default="3"))),
        parted("id serial PRIMARY KEY, n integer") + "ALTER TABLE p0 ALTER n SET DEFAULT 7",
        "mended",
    ),
    "a table under its legacy name": (
        once_called(contract(users=(key(),)), "users", "old_users"),
        parted("id serial PRIMARY KEY").replace("TABLE p(", "TABLE old_users(").replace("OF p ", "OF old_users "),
        "mended",
    ),
    "a foreign key that points at the partition": (
        FILLED,
        parted("id serial PRIMARY KEY, n integer") + "INSERT INTO p(n) VALUES (NULL);"
        "CREATE TABLE k(p integer REFERENCES p0 ON DELETE CASCADE, note text); INSERT INTO k VALUES (1, 'precious')",
        "mended",
    ),
    "a foreign key of the partition, over a column under its legacy name": (
        contract(p=(key(), integer("n", info={"legacy_names": ["old n"]}))),
        parted('id serial PRIMARY KEY, "old n" integer')
        + 'CREATE TABLE k(id integer PRIMARY KEY); ALTER TABLE p0 ADD FOREIGN KEY ("old n") REFERENCES k',
        "mended",
    ),
    "a trigger of the partition": (
        P,
        parted("id serial, n integer") + TWICE + function("NEW.n := NEW.n + 100; RETURN NEW;") + TRIGGER.format("p0"),
        "the trigger t of p0 would act on rows of public.p",
    ),
    "a trigger that is off for the partition": (
        P,
        parted("id serial, n integer") + TWICE + function("RETURN NEW;") + TRIGGER.format("p")
        + "ALTER TABLE p0 DISABLE TRIGGER t",
        "the trigger t of p0 would act on rows of public.p",
    ),
    "a trigger of all": (
        P,
        parted("id serial, n integer") + TWICE + function("NEW.n := NEW.n + 100; RETURN NEW;") + TRIGGER.format("p"),
        "mended",
    ),
    "a key of the partition": (
        P,
        parted("id serial, n integer") + "ALTER TABLE p0 ADD CONSTRAINT own PRIMARY KEY (id)",
        OWN + 'ALTER TABLE "public"."p" ADD PRIMARY KEY ("id")',
    ),
    "an index of the partition": (
        contract(p=(key(), integer("n", index=True))),
        parted("id serial PRIMARY KEY, n integer") + "CREATE INDEX own ON p0 (n)",
        OWN + 'CREATE INDEX ON "public"."p" USING btree (n)',
    ),
    "an index of the partition the other way round": (
        contract(p=(key(), integer("n", index=True))),
        parted("id serial PRIMARY KEY, n integer") + "CREATE INDEX own ON p0 (n DESC NULLS LAST)",
        OWN + 'CREATE INDEX ON "public"."p" USING btree (n)',
    ),
    "an index of the partition over an expression": (
        with_index(contract(p=(key(), text("n"))), "lower(n)"),
        parted("id serial PRIMARY KEY, n text") + "CREATE INDEX own ON p0 (lower(n))",
        OWN + 'CREATE INDEX ON "public"."p" USING btree (lower(n))',
    ),
    **{
        f"an index of the partition that stays its own, {own}": (
            contract(p=(key(), integer("n", index=True))),
            parted("id serial PRIMARY KEY, n integer") + f"CREATE {own.format('INDEX own ON p0')}",
            "mended",
        )
        for own in ("{} USING hash (n)", "UNIQUE {} (n)", "{} (n) WHERE n > 5", "{} (n, id)", "{} (n) INCLUDE (id)")
    },
    "a unique index of the partition beside a key": (
        P,
        parted("id serial, n integer") + "CREATE UNIQUE INDEX own ON p0 (id)",
        "mended",
    ),
    "a constraint trigger of the partition": (
        P,
        parted("id serial, n integer") + TWICE + function("RETURN NULL;")
        + "CREATE CONSTRAINT TRIGGER t AFTER UPDATE ON p0 FOR EACH ROW EXECUTE FUNCTION f()",
        "the trigger t of p0 would act on rows of public.p",
    ),
    "a trigger for statements over the partition": (
        P,
        parted("id serial, n integer") + TWICE + function("DELETE FROM p; RETURN NULL;")
        + "CREATE TRIGGER t AFTER UPDATE ON p0 FOR EACH STATEMENT EXECUTE FUNCTION f()",
        "mended",
    ),
    "a default of the partition's own, and another type": (
        P,
        parted("id serial PRIMARY KEY, n text DEFAULT '5'") + "ALTER TABLE p0 ALTER n SET DEFAULT '7'",
        "the default of p0 depends on p.n",
    ),
    "a default of all, and another type": (
        contract(p=(key(), integer("n", server_default="5"))),
        parted("id serial PRIMARY KEY, n text DEFAULT '5'") + "INSERT INTO p(n) VALUES ('1')",
        "mended",
    ),
    "a check of the partition": (
        contract(p=(key(), integer("n", CheckConstraint("n > 0", name="c")))),
        parted("id serial PRIMARY KEY, n integer") + "ALTER TABLE p0 ADD CONSTRAINT c CHECK (n > 0)",
        "mended",
    ),
    "a key without the column that it is partitioned by": (
        P,
        "CREATE TABLE p(id serial, n integer) PARTITION BY LIST (n); CREATE TABLE p0 PARTITION OF p DEFAULT;" + TWICE,
        "it is partitioned by n, which a key over all partitions has to have",
    ),
    "a key without the column that a partition is partitioned by": (
        P,
        "CREATE TABLE p(id serial, n integer) PARTITION BY LIST (id);"
        "CREATE TABLE p1 PARTITION OF p DEFAULT PARTITION BY LIST (n)",
        "it is partitioned by n, which a key over all partitions has to have",
    ),
    "another type for the column that it is partitioned by": (
        P,
        "CREATE TABLE p(id serial, n text, PRIMARY KEY (id, n)) PARTITION BY LIST (n)",
        "the partition key depends on p.n",
    ),
    "a key beside one that a partition has of its own": (
        contract(p=(key(), integer("n", primary_key=True))),
        parted("id serial, n integer") + "ALTER TABLE p0 ADD PRIMARY KEY (id)",
        "a partition has a primary key already, the index p0_pkey",
    ),
    "a key of a partition by which a view groups": (
        contract(p=(key(), integer("n"))),
        parted("id serial, n integer, m integer, PRIMARY KEY (id, n)")
        + "CREATE VIEW v AS SELECT id, n, m FROM p0 GROUP BY id, n",
        "the view v depends on p_pkey",
    ),
    "a key that not all partitions have": (
        P,
        parted("id serial, n integer") + "ALTER TABLE ONLY p ADD PRIMARY KEY (id)",
        "some partitions lack p_pkey",
    ),
}  # fmt: skip


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("case", CASES)
def test_what_is_in_partitions_is_kept(laboratory: Laboratory, case: str, mode: str) -> None:
    wanted, made, expected = CASES[case]

    assert expected in outcome(laboratory, wanted, made, mode)


@pytest.mark.parametrize("mode", MODES)
def test_a_row_at_the_same_place_in_another_partition_stays(empty: Database, mode: str) -> None:
    empty.run(
        "CREATE TABLE p(id integer PRIMARY KEY, p_id integer) PARTITION BY RANGE (id);"
        "CREATE TABLE p0 PARTITION OF p FOR VALUES FROM (0) TO (10); CREATE TABLE p1 PARTITION OF p DEFAULT;"
        "INSERT INTO p VALUES (1, 99), (2, NULL), (11, NULL), (12, 1), (13, 11), (14, 12)"
    )
    wanted = contract(p=(key(autoincrement=False), integer("p_id", ForeignKey("p.id"))))
    with closing(psycopg2.connect(empty.dsn)) as connection:
        fixer.apply(connection, wanted, mode=mode, allow_hazards="all")

    assert empty.run("SELECT id FROM p ORDER BY id") == [(2,), (11,), (13,)]


def test_orphans_of_a_partitioned_table_come_back_under_a_key_that_lies(laboratory: Laboratory) -> None:
    made = (
        "CREATE TABLE users(id serial PRIMARY KEY); INSERT INTO users DEFAULT VALUES;"
        + parted("id serial PRIMARY KEY, u integer REFERENCES users")
        + "SET session_replication_role = replica; INSERT INTO p(u) VALUES (7)"
    )
    wanted = contract(users=(key(),), p=(key(), integer("u", ForeignKey("users.id"))))

    assert [outcome(laboratory, wanted, made, mode) for mode in ("atomic", "online")] == ["mended", "mended"]


HALVES = (
    "CREATE TABLE p(id serial, v text) PARTITION BY RANGE (id);"
    'CREATE SCHEMA "o.d%";'
    'CREATE TABLE "o.d%"."p.1" PARTITION OF p FOR VALUES FROM (0) TO (100) PARTITION BY HASH (id);'
    'CREATE TABLE leaf PARTITION OF "o.d%"."p.1" FOR VALUES WITH (MODULUS 1, REMAINDER 0);'
    "CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (100) TO (200); ALTER TABLE p ADD PRIMARY KEY (id);"
)
NEITHER = (
    "INSERT INTO p VALUES (1, NULL), (2, 'b'), (101, NULL), (102, NULL), (103, 'x'); SELECT setval('p_id_seq', 199)"
)
ALONE = {
    "a unique index that rows collide in": ("CREATE UNIQUE INDEX u ON p2 (v)", True),
    "a unique of the other partition": ("CREATE UNIQUE INDEX u ON leaf (v)", False),
    "a constraint of a partition of a partition": (
        "ALTER TABLE leaf ADD UNIQUE (v); UPDATE p SET v = 'x' WHERE id = 2",
        True,
    ),
    "a partial index without these rows": ("CREATE UNIQUE INDEX u ON p2 (v) WHERE id > 102", False),
    "an index over an expression": ("CREATE UNIQUE INDEX u ON p2 (lower(v))", True),
    "an index that is not unique": ("CREATE INDEX u ON p2 (v)", False),
    "a check that refuses the value": ("ALTER TABLE leaf ADD CONSTRAINT odd CHECK (v <> 'x')", True),
    "a check of a middle partition": ('ALTER TABLE "o.d%"."p.1" ADD CHECK (v LIKE \'%b\')', True),
    "a check that takes the value": ("ALTER TABLE leaf ADD CHECK (v IN ('b', 'x'))", False),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("alone", ALONE)
def test_what_a_partition_alone_would_refuse_is_foreseen(laboratory: Laboratory, alone: str, mode: str) -> None:
    statement, refused = ALONE[alone]
    wanted = contract(p=(key(), text("v", nullable=False, server_default="x")))
    with lent(laboratory.server(18), None) as database:
        database.run(f"{HALVES} {NEITHER}; {statement}")
        try:
            fixer.apply(resolve(database.dsn), wanted, mode=mode, allow_hazards="all")
            said = ""
        except NeedsPermission as error:
            said = str(error)

        assert ("would refuse the contract's value" in said or "write other values" in said) == refused, said
        assert database.ask("SELECT count(*) FROM p WHERE v IS NULL") == (3 if refused else 0)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("stands", ["", "REFERENCES o"])
def test_a_key_that_a_partition_alone_does_not_enforce_is_foreseen(
    laboratory: Laboratory, stands: str, mode: str
) -> None:
    wanted = contract(p=(key(), integer("o_id", ForeignKey("t.id"))), t=(key(),))
    with lent(laboratory.server(18), None) as database:
        database.run(
            "CREATE TABLE t(id serial PRIMARY KEY); CREATE TABLE o(id serial PRIMARY KEY);"
            + parted(f"id serial PRIMARY KEY, o_id integer {stands}")
            + 'ALTER TABLE p0 ADD CONSTRAINT "o.d%" FOREIGN KEY (o_id) REFERENCES t NOT ENFORCED'
        )
        way = 'ALTER TABLE public.p0 DROP CONSTRAINT "o.d%"'
        with pytest.raises(NeedsPermission) as refused:
            fixer.apply(resolve(database.dsn), wanted, mode=mode, allow_hazards="all")
        database.run(way)
        fixer.apply(resolve(database.dsn), wanted, mode=mode, allow_hazards="all")

        assert f"alone is NOT ENFORCED, and would have to go first: {way}" in str(refused.value)
