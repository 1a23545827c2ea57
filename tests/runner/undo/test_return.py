"""Whatever a repair meets: taken back right after, the database is what it was; and what people put on it is kept."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Any

import psycopg2
import pytest
from sqlalchemy import (
    TIMESTAMP,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    ForeignKey,
    ForeignKeyConstraint,
    Integer,
    MetaData,
    Numeric,
    String,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import UUID

import fixer
from fixer.errors import UndoRefused
from fixer.model.plan import Plan, PlannedStep
from fixer.model.step import Phase
from fixer.model.step.progress import Progress
from lab.database import Database, lent, role
from lab.evidence.dumps import everything
from lab.laboratory import VERSIONS, Laboratory

Lines = Counter[tuple[str, str]]
MARK = re.compile(
    r"COMMENT ON (?:CONSTRAINT|INDEX|COLUMN|STATISTICS|TRIGGER) \S+ .*|GRANT .*|ALTER STATISTICS .*"
    r"|ALTER INDEX .* SET STATISTICS .*"
    r"|ALTER TABLE .* (?:CLUSTER ON|REPLICA IDENTITY|SET (?:STATISTICS|STORAGE|COMPRESSION|\()|(?:DIS|EN)ABLE) ?.*"
)


def shown(database: Database) -> Lines:
    return everything(database.server, database.name)


def differences(before: Lines, after: Lines) -> list[str]:
    return [f"- {line} IN {at}" for at, line in before - after] + [f"+ {line} IN {at}" for at, line in after - before]


def lost(before: Lines, after: Lines) -> list[str]:
    """Name what people put on things and is not there any more; a constraint may have another name by now."""
    marks = [Counter(re.sub(r"(CONSTRAINT|INDEX|CLUSTER ON) \S+", r"\1", line) for _, line in lines if MARK.match(line))
             for lines in (before, after)]  # fmt: skip
    return sorted(marks[0] - marks[1])


def repaired(database: Database, metadata: MetaData, mode: str, user: str | None = None) -> fixer.Run:
    with closing(psycopg2.connect(database.seen_by(user) if user else database.dsn)) as connection:
        return fixer.apply(connection, metadata, allow_hazards="all", mode=mode)


def taken_back(database: Database, run: fixer.Run, user: str | None = None) -> None:
    assert run.run is not None
    with closing(psycopg2.connect(database.seen_by(user) if user else database.dsn)) as connection:
        fixer.undo(connection, run.run)


def trial(database: Database, metadata: MetaData, mode: str) -> tuple[list[str], list[str]]:
    """Repair and take back; return which marks the repair lost, where there were any, and what differs after all."""
    before = shown(database)
    run = repaired(database, metadata, mode)
    marked = any(MARK.match(line) for _, line in before)
    gone = lost(before, shown(database)) if marked else []
    taken_back(database, run)
    return gone, differences(before, shown(database))


# ---- each alone


def things(*columns: Column[Any] | CheckConstraint) -> Callable[[], MetaData]:
    def build() -> MetaData:
        metadata = MetaData()
        Table("t", metadata, Column("id", Integer, primary_key=True), *(column._copy() for column in columns))
        return metadata

    return build


def parents(kind: Any) -> MetaData:
    metadata = MetaData()
    Table("p", metadata, Column("id", kind, primary_key=True))
    Table("c", metadata, Column("id", Integer, primary_key=True),
          Column("p_id", kind, ForeignKey("p.id", name="c_p_id_fkey")))  # fmt: skip
    return metadata


def tree() -> MetaData:
    metadata = MetaData()
    Table("p", metadata, Column("id", UUID, primary_key=True), Column("up", UUID, ForeignKey("p.id", name="p_up_fkey")))
    return metadata


def chain(kind: Any) -> MetaData:
    metadata = MetaData()
    Table("a", metadata, Column("id", kind, primary_key=True))
    Table("b", metadata, Column("a_id", kind, ForeignKey("a.id"), primary_key=True),
          Column("no", Integer, primary_key=True, autoincrement=False))  # fmt: skip
    Table("c", metadata, Column("id", Integer, primary_key=True), Column("a_id", kind), Column("no", Integer),
          ForeignKeyConstraint(["a_id", "no"], ["b.a_id", "b.no"], name="c_fkey"))  # fmt: skip
    return metadata


def odd() -> MetaData:
    metadata = MetaData()
    Table('T."%s', metadata, Column("i%d", Integer, primary_key=True), Column('w."%s', String(20)),
          Column("n", BigInteger), schema='S."%b')  # fmt: skip
    return metadata


def shop() -> MetaData:
    metadata = MetaData()
    Table("users", metadata, Column("id", Integer, primary_key=True), Column("email", String(100), unique=True))
    Table("places", metadata, Column("id", Integer, primary_key=True))
    Table("orders", metadata, Column("id", Integer, primary_key=True),
          Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
          Column("place_id", ForeignKey("places.id")), Column("ref", Text, unique=True),
          Column("qty", Numeric(12, 2), CheckConstraint("qty > 0"), nullable=False))  # fmt: skip
    return metadata


ROWS = "CREATE TABLE t (id serial PRIMARY KEY); INSERT INTO t SELECT FROM generate_series(1, 3);"
IDS = """
INSERT INTO p SELECT md5(g::text)::uuid::text FROM generate_series(1, 3) g; INSERT INTO c (p_id) SELECT id FROM p
"""
LINKED = """
CREATE TABLE a (id {0} PRIMARY KEY); CREATE TABLE b (a_id {0} REFERENCES a, no {2}, PRIMARY KEY (a_id, no));
CREATE TABLE c (id serial PRIMARY KEY, a_id {0}, no {2}, CONSTRAINT c_fkey FOREIGN KEY (a_id, no) REFERENCES b);
INSERT INTO a SELECT {1} FROM generate_series(1, 3) g; INSERT INTO b SELECT id, 1 FROM a;
INSERT INTO c (a_id, no) SELECT a_id, no FROM b
"""
SHOP = """
CREATE TABLE users (id serial PRIMARY KEY, email varchar(100) UNIQUE); CREATE TABLE places (id serial PRIMARY KEY);
CREATE TABLE orders (id serial PRIMARY KEY, user_id int NOT NULL REFERENCES users ON DELETE CASCADE,
  place_id int REFERENCES places, ref text UNIQUE, qty numeric(12,2) NOT NULL CHECK (qty > 0));
INSERT INTO users SELECT FROM generate_series(1, 9); INSERT INTO places SELECT FROM generate_series(1, 9);
INSERT INTO orders (user_id, place_id, ref, qty) SELECT g, g, 'r' || g, g FROM generate_series(1, 9) g;
"""
UNTRUE = "SET LOCAL session_replication_role = replica; UPDATE orders SET user_id = 999 WHERE id IN (3, 4);"
DOUBLE = "ALTER TABLE orders DROP CONSTRAINT orders_ref_key; UPDATE orders SET ref = 'r1' WHERE id IN (3, 9);"
PARTS = """
CREATE TABLE t (id int, k int, v varchar(9), PRIMARY KEY (id, k)) PARTITION BY LIST (k);
CREATE TABLE t1 PARTITION OF t FOR VALUES IN (1); CREATE TABLE t2 PARTITION OF t FOR VALUES IN (2);
CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f(); INSERT INTO t VALUES (1, 1, 'a'), (2, 2, 'b');
"""


def given(kind: Any, default: str, **how: Any) -> Callable[[], MetaData]:
    return things(Column("token", kind, server_default=text(default), **how))


CASES: dict[str, tuple[Callable[[], MetaData], str]] = {
    "a random default": (given(UUID, "gen_random_uuid()"), ROWS),
    "a random default that is unique": (given(UUID, "gen_random_uuid()", unique=True, nullable=False), ROWS),
    "a random number, rounded": (given(BigInteger, "random() * 1e15", nullable=False), ROWS),
    "the clock": (given(TIMESTAMP(timezone=True), "clock_timestamp()"), ROWS),
    "the time of the statement": (given(TIMESTAMP(timezone=True), "now()"), ROWS),
    "a sequence": (given(BigInteger, "nextval('s'::regclass)"), f"{ROWS} CREATE SEQUENCE s"),
    "a random backfill": (
        things(Column("token", UUID, nullable=False, info={"backfill": text("gen_random_uuid()")})),
        ROWS,
    ),
    "a random default of partitions": (
        things(Column("k", Integer, primary_key=True), Column("token", UUID, server_default=text("gen_random_uuid()"))),
        PARTS,
    ),
    "a random default beside rows that break a check": (
        given(UUID, "gen_random_uuid()"),
        f"{ROWS} ALTER TABLE t ADD CONSTRAINT odd CHECK (id > 1) NOT VALID",
    ),
    "a generated column and its base": (
        things(Column("a", Integer), Column("z", BigInteger, Computed("a * 2", persisted=True))),
        ROWS,
    ),
    "a generated column over one that is widened": (
        things(Column("a", Integer), Column("z", BigInteger, Computed("a * 2", persisted=True))),
        "CREATE TABLE t (id serial PRIMARY KEY, a smallint); INSERT INTO t (a) VALUES (1), (2)",
    ),
    "text for uuid at both ends of a key": (
        lambda: parents(UUID),
        "CREATE TABLE p (id varchar(36) PRIMARY KEY); CREATE TABLE c (id serial PRIMARY KEY, p_id text REFERENCES p);"
        f"COMMENT ON CONSTRAINT c_p_id_fkey ON c IS 'why'; COMMENT ON INDEX p_pkey IS 'which'; {IDS}",
    ),
    "text for uuid at both ends of a key that is deferred": (
        lambda: parents(UUID),
        "CREATE TABLE p (id text PRIMARY KEY); CREATE TABLE c (id serial PRIMARY KEY, p_id text REFERENCES p"
        f" ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED); {IDS}",
    ),
    "smaller integers at both ends, of two types": (
        lambda: parents(BigInteger),
        "CREATE TABLE p (id smallint PRIMARY KEY); CREATE TABLE c (id serial PRIMARY KEY, p_id integer REFERENCES p);"
        "INSERT INTO p SELECT generate_series(1, 3); INSERT INTO c (p_id) SELECT id FROM p",
    ),
    "a tree of texts": (
        tree,
        "CREATE TABLE p (id varchar(36) PRIMARY KEY, up varchar(36) REFERENCES p);"
        "INSERT INTO p SELECT md5(g::text)::uuid::text, md5('1')::uuid::text FROM generate_series(1, 3) g",
    ),
    "a chain of texts": (lambda: chain(UUID), LINKED.format("varchar(36)", "md5(g::text)::uuid::text", "smallint")),
    "a chain of integers": (lambda: chain(BigInteger), LINKED.format("integer", "g", "smallint")),
    "a row that repeats and is an orphan": (shop, f"{SHOP} BEGIN; {DOUBLE} {UNTRUE} COMMIT"),
    "an orphan of two": (
        shop,
        f"{SHOP} BEGIN; {UNTRUE} UPDATE orders SET place_id = 999 WHERE id IN (4, 5); COMMIT",
    ),
    "orphans under a key whose types change": (
        lambda: parents(UUID),
        "CREATE TABLE p (id text PRIMARY KEY); CREATE TABLE c (id serial PRIMARY KEY, p_id text REFERENCES p);"
        f"{IDS}; BEGIN; SET LOCAL session_replication_role = replica;"
        "INSERT INTO c (p_id) VALUES (md5('none')::uuid::text); COMMIT",
    ),
    "orphans of a tree whose types change": (
        tree,
        "CREATE TABLE p (id varchar(36) PRIMARY KEY, up varchar(36) REFERENCES p); BEGIN;"
        "SET LOCAL session_replication_role = replica; INSERT INTO p SELECT md5(g::text)::uuid::text,"
        " md5((g - 1)::text)::uuid::text FROM generate_series(1, 3) g; COMMIT",
    ),
    "an orphan that breaks a check": (
        shop,
        f"{SHOP} BEGIN; ALTER TABLE orders DROP CONSTRAINT orders_qty_check; UPDATE orders SET qty = 0 WHERE id = 3;"
        f"{UNTRUE} COMMIT",
    ),
    "comments on what is made anew": (
        shop,
        f"{SHOP} ALTER TABLE orders DROP CONSTRAINT orders_user_id_fkey, DROP CONSTRAINT orders_qty_check,"
        " DROP CONSTRAINT orders_ref_key, DROP CONSTRAINT orders_pkey;"
        "ALTER TABLE orders ADD CONSTRAINT orders_user_id_fkey FOREIGN KEY (user_id) REFERENCES users,"
        " ADD CONSTRAINT orders_qty_check CHECK (qty > -1), ADD CONSTRAINT orders_ref_key UNIQUE (ref) DEFERRABLE,"
        " ADD CONSTRAINT orders_pkey PRIMARY KEY (id, qty);"
        "COMMENT ON CONSTRAINT orders_user_id_fkey ON orders IS 'why'; COMMENT ON INDEX orders_ref_key IS 'index';"
        "COMMENT ON CONSTRAINT orders_qty_check ON orders IS 'how many'; COMMENT ON INDEX orders_pkey IS 'it''s';"
        "COMMENT ON CONSTRAINT orders_ref_key ON orders IS 'once'; COMMENT ON CONSTRAINT orders_pkey ON orders IS 'k'",
    ),
    "a cluster mark and a replica identity on a key that is made anew": (
        shop,
        f"{SHOP} ALTER TABLE orders DROP CONSTRAINT orders_pkey; ALTER TABLE orders ADD PRIMARY KEY (id, qty);"
        "ALTER TABLE orders CLUSTER ON orders_pkey; ALTER TABLE orders REPLICA IDENTITY USING INDEX orders_pkey",
    ),
    "statistics targets of indexes": (
        things(Column("n", BigInteger), Column("w", String(20))),
        "CREATE TABLE t (id serial PRIMARY KEY, n int, w varchar(9)); INSERT INTO t (n, w) VALUES (1, 'a'), (2, 'b');"
        "CREATE INDEX i ON t ((n + 1), w, (lower(w))); ALTER INDEX i ALTER COLUMN 1 SET STATISTICS 321,"
        " ALTER COLUMN 3 SET STATISTICS 0; ALTER TABLE t ADD CONSTRAINT x EXCLUDE (upper(w) WITH =);"
        "ALTER INDEX x ALTER COLUMN 1 SET STATISTICS 7",
    ),
    "odd names, under a list of texts": (
        odd,
        'CREATE SCHEMA "S.""%b"; CREATE TABLE "S.""%b"."T.""%s" ("i%d" serial PRIMARY KEY, "w.""%s" varchar(9)'
        """ CHECK ("w.""%s" IN ('%s', '{}')), n int);"""
        """INSERT INTO "S.""%b"."T.""%s" ("w.""%s") VALUES ('%s'), ('{}');"""
        """CREATE INDEX "i%s" ON "S.""%b"."T.""%s" (n) WHERE "w.""%s" IN ('%s', 'a');"""
        """COMMENT ON INDEX "S.""%b"."i%s" IS '50%% {}'""",
    ),
    "a default that calls a sequence of another schema": (
        given(Text, "'c' || nextval('apart.numbers')"),
        f"{ROWS} ALTER TABLE t ADD token text; CREATE SCHEMA apart; CREATE SEQUENCE apart.numbers",
    ),
    "a default that calls a sequence of another table": (
        given(Text, "'c' || nextval('apart.numbers')"),
        f"{ROWS} ALTER TABLE t ADD token text; CREATE SCHEMA apart; CREATE TABLE apart.t (id serial PRIMARY KEY);"
        "CREATE SEQUENCE apart.numbers OWNED BY apart.t.id",
    ),
    "triggers of partitions, each in its own state": (
        things(Column("k", Integer, primary_key=True), Column("v", String(20))),
        f"{PARTS} ALTER TABLE t1 DISABLE TRIGGER g; ALTER TABLE t2 ENABLE ALWAYS TRIGGER g",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_was_repaired_is_taken_back_at_once(laboratory: Laboratory, mode: str, case: str) -> None:
    build, made = CASES[case]
    version = VERSIONS[(list(CASES).index(case) + (mode == "online")) % len(VERSIONS)]
    with lent(laboratory.server(version), None) as database:
        database.run(made)

        assert trial(database, build(), mode) == ([], [])


# ---- any of them together


Kind = tuple[Any, str, str, tuple[str, ...]]  # wanted, found, a cell of row g, what may be on it
KINDS: Mapping[str, Kind] = {
    "word": (
        String(20),
        "varchar(9)",
        "'a' || g",
        (
            "ADD CHECK ({c} IN ('a1', 'a2', 'a3'))",
            "ADD CHECK ({c} NOT IN ('x', 'y''(z)') OR {c} IS NULL)",
            "ADD CHECK ({c} LIKE ANY (ARRAY['a%', 'b%'])) NO INHERIT",
            "ADD CHECK ({c} IN ('a1', 'b') OR {c} IN (upper('q')) OR id IN (1, 2)) NOT VALID",
            "ADD CHECK ({c} BETWEEN SYMMETRIC 'z' AND 'a')",
            "ADD CHECK ({c} COLLATE \"C\" < 'z')",
            "ADD CHECK (CASE {c} WHEN 'a1' THEN true ELSE {c} > 'a' END)",
            "ADD EXCLUDE USING btree ({c} WITH =) WHERE ({c} IN ('a1', 'a2'))",
            "ADD UNIQUE ({c}) DEFERRABLE INITIALLY DEFERRED",
            "ALTER {c} SET DEFAULT ('now'::text)::date::text",
            "ALTER {c} SET DEFAULT substring('abc'::varchar, 1, 1)",
            "ALTER {c} SET STORAGE EXTERNAL, ALTER {c} SET STATISTICS 55, ALTER {c} SET (n_distinct = 4)",
            "; CREATE UNIQUE INDEX ON {t} (id) WHERE {c} IN ('a1', 'b')",
            "; CREATE INDEX ON {t} ((CASE WHEN {c} IN ('a1', 'c') THEN 1 ELSE 2 END), {c} DESC NULLS LAST)",
            "; CREATE INDEX ON {t} ({c} COLLATE \"C\" NULLS FIRST) INCLUDE (id) WHERE ({c} <> 'x')",
            "; CREATE STATISTICS {t}_{c} ON {c}, id FROM {t}; ALTER STATISTICS {t}_{c} SET STATISTICS 77",
            "; COMMENT ON COLUMN {t}.{c} IS 'it''s'",
        ),
    ),
    "number": (
        BigInteger,
        "smallint",
        "g",
        (
            "ADD CHECK ({c} IN (1, 2, 3))",
            "ADD CHECK ({c} + 1 > 0 AND {c} < 100000)",
            "ADD CHECK ({c} BETWEEN SYMMETRIC 10 AND 0)",
            "ADD UNIQUE ({c})",
            "ADD CONSTRAINT {t}_{c}_x EXCLUDE USING btree ({c} WITH =) WHERE ({c} > 0);"
            " COMMENT ON CONSTRAINT {t}_{c}_x ON {t} IS 'x'",
            "ADD CONSTRAINT {t}_{c}_c CHECK ({c} > 0); COMMENT ON CONSTRAINT {t}_{c}_c ON {t} IS 'c'",
            "ALTER {c} SET DEFAULT (2 * 3)::smallint",
            "ALTER {c} SET NOT NULL; CREATE UNIQUE INDEX {t}_{c}_i ON {t} ({c});"
            " COMMENT ON INDEX {t}_{c}_i IS 'i'; ALTER TABLE {t} CLUSTER ON {t}_{c}_i",
            "; CREATE UNIQUE INDEX ON {t} ({c}) WHERE {c} IN (1, 2)",
            "; CREATE INDEX ON {t} (({c} + 1)) WHERE {c} > 0",
            "; GRANT SELECT ({c}) ON {t} TO PUBLIC; ALTER TABLE {t} ALTER {c} SET STATISTICS 50",
        ),
    ),
    "flag": (Boolean, "integer", "g % 2", ("ALTER {c} SET DEFAULT 1", "; CREATE INDEX ON {t} ({c})")),
    "moment": (
        TIMESTAMP(timezone=True),
        "timestamp",
        "'2026-01-01'::timestamp + g * interval '1 day'",
        (
            "ALTER {c} SET DEFAULT current_timestamp(3)",
            "ALTER {c} SET DEFAULT timezone('utc', now())",
            "; CREATE INDEX ON {t} ({c} DESC)",
        ),
    ),
    "amount": (Numeric(12, 2), "double precision", "g / 4.0", ("ADD CHECK ({c} >= 0 AND {c} < 1e9)",)),
}  # fmt: skip
MISSING: tuple[Callable[[], Column[Any]], ...] = (
    lambda: Column("more", UUID, server_default=text("gen_random_uuid()")),
    lambda: Column("more", Text, nullable=False, server_default=text("'x'"), info={"backfill": "filled"}),
    lambda: Column("more", BigInteger, Computed("id * 2", persisted=True)),
    lambda: Column("more", Integer),
)


def composed(chance: random.Random) -> tuple[MetaData, str]:
    """Compose some tables, each with a few columns that are of another type than wanted, and things on them."""
    metadata, made = MetaData(), ""
    for number in range(8):
        names = [f"c{place}" for place in range(chance.randint(1, 3))]
        kinds = {name: KINDS[chance.choice(list(KINDS))] for name in names}
        wanted = [Column(name, kind, info={"timezone": "UTC"}) for name, (kind, *_) in kinds.items()]
        wanted += [chance.choice(MISSING)()] if chance.random() < 0.5 else []
        Table(f"t{number}", metadata, Column("id", Integer, primary_key=True), *wanted)
        found = ", ".join(f"{name} {type_}" for name, (_, type_, *_) in kinds.items())
        cells = ", ".join(cell for _, _, cell, _ in kinds.values())
        made += f"CREATE TABLE t{number} (id serial PRIMARY KEY, {found});"
        made += f"INSERT INTO t{number} ({', '.join(names)}) SELECT {cells} FROM generate_series(1, 3) g;"
        for name, (*_, choices) in kinds.items():
            for choice in chance.sample(choices, k=min(len(choices), chance.randint(0, 3))):
                said = choice.format(c=name, t=f"t{number}")
                made += said if said.startswith(";") else f"ALTER TABLE t{number} {said};"
                made += ";"
    return metadata, re.sub(r";[\s;]*;", ";", made)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("version", VERSIONS)
def test_whatever_stands_together_is_taken_back(laboratory: Laboratory, version: int, mode: str, seed: int) -> None:
    metadata, made = composed(random.Random(f"{version} {mode} {seed}"))
    with lent(laboratory.server(version), None) as database:
        database.run(made)

        assert trial(database, metadata, mode) == ([], []), made


# ---- a column in which each row has a value of its own


TOKENS = "CREATE TABLE t (id serial PRIMARY KEY, name text); INSERT INTO t (name) SELECT 'n' FROM generate_series(1, 5)"
tokens = things(
    Column("name", Text), Column("token", UUID, server_default=text("gen_random_uuid()"), nullable=False, unique=True)
)
SINCE = {
    "nothing was written": ("SELECT 1", True),
    "another column was written": ("UPDATE t SET name = 'other'", True),
    "the rows were frozen": ("UPDATE t SET name = 'other' WHERE id = 2; VACUUM (FREEZE) t", True),
    "rows were deleted": ("DELETE FROM t WHERE id > 3", True),
    "the table was written anew": ("VACUUM (FULL, FREEZE) t", True),
    "its own value was written again": ("UPDATE t SET token = token", True),
    "a value was written": ("UPDATE t SET token = md5('x')::uuid WHERE id = 2", False),
    "a value was written, and frozen": ("UPDATE t SET token = md5('x')::uuid WHERE id = 2; VACUUM (FREEZE) t", False),
    "a value was written, and another row deleted": (
        "UPDATE t SET token = md5('x')::uuid WHERE id = 2; DELETE FROM t WHERE id = 3",
        False,
    ),
    "two rows changed their values": (
        "ALTER TABLE t DROP CONSTRAINT t_token_key; UPDATE t SET token = (SELECT token FROM t b WHERE b.id = 3 - t.id)"
        " WHERE id < 3; ALTER TABLE t ADD CONSTRAINT t_token_key UNIQUE (token)",
        True,  # the same values stand there, and go
    ),
    "a row came in": ("INSERT INTO t (name) VALUES ('new')", False),
}


@pytest.mark.parametrize("since", SINCE)
def test_a_value_of_its_own_is_told_from_one_that_was_written_since(
    laboratory: Laboratory, mode: str, since: str
) -> None:
    written, works = SINCE[since]
    with lent(laboratory.server(18), None) as database:
        database.run(TOKENS)
        run = repaired(database, tokens(), mode)
        for statement in written.split("; "):
            database.run(statement)
        before = shown(database)
        if works:
            taken_back(database, run)
        else:
            with pytest.raises(UndoRefused, match="what token has there may not be of"):
                taken_back(database, run)

        assert (database.run("SELECT * FROM t") != [], works) == (True, shown(database) != before)


def planned(database: Database, metadata: MetaData, mode: str) -> Plan:
    with closing(psycopg2.connect(database.dsn)) as connection:
        return fixer.plan(connection, metadata, mode=mode)


DEFAULTS = {
    "gen_random_uuid()": True,
    "md5((random())::text)::uuid": True,
    "nullif(gen_random_uuid(), NULL)": True,
    "md5(now()::text)::uuid": False,
    "'00000000-0000-0000-0000-000000000000'": False,
}


@pytest.mark.parametrize("default", DEFAULTS)
def test_a_plan_says_that_a_table_is_written_anew(laboratory: Laboratory, default: str) -> None:
    with lent(laboratory.server(18), None) as database:
        database.run(TOKENS)
        plan = planned(database, given(UUID, default)(), "atomic")
        [step] = [step for step in plan.steps if step.shape.added]
        node = "SELECT relfilenode FROM pg_class WHERE relname = 't'"
        before = database.ask(node)
        repaired(database, given(UUID, default)(), "atomic")

        rewritten = {step.hazard == "rewrites-table", step.cost.disk > 0, database.ask(node) != before}

        assert {DEFAULTS[default]} == rewritten


def test_online_no_table_is_written_anew_for_a_default(laboratory: Laboratory) -> None:
    with lent(laboratory.server(18), None) as database:
        database.run(TOKENS)
        node = "SELECT relfilenode FROM pg_class WHERE relname = 't'"
        before = database.ask(node)
        run = repaired(database, tokens(), "online")
        strong = [step.title for step in run.plan.steps if step.effect.rows and step.lock == "ACCESS EXCLUSIVE"]

        assert (before, [], 5) == (database.ask(node), strong, database.ask("SELECT count(DISTINCT token) FROM t"))


class Beside(Progress):
    """Does something before a step of one phase."""

    def __init__(self, phase: Phase, deed: Callable[[], object]) -> None:
        self.phase, self.deed = phase, deed

    def step(self, step: PlannedStep, count: int) -> None:
        if step.phase is self.phase:
            self.deed()


@pytest.mark.parametrize("phase", [Phase.FILLS, Phase.FILL_PROOFS, Phase.EXCHANGES])
def test_rows_that_come_in_meanwhile_get_a_value_and_do_not_hinder_undo(laboratory: Laboratory, phase: Phase) -> None:
    with lent(laboratory.server(18), None) as database:
        database.run(TOKENS)
        others = Beside(phase, lambda: database.run("INSERT INTO t (name) VALUES ('new'); UPDATE t SET name = 'x'"))
        with closing(psycopg2.connect(database.dsn)) as connection:
            run = fixer.apply(connection, tokens(), allow_hazards="all", mode="online", progress=others)
        values = database.ask("SELECT count(DISTINCT token) FROM t")
        taken_back(database, run)

        left = database.run("SELECT * FROM t LIMIT 1")[0]

        assert (values, len(left)) == (6, 2)


@pytest.mark.parametrize("mode", ["atomic", "online"])
def test_a_long_transaction_elsewhere_does_not_hinder_undo(laboratory: Laboratory, mode: str) -> None:
    server = laboratory.server(18)
    with lent(server, None) as elsewhere, lent(server, None) as database:
        with closing(psycopg2.connect(elsewhere.dsn)) as busy, busy.cursor() as cursor:
            cursor.execute("SELECT pg_current_xact_id()")
            database.run(TOKENS)
            before = shown(database)
            others = Beside(Phase.EXCHANGES, lambda: database.run("INSERT INTO t (name) VALUES ('new')"))
            with closing(psycopg2.connect(database.dsn)) as connection:
                run = fixer.apply(connection, tokens(), allow_hazards="all", mode=mode, progress=others)
        taken_back(database, run)
        database.run("DELETE FROM t WHERE name = 'new'")

        assert [d for d in differences(before, shown(database)) if "setval" not in d] == []


def stopped(database: Database, phase: Phase) -> None:
    """Repair online until the first step of a phase."""

    def stop() -> None:
        raise KeyboardInterrupt

    with closing(psycopg2.connect(database.dsn)) as connection, pytest.raises(KeyboardInterrupt):
        fixer.apply(connection, tokens(), allow_hazards="all", mode="online", progress=Beside(phase, stop))


PHASES = [Phase.FILLS, Phase.FILL_PROOFS, Phase.EXCHANGES, Phase.INDEXES]


@pytest.mark.parametrize("phase", PHASES)
def test_what_was_interrupted_goes_on_and_is_taken_back(laboratory: Laboratory, phase: Phase) -> None:
    with lent(laboratory.server(18), None) as database:
        database.run(TOKENS)
        before = shown(database)
        stopped(database, phase)
        database.run("INSERT INTO t (name) VALUES ('new'); DELETE FROM t WHERE name = 'new'")
        run = repaired(database, tokens(), "online")
        assert not [line for line in shown(database) if "pgmend_new" in line[1]]
        taken_back(database, run)

        assert [d for d in differences(before, shown(database)) if "setval" not in d] == []


def test_what_was_interrupted_can_be_done_at_once(laboratory: Laboratory) -> None:
    with lent(laboratory.server(18), None) as database:
        database.run(TOKENS)
        stopped(database, Phase.EXCHANGES)
        repaired(database, tokens(), "atomic")

        assert [line for line in shown(database) if "pgmend_new" in line[1]] == []
        assert planned(database, tokens(), "atomic").steps == ()


@pytest.mark.parametrize("phase", PHASES)
def test_what_was_interrupted_is_taken_back_as_it_stands(laboratory: Laboratory, phase: Phase) -> None:
    with lent(laboratory.server(18), None) as database:
        database.run(TOKENS)
        before = shown(database)
        stopped(database, phase)
        with closing(psycopg2.connect(database.dsn)) as connection:
            fixer.undo(connection, 1)

        assert differences(before, shown(database)) == []


def test_a_second_column_that_nobody_waits_for_is_dropped(laboratory: Laboratory) -> None:
    with lent(laboratory.server(18), None) as database:
        database.run(TOKENS)
        before = shown(database)
        stopped(database, Phase.FILL_PROOFS)
        repaired(database, things(Column("name", Text))(), "online")

        assert differences(before, shown(database)) == []


# ---- rights, and parents that have gone since


def test_who_may_apply_may_undo(laboratory: Laboratory, mode: str) -> None:
    with lent(laboratory.server(18), None) as database, role(database, words="NOLOGIN") as owner:
        database.run(
            f"CREATE SEQUENCE t_id_seq; CREATE TABLE t (id int PRIMARY KEY, name varchar(9)); INSERT INTO t VALUES (7);"
            f"ALTER TABLE t OWNER TO {owner}; ALTER SEQUENCE t_id_seq OWNER TO {owner}"
        )
        grants = [f"GRANT {owner} TO {{}}", "GRANT INSERT ON t TO {}", f"GRANT CREATE ON SCHEMA public TO {owner}"]
        grants += ["GRANT CREATE ON SCHEMA public TO {}", f"GRANT CREATE ON DATABASE {database.name} TO {{}}"]
        with role(database, *grants) as member:
            before = shown(database)
            run = repaired(database, things(Column("name", String(20)))(), mode, member)
            taken_back(database, run, member)

            assert differences(before, shown(database)) == []


def test_an_owner_learns_who_may_bring_back_orphans_under_a_valid_key(laboratory: Laboratory) -> None:
    with lent(laboratory.server(18), None) as database, role(database, "GRANT CREATE ON SCHEMA public TO {}") as owner:
        database.run(
            "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY, p_id int REFERENCES p);"
            f"ALTER TABLE p OWNER TO {owner}; ALTER TABLE c OWNER TO {owner}; GRANT CREATE ON DATABASE {database.name}"
            f" TO {owner}; SET session_replication_role = replica; INSERT INTO c VALUES (1, 7)"
        )
        run = repaired(database, parents(Integer), "atomic", owner)
        with pytest.raises(UndoRefused, match="Only a superuser can undo run 1"):
            taken_back(database, run, owner)
        taken_back(database, run)

        assert database.ask("SELECT array_agg(p_id) FROM c") == [7]


def test_a_row_that_repeats_does_not_come_back_once_its_parent_has_gone(laboratory: Laboratory, mode: str) -> None:
    with lent(laboratory.server(18), None) as database:
        database.run(f"{SHOP} BEGIN; {DOUBLE} {UNTRUE} COMMIT")
        run = repaired(database, shop(), mode)
        database.run("DELETE FROM users WHERE id = 9")
        with pytest.raises(UndoRefused, match="would point at nothing"):
            taken_back(database, run)
