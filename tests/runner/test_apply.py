"""apply: all of it or nothing, whoever stands in the way and whatever happens meanwhile."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import psycopg2
import pytest

from fixer import api
from fixer.connect import snapshot
from fixer.errors import ApplyFailed, PgmendError, PlanRefused
from fixer.model.plan import Plan
from fixer.model.step import Batches
from fixer.runner.locking import transaction
from lab.commands import APPLY
from lab.database import HEALTHY, STORY, Database, alone, lent, role, session
from lab.laboratory import Laboratory
from lab.online import slow_down
from lab.process import Begun, begun, fixer, wait_for

CONTRACT = "contracts.trading:metadata"


def waiting(database: Database) -> bool:
    query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    return bool(database.ask(query))


# ---- others at work


def test_a_second_fixer_refuses(broken: Database) -> None:
    before = broken.dump()
    with session(broken, f"SELECT pg_advisory_xact_lock({transaction.ADVISORY_LOCK})"):
        ended = fixer(*APPLY, "--dsn", broken.dsn)

    assert "Another fixer" in ended.stderr
    assert (2, before) == (ended.returncode, broken.dump())


def test_of_two_fixers_at_once_one_repairs(broken: Database) -> None:
    with session(broken, "LOCK TABLE users IN SHARE MODE") as other:
        first = begun(*APPLY, "--lock-timeout", "20s", "--dsn", broken.dsn)
        wait_for(lambda: waiting(broken) or first.poll() is not None)
        second = fixer(*APPLY, "--lock-timeout", "200ms", "--dsn", broken.dsn)
        other.rollback()
        first.communicate(timeout=30)

    assert (first.returncode, second.returncode, broken.ask("SELECT count(*) FROM fixer_journal.run")) == (0, 2, 1)


def test_a_lock_that_cannot_be_had_is_tried_for_and_given_up(broken: Database, tmp_path: Path) -> None:
    before, log = broken.dump(), tmp_path / "log"
    with session(broken, "LOCK TABLE users IN ACCESS SHARE MODE"):
        began = time.monotonic()
        ended = fixer(*APPLY, "--lock-timeout", "50ms", "--log-file", log, "--dsn", broken.dsn)
        seconds = time.monotonic() - began

    assert "--lock-timeout" in ended.stderr
    assert seconds < 10
    assert (2, transaction.ATTEMPTS, before) == (ended.returncode, log.read_text().count("55P03"), broken.dump())


def test_a_lock_that_comes_free_in_time_is_had(broken: Database) -> None:
    with session(broken, "LOCK TABLE users IN ACCESS SHARE MODE") as other:
        timer = threading.Timer(0.8, other.rollback)
        timer.start()
        ended = fixer(*APPLY, "--lock-timeout", "300ms", "--dsn", broken.dsn)
        timer.join()

    assert ended.returncode == 0


def test_the_fixer_gives_way_before_the_application_is_killed_in_a_deadlock(broken: Database, tmp_path: Path) -> None:
    with session(broken, "LOCK TABLE users IN ACCESS SHARE MODE") as other:
        process = begun(*APPLY, "--log-file", tmp_path / "log", "--dsn", broken.dsn)
        wait_for(lambda: waiting(broken) or process.poll() is not None)
        other.cursor().execute("LOCK TABLE paper_trades IN SHARE MODE")  # what the fixer holds already
        other.rollback()
        process.communicate(timeout=30)

    log = (tmp_path / "log").read_text()
    assert "40P01" not in log
    assert "55P03" in log
    assert process.returncode == 0


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
@pytest.mark.parametrize("mode", ["atomic", "online"])
def test_what_is_committed_while_the_fixer_waits_is_seen_whatever_the_isolation(
    broken: Database, mode: str, level: str
) -> None:
    broken.run(f"ALTER DATABASE {broken.name} SET default_transaction_isolation = '{level}'")
    trade = "INSERT INTO paper_trades (user_id, symbol, action, quantity, price) VALUES (99999, 'M&M', 'SELL', 1, 1)"
    with session(broken, trade) as other:
        process = begun(*APPLY, "--mode", mode, "--dsn", broken.dsn)
        wait_for(lambda: waiting(broken) or process.poll() is not None)
        other.commit()
        told = process.communicate(timeout=60)

    if mode == "atomic":  # it moves no row that the plan did not announce
        assert (process.returncode, "would go to quarantine, the plan announced" in told[1]) == (2, True), told
        return
    moved = broken.ask("""SELECT count(*) FROM fixer_quarantine.paper_trades WHERE "row" ->> 'user_id' = '99999'""")
    assert (process.returncode, moved) == (0, 1), told


@pytest.mark.parametrize("mode", ["atomic", "online"])
def test_names_are_names_where_the_server_quotes_them_all(
    broken: Database, mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    seen = fixer("check", "--deep", "--format", "json", "--dsn", broken.dsn).stdout
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "another"))
    broken.run(f"ALTER DATABASE {broken.name} SET quote_all_identifiers = on")
    again = fixer("check", "--deep", "--format", "json", "--dsn", broken.dsn).stdout
    ended = fixer(*APPLY, "--mode", mode, "-q", "--dsn", broken.dsn)
    holds = fixer("check", "--deep", "-q", "--dsn", broken.dsn)
    undone = fixer("undo", 1, "--yes", "-q", "--dsn", broken.dsn)

    assert json.loads(seen)["findings"] == json.loads(again)["findings"] != []
    assert (ended.stderr, holds.returncode) == ("", 0)
    assert (undone.returncode, undone.stderr) == (0, "")


@pytest.mark.parametrize("words", [("check",), ("plan",), ("plan", "--mode", "online"), APPLY])
def test_rows_that_a_table_of_another_schema_references_are_left_to_a_person(
    laboratory: Laboratory, words: tuple[str, ...]
) -> None:
    with lent(laboratory.server(18), "orphans-under-a-valid-key") as database:
        database.run(
            "CREATE SCHEMA other; CREATE TABLE other.notes (trade int REFERENCES paper_trades ON DELETE CASCADE);"
            "INSERT INTO other.notes SELECT id FROM paper_trades"
        )
        before = database.run("SELECT count(*) FROM other.notes")
        ended = fixer(*words, "--deep", "--dsn", database.dsn)
        told = "other.notes" in " ".join((ended.stdout + ended.stderr).split())

        assert told
        assert (ended.returncode, before) == (1, database.run("SELECT count(*) FROM other.notes"))


def test_check_does_not_wait_for_a_lock_for_ever(broken: Database) -> None:
    with session(broken, "LOCK TABLE users IN ACCESS EXCLUSIVE MODE"):
        ended = fixer("check", "--lock-timeout", "100ms", "--dsn", broken.dsn)

    assert (ended.returncode, len(ended.stderr.splitlines())) == (2, 1)


def test_a_statement_timeout_undoes_all(broken: Database) -> None:
    slow_down(broken, 0.3)
    before = broken.dump()
    ended = fixer(*APPLY, "-q", "--statement-timeout", "200ms", "--dsn", broken.dsn)

    assert (2, 1, before) == (ended.returncode, len(ended.stderr.splitlines()), broken.dump())


# ---- ends that come too early


def in_the_middle(database: Database) -> Begun:
    """Start an apply, and return it as it comes to its sixth step."""
    slow_down(database, 0.3)
    process = begun(*APPLY, "--dsn", database.dsn)
    assert process.stderr
    while not process.stderr.readline().startswith("[6/"):
        assert process.poll() is None
    return process


def test_an_interrupt_in_the_middle_leaves_nothing_half_done(broken: Database) -> None:
    before = broken.dump()
    process = in_the_middle(broken)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    wait_for(lambda: alone(broken))
    broken.run("DROP EVENT TRIGGER yawn; DROP FUNCTION yawn")

    assert "Traceback" not in err
    assert (130, before) == (process.returncode, broken.dump())


def test_an_interrupt_while_it_waits_for_a_lock_is_heard_at_once(broken: Database) -> None:
    before = broken.dump()
    with session(broken, "LOCK TABLE users IN ACCESS SHARE MODE"):
        process = begun(*APPLY, "--lock-timeout", "3s", "--dsn", broken.dsn)
        wait_for(lambda: waiting(broken) or process.poll() is not None)
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        seconds = time.monotonic() - began

    assert seconds < 2
    assert (130, before) == (process.returncode, broken.dump())


def test_a_polite_end_leaves_nothing_half_done(broken: Database) -> None:
    before = broken.dump()
    process = in_the_middle(broken)
    process.terminate()
    process.communicate(timeout=30)
    wait_for(lambda: alone(broken))
    broken.run("DROP EVENT TRIGGER yawn; DROP FUNCTION yawn")

    assert before == broken.dump()


def test_a_fixer_that_is_killed_leaves_nothing_half_done(broken: Database) -> None:
    before = broken.dump()
    process = in_the_middle(broken)
    process.kill()
    process.communicate(timeout=30)
    wait_for(lambda: alone(broken))
    broken.run("DROP EVENT TRIGGER yawn; DROP FUNCTION yawn")

    assert before == broken.dump()


def test_a_connection_that_breaks_is_told_in_one_sentence(broken: Database) -> None:
    before = broken.dump()
    process = in_the_middle(broken)
    broken.run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name = 'pgmend' AND datname = current_database()"
    )
    _, err = process.communicate(timeout=30)
    broken.run("DROP EVENT TRIGGER yawn; DROP FUNCTION yawn")
    complaints = [line for line in err.splitlines() if not line.startswith("[")]

    assert "(None)" not in err
    assert (2, 1, before) == (process.returncode, len(complaints), broken.dump())


# ---- proofs that fail


def tampered(database: Database, change: Callable[[Plan], Plan]) -> str:
    """Apply a plan that was tampered with, and give why it failed."""
    with closing(psycopg2.connect(database.dsn)) as connection:
        made = change(api.plan(connection, CONTRACT))
        with pytest.raises(PgmendError) as failure:
            api.apply(connection, CONTRACT, plan=made, allow_hazards="all")
    return str(failure.value)


def with_statement(plan: Plan, place: int, statement: str) -> Plan:
    steps = list(plan.steps)
    steps[place] = replace(steps[place], sql=statement.format(steps[place].sql))
    return replace(plan, steps=tuple(steps))


@pytest.mark.parametrize("slug", sorted(snapshot.find()[STORY].findings))
def test_a_plan_that_does_not_do_what_it_says_is_rolled_back(broken: Database, slug: str) -> None:
    def lame(plan: Plan) -> Plan:
        idle = [replace(s, sql="SELECT 1", batches=Batches()) if slug in s.slug else s for s in plan.steps]
        return replace(plan, steps=tuple(idle))

    before = broken.dump()
    tampered(broken, lame)

    assert before == broken.dump()


@pytest.mark.parametrize("place", [0, 4, -1])
def test_a_row_that_is_lost_on_the_way_rolls_all_back(broken: Database, place: int) -> None:
    before, lost = broken.dump(), "DELETE FROM public.paper_trades WHERE id = (SELECT max(id) FROM public.paper_trades)"
    why = tampered(broken, lambda plan: with_statement(plan, place, f"{lost}; {{}}"))

    assert "do not add up" in why
    assert before == broken.dump()


def test_a_row_that_appears_on_the_way_rolls_all_back(broken: Database) -> None:
    before = broken.dump()
    row = "INSERT INTO public.users (id, user_id, username, email, password_hash) VALUES (800000, 'x', 'y', 'z', '!')"
    why = tampered(broken, lambda plan: with_statement(plan, -1, f"{{}}; {row}"))

    assert "do not add up" in why
    assert before == broken.dump()


def test_a_failing_step_is_named_with_its_sqlstate(broken: Database) -> None:
    why = tampered(broken, lambda plan: with_statement(plan, 4, "SELECT 1 / 0"))

    assert why.startswith("Step 5 (")
    assert "22012" in why


def test_a_plan_without_steps_does_not_vouch_for_a_broken_database(broken: Database) -> None:
    with closing(psycopg2.connect(broken.dsn)) as connection:
        nothing = replace(api.plan(connection, CONTRACT), steps=())
        try:
            ok = api.apply(connection, CONTRACT, plan=nothing, allow_hazards="all").ok
        except (ApplyFailed, PlanRefused):
            ok = False

    assert not ok


def test_a_kept_plan_without_steps_does_not_vouch_for_what_broke_since(laboratory: Laboratory, tmp_path: Path) -> None:
    with lent(laboratory.server(18), HEALTHY) as database:
        fixer("plan", "-q", "-o", tmp_path / "plan.json", "--dsn", database.dsn)
        database.run("ALTER TABLE paper_trades DROP CONSTRAINT paper_trades_user_id_fkey")

        assert fixer("apply", tmp_path / "plan.json", "--yes", "--dsn", database.dsn).returncode == 2


# ---- triggers, rules and policies of users


MEDDLERS = """
CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.updated_at := ''infinity''; RETURN NEW; END';
CREATE FUNCTION object() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''I object''; END';
CREATE TRIGGER origin BEFORE DELETE ON paper_trades FOR EACH ROW EXECUTE FUNCTION swallow();
CREATE TRIGGER always BEFORE DELETE ON paper_trades FOR EACH ROW EXECUTE FUNCTION swallow();
CREATE TRIGGER replica BEFORE DELETE ON paper_trades FOR EACH ROW EXECUTE FUNCTION swallow();
CREATE TRIGGER off BEFORE DELETE ON paper_trades FOR EACH ROW EXECUTE FUNCTION swallow();
CREATE TRIGGER stamp BEFORE INSERT OR UPDATE ON users FOR EACH ROW EXECUTE FUNCTION stamp();
CREATE TRIGGER objects AFTER DELETE OR INSERT OR UPDATE ON paper_trades EXECUTE FUNCTION object();
CREATE CONSTRAINT TRIGGER later AFTER INSERT OR UPDATE ON users DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION object();
CREATE RULE nothing AS ON DELETE TO paper_trades WHERE old.id > 0 DO INSTEAD NOTHING;
ALTER TABLE paper_trades ENABLE ALWAYS TRIGGER always, ENABLE REPLICA TRIGGER replica, DISABLE TRIGGER off;
"""
STATES = """
SELECT tgname, tgenabled FROM pg_trigger WHERE NOT tgisinternal
UNION ALL SELECT rulename, ev_enabled FROM pg_rewrite WHERE rulename = 'nothing' ORDER BY 1
"""


REST = ("--skip", "swallowing-trigger")  # a person decides about those that refuse every row


def test_triggers_and_rules_that_meddle_do_not_stop_the_repair(broken: Database) -> None:
    broken.run(MEDDLERS)
    ended = fixer(*APPLY, *REST, "-q", "--dsn", broken.dsn)
    left = json.loads(fixer("check", "--deep", "--format", "json", "--dsn", broken.dsn).stdout)["findings"]

    assert (ended.returncode, ended.stderr) == (1, "")
    assert {finding["slug"] for finding in left if finding["severity"] == "error"} == {"swallowing-trigger"}


def test_triggers_and_rules_are_left_in_the_state_they_were_in(broken: Database) -> None:
    broken.run(MEDDLERS)
    before = broken.run(STATES)
    ended = fixer(*APPLY, *REST, "--dsn", broken.dsn)

    assert "Run 1: " in ended.stdout
    assert before == broken.run(STATES)


def test_a_trigger_does_not_change_the_cells_that_a_repair_leaves_alone(laboratory: Laboratory) -> None:
    with lent(laboratory.server(18), "default-user-cannot-be-created") as database:
        database.run("".join(line for line in MEDDLERS.splitlines() if "stamp" in line))
        fixer(*APPLY, "-q", "--dsn", database.dsn)

        assert database.ask("SELECT count(*) FROM users WHERE updated_at = 'infinity'") == 0


def test_row_security_that_hides_rows_from_the_owner_is_not_overlooked(broken: Database) -> None:
    grants = "ALTER TABLE users OWNER TO {}; ALTER TABLE paper_trades OWNER TO {}; GRANT CREATE ON SCHEMA public TO {}"
    with role(broken, grants, f"GRANT CREATE ON DATABASE {broken.name} TO {{}}") as owner:
        broken.run(
            "ALTER TABLE paper_trades ENABLE ROW LEVEL SECURITY; ALTER TABLE paper_trades FORCE ROW LEVEL SECURITY"
        )
        before = broken.dump()
        ended = fixer(*APPLY, "-q", "--dsn", broken.seen_by(owner))

        assert ended.returncode in (1, 2)
        assert "Traceback" not in ended.stderr
        assert before == broken.dump()


# ---- whose it is


def test_what_a_superuser_makes_belongs_to_the_owner_of_the_table(broken: Database) -> None:
    with role(broken, "ALTER TABLE users OWNER TO {}; ALTER TABLE paper_trades OWNER TO {}") as owner:
        ended = fixer(*APPLY, "-q", "--dsn", broken.dsn)
        found = broken.run("SELECT pg_get_userbyid(relowner) FROM pg_class WHERE relname = 'users_id_seq'")

        assert ("", 0, [(owner,)]) == (ended.stderr, ended.returncode, found)


def test_the_application_may_insert_after_a_superuser_repaired(broken: Database) -> None:
    with role(broken, "GRANT SELECT, INSERT ON users TO {}") as application:
        fixer(*APPLY, "-q", "--dsn", broken.dsn)
        insert = "INSERT INTO users (username, email, password_hash) VALUES ('a', 'b', '!') RETURNING id > 0"
        with closing(psycopg2.connect(broken.seen_by(application))) as connection, connection.cursor() as cursor:
            cursor.execute(insert)

            assert cursor.fetchone() == (True,)


def test_steps_are_entered_in_the_journal_one_by_one(broken: Database) -> None:
    ended = fixer(*APPLY, "--format", "json", "--dsn", broken.dsn)
    done = [(step["number"],) for step in json.loads(ended.stdout)["steps"]]

    assert done == broken.run("SELECT number FROM fixer_journal.step ORDER BY 1")


def test_rows_in_quarantine_are_the_rows_that_were(broken: Database) -> None:
    orphaned = "NOT EXISTS (SELECT FROM users u WHERE u.id = t.user_id)"
    orphans = f"SELECT to_jsonb(t) FROM paper_trades t WHERE {orphaned} ORDER BY id"
    before = broken.run(orphans)
    fixer(*APPLY, "-q", "--dsn", broken.dsn)

    assert before == broken.run("""SELECT "row" FROM fixer_quarantine.paper_trades ORDER BY ("row"->>'id')::int""")


GUARDED = """
CREATE FUNCTION no() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not in office hours'; END $$;
CREATE FUNCTION yes() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'raise exception'; END $$;
CREATE EVENT TRIGGER tells ON ddl_command_end EXECUTE FUNCTION yes();
CREATE EVENT TRIGGER elsewhere ON ddl_command_start WHEN TAG IN ('CREATE VIEW') EXECUTE FUNCTION no();
CREATE EVENT TRIGGER asleep ON ddl_command_start EXECUTE FUNCTION no(); ALTER EVENT TRIGGER asleep DISABLE;
CREATE EVENT TRIGGER "the guard" ON {} EXECUTE FUNCTION no();
"""


@pytest.mark.parametrize(
    ("mode", "event"),
    [("atomic", "ddl_command_start"), ("online", "ddl_command_end WHEN TAG IN ('ALTER TABLE')")],
)
def test_an_event_trigger_that_may_refuse_a_plan_is_told_of_and_named_where_it_does(
    broken: Database, mode: str, event: str
) -> None:
    broken.run(GUARDED.format(event))
    words = ("--mode", mode, "--dsn", broken.dsn)
    plan = json.loads(fixer("plan", "--format", "json", *words).stdout)
    shown = fixer("plan", *words).stdout
    before = broken.dump()
    refused = fixer(*APPLY, *words)
    kept = broken.dump()
    broken.run('ALTER EVENT TRIGGER "the guard" DISABLE')
    ended = fixer(*APPLY, *words)

    assert plan["event_triggers"] == [{"name": "the guard", "function": "public.no"}]
    assert "The event trigger the guard may refuse this plan" in shown
    assert (refused.returncode, kept) == (2, before)
    assert 'run ALTER EVENT TRIGGER "the guard" DISABLE before' in refused.stderr
    assert ended.returncode == 0, ended.stderr
