"""Subscribers: no run stops one that was made ready for it, and no run begins before somebody says that it was."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg2
import pytest
from sqlalchemy import Column, MetaData, String

import fixer
from fixer.connect import servers
from fixer.errors import NeedsPermission, UndoRefused
from fixer.model.plan import MODES
from fixer.model.step import Hazard
from lab.database import STORY, Database, lent
from lab.examples.models import contract, key
from lab.examples.shop import ALL, BREAKS, PUT_BACK, ROWS, SHOP, forget, planned, repair, shop, take_back
from lab.process import fixer as command
from lab.replication import Pair, logical, subscribed

# ---- a subscriber goes on


@pytest.fixture(scope="module", params=[16, 18])
def two_servers(request: pytest.FixtureRequest) -> Iterator[tuple[servers.Server, servers.Server]]:
    with logical(request.param) as one, logical(request.param) as other:
        yield one, other


@pytest.fixture
def pair(two_servers: tuple[servers.Server, servers.Server]) -> Iterator[Pair]:
    with subscribed(two_servers, SHOP, ROWS) as pair:
        assert pair.arrives("SELECT count(*) FROM orders", 60)
        # First here, where rows that come in meanwhile would hold locks in another order.
        pair.subscriber.run("ALTER TABLE users ALTER name DROP NOT NULL")
        pair.subscriber.run("ALTER TABLE orders DROP CONSTRAINT orders_user_id_fkey")
        pair.publisher.run(BREAKS)
        yield pair


def made_ready(pair: Pair, wanted: MetaData | None = None) -> None:
    """Run on the subscriber what the plan says."""
    published = planned(pair.publisher, wanted).published
    assert published
    pair.subscriber.run(";".join(published.tables))


@pytest.mark.parametrize("mode", MODES)
def test_what_stops_a_subscriber_is_asked_for_by_its_name(pair: Pair, mode: str) -> None:
    before = pair.publisher.dump()
    with closing(psycopg2.connect(pair.publisher.dsn)) as connection, pytest.raises(NeedsPermission) as refused:
        fixer.apply(connection, shop(), mode=mode, allow_hazards="all")

    assert "--allow-hazards stops-subscribers. The publication p publishes" in str(refused.value)
    assert pair.publisher.dump() == before
    assert pair.goes_on()


@pytest.mark.parametrize("mode", MODES)
def test_a_subscriber_that_was_made_ready_goes_on(pair: Pair, mode: str) -> None:
    made_ready(pair)
    repair(pair.publisher, mode=mode)
    applied = pair.goes_on()
    pair.subscriber.run(f"ALTER SUBSCRIPTION {pair.subscriber.name} REFRESH PUBLICATION")
    copied = pair.arrives("SELECT count(*) FROM fixer_quarantine.orders", 3)
    pair.publisher.run(PUT_BACK.replace("'1'", "'2'") + "; DELETE FROM orders WHERE id = 2")
    put_back = pair.arrives("SELECT count(*) FROM fixer_quarantine.orders", 2)

    assert applied
    assert copied
    assert put_back
    assert pair.goes_on()


@pytest.mark.parametrize("refresh", [True, False])
@pytest.mark.parametrize("deed", [take_back, forget])
def test_a_subscriber_goes_on_when_a_run_is_taken_back_or_pruned(
    pair: Pair, deed: Callable[[Database], object], refresh: bool
) -> None:
    made_ready(pair)
    repair(pair.publisher)
    if refresh:
        pair.subscriber.run(f"ALTER SUBSCRIPTION {pair.subscriber.name} REFRESH PUBLICATION")
        assert pair.arrives("SELECT count(*) FROM fixer_journal.before_image", 2)
    deed(pair.publisher)

    assert pair.goes_on()
    assert pair.arrives("SELECT count(*) FROM fixer_journal.before_image", 0)
    same = "SELECT md5(string_agg(o::text, ';' ORDER BY id)) FROM orders o"
    assert pair.arrives(same, pair.publisher.ask(same))


def test_a_subscriber_that_stopped_goes_on_once_it_has_the_same(pair: Pair) -> None:
    lacking = planned(pair.publisher).published
    assert lacking
    repair(pair.publisher)
    stopped = not pair.goes_on(2)
    pair.subscriber.run(";".join(lacking.tables))

    assert stopped
    assert pair.goes_on()
    assert pair.publisher.ask("SELECT count(*) FROM users") == pair.subscriber.ask("SELECT count(*) FROM users")


def test_what_subscribers_have_is_not_asked_for_again(pair: Pair) -> None:
    made_ready(pair)
    repair(pair.publisher)
    pair.publisher.run("UPDATE orders SET qty = 1; ALTER TABLE users ALTER name DROP NOT NULL")

    assert planned(pair.publisher).published is None


def test_a_subscriber_that_came_since_the_plan_was_made_is_heeded(pair: Pair) -> None:
    pair.publisher.run("ALTER PUBLICATION p RENAME TO q; CREATE PUBLICATION p FOR TABLE users, orders; ")
    pair.publisher.run("DROP PUBLICATION q")
    made = planned(pair.publisher)
    pair.publisher.run("CREATE PUBLICATION everything FOR ALL TABLES")
    with closing(psycopg2.connect(pair.publisher.dsn)) as connection, pytest.raises(NeedsPermission) as refused:
        fixer.apply(connection, shop(), plan=made, allow_hazards="all")

    assert "The publication everything publishes" in str(refused.value)
    assert made.published is None


# ---- on the command line


@pytest.fixture
def story(two_servers: tuple[servers.Server, servers.Server]) -> Iterator[Database]:
    """Lend a trading database that publishes all its tables to whoever reads a slot of it."""
    with lent(two_servers[0], STORY) as database:
        database.run(ALL)
        database.run(f"SELECT pg_create_logical_replication_slot('{database.name}', 'pgoutput')")
        try:
            yield database
        finally:
            database.run(f"SELECT pg_drop_replication_slot('{database.name}')")


def test_all_does_not_speak_for_other_servers(story: Database) -> None:
    before = story.dump()
    refused = command("apply", "--yes", "--allow-hazards", "all", "--dsn", story.dsn)

    assert (refused.returncode, story.dump()) == (1, before)
    assert "needs --allow-hazards stops-subscribers. The publication p publishes" in refused.stderr
    assert 'CREATE TABLE IF NOT EXISTS "fixer_quarantine"."paper_trades" (' in refused.stdout

    done = command("apply", "--yes", "-q", "--allow-hazards", "all,stops-subscribers", "--dsn", story.dsn)

    assert (done.returncode, done.stderr) == (0, "")


def test_a_kept_plan_is_asked_for_subscribers_that_came_since(story: Database, tmp_path: Path) -> None:
    story.run("DROP PUBLICATION p")
    kept = tmp_path / "plan.json"
    command("plan", "-q", "-o", kept, "--dsn", story.dsn)
    story.run(ALL)
    refused = command("apply", kept, "--yes", "-q", "--allow-hazards", "all", "--dsn", story.dsn)

    assert "The publication p publishes" in refused.stderr
    assert refused.returncode == 1


def test_plan_and_script_say_what_to_run_on_subscribers(story: Database) -> None:
    plan = json.loads(command("plan", "--format", "json", "--dsn", story.dsn).stdout)
    script = command("plan", "--sql", "-", "--dsn", story.dsn).stdout
    table = next(each for each in plan["published"]["tables"] if "before_image" in each)

    assert "stops-subscribers" in plan["hazards"]
    assert plan["published"]["publications"] == ["p"]
    assert f"--   {table};" in script


# ---- what stops subscribers at tables of theirs


def renamed() -> MetaData:
    wanted = shop()
    wanted.tables["users"].info["legacy_names"] = ["old_users"]
    wanted.tables["users"].columns["name"].info["legacy_names"] = ["old_name"]
    return wanted


SHAPED = {
    "a table": ("DROP TABLE orders", "create the table orders"),
    "the name of a table": ("ALTER TABLE users RENAME TO old_users", "rename old_users to users"),
    "a column": ("ALTER TABLE users DROP name", "add name to users"),
    "the name of a column": ("ALTER TABLE users RENAME name TO old_name", "rename users.old_name to name"),
    "a type": ("ALTER TABLE orders ALTER id TYPE smallint", "orders.id"),
    "a key": ("ALTER TABLE users DROP CONSTRAINT users_pkey CASCADE", "add PRIMARY KEY (id) to users"),
    "another key": (
        "ALTER TABLE users DROP CONSTRAINT users_pkey CASCADE; ALTER TABLE users ADD PRIMARY KEY (email)",
        "PRIMARY KEY (id)",
    ),
}
UNSHAPED = {
    "a foreign key": "ALTER TABLE orders DROP CONSTRAINT orders_user_id_fkey",
    "a NOT NULL": "ALTER TABLE users ALTER name DROP NOT NULL",
    "a default": "ALTER TABLE users ALTER name DROP DEFAULT",
    "an index": "DROP INDEX orders_user_id_idx",
    "a check": "ALTER TABLE orders DROP CONSTRAINT orders_qty_check",
}


@contextmanager
def listened(server: servers.Server, breaks: str, published: str = "FOR ALL TABLES") -> Iterator[Database]:
    """Lend a broken shop that publishes, to whoever reads a slot of it."""
    with lent(server, None) as database:
        database.run(f"{SHOP + ROWS + breaks}; CREATE PUBLICATION p {published}")
        database.run(f"SELECT pg_create_logical_replication_slot('{database.name}', 'pgoutput')")
        try:
            yield database
        finally:
            database.run(f"SELECT pg_drop_replication_slot('{database.name}')")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("what", SHAPED)
def test_what_subscribers_must_have_as_well_is_asked_for(
    two_servers: tuple[servers.Server, servers.Server], what: str, mode: str
) -> None:
    breaks, title = SHAPED[what]
    with listened(two_servers[0], breaks, "FOR TABLES IN SCHEMA public") as database:
        made = planned(database, renamed(), mode)
    assert made.published

    assert (made.published.tables, made.lacks(["all"])) == ((), {Hazard.STOPS_SUBSCRIBERS})
    assert any(title in made.steps[number - 1].title for number in made.published.steps)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("what", UNSHAPED)
def test_what_subscribers_need_not_have_is_not_asked_for(
    two_servers: tuple[servers.Server, servers.Server], what: str, mode: str
) -> None:
    with listened(two_servers[0], UNSHAPED[what], "FOR TABLES IN SCHEMA public") as database:
        made = planned(database, renamed(), mode)

    assert len(made.steps) > 0
    assert made.published is None


def test_tables_that_nobody_publishes_are_not_asked_for(two_servers: tuple[servers.Server, servers.Server]) -> None:
    with listened(two_servers[0], "ALTER TABLE users DROP name", "FOR TABLE orders") as database:
        assert planned(database).published is None


def test_a_subscriber_goes_on_that_has_had_a_column_first(pair: Pair) -> None:
    pair.publisher.run("ALTER TABLE users DROP name")
    pair.subscriber.run("ALTER TABLE users DROP name")
    made_ready(pair)
    repair(pair.publisher)
    stopped = not pair.goes_on(2)
    pair.subscriber.run("ALTER TABLE users ADD name text")

    assert stopped
    assert pair.goes_on()


# ---- what undo alone makes


def defaulted() -> MetaData:
    wanted = contract(users=(key(), Column("email", String(100))))
    wanted.tables["users"].info["default_rows"] = [{"id": 5, "email": "d"}]
    return wanted


@pytest.fixture
def inserted(two_servers: tuple[servers.Server, servers.Server]) -> Iterator[Pair]:
    """Lend a pair whose publisher got a row by a run, and whose subscriber was made ready for it."""
    with subscribed(two_servers, "CREATE TABLE users (id serial PRIMARY KEY, email varchar(100));", "") as pair:
        made_ready(pair, defaulted())
        repair(pair.publisher, defaulted())
        yield pair


def test_who_is_ready_for_a_run_is_ready_for_its_way_back(inserted: Pair) -> None:
    assert inserted.arrives("SELECT count(*) FROM users WHERE id = 5", 1)
    take_back(inserted.publisher)

    assert inserted.goes_on()
    assert inserted.arrives("SELECT count(*) FROM users WHERE id = 5", 0)


def test_undo_refuses_to_make_a_table_that_would_stop_a_subscriber(inserted: Pair) -> None:
    for database in (inserted.publisher, inserted.subscriber):
        database.run("DROP SCHEMA fixer_quarantine CASCADE")
    with pytest.raises(UndoRefused) as refused:
        take_back(inserted.publisher)
    sentence, _, statements = str(refused.value).partition("\n")
    for database in (inserted.subscriber, inserted.publisher):
        database.run(statements)
    take_back(inserted.publisher)

    assert "The publication p publishes tables" in sentence
    assert inserted.goes_on()
