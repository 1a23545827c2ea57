"""Publications: journal and quarantine stop no subscriber, and a run is taken back whatever is published."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg2
import pytest
from laws import VERSIONS, Laboratory
from outcomes import contract, integer, key, outcome
from outcomes import text as words
from sqlalchemy import CheckConstraint, Column, ForeignKey, MetaData, Numeric, String, text
from test_cli import STORY, Database, lent, role, running
from test_cli import fixer as command
from test_undo import MODES, all_of, differences

import fixer
from fixer.connect import _supervise, servers
from fixer.runner.prune import prune
from fixer.errors import ApplyFailed, NeedsPermission, UndoRefused
from fixer.report import json as as_json
from fixer.report import text as as_text
from fixer.model.step import Hazard

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


# ---- what a publication could not tell is left to a person


FILLED = "CREATE TABLE t (id integer PRIMARY KEY, n integer, m integer); INSERT INTO t VALUES (1, 1, 1), (2, NULL, 2);"
PARTED = (
    "CREATE TABLE t (id integer, n integer, m integer) PARTITION BY RANGE (id);"
    "CREATE TABLE t_1 PARTITION OF t FOR VALUES FROM (0) TO (2); CREATE TABLE t_2 PARTITION OF t DEFAULT;"
    "INSERT INTO t VALUES (1, 1, 1), (2, NULL, 2);"
)
UNTOLD = {
    "rows of partitions": (f"{PARTED} {ALL}", "the publication p could not tell which rows of public.t were changed"),
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


def needs_lists(made: str) -> None:
    if max(VERSIONS) < 15 and re.search(r"FOR TABLE t (\(|WHERE)", made):
        pytest.skip("lists and filters of columns came with PostgreSQL 15")


# ---- a subscriber goes on


LOGICAL = {**_supervise.SETTINGS, "wal_level": "logical", "max_wal_senders": "10", "wal_retrieve_retry_interval": "100"}


@contextmanager
def logical(version: int) -> Iterator[servers.Server]:
    """Lend a server that can publish and subscribe."""
    _, bindir = servers._choose(version)
    guise = _supervise.choose_guise(bindir, servers.GUISES)
    with _supervise.home(guise) as place:
        words = [str(bindir / "initdb"), "-D", str(place / "data"), "-U", "postgres", "--no-sync", "--encoding=UTF8"]
        assert _supervise.spawn(words, place, guise, -3).wait() == 0
        flags = [word for name, value in LOGICAL.items() for word in ("-c", f"{name}={value}")]
        command = [str(bindir / "postgres"), "-D", str(place / "data"), "-k", str(place), *flags]
        with running(command, place, guise):
            yield servers.Server(servers._socket_dsn(str(place)), version, bindir)


@dataclass(frozen=True)
class Pair:
    """A database, and one that subscribes to all that it publishes."""

    publisher: Database
    subscriber: Database

    def goes_on(self, patience: float = 20.0) -> bool:
        """Tell whether a row of the application still arrives, written after all else."""
        email = f"{os.urandom(6).hex()}@x"
        self.publisher.run(f"INSERT INTO users (email) VALUES ('{email}')")
        return self.arrives(f"SELECT count(*) FROM users WHERE email = '{email}'", 1, patience)

    def arrives(self, question: str, expected: object, patience: float = 20.0) -> bool:
        end = time.monotonic() + patience
        while self.subscriber.ask(question) != expected:
            if time.monotonic() > end:
                return False
            time.sleep(0.02)
        return True


@pytest.fixture(scope="module", params=[16, 18])
def two_servers(request: pytest.FixtureRequest) -> Iterator[tuple[servers.Server, servers.Server]]:
    with logical(request.param) as one, logical(request.param) as other:
        yield one, other


@contextmanager
def subscribed(two: tuple[servers.Server, servers.Server], made: str, rows: str) -> Iterator[Pair]:
    """Lend a pair of databases in step, whose tables were made alike."""
    with lent(two[0], None) as publisher, lent(two[1], None) as subscriber:
        publisher.run(made + rows + ALL)
        subscriber.run(made)
        subscriber.run(f"CREATE SUBSCRIPTION {subscriber.name} CONNECTION '{publisher.dsn}' PUBLICATION p")
        pair = Pair(publisher, subscriber)
        try:
            assert pair.arrives("SELECT bool_and(srsubstate = 'r') FROM pg_subscription_rel", True)
            yield pair
        finally:
            subscriber.run(f"DROP SUBSCRIPTION {subscriber.name}")


@pytest.fixture
def pair(two_servers: tuple[servers.Server, servers.Server]) -> Iterator[Pair]:
    with subscribed(two_servers, SHOP, ROWS) as pair:
        assert pair.arrives("SELECT count(*) FROM orders", 60)
        pair.publisher.run(BREAKS)
        pair.subscriber.run("ALTER TABLE users ALTER name DROP NOT NULL")
        pair.subscriber.run("ALTER TABLE orders DROP CONSTRAINT orders_user_id_fkey")
        yield pair


def planned(database: Database, wanted: MetaData | None = None, mode: str = "atomic") -> fixer.Plan:
    with closing(psycopg2.connect(database.dsn)) as connection:
        return fixer.plan(connection, wanted or shop(), mode=mode)


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
    assert (pair.publisher.dump(), pair.goes_on()) == (before, True)


@pytest.mark.parametrize("mode", MODES)
def test_a_subscriber_that_was_made_ready_goes_on(pair: Pair, mode: str) -> None:
    made_ready(pair)
    repair(pair.publisher, mode=mode)
    applied = pair.goes_on()
    pair.subscriber.run(f"ALTER SUBSCRIPTION {pair.subscriber.name} REFRESH PUBLICATION")
    copied = pair.arrives("SELECT count(*) FROM fixer_quarantine.orders", 3)
    pair.publisher.run(PUT_BACK.replace("'1'", "'2'") + "; DELETE FROM orders WHERE id = 2")
    put_back = pair.arrives("SELECT count(*) FROM fixer_quarantine.orders", 2)

    assert (applied, copied, put_back, pair.goes_on()) == (True, True, True, True)


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

    assert (stopped, pair.goes_on()) == (True, True)
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

    assert (made.published, "The publication everything publishes" in str(refused.value)) == (None, True)


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

    assert (refused.returncode, "The publication p publishes" in refused.stderr) == (1, True)


def test_plan_and_script_say_what_to_run_on_subscribers(story: Database) -> None:
    plan = json.loads(command("plan", "--format", "json", "--dsn", story.dsn).stdout)
    script = command("plan", "--sql", "-", "--dsn", story.dsn).stdout
    table = next(each for each in plan["published"]["tables"] if "before_image" in each)

    assert ("stops-subscribers" in plan["hazards"], plan["published"]["publications"]) == (True, ["p"])
    assert f"--   {table};" in script


def test_a_plan_says_little_of_a_publication_without_subscribers(broken: Database) -> None:
    broken.run(ALL)
    with closing(psycopg2.connect(broken.dsn)) as connection:
        shown = as_text.console()
        with shown.capture() as text_:
            shown.print(as_text.of_plan(fixer.plan(connection, shop())))

    assert "The publication p publishes the tables of the fixer, too" in text_.get()


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

    assert (len(made.steps) > 0, made.published) == (True, None)


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

    assert (stopped, pair.goes_on()) == (True, True)


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

    assert (inserted.goes_on(), inserted.arrives("SELECT count(*) FROM users WHERE id = 5", 0)) == (True, True)


def test_undo_refuses_to_make_a_table_that_would_stop_a_subscriber(inserted: Pair) -> None:
    for database in (inserted.publisher, inserted.subscriber):
        database.run("DROP SCHEMA fixer_quarantine CASCADE")
    with pytest.raises(UndoRefused) as refused:
        take_back(inserted.publisher)
    sentence, _, statements = str(refused.value).partition("\n")
    for database in (inserted.subscriber, inserted.publisher):
        database.run(statements)
    take_back(inserted.publisher)

    assert ("The publication p publishes tables" in sentence, inserted.goes_on()) == (True, True)


# ---- nobody listens


def test_a_publication_without_subscribers_stops_nothing(broken: Database) -> None:
    broken.run(ALL)
    made = planned(broken)
    assert made.published

    assert (made.published.publications, made.published.heard) == (("p",), False)
    assert "stops-subscribers" not in made.hazards


def test_without_a_publication_nothing_is_said(broken: Database) -> None:
    made = planned(broken)

    assert (made.published, "published" in as_json.of_plan(made)) == (None, False)
