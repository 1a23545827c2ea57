"""Publications: journal and quarantine stop no subscriber, and a run is taken back whatever is published."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import psycopg2
import pytest
from laws import Laboratory
from outcomes import contract, integer, key
from outcomes import text as words
from sqlalchemy import CheckConstraint, Column, ForeignKey, MetaData, Numeric, String, text
from test_cli import Database, lent, role
from test_undo import MODES, all_of, differences

import fixer
from fixer.apply.prune import prune
from fixer.errors import ApplyFailed

EVERYTHING = ("all", "stops-subscribers")
ALL = "CREATE PUBLICATION p FOR ALL TABLES;"
SHOP = """
CREATE TABLE users (id serial PRIMARY KEY, email varchar(100) NOT NULL UNIQUE, name text NOT NULL DEFAULT 'x');
CREATE TABLE orders (id serial PRIMARY KEY, user_id integer NOT NULL REFERENCES users (id), symbol varchar(20) NOT NULL,
    qty numeric(12, 2) NOT NULL CHECK (qty > 0));
CREATE INDEX ON orders (user_id);
"""
ROWS = """
INSERT INTO users (email, name) SELECT 'u' || g || '@x', 'n' || g FROM generate_series(1, 20) g;
INSERT INTO orders (user_id, symbol, qty) SELECT 1 + g % 20, 'S' || g, g FROM generate_series(1, 60) g;
"""
BREAKS = """
ALTER TABLE users ALTER name DROP NOT NULL; UPDATE users SET name = NULL WHERE id < 3;
ALTER TABLE orders DROP CONSTRAINT orders_user_id_fkey; UPDATE orders SET user_id = 999 WHERE id < 4;
"""
PUT_BACK = """
WITH back AS (DELETE FROM fixer_quarantine.orders WHERE "row" ->> 'id' = '1' RETURNING "row")
INSERT INTO orders SELECT (jsonb_populate_record(NULL::orders, "row" || '{"user_id": 1}')).* FROM back RETURNING id
"""
OF_OLD = """
ALTER TABLE fixer_journal.before_image REPLICA IDENTITY DEFAULT;
ALTER TABLE fixer_quarantine.orders REPLICA IDENTITY DEFAULT;
"""
PUBLICATIONS = {
    "all tables": ALL,
    "schemas": "CREATE PUBLICATION p FOR TABLES IN SCHEMA fixer_journal, fixer_quarantine, public",
    "tables": "CREATE PUBLICATION p FOR TABLE users, orders, fixer_journal.run, fixer_journal.before_image,"
    " fixer_journal.step, fixer_quarantine.orders",
}


def shop() -> MetaData:
    return contract(
        users=(
            key(),
            Column("email", String(100), nullable=False, unique=True),
            words("name", nullable=False, server_default=text("'x'"), info={"backfill": "filled"}),
        ),
        orders=(
            key(),
            integer("user_id", ForeignKey("users.id"), nullable=False, index=True),
            Column("symbol", String(20), nullable=False),
            Column("qty", Numeric(12, 2), CheckConstraint("qty > 0"), nullable=False),
        ),
    )


@pytest.fixture
def broken(laboratory: Laboratory) -> Iterator[Database]:
    with lent(laboratory.server(18), None) as database:
        database.run(SHOP + ROWS + BREAKS)
        yield database


def repair(database: Database, wanted: MetaData | None = None, mode: str = "atomic") -> fixer.Run:
    with closing(psycopg2.connect(database.dsn)) as connection:
        return fixer.apply(connection, wanted or shop(), mode=mode, allow_hazards=EVERYTHING)


def take_back(database: Database, run: int = 1) -> None:
    with closing(psycopg2.connect(database.dsn)) as connection:
        fixer.undo(connection, run)


def forget(database: Database, name: str = "postgres") -> int:
    with closing(psycopg2.connect(database.seen_by(name))) as connection:
        return prune(connection)


# ---- what is published can be taken back


@pytest.mark.parametrize("mode", MODES)
def test_a_run_is_taken_back_where_everything_is_published(broken: Database, mode: str) -> None:
    broken.run(ALL)
    before = all_of(broken)
    repair(broken, mode=mode)
    take_back(broken)

    assert differences(before, broken) == []


@pytest.mark.parametrize("published", PUBLICATIONS)
def test_a_run_is_taken_back_where_its_journal_came_to_be_published(broken: Database, published: str) -> None:
    before = all_of(broken)
    repair(broken)
    broken.run(PUBLICATIONS[published])
    take_back(broken)
    broken.run("DROP PUBLICATION p")

    assert differences(before, broken) == []


@pytest.mark.parametrize("mode", MODES)
def test_runs_are_pruned_where_everything_is_published(broken: Database, mode: str) -> None:
    broken.run(ALL)
    repair(broken, mode=mode)

    assert (forget(broken), broken.ask("SELECT count(*) FROM fixer_journal.before_image")) == (1, 0)


def test_a_row_is_put_back_by_hand_where_everything_is_published(broken: Database) -> None:
    broken.run(ALL)
    repair(broken)

    assert broken.ask(PUT_BACK) == 1


@pytest.mark.parametrize("deed", [take_back, forget])
def test_a_journal_of_an_older_version_is_brought_up_first(broken: Database, deed: object) -> None:
    repair(broken)
    broken.run(OF_OLD + ALL)
    assert callable(deed)
    deed(broken)

    assert broken.ask("SELECT count(*) FROM fixer_journal.before_image") == 0


def test_the_next_run_brings_up_what_an_older_version_made(broken: Database) -> None:
    repair(broken)
    broken.run(OF_OLD + "UPDATE users SET name = DEFAULT; ALTER TABLE users ALTER name DROP NOT NULL")
    repair(broken)
    told = "SELECT DISTINCT relreplident FROM pg_class WHERE relname = 'before_image' OR oid = to_regclass('{}')"

    assert broken.run(told.format("fixer_quarantine.orders")) == [("f",)]


def test_who_does_not_own_the_journal_is_told_what_its_owner_has_to_say(broken: Database) -> None:
    repair(broken)
    broken.run(OF_OLD + ALL)
    grants = ("fixer_journal", "fixer_quarantine")
    given = [f"GRANT USAGE ON SCHEMA {s} TO {{}}; GRANT ALL ON ALL TABLES IN SCHEMA {s} TO {{}}" for s in grants]
    with role(broken, *given) as name, pytest.raises(ApplyFailed) as refused:
        forget(broken, name)

    assert 'ALTER TABLE "fixer_journal"."before_image" REPLICA IDENTITY FULL' in str(refused.value)
    assert broken.ask("SELECT count(*) FROM fixer_journal.before_image") > 0


KEYLESS = {
    "rows that reference nothing": (
        "CREATE TABLE p (id serial PRIMARY KEY); INSERT INTO p DEFAULT VALUES;"
        "CREATE TABLE t (id serial, p_id integer); INSERT INTO t (p_id) VALUES (1), (7), (8)",
        "SELECT id, p_id FROM t ORDER BY 1",
        [(1, 1), (2, None), (3, None)],
    ),
    "rows of partitions that reference nothing": (
        "CREATE TABLE p (id serial PRIMARY KEY); INSERT INTO p DEFAULT VALUES;"
        "CREATE TABLE t (id serial, p_id integer) PARTITION BY RANGE (id);"
        "CREATE TABLE t_1 PARTITION OF t FOR VALUES FROM (0) TO (3); CREATE TABLE t_2 PARTITION OF t DEFAULT;"
        "INSERT INTO t (p_id) VALUES (1), (7), (8)",
        "SELECT id, p_id FROM t ORDER BY 1",
        [(1, 1), (2, None), (3, None)],
    ),
    "a default row": (
        "CREATE TABLE p (id serial); INSERT INTO p DEFAULT VALUES;"
        "CREATE TABLE t (id serial PRIMARY KEY, p_id integer)",
        "SELECT id FROM p ORDER BY 1",
        [(1,), (5,)],
    ),
}


def kept() -> MetaData:
    wanted = contract(p=(key(),), t=(key(), integer("p_id", ForeignKey("p.id"), info={"orphans": "null"})))
    wanted.tables["p"].info["default_rows"] = [{"id": 5}]
    return wanted


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("case", KEYLESS)
def test_a_run_that_gave_a_published_table_its_key_is_taken_back(laboratory: Laboratory, case: str, mode: str) -> None:
    made, shown, expected = KEYLESS[case]
    with lent(laboratory.server(18), None) as database:
        database.run(f"{made}; {ALL}")
        before = all_of(database)
        repair(database, kept(), mode)
        rows = database.run(shown)
        take_back(database)

        assert (rows, differences(before, database)) == (expected, [])
