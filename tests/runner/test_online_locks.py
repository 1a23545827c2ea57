"""apply --mode online: no stronger lock than a step says, and none for long."""

from __future__ import annotations

import json

import pytest

from fixer.connect import snapshot
from lab.database import DOUBLED, FILLED, KEYLESS, STORY, Database, lent, role, session
from lab.laboratory import Laboratory
from lab.online import APPLY, BUILDING, STRENGTHS, WATCH, Writer, writes
from lab.process import begun, fixer, wait_for

UNRULED = "orphans-under-a-valid-key"  # its repair moves rows, and changes no definition
REPAIRABLE = sorted(s.name for s in snapshot.find().values() if s.repairable and s.findings and s.name != UNRULED)


# ---- locks


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

        assert seen
        assert wrong == []


@pytest.mark.parametrize("version", [16, 18])
@pytest.mark.parametrize("name", [KEYLESS, STORY, FILLED, "user-id-scar", "users-old-left-behind", DOUBLED])
def test_no_table_is_read_under_a_lock_that_keeps_writers_out(laboratory: Laboratory, name: str, version: int) -> None:
    with lent(laboratory.server(version), name) as database:
        database.run(WATCH)
        fixer(*APPLY, "-q", "--dsn", database.dsn)
        strong = database.run("SELECT scanned, query FROM watched WHERE strength > 2 ORDER BY 1 DESC")

        assert strong != []
        assert [query for scanned, query in strong if scanned] == []


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


def test_an_index_is_built_while_others_write(broken: Database) -> None:
    with session(broken, "UPDATE users SET full_name = full_name WHERE id = 4") as other:
        process = begun(*APPLY, "--dsn", broken.dsn)
        # Before it can be built the fixer needs strong locks, for which this writer is in the way.
        other.rollback()
        process.communicate(timeout=60)
    broken.run("DROP INDEX ix_paper_trades_symbol")
    with session(broken, "UPDATE paper_trades SET pnl = 1 WHERE id = 5") as other:
        process = begun(*APPLY, "--dsn", broken.dsn)
        wait_for(lambda: broken.ask(BUILDING) or process.poll() is not None)
        held, passed = locks(broken), writes(broken, "UPDATE paper_trades SET pnl = 1 WHERE id = 6")
        other.rollback()
        process.communicate(timeout=60)

    assert passed
    assert (held, process.returncode) == ({"ShareUpdateExclusiveLock"}, 0)


def test_a_foreign_key_is_proved_while_others_write(broken: Database) -> None:
    broken.run(
        "CREATE FUNCTION doze() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN"
        " IF current_query() ~ 'VALIDATE CONSTRAINT' THEN PERFORM pg_sleep(2); END IF; END $$;"
        "CREATE EVENT TRIGGER doze ON ddl_command_end EXECUTE FUNCTION doze()"
    )
    process = begun(*APPLY, "--dsn", broken.dsn)
    query = (
        "SELECT count(*) FROM pg_stat_activity WHERE query ~ 'VALIDATE CONSTRAINT' AND wait_event = 'PgSleep'"
        " AND datname = current_database()"
    )
    wait_for(lambda: broken.ask(query) or process.poll() is not None)
    held = locks(broken)
    passed = [writes(broken), writes(broken, "UPDATE paper_trades SET user_id = 3 WHERE id = 5")]
    process.communicate(timeout=60)

    assert (held & {"ShareRowExclusiveLock", "AccessExclusiveLock"}, passed, process.returncode) == (
        set(),
        [True] * 2,
        0,
    )


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
