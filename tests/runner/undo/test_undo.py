"""undo: all of a run is taken back, cell for cell; or none of it, with the reason."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from fixer.connect import servers
from lab.commands import apply, lent_repaired, undo
from lab.database import FILLED, HEALTHY, STORY, Database, all_of, differences, lent, written
from lab.laboratory import Laboratory
from lab.process import fixer

TEXTUAL = "text-user-ids"


@pytest.fixture
def repaired(laboratory: Laboratory) -> Iterator[Database]:
    with lent_repaired(laboratory, STORY) as database:
        yield database


# ---- refusals


DEFAULT_USER = "(SELECT id FROM users WHERE username = 'PAPER_TRADER_001')"
TRADE = (
    f"INSERT INTO paper_trades (user_id, symbol, action, quantity, price) VALUES ({DEFAULT_USER}, 'M&M', 'BUY', 1, 1)"
)
PUT_BACK = """
INSERT INTO users (id, username, email, password_hash)
SELECT DISTINCT ("row"->>'user_id')::int, 'again ' || ("row"->>'user_id'), 'again ' || ("row"->>'user_id'), '!'
  FROM fixer_quarantine.paper_trades;
INSERT INTO paper_trades
SELECT p.* FROM fixer_quarantine.paper_trades q, jsonb_populate_record(NULL::paper_trades, q."row") p;
"""
REWRITTEN = """(b."row"->>'status') IS NULL AND b.source LIKE '%users'"""
ONE = f"""id = (SELECT min((b.mark->>'id')::int) FROM fixer_journal.before_image b WHERE {REWRITTEN})"""
LATER = {
    "a rewritten cell was changed": (FILLED, f"UPDATE users SET status = 'odd' WHERE {ONE}", "changed or deleted"),
    "a rewritten row was deleted": (FILLED, f"DELETE FROM users WHERE {ONE}", "changed or deleted"),
    "an added column was written to": (FILLED, "UPDATE users SET role = 'admin' WHERE id = 4", "role"),
    "a row came in with a value of its own for an added column": (
        FILLED,
        "INSERT INTO users (username, email, password_hash, role) VALUES ('new', 'new', '!', 'admin')",
        "role",
    ),
    "a widened column holds what is longer": (
        FILLED,
        "UPDATE users SET username = 'sixteen letters!' WHERE id = 4",
        "username",
    ),
    "a widened column holds what is longer by a blank": (
        FILLED,
        "UPDATE users SET username = 'fifteen letters ' WHERE id = 4",
        "username",
    ),
    "a row of the quarantine was put back by hand": (STORY, PUT_BACK, "paper_trades"),
    "the default user trades": (STORY, TRADE, "is referenced by one row of public.paper_trades"),
    "the default user was changed": (STORY, f"UPDATE users SET full_name = 'P' WHERE id = {DEFAULT_USER}", "users"),
    "the default user was deleted": (STORY, f"DELETE FROM users WHERE id = {DEFAULT_USER}", "users"),
    "a key that the run made was dropped": (
        STORY,
        "ALTER TABLE users DROP CONSTRAINT users_email_key",
        "users_email_key was dropped",
    ),
    "a foreign key that the run made was dropped": (
        STORY,
        "ALTER TABLE paper_trades DROP CONSTRAINT paper_trades_user_id_fkey",
        "paper_trades_user_id_fkey was dropped",
    ),
    "a foreign key that the run made was changed": (
        STORY,
        "ALTER TABLE paper_trades ALTER CONSTRAINT paper_trades_user_id_fkey DEFERRABLE",
        "paper_trades_user_id_fkey was changed",
    ),
    "a constraint that the run made was given a new name": (
        STORY,
        "ALTER TABLE users RENAME CONSTRAINT users_email_key TO email_once",
        "users_email_key was",
    ),
    "a constraint that the run made was commented upon": (
        STORY,
        "COMMENT ON CONSTRAINT users_email_key ON users IS 'mine'",
        "changed",
    ),
    "a row came in that the old NOT NULL forbids": (
        STORY,
        "INSERT INTO users (username, email, password_hash) VALUES ('new', 'new', '!')",
        "user_id",
    ),
    "a default that the run set was changed": (STORY, "ALTER TABLE users ALTER id SET DEFAULT 7", "changed"),
    "a sequence that the run made was changed": (STORY, "ALTER SEQUENCE users_id_seq INCREMENT BY 2", "changed"),
    "a NOT NULL that the run took was put back": (
        STORY,
        "UPDATE users SET user_id = '' WHERE user_id IS NULL; ALTER TABLE users ALTER user_id SET NOT NULL",
        "user_id was changed",
    ),
    "a table that the run touched was dropped": (STORY, "DROP TABLE paper_trades", "paper_trades"),
    "a table that the run touched was given a new name": (STORY, "ALTER TABLE users RENAME TO people", "users"),
}


@pytest.mark.parametrize("later", LATER)
def test_undo_is_refused_with_its_reason_and_not_a_byte_changes_where(
    laboratory: Laboratory, mode: str, later: str
) -> None:
    name, change, reason = LATER[later]
    with lent_repaired(laboratory, name, mode) as database:
        database.run(change)
        before = written(database)
        ended = undo(database, 1, "-q")

        assert (2, 1, True, before) == (
            ended.returncode, len(ended.stderr.splitlines()), reason in ended.stderr, written(database),
        ), ended.stderr  # fmt: skip


def test_a_run_is_not_taken_back_before_the_later_ones_that_touched_its_tables(repaired: Database) -> None:
    repaired.run("ALTER TABLE paper_trades DROP CONSTRAINT paper_trades_quantity_check")
    apply(repaired)
    before = written(repaired)
    ended = undo(repaired)

    assert (2, True, before) == (ended.returncode, "Run 2" in ended.stderr, written(repaired))


def test_runs_are_taken_back_the_last_one_first(laboratory: Laboratory) -> None:
    drop = "ALTER TABLE paper_trades DROP CONSTRAINT paper_trades_quantity_check"
    with lent(laboratory.server(18), STORY) as database:
        before = all_of(database)
        apply(database)
        database.run(drop)
        apply(database)
        ended = [undo(database, run).returncode for run in (2, 1)]
        database.run("ALTER TABLE paper_trades ADD CONSTRAINT paper_trades_quantity_check CHECK (quantity > 0)")

        assert (ended, differences(before, database)) == ([0, 0], [])


def test_a_run_is_taken_back_once(repaired: Database) -> None:
    undo(repaired)
    before = written(repaired)
    ended = undo(repaired)

    assert (2, True, before) == (ended.returncode, "already" in ended.stderr, written(repaired))


def test_what_took_a_run_back_is_not_taken_back(repaired: Database) -> None:
    undo(repaired)
    before = written(repaired)
    ended = undo(repaired, 2)

    assert (2, 1, before) == (ended.returncode, len(ended.stderr.splitlines()), written(repaired))


@pytest.mark.parametrize("run", [0, 2, 10**30, "one"])
def test_a_run_that_never_was_is_not_taken_back(repaired: Database, run: object) -> None:
    before = written(repaired)
    ended = undo(repaired, run)

    assert (2, str(run) in ended.stderr, before) == (ended.returncode, True, written(repaired))


def test_nothing_is_taken_back_where_nothing_ran(laboratory: Laboratory) -> None:
    with lent(laboratory.server(18), HEALTHY) as database:
        before = written(database)
        ended = undo(database)

        assert (2, 1, before) == (ended.returncode, len(ended.stderr.splitlines()), written(database))


def test_undo_does_not_take_silence_for_consent(repaired: Database) -> None:
    before = written(repaired)
    ended = fixer("undo", 1, "--dsn", repaired.dsn)

    assert (2, True, before) == (ended.returncode, "--yes" in ended.stderr, written(repaired))


def test_undo_waits_for_no_lock_for_ever(repaired: Database) -> None:
    with closing(psycopg2.connect(repaired.dsn)) as other:
        other.cursor().execute("LOCK TABLE users IN ACCESS SHARE MODE")
        before = written(repaired)
        ended = undo(repaired, 1, "--lock-timeout", "50ms")

        assert (2, True, before) == (ended.returncode, "--lock-timeout" in ended.stderr, written(repaired))


# ---- prune


def test_a_run_that_was_pruned_is_not_taken_back(repaired: Database) -> None:
    pruned = fixer("history", "--prune", "--yes", "--dsn", repaired.dsn)
    before = written(repaired)
    ended = undo(repaired)

    assert (0, 2, True, before) == (pruned.returncode, ended.returncode, "pruned" in ended.stderr, written(repaired))


def test_pruning_leaves_the_quarantine_and_the_history(repaired: Database) -> None:
    quarantine = 'SELECT * FROM fixer_quarantine.paper_trades ORDER BY 1, 2, 3, 4, 5, "row"::text'
    before = repaired.run(quarantine)
    fixer("history", "--prune", "--yes", "--dsn", repaired.dsn)
    [run] = json.loads(fixer("history", "--format", "json", "--dsn", repaired.dsn).stdout)["runs"]

    assert (7, before, 1) == (len(before), repaired.run(quarantine), run["run"])


def test_pruning_gives_the_room_back(laboratory: Laboratory) -> None:
    with lent_repaired(laboratory, FILLED) as database:
        kept = database.ask("SELECT count(*) FROM fixer_journal.before_image")
        fixer("history", "--prune", "--yes", "--dsn", database.dsn)

        assert (kept > 0, database.ask("SELECT count(*) FROM fixer_journal.before_image")) == (True, 0)


def test_pruning_does_not_take_silence_for_consent(repaired: Database) -> None:
    before = written(repaired)
    ended = fixer("history", "--prune", "--dsn", repaired.dsn)

    assert (2, True, before) == (ended.returncode, "--yes" in ended.stderr, written(repaired))


@pytest.mark.parametrize("name", [HEALTHY, STORY])
def test_pruning_where_nothing_ran_changes_nothing(laboratory: Laboratory, name: str) -> None:
    with lent(laboratory.server(18), name) as database:
        before = written(database)
        ended = fixer("history", "--prune", "--yes", "--dsn", database.dsn)

        assert (0, "", before) == (ended.returncode, ended.stderr, written(database))


# ---- what is kept


def test_rows_that_came_in_since_stay(repaired: Database) -> None:
    repaired.run(
        "INSERT INTO users (username, email, password_hash, user_id) VALUES ('new', 'new', '!', 'x');"
        "INSERT INTO paper_trades (user_id, symbol, action, quantity, price)"
        " SELECT id, 'M&M', 'BUY', 1, 1 FROM users WHERE id BETWEEN 2 AND 9"
    )
    rows = "SELECT * FROM paper_trades WHERE symbol = 'M&M' AND price = 1 ORDER BY id"
    before = repaired.run(rows)
    ended = undo(repaired)
    users = repaired.ask("SELECT count(*) FROM users WHERE username = 'new'")

    assert (0, 8, before, 1) == (ended.returncode, len(before), repaired.run(rows), users)


def test_rows_that_were_deleted_since_do_not_come_back(repaired: Database) -> None:
    repaired.run("DELETE FROM paper_trades WHERE user_id = 2; DELETE FROM users WHERE id = 2")
    ended = undo(repaired)
    left = repaired.ask("SELECT count(*) FROM users WHERE id = 2")

    assert (ended.returncode, left) == (0, 0)


def test_changes_of_other_cells_stay(laboratory: Laboratory, mode: str) -> None:
    with lent_repaired(laboratory, FILLED, mode) as database:
        database.run(f"UPDATE users SET full_name = 'Somebody Else' WHERE {ONE}")
        ended = undo(database)
        rows = database.run("SELECT status FROM users WHERE full_name = 'Somebody Else'")

        assert (ended.returncode, rows) == (0, [(None,)])


OWN = {
    "CREATE INDEX mine ON users (full_name)": "DROP INDEX mine",
    "CREATE UNIQUE INDEX mine ON users (broker_client_id) WHERE is_active": "DROP INDEX mine",
    "ALTER TABLE users ADD COLUMN mine text DEFAULT 'x'": "ALTER TABLE users DROP COLUMN mine",
    "ALTER TABLE users ADD CONSTRAINT mine CHECK (id > 0)": "ALTER TABLE users DROP CONSTRAINT mine",
    "COMMENT ON TABLE users IS 'mine'": "COMMENT ON TABLE users IS NULL",
    "CREATE VIEW mine AS SELECT full_name FROM users": "DROP VIEW mine",
    "CREATE TABLE mine AS SELECT * FROM users": "DROP TABLE mine",
}


@pytest.mark.parametrize("made", OWN)
def test_what_users_made_since_stays(laboratory: Laboratory, made: str) -> None:
    with lent(laboratory.server(18), STORY) as database:
        before = all_of(database)
        apply(database)
        database.run(made)
        ended = undo(database, 1, "-q")
        stayed = "mine" in database.dump()
        database.run(OWN[made])

        assert (ended.returncode, ended.stderr, stayed, differences(before, database)) == (0, "", True, [])


def test_a_column_that_users_added_since_does_not_hide_a_row_without_a_key(
    laboratory: Laboratory, tmp_path: Path
) -> None:
    (tmp_path / "odd_things.py").write_text(THINGS.format(["things"]))
    with lent(laboratory.server(18), None) as database:
        database.run(TYPES)
        odd(database, "text", "NOT NULL", "things")
        before = all_of(database)
        apply(database, "--contract", "odd_things:metadata", cwd=tmp_path)
        database.run("ALTER TABLE things ADD COLUMN mine text DEFAULT 'x'")
        ended = undo(database, 1, "-q")
        database.run("ALTER TABLE things DROP COLUMN mine")

        assert (ended.returncode, ended.stderr, differences(before, database)) == (0, "", [])


# ---- what it says


def test_undo_exits_0_and_leaves_what_was(laboratory: Laboratory, mode: str) -> None:
    with lent(laboratory.server(18), STORY) as database:
        before = all_of(database)
        apply(database, mode=mode)
        ended = undo(database)

        assert (ended.returncode, differences(before, database)) == (0, [])


def test_json_of_undo_names_both_runs_and_its_ledger_adds_up(repaired: Database) -> None:
    done = json.loads(undo(repaired, 1, "--format", "json").stdout)
    sums = {entry["before"] + entry["inserted"] == entry["after"] + entry["quarantined"] for entry in done["ledger"]}
    trades = next(entry for entry in done["ledger"] if entry["table"] == "public.paper_trades")

    assert (1, 2, {True}, 7) == (done["undone"], done["run"], sums, trades["inserted"])


def test_quiet_undo_prints_nothing(repaired: Database) -> None:
    ended = undo(repaired, 1, "-q")

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


def test_history_says_by_which_run_another_was_taken_back(repaired: Database) -> None:
    undo(repaired)
    ended = fixer("history", "--dsn", repaired.dsn)
    runs = json.loads(fixer("history", "--format", "json", "--dsn", repaired.dsn).stdout)["runs"]

    assert ("by run 2" in ended.stdout, [(r["run"], r["undone_by"]) for r in runs]) == (True, [(2, None), (1, 2)])


def test_what_was_taken_back_can_be_done_again(repaired: Database) -> None:
    undo(repaired)
    apply(repaired)

    assert fixer("check", "--deep", "-q", "--dsn", repaired.dsn).returncode == 0


def test_the_inserted_default_user_is_not_lost(repaired: Database) -> None:
    row = repaired.ask("SELECT to_jsonb(u) FROM users u WHERE username = 'PAPER_TRADER_001'")
    undo(repaired)

    assert row == repaired.ask("""SELECT "row" FROM fixer_quarantine.users""")


# ---- cell for cell


THINGS = """
from sqlalchemy import Column, ForeignKey, Integer, MetaData, Table, Text
metadata = MetaData()
Table("parents", metadata, Column("id", Integer, primary_key=True))
for name in {}:
    Table(
        name, metadata,
        Column("id", Integer, primary_key=True),
        Column("parent_id", ForeignKey("parents.id"), nullable=False),
        Column("note", Text, nullable=False, info={{"backfill": "none"}}),
    )
"""
CELLS = {
    "jsonb": ["'null'", "NULL", "'[1.0, 1e5, null]'", """'{"b": 1, "a": "\\u20ac"}'"""],
    "json": ["""'{"b" :1.50,  "a":null, "a": 1e2}'""", "'null'", """' " " '"""],
    "integer[]": ["'{}'", "'{{1,NULL},{3,4}}'", "'[5:7]={1,2,3}'", "'{NULL}'"],
    "text[]": ["""'{"a,b","NULL",NULL,"","\\"","\\\\"}'""", "NULL"],
    "int4range": ["'empty'", "'[1,5)'", "'(,)'"],
    "tstzmultirange": ["'{[2026-01-01 00:00+00,2026-02-01 00:00+05:30)}'", "'{}'"],
    "double precision": ["'-0'", "'NaN'", "'-Infinity'", "'1e-310'", "0.1", "'1.7976931348623157e308'"],
    "real": ["'-0'", "0.1", "'1e-45'"],
    "numeric": ["'NaN'", "'-Infinity'", "1.500", "'1e-100'", "12345678901234567890.123456789"],
    "interval": ["'1 mon -1 day 00:00:00.000001'", "'-178000000 years'", "'infinity'"],
    "bytea": [r"'\x00ff27'", "''"],
    "mood": ["'so so'", "'it''s'"],
    "pair": ["'(,)'", """ROW('a "b", (c)', NULL)""", "ROW('', 1)"],
    "pair[]": ["""ARRAY[ROW('x,y', 1)::pair, NULL]"""],
    "text": ["""'"a"=>"1", "b"=>NULL'""", "''", "E'\\n\\t\\\\'", "'NULL'"],
    "character(5)": ["'a'", "''"],
    "bit varying": ["B''", "B'0101'"],
    "timestamp": ["'infinity'", "'4714-11-24 00:00:00 BC'", "'2026-01-01 00:00:00.000001'"],
    "timestamptz": ["'-infinity'", "'0044-03-15 BC'"],
    "time with time zone": ["'24:00:00+15:59'"],
    "date": ["'infinity'", "'4714-11-24 BC'"],
    "money": ["-1.5", "'92233720368547758.07'"],
    "inet": ["'10.0.0.1/8'", "'::1'"],
    "point": ["'(-0,1e300)'"],
    "tsvector": ["'''a b'':1A c'"],
    "jsonpath": ["'$.\"a\"[*] ? (@ > 1)'"],
    "oid": ["4294967295"],
    "regclass": ["'pg_class'"],
    "name": ["'x'"],
    "uuid": ["'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'"],
    "pg_lsn": ["'FFFFFFFF/FFFFFFFF'"],
    '"char"': ["'x'", "''"],
    "limited": ["'ab'"],
}  # fmt: skip
TYPES = """
CREATE TYPE mood AS ENUM ('so so', 'it''s');
CREATE TYPE pair AS (a text, b int);
CREATE DOMAIN limited AS varchar(5) CHECK (value <> 'never');
CREATE TABLE parents (id serial PRIMARY KEY);
INSERT INTO parents DEFAULT VALUES;
"""


TABLES = {type_: f"things_{number}" for number, type_ in enumerate(CELLS)}


def odd(database: Database, type_: str, key: str, table: str) -> None:
    """Fill a broken table with odd cells: rows that will go to quarantine, and rows whose note will be rewritten."""
    orphans = [f"({number}, 2, 'x', {cell})" for number, cell in enumerate(CELLS[type_])]
    nulls = [f"({number + 10}, 1, NULL, {cell})" for number, cell in enumerate(CELLS[type_])]
    database.run(
        f'CREATE TABLE {table} (id int {key}, parent_id int NOT NULL, note text, "Odd % cell" {type_});'
        f"INSERT INTO {table} VALUES {', '.join(orphans + nulls)}"
    )


def shown_of_cells(laboratory: Laboratory, place: Path, key: str) -> list[Counter[tuple[str, str]]]:
    """Return what a database of odd cells shows before a run, after it, and when it was taken back."""
    (place / "odd_things.py").write_text(THINGS.format([*TABLES.values()]))
    mode = "online" if key == "PRIMARY KEY" else "atomic"
    with lent(laboratory.server(18), None) as database:
        database.run(TYPES)
        for type_, table in TABLES.items():
            odd(database, type_, key, table)
        shown = [all_of(database)]
        apply(database, "--contract", "odd_things:metadata", mode=mode, cwd=place)
        shown.append(all_of(database))
        ended = undo(database, 1, "-q")

        assert (ended.returncode, ended.stderr) == (0, "")
        return [*shown, all_of(database)]


def of_table(shown: Counter[tuple[str, str]], table: str) -> Counter[tuple[str, str]]:
    return Counter({pair: times for pair, times in shown.items() if re.search(rf"\b{table}\b", " ".join(pair))})


@pytest.mark.parametrize("key", ["PRIMARY KEY", "NOT NULL"])
@pytest.mark.parametrize("type_", CELLS)
def test_cells_come_back_as_they_were(laboratory: Laboratory, tmp_path: Path, type_: str, key: str) -> None:
    shown = laboratory.once(f"cells-{key}", lambda: shown_of_cells(laboratory, tmp_path, key))
    before, repaired, after = (of_table(each, TABLES[type_]) for each in shown)

    assert [*repaired] != [*before]
    assert ([*(before - after)], [*(after - before)]) == ([], [])


@pytest.mark.parametrize("key", ["PRIMARY KEY", "NOT NULL"])
def test_all_that_is_beside_odd_cells_is_as_it_was(laboratory: Laboratory, tmp_path: Path, key: str) -> None:
    before, _, after = laboratory.once(f"cells-{key}", lambda: shown_of_cells(laboratory, tmp_path, key))

    assert before == after


# ---- definition for definition


DETAILS = {
    "a comment on a foreign key that is replaced": (
        "user-id-scar",
        "COMMENT ON CONSTRAINT paper_trades_user_id_fkey ON paper_trades IS 'it''s old'",
    ),
    "a foreign key that is deferred": (
        "user-id-scar",
        "ALTER TABLE paper_trades ALTER CONSTRAINT paper_trades_user_id_fkey DEFERRABLE INITIALLY DEFERRED",
    ),
    "the name of a NOT NULL, and its comment": (
        STORY,
        "ALTER TABLE users ALTER user_id DROP NOT NULL;"
        "ALTER TABLE users ADD CONSTRAINT \"user's id\" NOT NULL user_id;"
        "COMMENT ON CONSTRAINT \"user's id\" ON users IS 'scar'",
    ),
    "a comment on a primary key that is replaced": (
        TEXTUAL,
        "COMMENT ON CONSTRAINT users_pkey ON users IS 'by text'; COMMENT ON INDEX users_pkey IS 'the index'",
    ),
    "a partial index over a column of another type": (
        TEXTUAL,
        "CREATE INDEX mine ON paper_trades (user_id DESC NULLS LAST) WHERE quantity > 5 AND user_id <> 'x';"
        "COMMENT ON INDEX mine IS 'mine'",
    ),
    "an index over an expression, with its storage": (
        TEXTUAL,
        "CREATE INDEX mine ON paper_trades (lower(user_id)) INCLUDE (symbol) WITH (fillfactor = 70)",
    ),
    "statistics of a column": (
        TEXTUAL,
        "ALTER TABLE paper_trades ALTER user_id SET STATISTICS 500, ALTER user_id SET (n_distinct = 7)",
    ),
    "a comment on a column": (TEXTUAL, "COMMENT ON COLUMN paper_trades.user_id IS 'by text'"),
    "a default of a column": (TEXTUAL, "ALTER TABLE paper_trades ALTER user_id SET DEFAULT 'nobody'"),
    "a replica identity": (TEXTUAL, "ALTER TABLE users REPLICA IDENTITY USING INDEX users_pkey"),
    "a mark to cluster on": (TEXTUAL, "ALTER TABLE users CLUSTER ON users_pkey"),
    "storage of a primary key": (
        TEXTUAL,
        "ALTER INDEX users_pkey SET (fillfactor = 70, deduplicate_items = off)",
    ),
    "grants on a column": (TEXTUAL, "GRANT SELECT (user_id) ON paper_trades TO pg_monitor"),
    "a policy": (TEXTUAL, "CREATE POLICY mine ON paper_trades USING (symbol <> 'x')"),
    "a deferred primary key": (
        TEXTUAL,
        "ALTER TABLE watchlists DROP CONSTRAINT IF EXISTS watchlists_user_id_fkey;"
        "ALTER TABLE paper_trades DROP CONSTRAINT IF EXISTS paper_trades_user_id_fkey;"
        "ALTER TABLE users DROP CONSTRAINT users_pkey;"
        "ALTER TABLE users ADD CONSTRAINT users_pkey PRIMARY KEY (user_id) DEFERRABLE INITIALLY DEFERRED",
    ),
}  # fmt: skip


@pytest.mark.parametrize("detail", DETAILS)
def test_definitions_come_back_as_they_were(laboratory: Laboratory, mode: str, detail: str) -> None:
    name, change = DETAILS[detail]
    with lent(laboratory.server(18), name) as database:
        database.run(change)
        before = all_of(database)
        apply(database, mode=mode)
        ended = undo(database, 1, "-q")

        assert (ended.returncode, ended.stderr, differences(before, database)) == (0, "", [])


@pytest.mark.parametrize("version", [15, 16])
def test_undo_works_on_older_servers(laboratory: Laboratory, mode: str, version: int) -> None:
    if version not in servers.binaries():
        pytest.skip(f"no binaries of PostgreSQL {version} are here")
    with lent(laboratory.server(version), FILLED) as database:
        before = all_of(database)
        apply(database, mode=mode)
        ended = undo(database, 1, "-q")

        assert (ended.returncode, ended.stderr, differences(before, database)) == (0, "", [])


def test_a_run_that_another_version_entered_is_left_to_that_version(laboratory: Laboratory) -> None:
    with lent_repaired(laboratory, FILLED) as database:
        database.run("UPDATE fixer_journal.step SET step = step - 'kind'")
        before = written(database)
        ended = undo(database)

        assert (ended.returncode, written(database)) == (2, before)
        assert "entered by another version of the fixer" in ended.stderr


def test_a_run_of_the_version_before_is_taken_back(laboratory: Laboratory, mode: str) -> None:
    with lent(laboratory.server(18), TEXTUAL) as database:
        before = all_of(database)
        apply(database, mode=mode)
        database.run("UPDATE fixer_journal.step SET filled = filled - 'columns'")  # which that did not note
        ended = undo(database, 1, "-q")

        assert (ended.returncode, ended.stderr, differences(before, database)) == (0, "", [])
