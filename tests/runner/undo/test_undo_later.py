"""undo, prune: what others wrote and made since a run is kept, or it is the reason why the run is not taken back."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import CompletedProcess
from zlib import crc32

import pytest

from fixer import undo as undo_run
from fixer.errors import UndoRefused
from lab.commands import apply, lent_repaired, undo
from lab.database import FILLED, HEALTHY, STORY, Database, all_of, differences, lent, lent_copy, session, written
from lab.examples.library import LIBRARY, library
from lab.hook import ask
from lab.laboratory import Laboratory
from lab.process import begun, fixer, wait_for

CONTRACT = """
from sqlalchemy import Column, ForeignKey, MetaData, Table, Text, types

def items(*columns):
    metadata = MetaData()
    Table("items", metadata, Column("id", types.Integer, primary_key=True), *columns, Column("title", Text))
    return metadata

moments = items(Column("v", types.TIMESTAMP(timezone=True), info={"timezone": "UTC"}))
flags = items(Column("v", types.Boolean))
amounts = items(Column("v", types.Numeric(10, 2)))
numbers = items(Column("v", types.Integer))
both = items(Column("v", types.Integer), Column("w", types.Numeric))
people = MetaData()
Table("users", people, Column("id", types.Integer, primary_key=True, info={"legacy_keys": ["code"]}),
      Column("code", Text, unique=True), info={"default_rows": [{"code": "d"}]})
Table("trades", people, Column("id", types.Integer, primary_key=True),
      Column("user_id", types.Integer, ForeignKey("users.id", ondelete="SET NULL"), info={"orphans": "adopt"}),
      Column("note", Text), Column("at", Text))
titled = MetaData()
Table("items", titled, Column("id", types.Integer, primary_key=True), Column("title", Text, nullable=False))
"""


@contextmanager
def items(
    laboratory: Laboratory, tmp_path: Path, wanted: str, made: str, mode: str = "atomic", version: int = 18
) -> Iterator[Database]:
    """Lend a copy of a database that was made so, and repaired by one of the contracts."""

    def make(database: Database) -> None:
        database.run(made)
        repair(database, tmp_path, wanted, mode)

    with lent_copy(laboratory, version, f"{wanted}-{mode}-{crc32(made.encode())}", make) as database:
        yield database


def repair(database: Database, tmp_path: Path, wanted: str, mode: str) -> None:
    (tmp_path / "some_items.py").write_text(CONTRACT)
    words = ("--allow-hazards", "all", "--contract", f"some_items:{wanted}", "--dsn", database.dsn)
    ended = fixer("apply", "--yes", "-q", "--mode", mode, *words, cwd=tmp_path)

    assert (ended.returncode, ended.stderr) == (0, "")


def prune(database: Database) -> CompletedProcess[str]:
    return fixer("history", "--prune", "--yes", "--dsn", database.dsn)


# ---- sequences


SEQUENCES = {
    "used up": "ALTER SEQUENCE items_id_seq MAXVALUE 100; SELECT setval('items_id_seq', 100)",
    "of a smaller type, used up": "ALTER SEQUENCE items_id_seq AS smallint; SELECT setval('items_id_seq', 32767)",
    "whose numbers are taken in advance": "ALTER SEQUENCE items_id_seq CACHE 20; SELECT setval('items_id_seq', 7)",
    "never called": "SELECT setval('items_id_seq', 7, false)",
    "that goes down": "ALTER SEQUENCE items_id_seq INCREMENT -1 MINVALUE -900 MAXVALUE 0 START 0 RESTART",
}


@pytest.mark.parametrize("which", SEQUENCES)
def test_a_sequence_stands_again_where_it_stood(laboratory: Laboratory, tmp_path: Path, which: str, mode: str) -> None:
    with lent(laboratory.server(18), None) as database:
        database.run("CREATE TABLE items (id serial NOT NULL, v integer, title text)")
        database.run(f"INSERT INTO items VALUES (1, 1, 'one'), (1, 2, 'two'); {SEQUENCES[which]}")
        before = all_of(database)
        repair(database, tmp_path, "numbers", mode)
        ended = undo(database, 1, "-q")

        assert (ended.returncode, ended.stderr) == (0, "")
        assert differences(before, database) == []


def test_a_sequence_beyond_its_old_end_is_used_up(laboratory: Laboratory, tmp_path: Path) -> None:
    with lent(laboratory.server(18), None) as database:
        database.run("CREATE TABLE items (id serial PRIMARY KEY, v integer, title text)")
        database.run("ALTER SEQUENCE items_id_seq MAXVALUE 100; INSERT INTO items VALUES (100, 1, 'one')")
        repair(database, tmp_path, "numbers", "atomic")
        database.run("INSERT INTO items (title) VALUES ('later')")
        ended = undo(database, 1, "-q")

        assert (ended.returncode, ended.stderr) == (0, "")
        assert database.ask("SELECT (last_value, is_called)::text FROM items_id_seq") == "(100,t)"


# ---- rows that are not who they were


ADOPTED = """
CREATE TABLE users(id serial PRIMARY KEY, code text UNIQUE); INSERT INTO users(code) VALUES ('d'), ('a');
CREATE TABLE trades(id serial PRIMARY KEY, user_id integer, note text, at text);
INSERT INTO trades(user_id, note, at) VALUES (2, 't1', 'x'), (77, 't2', 'y'), (88, 't3', 'z')
"""
MAPPED = """
CREATE TABLE users(id serial PRIMARY KEY, code text UNIQUE); INSERT INTO users(code) VALUES ('d'), ('a');
CREATE TABLE trades(id serial PRIMARY KEY, user_id text, note text, at text);
INSERT INTO trades(user_id, note, at) VALUES ('a', 't1', 'x'), ('d', 't2', 'y'), ('nobody', 't3', 'z'), (NULL, 't4', '')
"""
REUSED = {  # what was made, what is written since, and why it is not taken back; nothing where it is
    "keys were swapped": (
        ADOPTED,
        "UPDATE trades SET id = 9 WHERE id = 2; UPDATE trades SET id = 2 WHERE id = 3;"
        "UPDATE trades SET id = 3 WHERE id = 9",
        "2 of 2 rows",
    ),
    "a key was given to another row": (
        ADOPTED,
        "DELETE FROM trades WHERE id = 2; INSERT INTO trades VALUES (2, 1, 'another', 'later')",
        "1 of 2 rows",
    ),
    "another cell was changed": (ADOPTED, "UPDATE trades SET note = 'later' WHERE id = 2", ""),
    "a mapped reference was emptied": (MAPPED, "UPDATE trades SET user_id = NULL WHERE note = 't1'", "user_id"),
    "the text of a parent was given to another": (
        MAPPED,
        "DELETE FROM users WHERE code = 'a'; INSERT INTO users(code) VALUES ('a')",
        "user_id",
    ),
    "the text of a parent was changed": (MAPPED, "UPDATE users SET code = 'b' WHERE code = 'a'", "user_id"),
    "nothing of it was written": (MAPPED, "UPDATE trades SET note = 'later'", ""),
}


@pytest.mark.parametrize("case", REUSED)
def test_a_row_under_a_key_that_was_another_one_s_is_not_taken_for_it(
    laboratory: Laboratory, tmp_path: Path, case: str, mode: str
) -> None:
    made, since, reason = REUSED[case]
    with lent(laboratory.server(18), None) as database:
        database.run(made)
        repair(database, tmp_path, "people", mode)
        database.run(since)
        before = written(database)
        ended = undo(database, 1, "-q")

        assert (ended.returncode, reason in ended.stderr) == (2 if reason else 0, True)
        assert not reason or written(database) == before


def test_a_check_of_others_over_a_column_that_goes_back_stays(
    laboratory: Laboratory, tmp_path: Path, mode: str
) -> None:
    with items(laboratory, tmp_path, "both", TABLE.format("PRIMARY KEY", "integer, w real", 1, 2), mode) as database:
        database.run("ALTER TABLE items ADD CONSTRAINT mine CHECK (w < 1000); CREATE INDEX odd ON items ((w + 1))")
        ended = undo(database, 1, "-q")

        assert (ended.returncode, ended.stderr) == (0, "")
        assert database.run("SELECT conname FROM pg_constraint WHERE conname = 'mine'") == [("mine",)]


# ---- cells that were converted, and written since


RESPELT = {  # type, a cell, what is written since, and what that is in the old type
    "moments": ("text", "2026-01-01T00:00Z", "2026-06-06 06:06Z", "2026-06-06 06:06:00+00"),
    "flags": ("text", "yes", "false", "false"),
    "amounts": ("text", "01.50", "9.75", "9.75"),
    "numbers": ("text", " 7", "8", "8"),
}
TABLE = """
CREATE TABLE items (id serial {}, v {}, title text);
INSERT INTO items (v, title) VALUES ('{}', 'one'), ('{}', 'two')
"""
SINCE = {
    "changed": "UPDATE items SET v = '{}' WHERE id = 1",
    "deleted and inserted again": "DELETE FROM items WHERE id = 1; INSERT INTO items VALUES (1, '{}', 'one')",
}


@pytest.mark.parametrize("since", SINCE)
@pytest.mark.parametrize("wanted", RESPELT)
def test_what_was_written_since_is_not_overwritten(
    laboratory: Laboratory, tmp_path: Path, wanted: str, since: str
) -> None:
    type_, was, new, back = RESPELT[wanted]
    with items(laboratory, tmp_path, wanted, TABLE.format("PRIMARY KEY", type_, was, was)) as database:
        database.run(SINCE[since].format(new))
        ended = undo(database, 1, "-q")

        assert (ended.returncode, ended.stderr) == (0, "")
        assert database.run("SELECT v FROM items ORDER BY id") == [(back,), (was,)]


@pytest.mark.parametrize("wanted", RESPELT)
def test_a_row_without_a_key_that_was_written_since_is_the_reason_why_not(
    laboratory: Laboratory, tmp_path: Path, wanted: str
) -> None:
    type_, was, new, _ = RESPELT[wanted]
    made = TABLE.format("NOT NULL", type_, was, was) + "; ALTER TABLE items ADD UNIQUE (title, v)"
    with items(laboratory, tmp_path, wanted, made) as database:
        database.run(f"UPDATE items SET v = '{new}' WHERE id = 1")
        before = written(database)
        ended = undo(database, 1, "-q")

        assert (ended.returncode, "1 of 2 rows" in ended.stderr, written(database)) == (2, True, before)


def test_a_float_that_its_rounded_value_was_written_over_stays_rounded(laboratory: Laboratory, tmp_path: Path) -> None:
    made = TABLE.format("PRIMARY KEY", "real", "1.125", "2.5")
    with items(laboratory, tmp_path, "amounts", made) as database:
        database.run("UPDATE items SET v = 1.13 WHERE id = 1")
        ended = undo(database, 1, "-q")

        assert (ended.returncode, ended.stderr) == (0, "")
        assert database.run("SELECT v FROM items ORDER BY id") == [(1.13,), (2.5,)]


KEYS = ("PRIMARY KEY", "NOT NULL")
SPELT = """
CREATE TABLE items (id text {}, v text, w text, title json);
INSERT INTO items VALUES ('01', ' 1', '1.0', '{{"a" :1}}'), ('+2', '02', 'odd', '1'), ('3', '3', '3', '2')
"""


@pytest.mark.parametrize("key", KEYS)
def test_spellings_of_many_columns_come_back_with_the_rows_that_went(
    laboratory: Laboratory, tmp_path: Path, key: str
) -> None:
    with lent(laboratory.server(18), None) as database:
        database.run(SPELT.format(key))
        before = all_of(database)
        repair(database, tmp_path, "both", "atomic")
        ended = undo(database, 1, "-q")

        assert (ended.returncode, ended.stderr, differences(before, database)) == (0, "", [])


# ---- rows that came since, and reference what a run gave a number


UNKEYED = """
ALTER TABLE reviews DROP CONSTRAINT reviews_book_id_fkey;
ALTER TABLE books DROP CONSTRAINT books_pkey, ALTER id DROP NOT NULL;
INSERT INTO books SELECT {}, author_id, editor_id, reviewer_id, 'twin', price, pages FROM books WHERE id = 8
"""


@pytest.mark.parametrize("number", ["7", "NULL"])
def test_a_row_keeps_the_number_that_rows_reference_since(laboratory: Laboratory, mode: str, number: str) -> None:
    with library(laboratory, 18, UNKEYED.format(number)) as database:
        apply(database, *LIBRARY, mode=mode)
        database.run("INSERT INTO reviews (book_id, body) SELECT id, 'since' FROM books WHERE title = 'twin'")
        before = written(database)
        ended = undo(database, 1, "-q")
        named = "of one row of public.reviews references" in ended.stderr

        assert (ended.returncode, named, written(database)) == (2, True, before), ended.stderr
        database.run("DELETE FROM reviews WHERE body = 'since'")
        assert undo(database, 1, "-q").stderr == ""


def test_rows_of_a_table_that_others_made_since_count_as_well(laboratory: Laboratory) -> None:
    with lent(laboratory.server(18), HEALTHY) as database:
        database.run("DELETE FROM users WHERE username = 'PAPER_TRADER_001'")
        apply(database)
        database.run("CREATE TABLE notes (who int REFERENCES users ON DELETE CASCADE)")
        database.run("INSERT INTO notes SELECT id FROM users WHERE username = 'PAPER_TRADER_001'")
        before = written(database)
        ended = undo(database, 1, "-q")
        named = "is referenced by one row of public.notes" in ended.stderr

        assert (ended.returncode, named, written(database)) == (2, True, before), ended.stderr


# ---- what was written by position, once another column has taken the place of the first


NARROW = """
CREATE TABLE items (id serial PRIMARY KEY, v smallint {}, title text);
INSERT INTO items (v, title) SELECT n, 't' FROM generate_series(1, 5) AS n
"""
Way = Callable[[Database], CompletedProcess[str]]
WAYS: dict[str, Way] = {"undo": lambda database: undo(database, 1, "-q"), "prune": lambda database: prune(database)}


def unguarded(database: Database) -> None:
    """Drop the trigger that looks after the kept column, as somebody may whom it is in the way of."""
    ((name,),) = database.run("SELECT tgname FROM pg_trigger WHERE starts_with(tgname, '~pgmend_')")
    database.run(f'DROP TRIGGER "{name}" ON items')


@pytest.fixture(params=WAYS)
def back_or_done(request: pytest.FixtureRequest) -> Way:
    return WAYS[request.param]


@pytest.mark.parametrize("default", ["", "DEFAULT 7", "DEFAULT (random() * 100)::int"])
def test_what_was_written_by_position_is_the_reason_why_not(
    laboratory: Laboratory, tmp_path: Path, back_or_done: Way, default: str
) -> None:
    with items(laboratory, tmp_path, "numbers", NARROW.format(default), "online") as database:
        unguarded(database)
        database.run("INSERT INTO items VALUES (100, 777, 'by position')")
        before = written(database)
        ended = back_or_done(database)
        said = "In one row of public.items, pgmend_was_v has what v has not" in ended.stderr

        assert (ended.returncode, said, written(database)) == (2, True, before), ended.stderr
        database.run("UPDATE items SET v = pgmend_was_v WHERE id = 100")
        assert (back_or_done(database).stderr, database.ask("SELECT v FROM items WHERE id = 100")) == ("", 777)


def test_what_was_written_by_name_is_no_reason(laboratory: Laboratory, tmp_path: Path, back_or_done: Way) -> None:
    with items(laboratory, tmp_path, "numbers", NARROW.format("DEFAULT 7"), "online") as database:
        database.run(
            "INSERT INTO items (title) VALUES ('since'); INSERT INTO items (v) VALUES (NULL);"
            "UPDATE items SET v = 99 WHERE id = 2; UPDATE items SET v = NULL WHERE id = 3"
        )
        rows = database.run("SELECT id, v, title FROM items ORDER BY id")
        ended = back_or_done(database)

        assert (ended.returncode, database.run("SELECT id, v, title FROM items ORDER BY id")) == (0, rows)


def test_what_was_emptied_since_is_no_reason_where_a_trigger_keeps_writes_by_position_out(
    laboratory: Laboratory, tmp_path: Path, back_or_done: Way
) -> None:
    with items(laboratory, tmp_path, "numbers", NARROW.format(""), "online") as database:
        unguarded(database)
        database.run("UPDATE items SET v = NULL WHERE id = 3")
        refused = back_or_done(database).returncode
        database.run(
            "CREATE FUNCTION fixer_journal.guard() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN IF new.pgmend_was_v IS NOT NULL THEN RAISE ''by position''; END IF; RETURN new; END';"
            "CREATE TRIGGER guard BEFORE INSERT ON items FOR EACH ROW EXECUTE FUNCTION fixer_journal.guard()"
        )
        ended = back_or_done(database)

        assert (refused, ended.returncode, database.run("SELECT v FROM items WHERE id = 3")) == (2, 0, [(None,)])


def test_a_column_that_was_given_another_name_since_is_looked_at_all_the_same(
    laboratory: Laboratory, tmp_path: Path
) -> None:
    with items(laboratory, tmp_path, "numbers", NARROW.format(""), "online") as database:
        unguarded(database)
        database.run("INSERT INTO items VALUES (100, 777, 'by position'); ALTER TABLE items RENAME v TO value")
        ended = prune(database)

        assert (ended.returncode, "pgmend_was_v has what value has not" in ended.stderr) == (2, True)


# ---- constraints that old rows may break


LATE = "ALTER TABLE items ADD CONSTRAINT late NOT NULL {} NOT VALID"


def test_a_not_null_that_was_not_valid_is_so_again(laboratory: Laboratory, tmp_path: Path, mode: str) -> None:
    with lent(laboratory.server(18), None) as database:
        database.run("CREATE TABLE items (id int PRIMARY KEY, title text); INSERT INTO items VALUES (1, 'one')")
        database.run(LATE.format("title") + "; COMMENT ON CONSTRAINT late ON items IS 'mine'")
        before = all_of(database)
        repair(database, tmp_path, "titled", mode)
        changed = differences(before, database) != []
        ended = undo(database, 1, "-q")

        assert (ended.stderr, changed, differences(before, database)) == ("", True, [])


def test_a_not_null_that_was_not_valid_is_so_again_under_a_key(laboratory: Laboratory, tmp_path: Path) -> None:
    with lent(laboratory.server(18), None) as database:
        database.run("CREATE TABLE items (id int, title text NOT NULL); INSERT INTO items VALUES (1, 'one')")
        database.run(LATE.format("id"))
        before = all_of(database)
        repair(database, tmp_path, "titled", "online")
        ended = undo(database, 1, "-q")

        assert (ended.stderr, differences(before, database)) == ("", [])


# ---- what others made since


@pytest.mark.parametrize("name", ["seen", 'Seen by "all"'])
def test_a_view_that_keeps_a_column_is_named(
    laboratory: Laboratory, tmp_path: Path, back_or_done: Way, name: str
) -> None:
    quoted = '"' + name.replace('"', '""') + '"'
    with items(laboratory, tmp_path, "numbers", NARROW.format(""), "online") as database:
        database.run(f"CREATE VIEW {quoted} AS SELECT * FROM items")
        before = written(database)
        ended = back_or_done(database)
        named = f"view public.{name if name == 'seen' else quoted} depends on column" in ended.stderr

        assert (2, 1, True, before) == (
            ended.returncode, len(ended.stderr.splitlines()), named, written(database),
        ), ended.stderr  # fmt: skip


ON_A_COLUMN = {
    "comment": ("COMMENT ON COLUMN items.v IS 'it''s since'", "COMMENT ON COLUMN items.v IS 'it''s before'"),
    "a comment that went": ("COMMENT ON COLUMN items.v IS NULL", "COMMENT ON COLUMN items.v IS 'before'"),
    "grants": (
        "GRANT UPDATE (v) ON items TO PUBLIC; GRANT SELECT (v) ON items TO pg_monitor WITH GRANT OPTION",
        "GRANT SELECT (v) ON items TO pg_monitor",
    ),
    "grants that went": ("REVOKE SELECT (v) ON items FROM PUBLIC", "GRANT SELECT (v), UPDATE (v) ON items TO PUBLIC"),
    "options": ("ALTER TABLE items ALTER v SET (n_distinct = 7)", ""),
    "statistics": (
        "CREATE STATISTICS st (ndistinct) ON v, title FROM items; COMMENT ON STATISTICS st IS 'mine';"
        "ALTER STATISTICS st SET STATISTICS 50",
        "",
    ),
    "statistics of before": (
        "COMMENT ON COLUMN items.v IS 'since'",
        "CREATE STATISTICS st ON v, title FROM items; ALTER STATISTICS st SET STATISTICS 50",
    ),
    "index": ("CREATE UNIQUE INDEX mine ON items (v, title) WHERE v > 0; COMMENT ON INDEX mine IS 'mine'", ""),
    "constraints": (
        "ALTER TABLE items ADD CONSTRAINT small CHECK (v < 1000), ADD CONSTRAINT once UNIQUE (v),"
        " ADD CONSTRAINT own FOREIGN KEY (v) REFERENCES items",
        "",
    ),
    "sequence": ("CREATE SEQUENCE mine; SELECT nextval('mine'); ALTER SEQUENCE mine OWNED BY items.v", ""),
}


def unnamed(database: Database) -> set[str]:
    """Give the lines of a dump, but for the name of the database."""
    return {line.replace(database.name, "") for line, _ in all_of(database)}


@pytest.mark.parametrize("what", ON_A_COLUMN)
def test_what_others_put_on_a_column_since_is_on_the_old_one(
    laboratory: Laboratory, tmp_path: Path, mode: str, what: str
) -> None:
    since, before = ON_A_COLUMN[what]
    with lent(laboratory.server(18), None) as database, lent(laboratory.server(18), None) as other:
        for each in (database, other):
            each.run(NARROW.format("") + ";" + before)
        repair(database, tmp_path, "numbers", mode)
        for each in (database, other):
            each.run(since)
        ended = undo(database, 1, "-q")
        if what == "sequence" and mode == "online":
            other.run("ALTER SEQUENCE mine OWNED BY NONE")

        assert (ended.stderr, unnamed(database)) == ("", unnamed(other))


ON_AN_ADDED_COLUMN = {
    "comment": "COMMENT ON COLUMN items.v IS 'mine'",
    "grants": "GRANT SELECT (v) ON items TO PUBLIC",
    "options": "ALTER TABLE items ALTER v SET (n_distinct = 7)",
    "statistics": "CREATE STATISTICS mine ON v, title FROM items",
    "index": "CREATE INDEX mine ON items (v)",
}


@pytest.mark.parametrize("what", ON_AN_ADDED_COLUMN)
def test_what_others_put_on_a_column_that_goes_is_the_reason_why_not(
    laboratory: Laboratory, tmp_path: Path, mode: str, what: str
) -> None:
    made = "CREATE TABLE items (id int PRIMARY KEY, title text)"
    with items(laboratory, tmp_path, "numbers", made, mode) as database:
        database.run(ON_AN_ADDED_COLUMN[what])
        before = written(database)
        ended = undo(database, 1, "-q")

        assert (ended.returncode, what in ended.stderr, written(database)) == (2, True, before), ended.stderr


GUARDS = {
    "a check": "ADD CONSTRAINT late CHECK (title <> 't' AND title ~ '[)]|^[a-z]$') NOT VALID",
    "a NOT NULL": "ADD CONSTRAINT late NOT NULL title NOT VALID",
}


@pytest.mark.parametrize("guard", GUARDS)
def test_a_row_that_breaks_what_others_guard_since_goes_back_all_the_same(
    laboratory: Laboratory, tmp_path: Path, guard: str
) -> None:
    with items(laboratory, tmp_path, "numbers", NARROW.format(""), "online") as database:
        database.run("UPDATE items SET v = 9, title = NULL WHERE id = 2; UPDATE items SET v = 8 WHERE id = 3")
        database.run(f"ALTER TABLE items {GUARDS[guard]}; COMMENT ON CONSTRAINT late ON items IS 'mine'")
        late = "SELECT pg_get_constraintdef(oid), obj_description(oid) FROM pg_constraint WHERE conname = 'late'"
        before = database.run(late)
        ended = undo(database, 1, "-q")
        rows = database.run("SELECT v, title, pg_typeof(v)::text FROM items WHERE id IN (2, 3) ORDER BY id")

        assert (ended.stderr, rows) == ("", [(9, None, "smallint"), (8, "t", "smallint")])
        assert database.run(late) == before


def test_no_row_comes_back_that_would_break_what_others_guard_since(laboratory: Laboratory, mode: str) -> None:
    with lent_repaired(laboratory, FILLED, mode) as database:
        database.run("ALTER TABLE users ADD CONSTRAINT late CHECK (status IS NOT NULL) NOT VALID")
        before = written(database)
        ended = undo(database, 1, "-q")

        assert (ended.returncode, "would break the constraint late" in ended.stderr) == (2, True), ended.stderr
        assert written(database) == before


HANGING = {
    "index public.mine": "CREATE INDEX mine ON items (title) WHERE pgmend_was_v > 0",
    "constraint mine on table public.items": "ALTER TABLE items ADD CONSTRAINT mine CHECK (pgmend_was_v > 0) NOT VALID",
    "statistics object public.mine": "CREATE STATISTICS mine ON pgmend_was_v, title FROM items",
    "sequence public.mine": "CREATE SEQUENCE mine OWNED BY items.pgmend_was_v",
}


@pytest.mark.parametrize("what", HANGING)
def test_what_hangs_on_a_kept_column_does_not_go_with_it(laboratory: Laboratory, tmp_path: Path, what: str) -> None:
    with items(laboratory, tmp_path, "numbers", NARROW.format(""), "online") as database:
        database.run(HANGING[what])
        before = written(database)
        ended = prune(database)

        assert (ended.returncode, what in ended.stderr, written(database)) == (2, True, before), ended.stderr


ON_A_VIEW = {
    "comment": "COMMENT ON VIEW writers IS 'mine'",
    "grants": "GRANT SELECT ON writers TO PUBLIC",
    "trigger": "CREATE TRIGGER mine INSTEAD OF DELETE ON writers FOR EACH ROW"
    " EXECUTE FUNCTION suppress_redundant_updates_trigger()",
}


@pytest.mark.parametrize("what", ON_A_VIEW)
def test_what_others_put_on_a_view_of_the_run_is_the_reason_why_not(
    laboratory: Laboratory, mode: str, what: str
) -> None:
    with library(laboratory, 18, "ALTER TABLE authors RENAME TO writers") as database:
        apply(database, *LIBRARY, mode=mode)
        database.run(ON_A_VIEW[what])
        before = written(database)
        ended = undo(database, 1, "-q")

        assert (ended.returncode, what in ended.stderr, written(database)) == (2, True, before), ended.stderr


GRANTS = "GRANT SELECT ON writers TO PUBLIC; GRANT UPDATE (name) ON writers TO pg_monitor WITH GRANT OPTION"


def test_grants_that_a_view_has_from_its_table_do_not_keep_it(laboratory: Laboratory, mode: str) -> None:
    with library(laboratory, 18, f"ALTER TABLE authors RENAME TO writers; {GRANTS}") as database:
        apply(database, *LIBRARY, mode=mode)
        ended = undo(database, 1, "-q")
        tables = database.run("SELECT relname FROM pg_class WHERE relname IN ('authors', 'writers') AND relkind = 'r'")

        assert (ended.returncode, tables) == (0, [("writers",)]), ended.stderr


def test_a_grant_on_a_column_of_a_view_of_the_run_is_the_reason_why_not(laboratory: Laboratory, mode: str) -> None:
    with library(laboratory, 18, f"ALTER TABLE authors RENAME TO writers; {GRANTS}") as database:
        apply(database, *LIBRARY, mode=mode)
        database.run("GRANT UPDATE (country) ON writers TO pg_monitor")
        ended = undo(database, 1, "-q")

        assert (ended.returncode, "grants" in ended.stderr) == (2, True), ended.stderr


# ---- rows in quarantine


ORPHANS = """
ALTER TABLE reviews DROP CONSTRAINT reviews_book_id_fkey, ADD COLUMN mine text;
INSERT INTO reviews (book_id, mine) VALUES (900, NULL), (901, 'kept'), (902, NULL)
"""


def test_a_value_whose_column_was_dropped_since_stays_in_quarantine(laboratory: Laboratory, mode: str) -> None:
    with library(laboratory, 18, ORPHANS) as database:
        apply(database, *LIBRARY, mode=mode)
        database.run("ALTER TABLE reviews DROP COLUMN mine")
        before = written(database)
        ended = undo(database, 1, "-q")
        said = "The column mine of public.reviews is gone, and one row would need it" in ended.stderr

        assert (ended.returncode, said, written(database)) == (2, True, before), ended.stderr


@pytest.mark.parametrize("broken", ["reviewer_id", "reviewer_id, id"])
def test_a_cell_that_was_emptied_before_its_column_was_exchanged_comes_back(
    laboratory: Laboratory, mode: str, broken: str
) -> None:
    narrow = ", ".join(f"ALTER {column} TYPE smallint" for column in broken.split(", "))
    with library(laboratory, 18, f"ALTER TABLE books {narrow}") as database:
        database.run(
            "ALTER TABLE authors ALTER joined TYPE text;"
            "INSERT INTO authors (id, name, joined) VALUES (77, 'x', 'no moment');"
            "UPDATE books SET reviewer_id = 77 WHERE id IN (3, 4)"
        )
        before = all_of(database)
        apply(database, *LIBRARY, mode=mode)
        emptied = database.ask("SELECT count(*) FROM books WHERE id IN (3, 4) AND reviewer_id IS NULL")
        ended = undo(database, 1, "-q")

        assert (emptied, ended.stderr, differences(before, database)) == (2, "", [])


# ---- others who read meanwhile


def test_nobody_waits_long_behind_an_undo_that_waits(laboratory: Laboratory) -> None:
    with lent_repaired(laboratory, STORY) as database, session(database, "SELECT count(*) FROM users") as reader:
        process = begun("undo", 1, "--yes", "-q", "--dsn", database.dsn)
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'users'::regclass"
        wait_for(lambda: database.ask(waiting))
        waited = []
        for _ in range(20):
            since = time.monotonic()
            database.run("SELECT count(*) FROM users")
            waited.append(time.monotonic() - since)
        reader.rollback()
        process.communicate(timeout=60)

    assert (max(waited) < 2, process.returncode) == (True, 0)


GONE = """
ALTER TABLE books DROP CONSTRAINT books_price_check; INSERT INTO authors (name) VALUES ('gone');
INSERT INTO books (author_id, editor_id, title, price) SELECT id, 1, 'bad', -1 FROM authors WHERE name = 'gone'
"""
ORPHANED = "SELECT count(*) FROM books b WHERE NOT EXISTS (SELECT FROM authors a WHERE a.id = b.author_id)"


@pytest.mark.parametrize("role", ["superuser", "owner"])
def test_a_row_whose_parent_has_gone_since_does_not_come_back(laboratory: Laboratory, role: str, mode: str) -> None:
    with laboratory.database(18, role=role) as case:
        case.break_(GONE)
        run = case.apply(mode=mode, allow_hazards="all")
        ask(case, "DELETE FROM authors WHERE name = 'gone'")
        with pytest.raises(UndoRefused, match=r"would lack the parent|would point at nothing"):
            undo_run(case.connection, run.run)

        assert ask(case, ORPHANED) == [(0,)]


@pytest.mark.parametrize("mixed", ["", "UPDATE books SET reviewer_id = 99 WHERE id = 7;"])
def test_rows_that_had_no_parent_before_come_back(laboratory: Laboratory, mixed: str, mode: str) -> None:
    breaks = f"SET LOCAL session_replication_role = replica; UPDATE books SET author_id = 77 WHERE id < 3; {mixed}"
    with laboratory.database(18) as case:
        case.break_(breaks)
        run = case.apply(mode=mode, allow_hazards="all")
        undo_run(case.connection, run.run)

        assert ask(case, ORPHANED) == [(2,)]


DANGLING = "SELECT count(*) FROM books b WHERE NOT EXISTS (SELECT FROM authors a WHERE a.id = b.editor_id)"


def test_an_orphan_does_not_come_back_once_another_of_its_parents_has_gone(laboratory: Laboratory, mode: str) -> None:
    with laboratory.database(18) as case:
        case.break_(
            "ALTER TABLE books DROP CONSTRAINT books_author_id_fkey;"
            "UPDATE books SET author_id = 888, editor_id = 12 WHERE id = 7"
        )
        run = case.apply(mode=mode, allow_hazards="all")
        ask(case, "DELETE FROM books WHERE author_id = 12; DELETE FROM authors WHERE id = 12")
        with pytest.raises(UndoRefused, match="would point at nothing"):
            undo_run(case.connection, run.run)

        assert ask(case, DANGLING) == [(0,)]


def test_orphans_that_no_run_touched_are_no_reason(laboratory: Laboratory, mode: str) -> None:
    lying = (
        "CREATE TABLE x (id integer PRIMARY KEY); ALTER TABLE books ADD COLUMN extra integer REFERENCES x;"
        "SET LOCAL session_replication_role = replica; UPDATE books SET extra = 5 WHERE id IN (3, 4);"
        "UPDATE books SET reviewer_id = 99 WHERE id = 9"
    )
    with laboratory.database(18) as case:
        case.break_(lying)
        run = case.apply(mode=mode, allow_hazards="all")
        undo_run(case.connection, run.run)

        assert ask(case, "SELECT id, reviewer_id FROM books WHERE extra = 5 OR reviewer_id = 99 ORDER BY 1") == [
            (3, 3),
            (4, 4),
            (9, 99),
        ]
