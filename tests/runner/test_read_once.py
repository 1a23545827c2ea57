"""An atomic repair reads the catalogue again as long as anything may have changed in it, and no longer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from fixer import introspect
from fixer.api import session
from fixer.errors import PlanRefused
from fixer.runner import atomic
from lab.database import Database
from lab.examples.models import contract, integer, key, text

WANTED = contract(owners=(key(), text("name", nullable=False)), pets=(key(), integer("owner_id", index=True)))
TABLES = """
CREATE TABLE owners (id serial PRIMARY KEY, name text);
CREATE TABLE pets (id serial PRIMARY KEY, owner_id integer);
"""
CHANGES = {
    "a default": "ALTER TABLE pets ALTER owner_id SET DEFAULT 7",
    "a check": "ALTER TABLE owners ADD CHECK (name <> '')",
    "a NOT NULL": "ALTER TABLE owners ALTER name SET NOT NULL",
    "an index": "CREATE INDEX ON pets (owner_id)",
    "a table that references one": "CREATE TABLE toys (pet_id integer REFERENCES pets)",
}
Meanwhile = Callable[[Callable[[], object]], None]


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Meanwhile:
    """What has something done after a repair read the catalogue, and before it locks its tables."""

    def arrange(done: Callable[[], object]) -> None:
        lock = atomic.lock

        def later(*given: Any) -> None:
            done()
            lock(*given)

        monkeypatch.setattr(atomic, "lock", later)

    return arrange


def readings(database: Database, monkeypatch: pytest.MonkeyPatch) -> int:
    """Return how often the tables are read for a repair: to check, and to see that the contract holds."""
    read, count = introspect.read_parts, list[object]()
    with monkeypatch.context() as watched, session(database.dsn, WANTED) as work:
        watched.setattr(introspect, "read_parts", lambda *given, **more: (count.append(given), read(*given, **more))[1])
        report, plan = work.made()
        work.apply(plan, report)
    database.run("ALTER TABLE owners ALTER name DROP NOT NULL; DROP INDEX ix_pets_owner_id")
    return len(count)


def test_the_catalogue_is_read_before_the_steps_and_after_them(
    empty: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty.run(TABLES)

    # Others share the server, and end transactions in between.
    assert min(readings(empty, monkeypatch) for _ in range(20)) == 2


def refused(database: Database, between: Callable[[], object] = lambda: None) -> str:
    """Return why a repair was refused; `between` is done once it is planned."""
    with session(database.dsn, WANTED) as work:
        report, plan = work.made()
        between()
        with pytest.raises(PlanRefused) as told:
            work.apply(plan, report)
    return str(told.value)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_changed_since_the_plan_was_made_is_seen(empty: Database, change: str) -> None:
    empty.run(TABLES)

    assert "has changed since the plan was made" in refused(empty, lambda: empty.run(change))


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_changes_before_the_tables_are_locked_is_seen(empty: Database, meanwhile: Meanwhile, change: str) -> None:
    empty.run(TABLES)
    meanwhile(lambda: empty.run(change))

    assert "changed while its tables were being locked" in refused(empty)


def test_a_change_that_was_under_way_is_seen(empty: Database, meanwhile: Meanwhile) -> None:
    empty.run(TABLES)
    with session(empty.dsn, WANTED) as other:
        with other.link.connection.cursor() as cursor:  # locks out no reader, and no other lock
            cursor.execute("UPDATE pg_attribute SET attnotnull = true WHERE attrelid = 'pets'::regclass AND attnum = 2")
        meanwhile(other.link.connection.commit)

        assert "changed while its tables were being locked" in refused(empty)


def test_nothing_is_the_same_after_a_transaction_ended(empty: Database) -> None:
    with session(empty.dsn, WANTED) as work, work.link.connection.cursor() as cursor:
        seen = [introspect.sees_the_same(cursor, introspect.read(cursor, ("public",))) for _ in range(20)]
        before = introspect.read(cursor, ("public",))
        empty.run("CREATE TYPE mood AS ENUM ('ok')")

        assert (any(seen), introspect.sees_the_same(cursor, before)) == (True, False)
