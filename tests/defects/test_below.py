"""What is off below the root, in one partition, is found, settled and taken back as it is for a whole table."""

from __future__ import annotations

import re
from contextlib import closing

import psycopg2
import pytest
from sqlalchemy import Date, ForeignKey, MetaData, String, Table, UniqueConstraint
from sqlalchemy import text as sql

import fixer
from fixer.model.plan import MODES
from lab.database import Database, all_of, differences, lent
from lab.examples.models import contract, integer, key, once_called, text
from lab.laboratory import Laboratory
from lab.outcomes import outcome

PARTS = (
    "CREATE TABLE users(id integer PRIMARY KEY) PARTITION BY RANGE (id);"
    "CREATE TABLE u0 PARTITION OF users FOR VALUES FROM (0) TO (10); CREATE TABLE u1 PARTITION OF users DEFAULT;"
    'CREATE SCHEMA "a.b"; CREATE TABLE p(id integer PRIMARY KEY, u integer REFERENCES users) PARTITION BY RANGE (id);'
    "CREATE TABLE p0 PARTITION OF p FOR VALUES FROM (0) TO (10) PARTITION BY RANGE (id);"
    'CREATE TABLE "p %s""0" PARTITION OF p0 DEFAULT; CREATE TABLE "a.b".p1 PARTITION OF p DEFAULT;'
    "INSERT INTO users VALUES (1), (11); INSERT INTO p VALUES (1, 1), (2, 11), (12, 1);"
)
WANTED = contract(users=(key(autoincrement=False),), p=(key(autoincrement=False), integer("u", ForeignKey("users.id"))))
OFF = {
    "in a partition": 'ALTER TABLE "p %s""0" DISABLE TRIGGER ALL',
    "in a partition of another schema": 'ALTER TABLE "a.b".p1 DISABLE TRIGGER ALL',
    "in a partition, and orphans came in": 'ALTER TABLE "p %s""0" DISABLE TRIGGER ALL; INSERT INTO p VALUES (3, 7)',
    "for a replica only": """DO $$ DECLARE t pg_trigger; BEGIN
        FOR t IN SELECT * FROM pg_trigger WHERE tgrelid = '"p %s""0"'::regclass LOOP
        EXECUTE format('ALTER TABLE %s ENABLE REPLICA TRIGGER %I', t.tgrelid::regclass, t.tgname); END LOOP; END $$""",
    "in a partition of the parent": "ALTER TABLE u0 DISABLE TRIGGER ALL",
    "in a partition of the parent, and rows lost theirs": "ALTER TABLE u0 DISABLE TRIGGER ALL; DELETE FROM u0",
    "in the whole": "ALTER TABLE p DISABLE TRIGGER ALL; ALTER TABLE users DISABLE TRIGGER ALL",
}


SLEEPING = "SELECT tgrelid::regclass::text, tgname, tgenabled FROM pg_trigger WHERE tgenabled <> 'O' ORDER BY 1, 2"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("what", OFF)
def test_a_foreign_key_that_is_off_in_a_partition_is_enforced_again(empty: Database, what: str, mode: str) -> None:
    empty.run(PARTS + OFF[what])
    before, sleeping = all_of(empty), empty.run(SLEEPING)
    with closing(psycopg2.connect(empty.dsn)) as connection:
        run = fixer.apply(connection, WANTED, mode=mode, allow_hazards="all")
        leaves = [row for row in empty.run(SLEEPING) if row[0] not in ("p", "users", "p0")]
        fixer.undo(connection, 1)

    assert (run.report.ok, leaves) == (True, [])
    assert (empty.run(SLEEPING), differences(before, empty)) == (sleeping, [])


def test_what_the_root_alone_of_a_referencing_table_says_means_nothing(laboratory: Laboratory) -> None:
    made = PARTS + "ALTER TABLE ONLY p DISABLE TRIGGER ALL"

    assert outcome(laboratory, WANTED, made, "atomic") == "sound"


@pytest.mark.parametrize("mode", MODES)
def test_a_referenced_row_that_moves_to_another_partition_is_missed_again(empty: Database, mode: str) -> None:
    """Only the triggers of the root fire then (PostgreSQL 15 and later)."""
    empty.run(PARTS + "ALTER TABLE ONLY users DISABLE TRIGGER ALL")
    before, sleeping = all_of(empty), empty.run(SLEEPING)
    with closing(psycopg2.connect(empty.dsn)) as connection:
        run = fixer.apply(connection, WANTED, mode=mode, allow_hazards="all")
        with pytest.raises(psycopg2.errors.ForeignKeyViolation):
            empty.run("UPDATE users SET id = 20 WHERE id = 1")
        fixer.undo(connection, 1)

    assert (run.report.ok, len(run.plan.steps)) == (True, 1)
    assert (empty.run(SLEEPING), differences(before, empty)) == (sleeping, [])


POINTED = PARTS + (
    "ALTER TABLE p DROP CONSTRAINT p_u_fkey; INSERT INTO p VALUES (3, 7), (4, 1);"
    'CREATE TABLE k(id integer PRIMARY KEY, p integer REFERENCES "p %s""0" ON DELETE CASCADE);'
    "CREATE TABLE l(k integer REFERENCES k ON DELETE CASCADE); INSERT INTO k VALUES (1, 3), (2, 4), (3, NULL);"
    "INSERT INTO l VALUES (1), (2);"
)


@pytest.mark.parametrize("mode", MODES)
def test_rows_that_hang_on_an_orphan_by_a_key_to_its_partition_go_with_it(empty: Database, mode: str) -> None:
    empty.run(POINTED)
    with closing(psycopg2.connect(empty.dsn)) as connection:
        plan = fixer.plan(connection, WANTED, mode=mode)
        run = fixer.apply(connection, WANTED, mode=mode, allow_hazards="all")
        assert (sum(plan.moves.values()), sum(entry.quarantined for entry in run.ledger)) == (3, 3)
        assert empty.run("SELECT (SELECT array_agg(id ORDER BY 1) FROM k), (SELECT array_agg(k) FROM l)") == [
            ([2, 3], [2])
        ]
        assert empty.run("SELECT reason FROM fixer_quarantine.k") == [('its row of p %s"0 (id 3) is in quarantine',)]
        fixer.undo(connection, 1)
    assert empty.run("SELECT count(*) FROM k UNION ALL SELECT count(*) FROM l") == [(3,), (2,)]


def test_a_key_of_a_partition_to_another_is_for_a_person(laboratory: Laboratory) -> None:
    made = (
        "ALTER TABLE p DROP CONSTRAINT p_u_fkey; ALTER TABLE p ADD up integer;"
        'ALTER TABLE "a.b".p1 ADD FOREIGN KEY (up) REFERENCES "p %s""0"; INSERT INTO p VALUES (3, 7, NULL), (15, 1, 3)'
    )
    reason = "p1_up_fkey of a.b.p1 would act on rows of public.p|circle|does not name"

    assert re.search(reason, outcome(laboratory, WANTED, PARTS + made, "atomic"))


OWN = (
    "CREATE TABLE users(id integer PRIMARY KEY, code text); INSERT INTO users VALUES (1, 'a'), (2, NULL);"
    "CREATE TABLE p(id integer PRIMARY KEY, u integer) PARTITION BY RANGE (id);"
    "CREATE TABLE p0 PARTITION OF p FOR VALUES FROM (0) TO (10); CREATE TABLE p1 PARTITION OF p DEFAULT;"
    "ALTER TABLE p0 ADD FOREIGN KEY (u) REFERENCES users ON DELETE CASCADE;"
    "CREATE TABLE note(p integer REFERENCES p ON DELETE CASCADE);"
    "INSERT INTO p VALUES (1, 1), (2, 2), (12, 2); INSERT INTO note VALUES (1), (2), (12);"
)


@pytest.mark.parametrize("mode", MODES)
def test_rows_that_a_partition_alone_binds_go_with_what_hangs_on_the_whole(empty: Database, mode: str) -> None:
    empty.run(OWN)
    wanted = contract(users=(key(autoincrement=False), text("code", nullable=False)))
    with closing(psycopg2.connect(empty.dsn)) as connection:
        run = fixer.apply(connection, wanted, mode=mode, allow_hazards="all")

        assert sum(entry.quarantined for entry in run.ledger) == sum(run.plan.moves.values()) == 3
        assert empty.run("SELECT id FROM p UNION ALL SELECT p FROM note ORDER BY 1") == [(1,), (1,), (12,), (12,)]
        fixer.undo(connection, 1)
    assert empty.run("SELECT count(*) FROM p UNION ALL SELECT count(*) FROM note") == [(3,), (3,)]


OPEN = (
    "CREATE TABLE p(id integer NOT NULL, n text) PARTITION BY RANGE (id);"
    'CREATE TABLE p0 PARTITION OF p FOR VALUES FROM (0) TO (10) PARTITION BY RANGE (id); CREATE SCHEMA "a.b";'
    'CREATE TABLE "a.b"."p %s""0" PARTITION OF p0 DEFAULT; CREATE TABLE p1 PARTITION OF p DEFAULT;'
    "INSERT INTO p VALUES (1, NULL), (2, 'b'), (12, 'c');"
    'ALTER TABLE "a.b"."p %s""0" ADD CONSTRAINT "its own" NOT NULL n NOT VALID;'
    "ALTER TABLE p ADD PRIMARY KEY (id), ALTER n SET NOT NULL;"
    "COMMENT ON CONSTRAINT p_n_not_null ON p IS 'a comment';"
)
NULLS = {
    "a value": (contract(p=(key(autoincrement=False), text("n", nullable=False, info={"backfill": "x"}))), OPEN),
    "a row": (contract(p=(key(autoincrement=False), text("n", nullable=False))), OPEN),
    "a row, where the whole is open too": (
        contract(p=(key(autoincrement=False), text("n", nullable=False))),
        OPEN.replace(", ALTER n SET NOT NULL;", ";").partition("COMMENT")[0],
    ),
    "a row, for a key": (
        contract(p=(key(autoincrement=False), text("n", primary_key=True))),
        OPEN.replace("ALTER TABLE p ADD PRIMARY KEY (id), ALTER n SET NOT NULL;", "").partition("COMMENT")[0],
    ),
    "a value, for a reference": (
        contract(
            users=(key(autoincrement=False),),
            p=(key(autoincrement=False), integer("n", ForeignKey("users.id"), nullable=False, info={"backfill": 5})),
        ),
        "CREATE TABLE users(id integer PRIMARY KEY); INSERT INTO users VALUES (5);"
        + OPEN.replace("n text", "n integer REFERENCES users").replace("'b'", "5").replace("'c'", "5"),
    ),
    "no row": (
        contract(p=(key(autoincrement=False), text("n", nullable=False))),
        OPEN.replace("NULL), (2", "'a'), (2"),
    ),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("what", NULLS)
def test_a_not_null_that_is_open_in_a_partition_is_proved(laboratory: Laboratory, what: str, mode: str) -> None:
    wanted, made = NULLS[what]

    assert outcome(laboratory, wanted, made, mode) == "mended"


def test_a_null_that_queries_of_the_whole_do_not_see_is_found(laboratory: Laboratory) -> None:
    with lent(laboratory.server(18), None) as database:
        database.run(OPEN)
        with closing(psycopg2.connect(database.dsn)) as connection:
            found = {(f.slug, f.rows): f.message for f in fixer.check(connection, NULLS["a row"][0]).findings}
            assert database.run("SELECT count(*) FROM p WHERE n IS NULL") == [(0,)]

    assert found == {
        (
            "missing-not-null",
            0,
        ): 'p.n should be NOT NULL, may be NULL in "a.b"."p %s""0", where its NOT NULL is NOT VALID',
        ("null-rows", 1): "p.n should hold a value, is NULL",
    }


LOST = (
    'CREATE TABLE p(id integer PRIMARY KEY, u integer) PARTITION BY RANGE (id); CREATE SCHEMA "a.b";'
    "CREATE TABLE p0 PARTITION OF p FOR VALUES FROM (0) TO (10);"
    'CREATE TABLE "a.b"."p %""0" PARTITION OF p DEFAULT PARTITION BY RANGE (id);'
    'CREATE UNLOGGED TABLE "a.b"."p %""1" PARTITION OF "a.b"."p %""0" DEFAULT;'
    "ALTER TABLE p0 SET UNLOGGED; INSERT INTO p VALUES (1), (12);"
)


@pytest.mark.parametrize("mode", MODES)
def test_partitions_that_a_crash_empties_are_made_permanent(laboratory: Laboratory, mode: str) -> None:
    wanted = contract(p=(key(autoincrement=False), integer("u")))

    assert outcome(laboratory, wanted, LOST, mode) == "mended"


def test_a_foreign_key_from_a_permanent_table_to_an_unlogged_one_is_refused(empty: Database) -> None:
    wanted = contract(v=(key(), integer("u", ForeignKey("u.id"))))
    Table("u", wanted, key(), prefixes=["UNLOGGED"])

    with closing(psycopg2.connect(empty.dsn)) as connection:
        found = [f.message for f in fixer.check(connection, wanted).findings if f.slug == "refused-definition"]

    refused = "v should have FOREIGN KEY (u) REFERENCES u (id) (v_u_fkey), which PostgreSQL refuses"
    assert found == [f"{refused}: v is permanent, and u is UNLOGGED"]


def test_an_unlogged_table_of_the_contract_is_made_so(empty: Database) -> None:
    wanted = MetaData()
    Table("u", wanted, key(), prefixes=["UNLOGGED"])
    with closing(psycopg2.connect(empty.dsn)) as connection:
        fixer.apply(connection, wanted)

        assert fixer.check(connection, wanted).findings == ()
        assert empty.run("SELECT relpersistence FROM pg_class WHERE relname = 'u'") == [("u",)]


@pytest.mark.parametrize("mode", MODES)
def test_what_references_a_partition_of_a_table_under_its_legacy_name_goes_with_it(empty: Database, mode: str) -> None:
    models = contract(
        users=(key(autoincrement=False),), p=(key(autoincrement=False), integer("u", ForeignKey("users.id")))
    )
    wanted = once_called(models, "p", "old_p")
    empty.run(POINTED.replace(" p ", " old_p ").replace("TABLE p(", "TABLE old_p(").replace("p_u_fkey", "old_p_u_fkey"))
    with closing(psycopg2.connect(empty.dsn)) as connection:
        assert sum(fixer.plan(connection, wanted).moves.values()) == 3
        run = fixer.apply(connection, wanted, mode=mode, allow_hazards="all")

        assert sum(entry.quarantined for entry in run.ledger) == 3
        assert empty.run("SELECT count(*) FROM k UNION ALL SELECT count(*) FROM l") == [(2,), (1,)]
        fixer.undo(connection, 1)
    assert empty.run("SELECT count(*) FROM k UNION ALL SELECT count(*) FROM l") == [(3,), (2,)]


STRICTER = (
    "CREATE TABLE users(id integer PRIMARY KEY); INSERT INTO users VALUES (1);"
    "CREATE TABLE p(id integer PRIMARY KEY, u integer, n integer, m integer DEFAULT 1, x text) PARTITION BY RANGE (id);"
    "CREATE TABLE p0 PARTITION OF p FOR VALUES FROM (0) TO (10) PARTITION BY RANGE (id);"
    'CREATE TABLE "p %s""0" PARTITION OF p0 DEFAULT; CREATE TABLE p1(LIKE p INCLUDING ALL);'
    "ALTER TABLE p1 ADD CHECK (id >= 10 AND id < 20), ALTER m SET NOT NULL;"
    "ALTER TABLE p ATTACH PARTITION p1 FOR VALUES FROM (10) TO (20); INSERT INTO p VALUES (1, 1, 2), (12, NULL, 7);"
)
STRICT = (
    "ALTER TABLE p0 ALTER n SET NOT NULL; UPDATE p SET x = ''; ALTER TABLE p1 ALTER x SET NOT NULL;"
    "ALTER TABLE p1 ADD CHECK (n < 9), ADD FOREIGN KEY (u) REFERENCES users"
)
LOOSE = contract(
    users=(key(autoincrement=False),),
    p=(key(autoincrement=False), integer("u"), integer("n"), integer("m", server_default=sql("1"))),
)


@pytest.mark.parametrize("mode", MODES)
def test_a_partition_that_is_stricter_than_the_contract_is_found(empty: Database, mode: str) -> None:
    empty.run(STRICTER)
    with closing(psycopg2.connect(empty.dsn)) as connection:
        sound = fixer.check(connection, LOOSE).findings
        empty.run(STRICT)
        before = all_of(empty)
        found = {(each.slug, each.object, each.severity) for each in fixer.check(connection, LOOSE).findings}
        run = fixer.apply(connection, LOOSE, mode=mode, allow_hazards="all")
        empty.run("INSERT INTO p (id, u, x) VALUES (2, 5, NULL), (14, 1, NULL); DELETE FROM p WHERE id IN (2, 14)")
        fixer.undo(connection, 1)

    assert sound == ()
    assert found == {
        ("rogue-not-null", "public.p0.n", "error"),
        ("rogue-not-null", "public.p1.x", "error"),
        ("rogue-check", "public.p1.p1_n_check", "warning"),
        ("rogue-foreign-key", "public.p1.p1_u_fkey", "warning"),
    }
    assert (run.report.ok, differences(before, empty)) == (True, [])


UNIQUES = (
    'CREATE SCHEMA "a.b"; CREATE TABLE p(id integer, kind varchar(5), at date, n integer, m integer,'
    " PRIMARY KEY (id, kind, at), UNIQUE (n, kind, id, at)) PARTITION BY LIST (kind);"
    "CREATE TABLE p0 PARTITION OF p FOR VALUES IN ('b', 'c') PARTITION BY RANGE (id);"
    'CREATE TABLE "p %s""0" PARTITION OF p0 FOR VALUES FROM (5) TO (6);'
    "CREATE TABLE p1(gone text, m integer, n integer, at date NOT NULL, kind varchar(5) NOT NULL, id integer NOT NULL);"
    "ALTER TABLE p1 DROP gone; ALTER TABLE p ATTACH PARTITION p1 FOR VALUES IN ('a');"
    'CREATE TABLE "a.b".p2 PARTITION OF p DEFAULT PARTITION BY RANGE (at);'
    "CREATE TABLE \"a.b\".p3 PARTITION OF \"a.b\".p2 FOR VALUES FROM ('2026-01-01') TO ('2026-01-02');"
    "INSERT INTO p VALUES (1, 'a', '2026-01-01', 1, 1), (5, 'c', '2026-01-01', 1, 1), (5, 'x', '2026-01-01', 1, 1);"
    "CREATE UNIQUE INDEX ON p1 (id, at, n DESC); CREATE UNIQUE INDEX ON p1 (at, n, m, id); CREATE INDEX ON p1 (m);"
    'CREATE UNIQUE INDEX ON p0 (id, kind, m, at); CREATE UNIQUE INDEX ON "p %s""0" (n, kind, at);'
    'CREATE UNIQUE INDEX ON "a.b".p3 (id, kind, n);'
)
ALONE = (
    'CREATE UNIQUE INDEX "odd %" ON p0 (id, n); ALTER TABLE "p %s""0" ADD UNIQUE (at, n);'
    "ALTER TABLE p1 ADD EXCLUDE (m WITH =);"
)


@pytest.mark.parametrize("mode", MODES)
def test_a_unique_that_a_partition_has_alone_is_found(empty: Database, mode: str) -> None:
    names = ("id", "kind", "at")
    wanted = contract(p=(*(integer(n, primary_key=True, autoincrement=False) for n in names), integer("n")))
    wanted.tables["p"].append_column(integer("m"))
    wanted.tables["p"].c.kind.type, wanted.tables["p"].c.at.type = String(5), Date()
    wanted.tables["p"].append_constraint(UniqueConstraint("n", "kind", "id", "at"))
    empty.run(UNIQUES)
    with closing(psycopg2.connect(empty.dsn)) as connection:
        sound = fixer.check(connection, wanted).findings
        empty.run(ALONE)
        before = all_of(empty)
        found = {(each.object, each.severity) for each in fixer.check(connection, wanted).findings}
        run = fixer.apply(connection, wanted, mode=mode, allow_hazards="all")
        empty.run("INSERT INTO p VALUES (5, 'b', '2026-01-01', 1, 2); DELETE FROM p WHERE kind = 'b'")
        fixer.undo(connection, 1)
        changes = differences(before, empty)
        empty.run('CREATE UNIQUE INDEX odd ON "a.b".p3 (n)')
        (elsewhere,) = (each for each in fixer.check(connection, wanted).findings if each.object == "a.b.p3.odd")

    assert (sound, changes) == ((), [])
    assert found == {
        ("public.p0.odd %", "error"),
        ('public.p %s"0.p %s"0_at_n_key', "error"),
        ("public.p1.p1_m_excl", "warning"),
    }
    assert (run.report.ok, 'DROP INDEX "a.b"."odd"' in str(elsewhere.repair.refusal)) == (True, True)


PARTED = """
CREATE TABLE visits (id serial, n integer DEFAULT 4, PRIMARY KEY (id)) PARTITION BY RANGE (id);
CREATE TABLE early PARTITION OF visits FOR VALUES FROM (0) TO (100); CREATE TABLE late PARTITION OF visits DEFAULT;
"""


@pytest.mark.parametrize("column", ["id", "n"])
def test_a_default_that_one_partition_alone_lacks_is_told_with_its_statement(
    laboratory: Laboratory, column: str
) -> None:
    whole = contract(visits=(key(), integer("n", server_default="4")))
    with lent(laboratory.server(18), None) as database, closing(psycopg2.connect(database.dsn)) as connection:
        database.run(PARTED)
        sound = fixer.check(connection, whole).findings
        database.run(f"ALTER TABLE early ALTER {column} DROP DEFAULT")
        (found,) = fixer.check(connection, whole).findings
        database.run((found.repair.refusal or "").partition("run: ")[2])
        again = fixer.check(connection, whole).findings

    assert (sound, again) == ((), ())
    assert (found.slug, found.severity, found.object) == ("missing-default", "info", f"public.early.{column}")
