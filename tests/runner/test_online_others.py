"""apply --mode online: nobody waits for long, whoever is in the way and whatever comes in meanwhile."""

from __future__ import annotations

import time

import pytest
from psycopg2.extensions import parse_dsn

from fixer.runner.locking import transaction
from lab.commands import holds, runs
from lab.database import DOUBLED, FILLED, STORY, Database, lent, session
from lab.laboratory import Laboratory
from lab.online import APPLY, Writer, at, writes
from lab.pool import pool_of_one
from lab.process import Begun, begun, fixer, heard, wait_for

# ---- others in the way

HOLDERS = {
    "a writer": "UPDATE users SET full_name = full_name WHERE id = 3",
    "a reader": "SELECT count(*) FROM users",
    "one who locked the table": "LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE",
}


@pytest.mark.parametrize("who", HOLDERS)
def test_who_is_in_the_way_is_named_and_waited_for(broken: Database, who: str) -> None:
    with session(broken, HOLDERS[who]) as other:
        process = at(broken, "waits .*")
        told = heard(process, str(other.info.backend_pid))
        other.rollback()
        process.communicate(timeout=60)

    assert "postgres" in told
    assert holds(broken)
    assert process.returncode == 0


def test_nobody_waits_long_behind_the_fixer_that_waits(broken: Database) -> None:
    with session(broken, HOLDERS["a reader"]) as other:
        process = at(broken, "waits .*")
        passed = [writes(broken) for _ in range(40)]
        other.rollback()
        process.communicate(timeout=60)

    assert (passed, process.returncode) == ([True] * 40, 0)


def test_a_row_that_another_holds_is_waited_for(broken: Database) -> None:
    with session(broken, "SELECT FROM paper_trades WHERE user_id = 17 FOR UPDATE") as other:
        process = begun(*APPLY, "--dsn", broken.dsn)
        time.sleep(3)
        still = process.poll()
        other.rollback()
        process.communicate(timeout=60)

    assert holds(broken)
    assert (still, process.returncode) == (None, 0)


@pytest.mark.parametrize("words", [APPLY, ("apply", "--yes", "--allow-hazards", "all"), ("undo", "1", "--yes")])
def test_while_a_fixer_works_online_no_other_does(broken: Database, words: tuple[str, ...]) -> None:
    with session(broken, HOLDERS["a writer"]) as other:
        process = at(broken, r"\[4/")
        ended = fixer(*words, "--dsn", broken.dsn)
        other.rollback()
        process.communicate(timeout=60)

    assert "Another fixer" in ended.stderr
    assert (ended.returncode, process.returncode) == (2, 0)


def test_a_fixer_online_refuses_where_another_works(broken: Database) -> None:
    before = broken.dump()
    with session(broken, f"SELECT pg_advisory_xact_lock({transaction.ADVISORY_LOCK})"):
        ended = fixer(*APPLY, "--dsn", broken.dsn)

    assert "Another fixer" in ended.stderr
    assert (2, before) == (ended.returncode, broken.dump())


def dozing(database: Database, query: str, seconds: float) -> Begun:
    """Start an apply that sleeps in such statements, and return it as it does."""
    database.run(
        "CREATE FUNCTION doze() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN"
        f" IF current_query() ~ '{query}' THEN PERFORM pg_sleep({seconds}); END IF; END $$;"
        "CREATE EVENT TRIGGER doze ON ddl_command_end EXECUTE FUNCTION doze()"
    )
    process = begun(*APPLY, "--dsn", database.dsn)
    asleep = (
        f"SELECT count(*) FROM pg_stat_activity WHERE query ~ '{query}' AND wait_event = 'PgSleep'"
        " AND datname = current_database()"
    )
    wait_for(lambda: database.ask(asleep) or process.poll() is not None)
    return process


END_THE_GUARD = """
SELECT pg_terminate_backend(l.pid) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
 WHERE l.locktype = 'advisory' AND d.datname = current_database()
"""


def test_without_its_guard_an_online_run_stops_and_can_be_gone_on_with(broken: Database) -> None:
    process = dozing(broken, "NOT VALID", 1)
    broken.run(END_THE_GUARD)
    told = process.communicate(timeout=60)[1]
    broken.run("DROP EVENT TRIGGER doze")
    left = runs(broken)
    resumed = fixer(*APPLY, "-q", "--dsn", broken.dsn)

    assert "keeps other fixers out was lost" in told
    assert (process.returncode, left) == (2, [(1, False)])
    assert holds(broken)
    assert (resumed.returncode, runs(broken)) == (0, [(1, True)])


def test_a_batch_is_not_written_without_the_guard(large: Database) -> None:
    with session(large, "SELECT FROM paper_trades WHERE user_id = 17 FOR UPDATE") as other:
        process = at(large, "move .* to quarantine")
        wait_for(lambda: large.ask("SELECT count(*) FROM fixer_quarantine.paper_trades"))
        large.run(END_THE_GUARD)
        ended = process.communicate(timeout=60)
        other.rollback()

    assert "keeps other fixers out was lost" in ended[1]
    assert process.returncode == 2


TIMEOUTS = ("transaction_timeout", "idle_in_transaction_session_timeout", "statement_timeout")


def test_timeouts_of_the_database_end_no_online_run(broken: Database) -> None:
    for timeout in TIMEOUTS:
        broken.run(f"ALTER DATABASE {broken.name} SET {timeout} = '700ms'")
    process = dozing(broken, "VALIDATE CONSTRAINT|CREATE INDEX CONCURRENTLY", 1)
    told = process.communicate(timeout=60)[1]
    for timeout in TIMEOUTS:
        broken.run(f"ALTER DATABASE {broken.name} RESET {timeout}")

    assert holds(broken), told
    assert process.returncode == 0, told


# ---- others who write

BAD_ROWS = {
    "orphans": (
        STORY,
        "paper_trades",
        "INSERT INTO paper_trades (user_id, symbol, action, quantity, price)"
        " SELECT 700000 + (random() * 1000)::int, 'M&M', 'BUY', 1, 1",
    ),
    "NULLs": (
        FILLED,
        "users",
        "INSERT INTO users (username, email, password_hash, status, account_type)"
        " SELECT left(n, 12), n, '!', NULL, 'x' FROM (SELECT md5(random()::text)) AS r (n)",
    ),
    "duplicates": (
        DOUBLED,
        "paper_trades",
        "INSERT INTO paper_trades SELECT * FROM paper_trades ORDER BY random() LIMIT 1",
    ),
}


@pytest.mark.parametrize("kind", BAD_ROWS)
def test_bad_rows_that_come_in_meanwhile_do_not_break_it(laboratory: Laboratory, kind: str) -> None:
    name, table, statement = BAD_ROWS[kind]
    with lent(laboratory.server(18), name) as database:
        before = database.ask(f"SELECT count(*) FROM {table}")
        # Nothing but the key itself keeps duplicates out: one who goes on for ever would always be there first.
        with Writer(database, statement, 200 if kind == "duplicates" else 10**9) as writer:
            wait_for(lambda: writer.went_in)
            ended = fixer(*APPLY, "--format", "json", "--dsn", database.dsn)
        quarantine = f"fixer_quarantine.{table}"
        moved = database.ask(f"SELECT to_regclass('{quarantine}') IS NOT NULL")
        kept = sum(database.ask(f"SELECT count(*) FROM {place}") for place in [table, *[quarantine] * moved])

        assert holds(database)
        assert ended.returncode == 0
        assert kept == before + writer.went_in + (table == "users")  # the default user came in too


def test_good_rows_go_in_all_the_while(large: Database) -> None:
    trade = "INSERT INTO paper_trades (user_id, symbol, action, quantity, price) VALUES (3, 'M&M', 'SELL', 1, 1)"
    with Writer(large, trade) as writer:
        ended = fixer(*APPLY, "-q", "--dsn", large.dsn)
    found = large.ask(
        "SELECT count(*) FROM paper_trades WHERE user_id = 3 AND action = 'SELL' AND quantity = 1 AND price = 1"
    )

    assert (ended.returncode, writer.went_in) == (0, found)


LIBRARY = """
ALTER TABLE books DROP CONSTRAINT books_author_id_fkey;
UPDATE books SET author_id = 99 WHERE id IN (5, 6);
"""


def test_a_child_that_comes_in_under_a_parent_that_is_moved_is_not_cascaded_away(laboratory: Laboratory) -> None:
    reviewed = "INSERT INTO reviews (book_id, body) VALUES (5, 'late')"
    kept = """
    SELECT (SELECT count(*) FROM reviews) + (SELECT count(*) FROM fixer_quarantine.reviews)
    """
    with laboratory.database(18) as case:
        case.break_(LIBRARY)
        database = Database(case.server, case.name)
        library = ("--contract", "fixer.defects._databases:library")
        # A parent to which children come without a pause is never without them: its turn comes when they pause.
        with Writer(database, reviewed, 2000) as writer, session(database, reviewed) as other:
            process = begun(*APPLY, *library, "--dsn", database.dsn)
            time.sleep(2)
            other.commit()
            process.communicate(timeout=60)

        assert (process.returncode, database.ask(kept)) == (0, 48 + 1 + writer.went_in)


def test_a_step_that_fails_twice_though_nobody_did_anything_is_told_at_once(laboratory: Laboratory) -> None:
    with lent(laboratory.server(18), FILLED) as database:
        database.run("ALTER TABLE users ADD CONSTRAINT odd CHECK (abs(id) < 0) NOT VALID")
        ended = fixer(*APPLY, "--dsn", database.dsn)
        told = [word in ended.stderr for word in ("failed twice", "odd", "continues from there")]

        assert (ended.returncode, told, ended.stderr.count("planning again")) == (2, [True] * 3, 1)


@pytest.mark.parametrize("alone", [True, False])
def test_through_a_pool_of_one_a_sentence_says_that_two_are_needed(broken: Database, alone: bool) -> None:
    before = broken.dump()
    with pool_of_one(parse_dsn(broken.dsn)["host"]) as place:
        dsn = f"postgresql://postgres@/{broken.name}?host={place}&port=5432"
        mode = "online" if alone else "atomic"
        ended = fixer("apply", "--yes", "--mode", mode, "--allow-hazards", "all", "--dsn", f"{dsn}&pgbouncer=true")

    if alone:
        assert "online mode needs two connections at the same time" in ended.stderr
        assert (2, before) == (ended.returncode, broken.dump())
    else:
        assert (ended.returncode, before != broken.dump()) == (0, True)
