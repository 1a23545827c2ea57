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
