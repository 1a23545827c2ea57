"""apply --mode online: nobody waits for long, whoever is in the way or kills it; and it goes on where it was."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from laws import Laboratory
from psycopg2 import errors as pg
from test_apply import alone, session, slow_down, wait_for
from test_cli import STORY, Database, fixer, lent, role, started
from test_undo import FILLED, all_of, differences, lent_copy, load, undo, written

from fixer.connect import snapshot
from fixer.runner.locking import transaction

APPLY = ("apply", "--mode", "online", "--yes", "--allow-hazards", "all")
KEYLESS, DOUBLED = "users-without-primary-key", "double-restore-duplicates"
UNRULED = "orphans-under-a-valid-key"  # its repair moves rows, and changes no definition
REPAIRABLE = sorted(s.name for s in snapshot.find().values() if s.repairable and s.findings and s.name != UNRULED)
SNAPSHOT = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT 1"  # for whose end the building of an index waits
BUILDING = "SELECT count(*) FROM pg_stat_activity WHERE query ~ '^CREATE.* INDEX' AND wait_event_type = 'Lock'\
 AND datname = current_database()"
TRADES = """
INSERT INTO paper_trades (user_id, symbol, action, quantity, price)
SELECT CASE WHEN n % 10 = 0 THEN 100000 + n ELSE 2 + n % 9 END, 'M&M', 'BUY', n, 1 FROM generate_series(1, 20000) AS n
"""


@pytest.fixture
def broken(laboratory: Laboratory) -> Iterator[Database]:
    with lent(laboratory.server(18), STORY) as database:
        yield database


@pytest.fixture
def large(laboratory: Laboratory) -> Iterator[Database]:
    def make(database: Database) -> None:
        load(database, STORY)
        database.run(TRADES)

    with lent_copy(laboratory, 18, "large", make) as database:
        yield database


def holds(database: Database) -> bool:
    return fixer("check", "--deep", "-q", "--dsn", database.dsn).returncode == 0


def runs(database: Database) -> list[tuple[int, bool]]:
    """Give the runs of the past, the newest first, and whether they were finished."""
    answer = json.loads(fixer("history", "--format", "json", "--dsn", database.dsn).stdout)
    return [(run["run"], run["finished_at"] is not None) for run in answer["runs"]]


def trades(database: Database) -> Any:
    """Give the trades that there are, in their table or in quarantine."""
    quarantined = """SELECT ("row"->>'id')::int FROM fixer_quarantine.paper_trades"""
    there = database.ask("SELECT to_regclass('fixer_quarantine.paper_trades') IS NOT NULL")
    return database.run(f"SELECT id FROM paper_trades {'UNION ALL ' + quarantined if there else ''} ORDER BY 1")


def at(database: Database, mark: str, *words: object) -> subprocess.Popen[str]:
    """Start an apply, and return it as it says something."""
    process = started(*APPLY, *words, "--dsn", database.dsn)
    heard(process, mark)
    return process


def heard(process: subprocess.Popen[str], mark: str) -> str:
    assert process.stderr
    impatience = threading.Timer(20, process.kill)
    impatience.start()
    lines = ""
    while not re.search(mark, lines):
        line = process.stderr.readline()
        assert line, lines
        lines += line
    impatience.cancel()
    return lines


# ---- locks


WATCH = """
CREATE TABLE watched (query text, strength int, scanned bigint);
CREATE FUNCTION scanned() RETURNS bigint LANGUAGE sql AS $$
    SELECT sum(seq_tup_read) FROM pg_stat_xact_user_tables WHERE schemaname = 'public' AND relname <> 'watched';
$$;
CREATE FUNCTION start() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM set_config('watched.scanned', public.scanned()::text, false); END $$;
CREATE FUNCTION watch() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.watched
    SELECT current_query(), max(array_position(ARRAY['RowExclusiveLock', 'ShareUpdateExclusiveLock', 'ShareLock',
               'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock'], l.mode)),
           public.scanned() - current_setting('watched.scanned')::bigint
      FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
     WHERE l.pid = pg_backend_pid() AND c.relkind = 'r' AND c.relname <> 'watched'
       AND c.relnamespace = 'public'::regnamespace;
END $$;
CREATE EVENT TRIGGER start ON ddl_command_start EXECUTE FUNCTION start();
CREATE EVENT TRIGGER watch ON ddl_command_end EXECUTE FUNCTION watch();
"""
STRENGTHS = ["ROW EXCLUSIVE", "SHARE UPDATE EXCLUSIVE", "SHARE", "SHARE ROW EXCLUSIVE", "EXCLUSIVE", "ACCESS EXCLUSIVE"]


def claims(database: Database) -> dict[str, str]:
    plan = json.loads(fixer("plan", "--mode", "online", "--format", "json", "--dsn", database.dsn).stdout)
    return {step["sql"]: step["lock"] for step in plan["steps"]}


@pytest.mark.parametrize("version", [16, 18])
@pytest.mark.parametrize("name", REPAIRABLE)
def test_a_step_takes_no_stronger_lock_than_it_says(laboratory: Laboratory, name: str, version: int) -> None:
    with lent(laboratory.server(version), name) as database:
        claimed = claims(database)
        database.run(WATCH)
        fixer(*APPLY, "-q", "--dsn", database.dsn)
        taken = database.run("SELECT query, max(strength) FROM watched WHERE strength > 0 GROUP BY query")
        seen = [(query, STRENGTHS[strength - 1]) for query, strength in taken if query in claimed]
        wrong = [(q, lock) for q, lock in seen if STRENGTHS.index(lock) > STRENGTHS.index(claimed[q])]

        assert (bool(seen), wrong) == (True, [])


@pytest.mark.parametrize("version", [16, 18])
@pytest.mark.parametrize("name", [KEYLESS, STORY, FILLED, "user-id-scar", "users-old-left-behind", DOUBLED])
def test_no_table_is_read_under_a_lock_that_keeps_writers_out(laboratory: Laboratory, name: str, version: int) -> None:
    with lent(laboratory.server(version), name) as database:
        database.run(WATCH)
        fixer(*APPLY, "-q", "--dsn", database.dsn)
        strong = database.run("SELECT scanned, query FROM watched WHERE strength > 2 ORDER BY 1 DESC")

        assert (strong != [], [query for scanned, query in strong if scanned]) == (True, [])


@pytest.mark.parametrize(
    "name", [KEYLESS, STORY, FILLED, DOUBLED, "orphans-under-a-valid-key", "users-old-left-behind"]
)
def test_no_table_is_rewritten(laboratory: Laboratory, name: str) -> None:
    files = "SELECT pg_relation_filenode('users'), pg_relation_filenode('paper_trades')"
    with lent(laboratory.server(18), name) as database:
        before = database.run(files)
        ended = fixer(*APPLY, "-q", "--dsn", database.dsn)

        assert (0, before) == (ended.returncode, database.run(files))


def locks(database: Database) -> set[str]:
    """Give what the fixer holds on the tables."""
    query = (
        "SELECT DISTINCT mode FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE a.application_name = 'pgmend'"
        " AND relation IN ('users'::regclass, 'paper_trades'::regclass) AND granted AND datname = current_database()"
    )
    return {mode for (mode,) in database.run(query)}


def writes(database: Database, statement: str = "UPDATE users SET full_name = full_name WHERE id = 3") -> bool:
    """Tell whether a writer gets through at once."""
    try:
        database.run(f"SET lock_timeout = '250ms'; {statement}")
    except pg.LockNotAvailable:
        return False
    return True


def test_an_index_is_built_while_others_write(broken: Database) -> None:
    with session(broken, "UPDATE users SET full_name = full_name WHERE id = 4") as other:
        process = started(*APPLY, "--dsn", broken.dsn)
        # Before it can be built the fixer needs strong locks, for which this writer is in the way.
        other.rollback()
        process.communicate(timeout=60)
    broken.run("DROP INDEX ix_paper_trades_symbol")
    with session(broken, "UPDATE paper_trades SET pnl = 1 WHERE id = 5") as other:
        process = started(*APPLY, "--dsn", broken.dsn)
        wait_for(lambda: broken.ask(BUILDING) or process.poll() is not None)
        held, passed = locks(broken), writes(broken, "UPDATE paper_trades SET pnl = 1 WHERE id = 6")
        other.rollback()
        process.communicate(timeout=60)

    assert (held, passed, process.returncode) == ({"ShareUpdateExclusiveLock"}, True, 0)


def test_a_foreign_key_is_proved_while_others_write(broken: Database) -> None:
    broken.run(
        "CREATE FUNCTION doze() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN"
        " IF current_query() ~ 'VALIDATE CONSTRAINT' THEN PERFORM pg_sleep(2); END IF; END $$;"
        "CREATE EVENT TRIGGER doze ON ddl_command_end EXECUTE FUNCTION doze()"
    )
    process = started(*APPLY, "--dsn", broken.dsn)
    query = "SELECT count(*) FROM pg_stat_activity WHERE query ~ 'VALIDATE CONSTRAINT' AND wait_event = 'PgSleep'"
    wait_for(lambda: broken.ask(query) or process.poll() is not None)
    held = locks(broken)
    passed = [writes(broken), writes(broken, "UPDATE paper_trades SET user_id = 3 WHERE id = 5")]
    process.communicate(timeout=60)

    assert (held & {"ShareRowExclusiveLock", "AccessExclusiveLock"}, passed, process.returncode) == (
        set(),
        [True] * 2,
        0,
    )


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

    assert ("postgres" in told, process.returncode, holds(broken)) == (True, 0, True)


def test_nobody_waits_long_behind_the_fixer_that_waits(broken: Database) -> None:
    with session(broken, HOLDERS["a reader"]) as other:
        process = at(broken, "waits .*")
        passed = [writes(broken) for _ in range(40)]
        other.rollback()
        process.communicate(timeout=60)

    assert (passed, process.returncode) == ([True] * 40, 0)


def test_a_row_that_another_holds_is_waited_for(broken: Database) -> None:
    with session(broken, "SELECT FROM paper_trades WHERE user_id = 17 FOR UPDATE") as other:
        process = started(*APPLY, "--dsn", broken.dsn)
        time.sleep(3)
        still = process.poll()
        other.rollback()
        process.communicate(timeout=60)

    assert (still, process.returncode, holds(broken)) == (None, 0, True)


@pytest.mark.parametrize("words", [APPLY, ("apply", "--yes", "--allow-hazards", "all"), ("undo", "1", "--yes")])
def test_while_a_fixer_works_online_no_other_does(broken: Database, words: tuple[str, ...]) -> None:
    with session(broken, HOLDERS["a writer"]) as other:
        process = at(broken, r"\[4/")
        ended = fixer(*words, "--dsn", broken.dsn)
        other.rollback()
        process.communicate(timeout=60)

    assert (ended.returncode, "Another fixer" in ended.stderr, process.returncode) == (2, True, 0)


def test_a_fixer_online_refuses_where_another_works(broken: Database) -> None:
    before = broken.dump()
    with session(broken, f"SELECT pg_advisory_xact_lock({transaction.ADVISORY_LOCK})"):
        ended = fixer(*APPLY, "--dsn", broken.dsn)

    assert (2, True, before) == (ended.returncode, "Another fixer" in ended.stderr, broken.dump())


def dozing(database: Database, query: str, seconds: float) -> subprocess.Popen[str]:
    """Start an apply that sleeps in such statements, and return it as it does."""
    database.run(
        "CREATE FUNCTION doze() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN"
        f" IF current_query() ~ '{query}' THEN PERFORM pg_sleep({seconds}); END IF; END $$;"
        "CREATE EVENT TRIGGER doze ON ddl_command_end EXECUTE FUNCTION doze()"
    )
    process = started(*APPLY, "--dsn", database.dsn)
    asleep = f"SELECT count(*) FROM pg_stat_activity WHERE query ~ '{query}' AND wait_event = 'PgSleep'"
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

    assert (process.returncode, "keeps other fixers out was lost" in told, left) == (2, True, [(1, False)])
    assert (resumed.returncode, holds(broken), runs(broken)) == (0, True, [(1, True)])


def test_a_batch_is_not_written_without_the_guard(large: Database) -> None:
    with session(large, "SELECT FROM paper_trades WHERE user_id = 17 FOR UPDATE") as other:
        process = at(large, "move .* to quarantine")
        wait_for(lambda: large.ask("SELECT count(*) FROM fixer_quarantine.paper_trades"))
        large.run(END_THE_GUARD)
        ended = process.communicate(timeout=60)
        other.rollback()

    assert (process.returncode, "keeps other fixers out was lost" in ended[1]) == (2, True)


TIMEOUTS = ("transaction_timeout", "idle_in_transaction_session_timeout", "statement_timeout")


def test_timeouts_of_the_database_end_no_online_run(broken: Database) -> None:
    for timeout in TIMEOUTS:
        broken.run(f"ALTER DATABASE {broken.name} SET {timeout} = '700ms'")
    process = dozing(broken, "VALIDATE CONSTRAINT|CREATE INDEX CONCURRENTLY", 1)
    told = process.communicate(timeout=60)[1]
    for timeout in TIMEOUTS:
        broken.run(f"ALTER DATABASE {broken.name} RESET {timeout}")

    assert (process.returncode, holds(broken)) == (0, True), told


# ---- others who write


class Writer(threading.Thread):
    """Somebody who writes all the while, and takes no for an answer; counts what went in."""

    def __init__(self, database: Database, statement: str, most: int = 10**9) -> None:
        super().__init__(daemon=True)
        self.most = most
        self.database, self.statement, self.done = database, statement, threading.Event()
        self.went_in = self.refused = 0

    def run(self) -> None:
        with closing(psycopg2.connect(self.database.dsn)) as connection:
            connection.autocommit = True
            while self.went_in < self.most and not self.done.is_set():
                try:
                    connection.cursor().execute(self.statement)
                    self.went_in += 1
                except psycopg2.Error as error:
                    self.refused += not isinstance(error, psycopg2.errors.LockNotAvailable)
                    time.sleep(0.005)

    def __enter__(self) -> Writer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.done.set()
        self.join()


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

        assert (ended.returncode, holds(database)) == (0, True)
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
            process = started(*APPLY, *library, "--dsn", database.dsn)
            time.sleep(2)
            other.commit()
            process.communicate(timeout=60)

        assert (process.returncode, database.ask(kept)) == (0, 48 + 1 + writer.went_in)


def test_a_step_that_fails_twice_though_nobody_did_anything_is_told_at_once(laboratory: Laboratory) -> None:
    with lent(laboratory.server(18), FILLED) as database:
        database.run("ALTER TABLE users ADD CONSTRAINT odd CHECK (id < 0) NOT VALID")
        ended = fixer(*APPLY, "--dsn", database.dsn)
        told = [word in ended.stderr for word in ("failed twice", "odd", "goes on from there")]

        assert (ended.returncode, told, ended.stderr.count("planning again")) == (2, [True] * 3, 1)


# ---- triggers of users


HEARD = """
CREATE TABLE heard (who text, deed text);
CREATE FUNCTION hear() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN INSERT INTO public.heard VALUES (current_setting(''application_name''), TG_OP); RETURN NULL; END';
CREATE TRIGGER hear AFTER INSERT OR UPDATE OR DELETE ON paper_trades FOR EACH ROW EXECUTE FUNCTION hear();
CREATE TRIGGER hear AFTER INSERT OR UPDATE OR DELETE ON users FOR EACH ROW EXECUTE FUNCTION hear();
ALTER TABLE paper_trades ENABLE ALWAYS TRIGGER hear;
"""
OWNED = "ALTER TABLE users OWNER TO {}; ALTER TABLE paper_trades OWNER TO {}; GRANT CREATE ON SCHEMA public TO {}"


@pytest.mark.parametrize("owned", [False, True])
@pytest.mark.parametrize("kind", ["trigger", "rule"])
def test_triggers_and_rules_sleep_under_the_lock_that_the_plan_says(
    laboratory: Laboratory, kind: str, owned: bool
) -> None:
    strong = {"trigger": "SHARE ROW EXCLUSIVE", "rule": "ACCESS EXCLUSIVE"}[kind]
    rule = "CREATE RULE odd AS ON UPDATE TO users WHERE old.id < 0 DO ALSO DELETE FROM heard WHERE false;"
    with lent(laboratory.server(18), FILLED) as database:
        grants = f"GRANT CREATE ON DATABASE {database.name} TO {{}}; GRANT ALL ON SCHEMA public TO {{}};"
        with role(database, OWNED, grants) as owner:
            database.run(f"{HEARD} GRANT ALL ON heard TO {owner}; {rule if kind == 'rule' else ''}")
            dsn = database.seen_by(owner) if owned else database.dsn
            steps = json.loads(fixer("plan", "--mode", "online", "--format", "json", "--dsn", dsn).stdout)["steps"]
            database.run(f"{WATCH} GRANT ALL ON watched TO {owner}")
            ended = fixer(*APPLY, "-q", "--dsn", dsn)
        said = {step["lock"] for step in steps if "fill" in step["title"]}
        taken = database.ask("SELECT max(strength) FROM watched WHERE query ~ 'DISABLE'")
        heard = database.run("SELECT * FROM heard WHERE who = 'pgmend'")

        assert (ended.stderr, said, heard) == ("", {strong if owned else "ROW EXCLUSIVE"}, [])
        assert STRENGTHS[taken - 1] == strong  # for the row that is inserted


@pytest.mark.parametrize("owned", [False, True])
def test_triggers_fire_for_others_and_not_for_the_fixer(large: Database, owned: bool) -> None:
    trade = "INSERT INTO paper_trades (user_id, symbol, action, quantity, price) VALUES (3, 'M&M', 'SELL', 1, 1)"
    with role(
        large, OWNED, f"GRANT CREATE ON DATABASE {large.name} TO {{}}; GRANT ALL ON SCHEMA public TO {{}}"
    ) as owner:
        large.run(f"{HEARD} GRANT ALL ON heard TO {owner}")
        with Writer(large, trade) as writer:
            ended = fixer(*APPLY, "-q", "--dsn", large.seen_by(owner) if owned else large.dsn)
        fired = large.run("SELECT who = 'pgmend', count(*) FROM heard GROUP BY 1")

        assert (ended.returncode, ended.stderr, fired) == (0, "", [(False, writer.went_in)])


# ---- ends that come too early


STEPS = 17
"""How many steps the plan of the story has."""


def stop(database: Database, process: subprocess.Popen[str], how: str) -> None:
    if how == "of its backend":
        database.run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'pgmend' AND datname = current_database()"
        )
    else:
        process.send_signal(signal.SIGKILL if how == "kill -9" else signal.SIGINT)
    process.communicate(timeout=60)


def ends(database: Database, process: subprocess.Popen[str], how: str) -> None:
    stop(database, process, how)
    wait_for(lambda: alone(database))


def stop_dozing(database: Database) -> None:
    database.run("DROP EVENT TRIGGER IF EXISTS yawn; DROP FUNCTION IF EXISTS yawn")


@pytest.mark.parametrize("how", ["kill -9", "of its backend", "Ctrl-C"])
@pytest.mark.parametrize("step", range(2, STEPS + 1, 3))
def test_what_was_interrupted_at_a_step_is_taken_up_and_can_be_taken_back(large: Database, step: int, how: str) -> None:
    before, rows = all_of(large), trades(large)
    slow_down(large, 0.2)
    ends(large, at(large, rf"\[{step}/{STEPS}\]"), how)
    stop_dozing(large)
    left = runs(large)
    resumed = fixer(*APPLY, "-q", "--dsn", large.dsn)

    assert (left, resumed.returncode, runs(large)) == ([(1, False)], 0, [(1, True)]), resumed.stderr
    assert (rows, True) == (trades(large), holds(large))
    assert (undo(large, 1, "-q").returncode, differences(before, large)) == (0, [])


@pytest.mark.parametrize("moved", [1, 700, 1500])
def test_batches_that_were_done_are_not_done_again(large: Database, moved: int) -> None:
    before, rows = all_of(large), trades(large)
    count = "SELECT count(*) FROM fixer_quarantine.paper_trades"
    process = started(*APPLY, "--dsn", large.dsn)
    there = "SELECT to_regclass('fixer_quarantine.paper_trades') IS NOT NULL"
    wait_for(lambda: process.poll() is not None or (large.ask(there) and large.ask(count) >= moved))
    ends(large, process, "kill -9")
    fixer(*APPLY, "-q", "--dsn", large.dsn)

    assert (rows, 2007, True, [(1, True)]) == (trades(large), large.ask(count), holds(large), runs(large))
    assert (undo(large, 1, "-q").returncode, differences(before, large)) == (0, [])


@pytest.mark.parametrize("how", ["kill -9", "of its backend", "Ctrl-C"])
def test_an_index_that_was_half_built_is_healed(broken: Database, how: str) -> None:
    before = all_of(broken)
    with session(broken, SNAPSHOT) as other:
        process = started(*APPLY, "--dsn", broken.dsn)
        wait_for(lambda: broken.ask(BUILDING) or process.poll() is not None)
        stop(broken, process, how)
        invalid = broken.ask("SELECT count(*) FROM pg_index WHERE NOT indisvalid")
        timer = threading.Timer(2, other.rollback)
        timer.start()
        resumed = fixer(*APPLY, "-q", "--dsn", broken.dsn)  # what was killed may be building still
        timer.join()

    assert (invalid, resumed.returncode, runs(broken), holds(broken)) == (1, 0, [(1, True)], True), resumed.stderr
    assert (undo(broken, 1, "-q").returncode, differences(before, broken)) == (0, [])


def test_an_index_that_was_half_built_goes_when_the_run_is_taken_back(broken: Database) -> None:
    invalid = "SELECT count(*) FROM pg_index WHERE NOT indisvalid"
    before = all_of(broken)
    with session(broken, SNAPSHOT) as other:
        process = started(*APPLY, "--dsn", broken.dsn)
        wait_for(lambda: broken.ask(BUILDING) or process.poll() is not None)
        stop(broken, process, "of its backend")
        left = broken.ask(invalid)
        other.rollback()
    taken_back = undo(broken, 1, "-q")

    assert (left, taken_back.returncode, broken.ask(invalid)) == (1, 0, 0), taken_back.stderr
    assert differences(before, broken) == []


def test_an_interrupt_exits_130_and_says_how_to_go_on(large: Database) -> None:
    process = at(large, r"\[15/")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)

    assert (process.returncode, "Traceback" in err) == (130, False)


def test_history_shows_what_is_unfinished(broken: Database) -> None:
    slow_down(broken, 0.2)
    ends(broken, at(broken, r"\[6/"), "kill -9")
    stop_dozing(broken)
    ended = fixer("history", "--dsn", broken.dsn)

    assert "unfinished" in ended.stdout


def test_what_is_unfinished_can_be_taken_back(large: Database) -> None:
    before = all_of(large)
    slow_down(large, 0.2)
    ends(large, at(large, r"\[14/"), "kill -9")
    stop_dozing(large)
    ended = undo(large, 1, "-q")

    assert (ended.returncode, ended.stderr, differences(before, large)) == (0, "", [])


def test_what_is_unfinished_is_not_pruned(large: Database) -> None:
    before = all_of(large)
    slow_down(large, 0.2)
    ends(large, at(large, r"\[14/"), "kill -9")
    stop_dozing(large)
    fixer("history", "--prune", "--yes", "--dsn", large.dsn)
    fixer(*APPLY, "-q", "--dsn", large.dsn)

    assert (undo(large, 1, "-q").returncode, differences(before, large)) == (0, [])


# ---- plans that were kept


def planned(database: Database, place: Path, mode: str = "online") -> Path:
    fixer("plan", "-q", "--mode", mode, "-o", place / "plan.json", "--dsn", database.dsn)
    return place / "plan.json"


@pytest.mark.parametrize("words", [(), ("--mode", "online")])
def test_a_plan_for_online_mode_that_was_kept_is_carried_out_online(
    broken: Database, tmp_path: Path, words: tuple[str, ...]
) -> None:
    kept = planned(broken, tmp_path)
    ended = fixer("apply", kept, *words, "--yes", "--allow-hazards", "all", "--format", "json", "--dsn", broken.dsn)
    mode = broken.ask("SELECT mode FROM fixer_journal.run")
    done = [step["sql"] for step in json.loads(ended.stdout)["steps"]]

    assert (0, "online", done) == (ended.returncode, mode, [s["sql"] for s in json.loads(kept.read_text())["steps"]])


@pytest.mark.parametrize(("made_for", "asked_for"), [("online", "atomic"), ("atomic", "online")])
def test_a_plan_is_not_carried_out_in_a_mode_it_was_not_made_for(
    broken: Database, tmp_path: Path, made_for: str, asked_for: str
) -> None:
    kept, before = planned(broken, tmp_path, made_for), written(broken)
    ended = fixer(*APPLY[:1], kept, "--mode", asked_for, *APPLY[3:], "--dsn", broken.dsn)

    assert (2, 1, before) == (ended.returncode, len(ended.stderr.splitlines()), written(broken))


def test_a_plan_for_online_mode_is_refused_when_the_database_has_changed_since(
    broken: Database, tmp_path: Path
) -> None:
    kept = planned(broken, tmp_path)
    broken.run("ALTER TABLE users ADD COLUMN more text")
    before = written(broken)
    ended = fixer("apply", kept, *APPLY[3:], "--dsn", broken.dsn)

    assert (2, before) == (ended.returncode, written(broken))


def test_without_its_hazards_a_plan_for_online_mode_changes_not_a_byte(broken: Database) -> None:
    before = written(broken)
    ended = fixer("apply", "--mode", "online", "--yes", "--dsn", broken.dsn)

    assert (1, True, before) == (ended.returncode, "moves-rows" in ended.stderr, written(broken))


# ---- pace


@pytest.mark.parametrize(
    "words",
    [
        ("--max-lag", "soon"),
        ("--max-lag", "-1s"),
        ("--max-lag", ""),
        ("--max-lag", "1h1"),
        ("--throttle", "-1"),
        ("--throttle", "many"),
        ("--throttle", "1.5"),
        ("--mode", "offline"),
    ],
)
def test_a_pace_that_makes_no_sense_exits_2_and_is_named(broken: Database, words: tuple[str, str]) -> None:
    before = written(broken)
    ended = fixer(*APPLY, *words, "--dsn", broken.dsn)
    complaint = [line for line in ended.stderr.splitlines() if line.startswith("Error")]

    assert (2, 1, True, before) == (ended.returncode, len(complaint), words[0] in complaint[0], written(broken))


def test_the_fixer_pauses_while_others_are_busy_and_then_goes_on(broken: Database) -> None:
    with closing(psycopg2.connect(broken.server.dsn)) as connection:
        busy = threading.Thread(target=lambda: connection.cursor().execute("SELECT pg_sleep(4)"))
        busy.start()
        process = at(broken, r"waits while \d+ other session\S* \S+ busy", "--throttle", 0)
        paused = busy.is_alive() and process.poll() is None
        process.communicate(timeout=60)
        late = not busy.is_alive()
        busy.join()

    assert (paused, late, process.returncode, holds(broken)) == (True, True, 0, True)


def test_a_lag_is_no_obstacle_where_there_is_no_replica(broken: Database) -> None:
    ended = fixer(*APPLY, "-q", "--max-lag", "100ms", "--dsn", broken.dsn)

    assert (ended.returncode, ended.stderr) == (0, "")


# ---- what it says


def test_quiet_says_nothing(broken: Database) -> None:
    ended = fixer(*APPLY, "-q", "--dsn", broken.dsn)

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


def test_json_of_apply_online_has_the_keys_that_pipelines_lean_on(broken: Database) -> None:
    ended = fixer(*APPLY, "--format", "json", "--dsn", broken.dsn)
    answer = json.loads(ended.stdout)
    keys = {"version", "target", "contract", "ok", "points", "findings", "steps", "run", "ledger"}
    sums = {line["before"] + line["inserted"] - line["quarantined"] - line["after"] for line in answer["ledger"]}

    assert (set(answer), answer["ok"], answer["run"], sums, ended.stderr) == (keys, True, 1, {0}, "")


def test_the_ledger_of_an_online_run_is_the_truth(broken: Database) -> None:
    count = "SELECT (SELECT count(*) FROM paper_trades), (SELECT count(*) FROM users)"
    before = broken.run(count)
    ledger = json.loads(fixer(*APPLY, "--format", "json", "--dsn", broken.dsn).stdout)["ledger"]
    told = [(*(line["before"] for line in ledger), *(line["after"] for line in ledger))]

    assert ([(*before[0], *broken.run(count)[0])], [7, 0]) == (told, [line["quarantined"] for line in ledger])


def test_a_second_online_run_finds_nothing_to_do(broken: Database) -> None:
    fixer(*APPLY, "-q", "--dsn", broken.dsn)
    before = written(broken)
    ended = fixer(*APPLY, "-q", "--dsn", broken.dsn)

    assert (0, before) == (ended.returncode, written(broken))


def test_an_online_run_leaves_nothing_of_its_own_in_the_tables(laboratory: Laboratory) -> None:
    own = (
        "SELECT conname FROM pg_constraint WHERE conname LIKE 'pgmend%'"
        " UNION ALL SELECT tgname FROM pg_trigger WHERE tgname LIKE 'pgmend%'"
    )
    for version in (16, 18):
        for name in (FILLED, "text-user-ids", "sqlite-port"):
            with lent(laboratory.server(version), name) as database:
                ended = fixer(*APPLY, "-q", "--dsn", database.dsn)

                assert (ended.returncode, database.run(own)) == (0, [])


def test_a_table_is_locked_once_for_what_takes_a_moment_and_apart_for_what_reads(large: Database) -> None:
    columns = ["role", "status", "risk_tolerance", "updated_at"]
    large.run("ALTER TABLE users " + ", ".join(f"ALTER COLUMN {column} DROP DEFAULT" for column in columns))

    assert fixer(*APPLY, "--allow-hazards", "all", "--dsn", large.dsn).returncode == 0

    done = large.run("SELECT xmin::text, step ->> 'title' FROM fixer_journal.step WHERE step ->> 'table' ~ 'users'")
    defaults = {xmin for xmin, title in done if " default to " in title}
    reading = {xmin for xmin, title in done if "ahead of the data" in title}
    assert len(defaults) == 1
    assert reading
    assert all(sum(xmin == each for each, _ in done) == 1 for xmin in reading)
