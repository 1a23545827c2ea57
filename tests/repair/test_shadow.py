"""A column gets another type while others read and write: a second one is filled beside, and takes its place."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.commands import holds, psql, runs, undo
from lab.database import Database, all_of, lent_copy, session
from lab.examples.library import LIBRARY, apply, library
from lab.laboratory import Laboratory
from lab.online import APPLY, STRENGTHS, WATCH, Writer, ends
from lab.process import Begun, begun, fixer, heard, wait_for

NARROW = """
ALTER TABLE books ALTER COLUMN id TYPE smallint, ALTER COLUMN author_id TYPE smallint, ALTER COLUMN pages TYPE smallint;
ALTER TABLE reviews ALTER COLUMN book_id TYPE smallint;
ALTER TABLE authors ALTER COLUMN id TYPE smallint;
CREATE INDEX odd ON books (pages DESC NULLS LAST, title);
ALTER TABLE books ALTER COLUMN pages SET DEFAULT 7;
ALTER TABLE reviews ADD COLUMN author smallint REFERENCES authors (id);
ALTER TABLE books ADD CONSTRAINT long CHECK (pages > 0);
COMMENT ON COLUMN books.pages IS 'how ''many''';
ALTER TABLE books ALTER COLUMN pages SET STATISTICS 50;
GRANT SELECT (pages), UPDATE (pages) ON books TO PUBLIC;
"""
ODD = """
ALTER TABLE authors ALTER COLUMN rating TYPE double precision, ALTER COLUMN joined TYPE text
      USING to_char(joined, 'YYYY-MM-DD HH24:MI:SS');
"""


@pytest.fixture(params=[16, 18])
def version(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def narrow(laboratory: Laboratory, version: int) -> Iterator[Database]:
    with library(laboratory, version, NARROW) as database:
        yield database


@pytest.fixture
def repaired(laboratory: Laboratory, version: int) -> Iterator[Database]:
    """Lend a copy of the narrow library, repaired once."""

    def make(database: Database) -> None:
        database.run(NARROW)
        ended = apply(database, "-q")
        assert (ended.returncode, ended.stderr) == (0, "")

    with lent_copy(laboratory, version, "shadow-repaired", make, laboratory.sound(version).template) as database:
        yield database


@pytest.fixture
def interrupted(laboratory: Laboratory, version: int, part: str) -> Iterator[Database]:
    """Lend a copy of the narrow library, whose repair was killed once at this part."""

    def make(database: Database) -> None:
        database.run(NARROW)
        ends(database, dozing(database, part), "kill -9")
        database.run("DROP EVENT TRIGGER doze; DROP FUNCTION doze")

    with lent_copy(laboratory, version, f"shadow-{part}", make, laboratory.sound(version).template) as database:
        yield database


@pytest.fixture
def odd(laboratory: Laboratory) -> Iterator[Database]:
    with library(laboratory, 18, ODD) as database:
        yield database


def plan(database: Database) -> list[dict[str, Any]]:
    words = ("plan", "--mode", "online", "--format", "json", *LIBRARY, "--dsn", database.dsn)
    return json.loads(fixer(*words).stdout)["steps"]  # type: ignore[no-any-return]


def columns(database: Database, table: str) -> list[str]:
    query = f"SELECT attname FROM pg_attribute WHERE attrelid = '{table}'::regclass AND attnum > 0 AND NOT attisdropped"
    return [name for (name,) in database.run(f"{query} ORDER BY attnum")]


# ---- what it is, and what goes over


def test_no_table_is_rewritten(narrow: Database) -> None:
    files = "SELECT pg_relation_filenode('books'), pg_relation_filenode('authors'), pg_relation_filenode('reviews')"
    before = narrow.run(files)
    ended = apply(narrow, "-q")

    assert holds(narrow, *LIBRARY)
    assert (0, before) == (ended.returncode, narrow.run(files))


def test_no_table_is_read_under_a_lock_that_keeps_writers_out(narrow: Database) -> None:
    narrow.run(WATCH)
    apply(narrow, "-q")
    strong = narrow.run("SELECT scanned, query FROM watched WHERE strength > 2 ORDER BY 1 DESC")

    assert strong != []
    assert [query for scanned, query in strong if scanned] == []


def test_a_step_takes_no_stronger_lock_than_it_says(narrow: Database) -> None:
    claimed = {step["sql"]: step["lock"] for step in plan(narrow)}
    narrow.run(WATCH)
    apply(narrow, "-q")
    taken = narrow.run("SELECT query, max(strength) FROM watched WHERE strength > 0 GROUP BY query")
    seen = [(query, STRENGTHS[strength - 1]) for query, strength in taken if query in claimed]

    assert len(seen) >= 20
    assert [(q, lock) for q, lock in seen if STRENGTHS.index(lock) > STRENGTHS.index(claimed[q])] == []


HANGING = {
    "comment": "SELECT col_description(attrelid, attnum) FROM pg_attribute"
    " WHERE attname = 'pages' AND attrelid = 'books'::regclass",
    "grants": "SELECT attacl::text FROM pg_attribute WHERE attname = 'pages' AND attacl IS NOT NULL",
    "statistics target": "SELECT attstattarget FROM pg_attribute WHERE attname = 'pages' AND attstattarget > 0",
    "default": "SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = 'books'::regclass",
    "sequence": "SELECT pg_get_serial_sequence('books', 'id')",
    "constraints": (
        "SELECT conrelid::regclass, conname, pg_get_constraintdef(oid), convalidated FROM pg_constraint"
        " WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2, 3"
    ),
    "indexes": "SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = 'books'::regclass ORDER BY 1",
    "NOT NULL": (
        "SELECT attname FROM pg_attribute WHERE attrelid = 'books'::regclass AND attnotnull AND attnum > 0 ORDER BY 1"
    ),
}
# What looks after a second column, or after one that stays.
TRIGGERS = "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal"
FUNCTIONS = "SELECT proname FROM pg_proc WHERE pronamespace = to_regnamespace('fixer_journal')"


@pytest.mark.parametrize("what", HANGING)
def test_what_hangs_on_a_column_goes_over(narrow: Database, repaired: Database, what: str) -> None:
    assert repaired.run(HANGING[what]) == narrow.run(HANGING[what])


def test_the_old_column_stays_until_the_run_is_pruned(narrow: Database, repaired: Database) -> None:
    rows, before = narrow.run("SELECT id, pages, author_id FROM books ORDER BY id"), columns(narrow, "books")
    kept = repaired.run("SELECT pgmend_was_id, pgmend_was_pages, pgmend_was_author_id FROM books ORDER BY 1")
    pruned = fixer("history", "--prune", "--yes", "--dsn", repaired.dsn)

    assert (kept, pruned.returncode) == (rows, 0)
    assert repaired.run("SELECT id, pages, author_id FROM books ORDER BY id") == rows
    assert sorted(columns(repaired, "books")) == sorted(before)


IN_PLACE = {
    "statistics": "CREATE STATISTICS s ON pages, price FROM books",
    "an index over an expression": "CREATE INDEX e ON books ((pages + 1))",
    "an index over a part of the rows": "CREATE INDEX p ON books (title) WHERE pages > 10",
    "an index with a comment": "COMMENT ON INDEX odd IS 'odd'",
    "a generated column": "ALTER TABLE books ADD twice integer GENERATED ALWAYS AS (price * 2) STORED",
    "an index that it is clustered by": "ALTER TABLE books CLUSTER ON odd",
}


@pytest.mark.parametrize("why", IN_PLACE)
def test_where_something_else_hangs_on_a_column_it_is_converted_in_place(narrow: Database, why: str) -> None:
    narrow.run(IN_PLACE[why])
    ended = apply(narrow, "-q")

    assert holds(narrow, *LIBRARY)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ("pgmend_was_pages" in columns(narrow, "books")) is False


BOUND = {
    "materialized view few on table": "CREATE MATERIALIZED VIEW few AS SELECT pages FROM books",
    "trigger late on table books": "CREATE TRIGGER late BEFORE UPDATE ON books FOR EACH ROW WHEN (new.pages > 1)"
    " EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "rule few on table books": "CREATE RULE few AS ON UPDATE TO books WHERE old.pages > 2000 DO ALSO SELECT 1",
}


@pytest.mark.parametrize("mode", ["atomic", "online"])
@pytest.mark.parametrize("what", BOUND)
def test_what_forbids_another_type_is_named_before_anything_is_changed(narrow: Database, what: str, mode: str) -> None:
    narrow.run(BOUND[what])
    before = narrow.dump()
    ended = apply(narrow, "--mode", mode)

    assert what.partition(" on ")[0] in ended.stdout
    assert (1, before) == (ended.returncode, narrow.dump())


# ---- others who write


WRITERS = {
    "new rows": "INSERT INTO books (author_id, editor_id, title, price, pages)"
    " SELECT 1 + n % 12, 1, 'n' || random(), 1, n FROM (SELECT (random() * 9000)::int + 1) AS r (n)",
    "changed cells": "UPDATE books SET pages = (random() * 9000)::int + 1, author_id = 1 + (random() * 11)::int"
    " WHERE id = 1 + (random() * 23)::int",
    "a new parent": "WITH a AS (INSERT INTO authors (name) VALUES ('n' || random()) RETURNING id)"
    " UPDATE books SET author_id = a.id FROM a WHERE books.id = 7",
    "emptied cells": "UPDATE books SET pages = CASE WHEN random() < 0.5 THEN 5 END WHERE id = 1 + (random() * 23)::int",
}


def watch_the_change(database: Database, table: str, column: str, wrong: str) -> None:
    """Let the database count the rows, and those that are wrong, in the moment in which two columns change names."""
    database.run(f"""
        CREATE TABLE changes (rows bigint, wrong bigint);
        CREATE FUNCTION changed() RETURNS event_trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF current_query() ~ 'RENAME COLUMN "{column}"' AND NOT EXISTS (SELECT FROM public.changes) THEN
                INSERT INTO public.changes SELECT count(*), count(*) FILTER (WHERE {wrong}) FROM public.{table};
            END IF;
        EXCEPTION WHEN undefined_column THEN NULL;  -- one of the two has changed its name as yet
        END $$;
        CREATE EVENT TRIGGER changed ON ddl_command_end EXECUTE FUNCTION changed()
    """)


@pytest.mark.parametrize("kind", WRITERS)
def test_what_others_write_meanwhile_is_in_the_new_column(narrow: Database, kind: str) -> None:
    # The last of all triggers, by its name, that changes a cell after others have.
    narrow.run(
        "CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN new.pages := new.pages + 1; RETURN new; END';"
        "CREATE TRIGGER zzz BEFORE INSERT OR UPDATE ON books FOR EACH ROW EXECUTE FUNCTION late();"
    )
    watch_the_change(narrow, "books", "pages", "pages IS DISTINCT FROM pgmend_was_pages")
    with Writer(narrow, WRITERS[kind]) as writer:
        wait_for(lambda: writer.went_in > 50)
        ended = apply(narrow, "-q")
    rows, wrong = narrow.run("SELECT * FROM changes")[0]

    assert holds(narrow, *LIBRARY)
    assert (ended.returncode, ended.stderr, wrong) == (0, "", 0)
    assert rows >= 24


def test_a_value_that_the_new_type_does_not_understand_is_refused_from_the_first_step_on(odd: Database) -> None:
    odd.run(
        "CREATE FUNCTION doze() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN"
        " IF current_query() ~ 'VALIDATE CONSTRAINT' THEN PERFORM pg_sleep(2); END IF; END $$;"
        "CREATE EVENT TRIGGER doze ON ddl_command_end EXECUTE FUNCTION doze()"
    )
    process = begun(*APPLY, *LIBRARY, "--dsn", odd.dsn)
    heard(process, "prove that pgmend_new_joined")
    with pytest.raises(Exception, match="pgmend_filled"):
        odd.run("INSERT INTO authors (name, joined) VALUES ('x', 'last week')")
    odd.run("INSERT INTO authors (name, joined) VALUES ('y', '2026-02-03 04:05:06')")
    process.communicate(timeout=60)

    assert holds(odd, *LIBRARY)
    assert process.returncode == 0
    assert odd.run("SELECT joined::text FROM authors WHERE name = 'y'") == [("2026-02-03 04:05:06+00",)]


def test_others_who_write_under_other_settings_are_understood_alike(odd: Database) -> None:
    for setting in ("timezone = 'Asia/Kolkata'", "datestyle = 'German'", "extra_float_digits = -5"):
        odd.run(f"ALTER DATABASE {odd.name} SET {setting}")
    watch_the_change(odd, "authors", "rating", "rating IS DISTINCT FROM pgmend_was_rating::text::numeric")
    write = "UPDATE authors SET joined = '2026-02-03 04:05:06Z', rating = 0.123456789012345 WHERE id = 5"
    with Writer(odd, write) as writer:
        wait_for(lambda: writer.went_in > 20)
        ended = apply(odd, "-q")

    assert (ended.returncode, ended.stderr) == (0, "")
    assert holds(odd, *LIBRARY)
    assert odd.run("SELECT * FROM changes") == [(12, 0)]


PRECISE = ("0.30000000000000004", "1.0000000000000002")


@pytest.mark.parametrize("mode", ["atomic", "online", "script"])
def test_no_digit_is_lost_where_sessions_round(odd: Database, mode: str, tmp_path: Path) -> None:
    odd.run(
        f"UPDATE authors SET rating = {PRECISE[0]} WHERE id = 5; ALTER DATABASE {odd.name} SET extra_float_digits = -5;"
        f"INSERT INTO authors (id, name, rating, joined) VALUES (99, 'x', {PRECISE[1]}, 'no moment')"
    )
    if mode == "script":
        file = tmp_path / "repair.sql"
        fixer("plan", "--sql", file, *LIBRARY, "--dsn", odd.dsn)
        assert psql(odd, file).returncode == 0
    else:
        apply(odd, "--mode", mode)
    odd.run(f"ALTER DATABASE {odd.name} RESET extra_float_digits")

    assert odd.ask("SELECT rating::text FROM authors WHERE id = 5") == PRECISE[0]
    assert odd.ask("""SELECT "row" ->> 'rating' FROM fixer_quarantine.authors""") == PRECISE[1]


# ---- ends that come too early


PARTS = ("others fill it", "in pgmend_", "prove that", "build the index", "in place of", "again")


@pytest.mark.parametrize("part", PARTS)
def test_what_was_interrupted_is_taken_up(narrow: Database, interrupted: Database) -> None:
    rows = narrow.run("SELECT id, pages, author_id FROM books ORDER BY id")
    resumed = apply(interrupted, "-q")

    assert holds(interrupted, *LIBRARY)
    assert (resumed.returncode, resumed.stderr) == (0, "")
    assert interrupted.run("SELECT id, pages, author_id FROM books ORDER BY id") == rows
    assert [name for name in columns(interrupted, "books") if name.startswith("pgmend") and "was" not in name] == []
    assert len(interrupted.run(TRIGGERS)) == len([name for name in columns(interrupted, "books") if "was" in name]) + 2


@pytest.mark.parametrize("part", PARTS)
def test_what_was_interrupted_can_be_taken_back(narrow: Database, interrupted: Database) -> None:
    ended = undo(interrupted, 1, "-q")

    assert ended.stderr == ""
    assert (lines_of(interrupted), interrupted.run(FUNCTIONS)) == (lines_of(narrow), [])


@pytest.mark.parametrize("part", ["build the index"])
def test_an_index_that_was_finished_when_the_fixer_was_gone_is_taken_back_as_well(
    narrow: Database, interrupted: Database
) -> None:
    interrupted.run("CREATE INDEX pgmend_new_odd ON books (pgmend_new_pages, title)")
    ended = undo(interrupted, 1, "-q")

    assert (ended.stderr, lines_of(interrupted)) == ("", lines_of(narrow))


@pytest.mark.parametrize("part", PARTS[:4])
def test_what_was_interrupted_is_cleared_away_where_another_way_is_taken(
    narrow: Database, interrupted: Database
) -> None:
    ended = apply(interrupted, "-q", "--mode", "atomic")
    tables = ("authors", "books", "reviews")
    left = [name for table in tables for name in columns(interrupted, table) if "pgmend" in name]

    assert holds(interrupted, *LIBRARY)
    assert (ended.stderr, left) == ("", [])
    assert (interrupted.run(TRIGGERS), interrupted.run(FUNCTIONS)) == ([], [])
    assert [undo(interrupted, run, "-q").stderr for run in (2, 1)] == ["", ""]
    assert lines_of(interrupted) == lines_of(narrow)


def lines_of(database: Database) -> Counter[tuple[str, str]]:
    """Give the lines of a dump without the name of the database."""
    return Counter(
        {(a.replace(database.name, ""), b.replace(database.name, "")): n for (a, b), n in all_of(database).items()}
    )


def dozing(database: Database, part: str) -> Begun:
    """Start an apply that sleeps after each statement, and return it when it says that it does this one."""
    database.run(
        "CREATE FUNCTION doze() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN"
        " IF current_setting('application_name') = 'pgmend' THEN PERFORM pg_sleep(0.05); END IF; END $$;"
        "CREATE EVENT TRIGGER doze ON ddl_command_end EXECUTE FUNCTION doze()"
    )
    process = begun(*APPLY, *LIBRARY, "--dsn", database.dsn)
    heard(process, part)
    return process


# ---- undo


def test_rows_that_were_written_since_go_back_to_the_old_type(repaired: Database) -> None:
    repaired.run(
        "INSERT INTO books (author_id, editor_id, title, price, pages) VALUES (3, 1, 'since', 1, 77);"
        "UPDATE books SET pages = 78, author_id = 4 WHERE id = 9; DELETE FROM books WHERE id = 10"
    )
    rows = repaired.run("SELECT id, pages, author_id, title FROM books ORDER BY id")
    ended = undo(repaired, 1, "-q")

    assert (ended.returncode, ended.stderr) == (0, "")
    assert repaired.run("SELECT id, pages, author_id, title FROM books ORDER BY id") == rows
    assert repaired.ask("SELECT pg_typeof(pages)::text FROM books LIMIT 1") == "smallint"


def test_a_value_that_the_old_type_does_not_take_is_the_reason_why_not(repaired: Database) -> None:
    repaired.run("UPDATE books SET pages = 40000 WHERE id = 9")
    before = repaired.dump()
    ended = undo(repaired, 1, "-q")

    assert "out of range" in ended.stderr
    assert (ended.returncode, repaired.dump()) == (2, before)


def test_odd_spellings_come_back_letter_by_letter(odd: Database) -> None:
    odd.run("UPDATE authors SET joined = '2026-02-03T04:05Z', rating = 0.1::real WHERE id = 5")
    before = all_of(odd)
    apply(odd, "-q")
    held, ended = holds(odd, *LIBRARY), undo(odd, 1, "-q")

    assert held
    assert (ended.returncode, ended.stderr, all_of(odd)) == (0, "", before)


def test_a_second_run_may_widen_the_same_column_again(repaired: Database) -> None:
    repaired.run("ALTER TABLE books ALTER COLUMN pages TYPE smallint")
    ended = apply(repaired, "-q")

    assert holds(repaired, *LIBRARY)
    assert (ended.returncode, runs(repaired)[0]) == (0, (2, True))


def test_a_reader_holds_up_the_change_and_nobody_behind_it(narrow: Database) -> None:
    with session(narrow, "SELECT count(*) FROM books") as other:
        process = begun(*APPLY, *LIBRARY, "--dsn", narrow.dsn)
        heard(process, "waits .*")
        narrow.run("SET lock_timeout = '500ms'; UPDATE books SET price = 2 WHERE id = 3")
        other.rollback()
        process.communicate(timeout=60)

    assert holds(narrow, *LIBRARY)
    assert process.returncode == 0
