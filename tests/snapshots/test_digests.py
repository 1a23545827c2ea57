"""What a database holds at two moments: rows and definitions that differ are named, and nothing else is."""

from __future__ import annotations

from contextlib import closing

import psycopg2
import pytest

from fixer.snapshots import digests
from lab.database import Database


def state(database: Database) -> digests.State:
    with closing(psycopg2.connect(database.dsn)) as connection:
        return digests.of(connection)


def test_rows_that_only_moved_are_the_same(healthy: Database) -> None:
    before = state(healthy)
    healthy.run("VACUUM FULL users")
    healthy.run("CREATE SCHEMA fixer_journal; CREATE TABLE fixer_journal.run (n integer)")

    assert before.differing(state(healthy)) == []


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("UPDATE users SET full_name = full_name || ' ' WHERE id = 2", "the rows of public.users"),
        ("DELETE FROM paper_trades WHERE id = 5", "the rows of public.paper_trades"),
        ("INSERT INTO paper_trades (user_id, symbol, action, quantity, price) VALUES (1, 'x', 'BUY', 1, 1)",
         "the rows of public.paper_trades"),
        ("ALTER TABLE users ALTER COLUMN full_name SET DEFAULT 'x'", "full_name character varying(100)"),
        ("COMMENT ON TABLE users IS 'people'", "COMMENT ON TABLE public.users IS 'people';"),
    ],
)  # fmt: skip
def test_what_changed_is_named(healthy: Database, change: str, named: str) -> None:
    before = state(healthy)
    healthy.run(change)

    assert named in before.differing(state(healthy))


ALIKE = """
CREATE TYPE mood AS ENUM ('x', 'y');
CREATE TABLE alike (id integer, n numeric, f double precision, c character, b text, t text, j jsonb, i interval,
                    one text, two text, a numeric[], m mood);
INSERT INTO alike VALUES (1, 1.0, 0, 'a', NULL, 'A', '{"n": 1.0}', '1 day', 'p', 'q', '{1.0}', 'x');
INSERT INTO alike VALUES (2);
"""


@pytest.mark.parametrize(
    "change",
    [
        "n = 1.00", "n = '1'", "f = '-0'", "b = ''", "t = 'a'", "t = 'A '", """j = '{"n": 1.00}'""", "i = '24 hours'",
        "one = two, two = one", "a = '{1.00}'", "m = 'y'", "c = NULL",
    ],
)  # fmt: skip
def test_what_is_equal_and_not_the_same_differs(healthy: Database, change: str) -> None:
    healthy.run(ALIKE)
    before = state(healthy)
    healthy.run(f"UPDATE alike SET {change} WHERE id = 1")

    assert before.differing(state(healthy)) == ["the rows of public.alike"]


def test_settings_of_the_database_round_nothing(healthy: Database) -> None:
    healthy.run(ALIKE)
    healthy.run(
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET extra_float_digits = -15', current_database()); END $$"
    )
    before = state(healthy)
    healthy.run("UPDATE alike SET f = 0.1234 WHERE id = 1")
    between = state(healthy)
    healthy.run("UPDATE alike SET f = 0.1235 WHERE id = 1")

    assert between.differing(state(healthy)) == before.differing(between) == ["the rows of public.alike"]


def test_labels_that_are_made_anew_are_the_same(healthy: Database) -> None:
    healthy.run(ALIKE)
    before = state(healthy)
    healthy.run(
        "ALTER TABLE alike ALTER m TYPE text; DROP TYPE mood; CREATE TYPE mood AS ENUM ('x', 'y');"
        "ALTER TABLE alike ALTER m TYPE mood USING m::mood"
    )

    assert before.differing(state(healthy)) == []
