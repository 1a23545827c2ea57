"""Publications: a run is taken back whatever is published, and what one could not tell is left to a person."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing

import psycopg2
import pytest
from sqlalchemy import Column, ForeignKey, MetaData, Text

import fixer
from fixer.errors import ApplyFailed
from fixer.model.plan import MODES
from fixer.report import json as as_json
from fixer.report import text as as_text
from lab.database import Database, all_of, differences, lent, role
from lab.examples.models import contract, integer, key
from lab.examples.shop import ALL, BREAKS, PUT_BACK, ROWS, SHOP, forget, planned, repair, shop, take_back
from lab.laboratory import VERSIONS, Laboratory
from lab.outcomes import outcome

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


@pytest.fixture
def broken(laboratory: Laboratory) -> Iterator[Database]:
    with lent(laboratory.server(18), None) as database:
        database.run(SHOP + ROWS + BREAKS)
        yield database


def test_a_plan_says_little_of_a_publication_without_subscribers(broken: Database) -> None:
    broken.run(ALL)
    with closing(psycopg2.connect(broken.dsn)) as connection:
        shown = as_text.console()
        with shown.capture() as text_:
            shown.print(as_text.of_plan(fixer.plan(connection, shop())))

    assert "The publication p publishes the tables of the fixer, too" in text_.get()


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
        "CREATE TABLE p (id serial); INSERT INTO p DEFAULT VALUES;CREATE TABLE t (id serial PRIMARY KEY, p_id integer)",
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


# ---- what a publication could not tell is left to a person

FILLED = "CREATE TABLE t (id integer PRIMARY KEY, n integer, m integer); INSERT INTO t VALUES (1, 1, 1), (2, NULL, 2);"
PARTED = (
    "CREATE TABLE t (id integer, n integer, m integer) PARTITION BY RANGE (id);"
    "CREATE TABLE t_1 PARTITION OF t FOR VALUES FROM (0) TO (2); CREATE TABLE t_2 PARTITION OF t DEFAULT;"
    "INSERT INTO t VALUES (1, 1, 1), (2, NULL, 2);"
)
UNTOLD = {
    "rows of partitions": (
        f"{PARTED} {ALL}",
        "public.t were changed: run for each of its partitions, ALTER TABLE … REPLICA IDENTITY FULL; then plan again",
    ),
    "rows of partitions, by their root": (
        f"{PARTED} CREATE PUBLICATION p FOR TABLE t WITH (publish_via_partition_root)",
        "the publication p could not tell which rows of public.t were changed",
    ),
    "rows by a column that is not in their key": (
        f"{FILLED} CREATE PUBLICATION p FOR TABLE t WHERE (m > 0)",
        "the publication p could not tell which rows of public.t were changed, by its columns m",
    ),
    "rows by a listed column that is not in their key": (
        f"{FILLED} CREATE PUBLICATION p FOR TABLE t (id, m) WHERE (m > 0)",
        "the publication p could not tell which rows of public.t were changed, by its columns m",
    ),
    "rows without their key": (
        f"{FILLED} CREATE PUBLICATION p FOR TABLE t (n)",
        "the publication p could not tell which rows of public.t were changed, by its columns id",
    ),
    "rows without all that tells them": (
        f"{FILLED} ALTER TABLE t REPLICA IDENTITY FULL; CREATE PUBLICATION p FOR TABLE t (id, n)",
        "the publication p could not tell which rows of public.t were changed, by its columns m",
    ),
}
TOLD = {
    "rows by columns of their key": f"{FILLED} CREATE PUBLICATION p FOR TABLE t (id, n) WHERE (id > 0)",
    "whole rows by any column": (
        f"{FILLED} ALTER TABLE t REPLICA IDENTITY FULL; CREATE PUBLICATION p FOR TABLE t WHERE (m > 0)"
    ),
    "new rows alone": f"{FILLED} CREATE PUBLICATION p FOR TABLE t WHERE (m > 0) WITH (publish = 'insert')",
    "rows of partitions with a key": f"{PARTED} ALTER TABLE t ADD PRIMARY KEY (id); {ALL}",
}


def full() -> MetaData:
    return contract(t=(key(autoincrement=False), integer("n", nullable=False, info={"backfill": 7}), integer("m")))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("what", UNTOLD)
def test_rows_that_a_publication_could_not_tell_are_left_to_a_person(
    laboratory: Laboratory, what: str, mode: str
) -> None:
    made, expected = UNTOLD[what]
    needs_lists(made)

    assert expected in outcome(laboratory, full(), made, mode)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("what", TOLD)
def test_rows_that_a_publication_can_tell_are_mended(laboratory: Laboratory, what: str, mode: str) -> None:
    needs_lists(TOLD[what])

    assert outcome(laboratory, full(), TOLD[what], mode) == "mended"


COUNTED = contract(t=(key(), integer("n")))
UNKEYED = {
    "their key is gone": "CREATE TABLE t (n integer); INSERT INTO t VALUES (1), (2);",
    "a key of another type": "CREATE TABLE t (id smallint, n integer); INSERT INTO t VALUES (1, 1), (2, 2);",
}


@pytest.mark.parametrize("what", UNKEYED)
def test_rows_that_only_online_mode_updates_are_left_to_atomic_mode(laboratory: Laboratory, what: str) -> None:
    online, atomic = (outcome(laboratory, COUNTED, UNKEYED[what] + ALL, mode) for mode in ("online", "atomic"))

    assert ("or take --mode atomic" in online, atomic) == (True, "mended"), online
    assert 'run ALTER TABLE "public"."t" REPLICA IDENTITY FULL; then plan again' in online


MUTE = "ALTER TABLE t REPLICA IDENTITY NOTHING;"
UPDATED = {
    "texts that become keys": "CREATE TABLE t (id integer PRIMARY KEY, p_id text); INSERT INTO t VALUES (1, 'a');",
    "numbers of a kept key": "CREATE TABLE t (old_id integer NOT NULL, p_id integer); INSERT INTO t VALUES (7, 1);",
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("what", UPDATED)
def test_rows_that_get_new_values_are_left_to_a_person_where_no_key_tells_them(
    laboratory: Laboratory, what: str, mode: str
) -> None:
    of_p, of_t = ({"legacy_keys": [name]} for name in ("code", "old_id"))
    code = Column("code", Text, unique=True)
    wanted = contract(
        p=(key(info=of_p), code),
        t=(key(info=of_t), integer("p_id", ForeignKey("p.id"))),
    )
    made = "CREATE TABLE p (id serial PRIMARY KEY, code text UNIQUE); INSERT INTO p (code) VALUES ('a');"
    ended = outcome(laboratory, wanted, f"{made} {UPDATED[what]} {MUTE} {ALL}", mode)

    assert "could not tell which rows of public.t were changed" in ended


LATER = {
    "no key is to come": "CREATE TABLE t (p_id integer);",
    "a key that tells nothing": "CREATE TABLE t (id serial PRIMARY KEY, p_id integer);"
    "ALTER TABLE t REPLICA IDENTITY NOTHING;",
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("what", LATER)
def test_rows_that_go_after_keys_are_left_to_a_person_where_no_key_tells_them(
    laboratory: Laboratory, what: str, mode: str
) -> None:
    keys = (key(),) if "PRIMARY" in LATER[what] else ()
    wanted = contract(p=(key(),), t=(*keys, integer("p_id", ForeignKey("p.id"))))
    with lent(laboratory.server(18), None) as database:
        database.run(f"CREATE TABLE p (id serial PRIMARY KEY); {LATER[what]} INSERT INTO t (p_id) VALUES (7); {ALL}")
        with closing(psycopg2.connect(database.dsn)) as connection:
            plan = fixer.plan(connection, wanted, mode=mode)

    assert "could not tell which rows of public.t were changed: run ALTER TABLE" in "".join(plan.refusals)


def needs_lists(made: str) -> None:
    if max(VERSIONS) < 15 and re.search(r"FOR TABLE t (\(|WHERE)", made):
        pytest.skip("lists and filters of columns came with PostgreSQL 15")


# ---- nobody listens


def test_a_publication_without_subscribers_stops_nothing(broken: Database) -> None:
    broken.run(ALL)
    made = planned(broken)
    assert made.published

    assert not made.published.heard
    assert made.published.publications == ("p",)
    assert "stops-subscribers" not in made.hazards


def test_without_a_publication_nothing_is_said(broken: Database) -> None:
    made = planned(broken)

    assert "published" not in as_json.of_plan(made)
    assert made.published is None
