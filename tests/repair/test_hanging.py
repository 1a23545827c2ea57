"""What hangs on a column that is converted online, or comes to meanwhile, holds for the new one or stops the run."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab.commands import undo
from lab.database import Database, all_of, lent
from lab.examples.items import dozing, kept, words
from lab.laboratory import Laboratory
from lab.online import Writer, ends
from lab.process import fixer, wait_for

LONG = "a_column_with_a_name_of_as_many_letters_as_PostgreSQL_has_for_"
CONTRACT = f"""
from sqlalchemy import Column, Index, Integer, MetaData, Table, Text
metadata = MetaData()
columns = [Column(name, Integer) for name in ("pages", "was_pages", "{LONG}x", "{LONG}y")]
Table("items", metadata, Column("id", Integer, primary_key=True), *columns, Column("title", Text))
"""
ITEMS = f"""
CREATE TABLE items (id serial PRIMARY KEY, pages smallint, was_pages integer, "{LONG}x" integer, "{LONG}y" integer,
                    title text);
INSERT INTO items (pages, was_pages, "{LONG}x", "{LONG}y", title)
SELECT n, n * 10, n * 100, n * 1000, 't' || n FROM generate_series(1, 5) AS n;
"""
VALUES = f"""SELECT id, pages, was_pages, "{LONG}x", "{LONG}y", title FROM items ORDER BY id"""
OURS = "SELECT tgname FROM pg_trigger WHERE tgname ~ '^~pgmend'"


@pytest.fixture
def contract(tmp_path: Path) -> Path:
    (tmp_path / "things.py").write_text(CONTRACT)
    return tmp_path


@pytest.fixture
def items(laboratory: Laboratory) -> Iterator[Database]:
    with lent_items(laboratory, 18) as database:
        yield database


@contextmanager
def lent_items(laboratory: Laboratory, version: int) -> Iterator[Database]:
    with lent(laboratory.server(version), None) as database:
        database.run(ITEMS)
        yield database


def apply(database: Database, contract: Path, mode: str = "online") -> subprocess.CompletedProcess[str]:
    return fixer(*words(database, "--mode", mode), cwd=contract)


# ---- names


def test_columns_whose_long_names_begin_alike_keep_their_values(items: Database, contract: Path) -> None:
    items.run(f"""ALTER TABLE items ALTER COLUMN "{LONG}x" TYPE smallint, ALTER COLUMN "{LONG}y" TYPE smallint""")
    rows, before = items.run(VALUES), all_of(items)
    ended = apply(items, contract)

    assert (ended.stderr, items.run(VALUES), len(kept(items))) == ("", rows, 3)
    assert (undo(items, 1, "-q").stderr, all_of(items)) == ("", before)


def test_indexes_whose_long_names_begin_alike_go_over(items: Database, contract: Path) -> None:
    items.run(f'CREATE INDEX "{LONG}1" ON items (pages); CREATE INDEX "{LONG}2" ON items (pages, title)')
    query = "SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = 'items'::regclass ORDER BY 1"
    before = items.run(query)
    ended = apply(items, contract)

    assert (ended.stderr, items.run(query), kept(items)) == ("", before, ["pgmend_was_pages"])


def test_the_old_column_of_one_is_not_taken_for_the_new_one_of_another(items: Database, contract: Path) -> None:
    rows = items.run(VALUES)
    apply(items, contract)
    items.run("ALTER TABLE items ALTER COLUMN was_pages TYPE smallint")
    ended = apply(items, contract)

    assert (ended.stderr, items.run(VALUES)) == ("", rows)
    assert items.run("SELECT pgmend_was_pages FROM items ORDER BY id") == [(n,) for n in range(1, 6)]


def test_a_column_of_the_user_is_not_taken_for_ours(items: Database, contract: Path) -> None:
    items.run("ALTER TABLE items ADD COLUMN pgmend_new_pages integer DEFAULT 77")
    ended = apply(items, contract)

    assert (ended.stderr, kept(items)) == ("", [])
    assert items.run("SELECT DISTINCT pgmend_new_pages FROM items") == [(77,)]


# ---- what cannot go over


IN_PLACE = {
    "a trigger that fires after ours": "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS"
    " 'BEGIN new.pages := 8; RETURN new; END'; CREATE TRIGGER über BEFORE INSERT OR UPDATE ON items FOR EACH ROW"
    " EXECUTE FUNCTION f()",
    "a trigger that takes whole rows": "CREATE TABLE history (id integer, pages bigint, was bigint, x bigint, y bigint,"
    " title text); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS"
    " 'BEGIN INSERT INTO history SELECT new.*; RETURN NULL; END';"
    " CREATE TRIGGER audit AFTER UPDATE ON items FOR EACH ROW EXECUTE FUNCTION f()",
    "a check that old rows break": "ALTER TABLE items ADD CONSTRAINT c CHECK (title <> 't3') NOT VALID",
    "a NOT NULL that old rows break": "UPDATE items SET title = NULL WHERE id = 3;"
    " ALTER TABLE items ADD CONSTRAINT n NOT NULL title NOT VALID",
    "a unique that is asked at COMMIT": "ALTER TABLE items ADD UNIQUE (pages) DEFERRABLE INITIALLY DEFERRED",
}


@pytest.mark.parametrize("why", IN_PLACE)
def test_where_a_second_column_would_not_do_it_is_converted_in_place(items: Database, contract: Path, why: str) -> None:
    items.run(IN_PLACE[why])
    rows = items.run(VALUES)
    ended = apply(items, contract)

    assert (ended.stderr, kept(items), items.run(VALUES)) == ("", [], rows)
    items.run("UPDATE items SET was_pages = 3 WHERE id = 1")  # the application goes on


FORBIDDEN = {
    "column i of table snaps": "CREATE TABLE snaps (i items); INSERT INTO snaps SELECT i FROM items AS i",
    "column i of composite type snap": "CREATE TYPE snap AS (i items[])",
    "generated column twice": "ALTER TABLE items ADD COLUMN twice integer GENERATED ALWAYS AS (pages * 2) STORED",
}


@pytest.mark.parametrize("mode", ["atomic", "online"])
@pytest.mark.parametrize("what", FORBIDDEN)
def test_what_forbids_another_type_is_named_before_anything_is_changed(
    items: Database, contract: Path, what: str, mode: str
) -> None:
    items.run(FORBIDDEN[what])
    before = items.dump()
    ended = apply(items, contract, mode)

    assert what in ended.stderr
    assert (ended.returncode, items.dump()) == (1, before)


# ---- what comes about while the run is on


MADE = {
    "a check": ("ALTER TABLE items ADD CHECK (pages > 0)", "UPDATE items SET pages = -1"),
    "a unique index": ("CREATE UNIQUE INDEX u ON items (pages)", "UPDATE items SET pages = 2 WHERE id = 1"),
    "a foreign key": (
        "CREATE TABLE targets AS SELECT id FROM items; ALTER TABLE targets ADD PRIMARY KEY (id);"
        "ALTER TABLE items ADD FOREIGN KEY (pages) REFERENCES targets",
        "UPDATE items SET pages = 500 WHERE id = 1",
    ),
}


@pytest.mark.parametrize("what", MADE)
def test_a_constraint_that_is_made_meanwhile_holds_for_the_new_column(
    items: Database, contract: Path, what: str
) -> None:
    process = dozing(items, contract, "VALIDATE CONSTRAINT")
    items.run(MADE[what][0])
    process.communicate(timeout=60)

    assert process.returncode == 0
    with pytest.raises(Exception, match="violates"):
        items.run(MADE[what][1])


def test_a_default_that_is_set_meanwhile_is_that_of_the_new_column(items: Database, contract: Path) -> None:
    process = dozing(items, contract, "VALIDATE CONSTRAINT")
    items.run("ALTER TABLE items ALTER COLUMN pages SET DEFAULT 42")
    process.communicate(timeout=60)

    assert process.returncode == 0
    assert items.run("INSERT INTO items (title) VALUES ('x') RETURNING pages") == [(42,)]


def test_a_trigger_that_is_made_meanwhile_does_not_part_the_two_columns(items: Database, contract: Path) -> None:
    process = dozing(items, contract, "VALIDATE CONSTRAINT")
    items.run(IN_PLACE["a trigger that fires after ours"])
    items.run("UPDATE items SET title = 'x' WHERE id = 4")
    process.communicate(timeout=60)

    assert (process.returncode, kept(items)) == (0, [])
    assert items.run("SELECT id, pages FROM items WHERE id > 3 ORDER BY id") == [(4, 8), (5, 5)]


BROUGHT_BACK = {
    "view v": ("CREATE VIEW v AS SELECT pages FROM items", "SELECT pg_typeof(pages)::text FROM v LIMIT 1", "integer"),
    "policy few": (
        "CREATE POLICY few ON items USING (pages < 100)",
        "SELECT pg_get_expr(polqual, polrelid) FROM pg_policy",
        "(pages < 100)",
    ),
}


@pytest.mark.parametrize("what", BROUGHT_BACK)
def test_what_comes_back_after_a_conversion_may_also_be_made_meanwhile(
    items: Database, contract: Path, what: str
) -> None:
    made, shown, expected = BROUGHT_BACK[what]
    process = dozing(items, contract, "VALIDATE CONSTRAINT")
    items.run(made)
    process.communicate(timeout=60)

    assert (process.returncode, kept(items), items.run(shown)) == (0, [], [(expected,)])


SHOWN = {
    "publication": "CREATE PUBLICATION p FOR TABLE items (id, pages)",
    "trigger t": "CREATE TRIGGER t BEFORE UPDATE OF pages ON items FOR EACH ROW"
    " EXECUTE FUNCTION suppress_redundant_updates_trigger()",
}


@pytest.mark.parametrize("what", SHOWN)
def test_what_would_stay_with_the_old_column_stops_the_run_by_its_name(
    items: Database, contract: Path, what: str
) -> None:
    rows = items.run(VALUES)
    process = dozing(items, contract, "VALIDATE CONSTRAINT")
    items.run(SHOWN[what])
    _, said = process.communicate(timeout=60)

    assert what in said
    assert (process.returncode, kept(items), items.run(VALUES)) == (1, [], rows)


def test_what_was_proved_is_proved_again_where_the_run_was_cut_short(items: Database, contract: Path) -> None:
    items.run("CREATE TABLE targets AS SELECT id FROM items; ALTER TABLE targets ADD PRIMARY KEY (id)")
    items.run("ALTER TABLE items ADD CHECK (pages > 0), ADD FOREIGN KEY (pages) REFERENCES targets")
    query = "SELECT conname, convalidated FROM pg_constraint WHERE conrelid = 'items'::regclass ORDER BY 1"
    before = items.run(query)
    process = dozing(items, contract, "VALIDATE CONSTRAINT .*check")
    ends(items, process, "kill -9")
    items.run("DROP EVENT TRIGGER doze")
    open_ = items.run(query)

    assert open_ != before
    assert (apply(items, contract).stderr, items.run(query)) == ("", before)


def test_a_writer_may_read_texts_by_older_rules(items: Database, contract: Path) -> None:
    items.run("ALTER TABLE items ALTER COLUMN pages TYPE text")
    by_older_rules = "SET standard_conforming_strings = off; SET escape_string_warning = off;"
    with Writer(items, f"{by_older_rules} UPDATE items SET pages = '3' WHERE id = 2") as writer:
        wait_for(lambda: writer.went_in > 20)
        ended = apply(items, contract)

    assert (ended.stderr, writer.refused, kept(items)) == ("", 0, ["pgmend_was_pages"])


# ---- rows that come in by the places of their columns


BY_PLACE = "INSERT INTO items VALUES (100, 77, 1, 2, 3, 'by its place')"


@pytest.mark.parametrize("default", ["", "ALTER TABLE items ALTER COLUMN pages SET DEFAULT 7"], ids=["none", "one"])
def test_a_value_that_comes_in_by_its_place_is_in_the_new_column(items: Database, contract: Path, default: str) -> None:
    items.run(default or "SELECT 1")
    apply(items, contract)
    items.run(BY_PLACE)

    assert items.ask("SELECT pages FROM items WHERE id = 100") == 77
    assert items.run("INSERT INTO items (pages) VALUES (78), (NULL) RETURNING pages") == [(78,), (None,)]
    assert undo(items, 1, "-q").stderr == ""
    assert items.ask("SELECT pages FROM items WHERE id = 100") == 77


def test_a_key_that_comes_in_by_its_place_is_refused_and_says_why(items: Database, contract: Path) -> None:
    items.run("ALTER TABLE items ALTER COLUMN id TYPE smallint")
    apply(items, contract)
    with pytest.raises(Exception, match="by its place, which is that of pgmend_was_id now"):
        items.run(BY_PLACE)

    items.run("INSERT INTO items (pages) VALUES (78)")
    assert items.ask("SELECT count(*) FROM items") == 6


def test_nothing_of_it_is_left_once_the_run_is_pruned(items: Database, contract: Path) -> None:
    apply(items, contract)
    items.run(BY_PLACE)
    there = items.run(OURS)
    pruned = fixer("history", "--prune", "--yes", "--dsn", items.dsn)
    functions = "SELECT proname FROM pg_proc WHERE pronamespace = to_regnamespace('fixer_journal')"

    assert len(there) == 1
    assert pruned.returncode == 0
    assert {"triggers": items.run(OURS), "functions": items.run(functions)} == {"triggers": [], "functions": []}
    assert items.run("INSERT INTO items (pages) VALUES (78) RETURNING pages") == [(78,)]
    assert items.ask("SELECT pages FROM items WHERE id = 100") == 77


# ---- what constraints say beside their columns


HERE = """
ALTER TABLE items ADD COLUMN b smallint; UPDATE items SET b = id;
CREATE TABLE targets (id smallint, b smallint, PRIMARY KEY (id, b));
INSERT INTO targets SELECT n, n FROM generate_series(1, 5) AS n;
"""
KINDS = {
    "some columns are emptied": (
        "ALTER TABLE items ADD FOREIGN KEY (pages, b) REFERENCES targets ON DELETE SET NULL (b)"
    ),
    "the column itself is emptied": (
        "ALTER TABLE items ADD FOREIGN KEY (b, pages) REFERENCES targets (id, b) ON DELETE SET DEFAULT (pages)"
        " ON UPDATE CASCADE DEFERRABLE"
    ),
    "a check is not enforced": "ALTER TABLE items ADD CHECK (pages > 3) NOT ENFORCED",
    "a check is not inherited": "ALTER TABLE items ADD CHECK (pages > 0) NO INHERIT",
    "the planner was told": "ALTER TABLE items ALTER pages SET (n_distinct = 5, n_distinct_inherited = -0.5)",
}
SAID = """
SELECT conname::text, pg_get_constraintdef(oid), convalidated FROM pg_constraint WHERE conrelid = 'items'::regclass
UNION ALL SELECT attname, attoptions::text, attnotnull FROM pg_attribute WHERE attrelid = 'items'::regclass
 AND attname = 'pages' ORDER BY 1, 2
"""


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_constraint_says_beside_its_columns_goes_over(items: Database, contract: Path, kind: str) -> None:
    items.run(HERE + KINDS[kind])
    said, before = items.run(SAID), all_of(items)
    ended = apply(items, contract)

    assert (ended.stderr, items.run(SAID), kept(items)) == ("", said, ["pgmend_was_pages"])
    assert (undo(items, 1, "-q").stderr, all_of(items)) == ("", before)


# ---- indexes


INDEXES = "SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = 'items'::regclass ORDER BY 1"
UNIQUE = "DROP INDEX ii; CREATE UNIQUE INDEX ii ON items (pages, title)"


@pytest.mark.parametrize("now", [UNIQUE, "DROP INDEX ii; CREATE INDEX ii ON items (pages DESC)"])
def test_an_index_that_was_replaced_since_the_run_was_cut_short_is_the_one_that_goes_over(
    items: Database, contract: Path, now: str
) -> None:
    items.run("CREATE INDEX ii ON items (pages)")
    ends(items, dozing(items, contract, 'RENAME COLUMN "pages"'), "kill -9")
    items.run(f"DROP EVENT TRIGGER doze; {now}")
    wanted = [each for each in items.run(INDEXES) if "pgmend" not in each[0]]

    assert (apply(items, contract).stderr, items.run(INDEXES)) == ("", wanted)


def test_an_index_that_is_replaced_while_the_run_is_on_is_the_one_that_goes_over(
    items: Database, contract: Path
) -> None:
    items.run("CREATE INDEX ii ON items (pages)")
    process = dozing(items, contract, "CREATE INDEX CONCURRENTLY")
    items.run(UNIQUE)
    wanted = [each for each in items.run(INDEXES) if "pgmend" not in each[0]]
    process.communicate(timeout=60)

    assert (process.returncode, items.run(INDEXES)) == (0, wanted)


TREE = """
from sqlalchemy import Column, ForeignKeyConstraint, Integer, MetaData, Table, Text
metadata = MetaData()
key = [Column(name, Integer, primary_key=True, autoincrement=False) for name in ("tenant", "id")]
up = ForeignKeyConstraint(["tenant", "parent"], ["nodes.tenant", "nodes.id"], onupdate="CASCADE")
Table("nodes", metadata, *key, Column("parent", Integer), Column("title", Text), up)
"""
NODES = """
CREATE TABLE nodes (tenant smallint, id smallint, parent smallint, title text, PRIMARY KEY (tenant, id),
    CONSTRAINT up FOREIGN KEY (tenant, parent) REFERENCES nodes ON UPDATE CASCADE);
CREATE INDEX whole ON nodes (id, title, tenant);
CREATE TABLE leaves (tenant smallint, alt smallint, node smallint,
    CONSTRAINT la FOREIGN KEY (tenant, alt) REFERENCES nodes ON DELETE SET NULL (alt));
INSERT INTO nodes SELECT t, n, nullif(n / 2, 0), 'n' || n FROM generate_series(1, 3) AS t, generate_series(1, 9) AS n;
INSERT INTO leaves SELECT tenant, id, id FROM nodes;
"""
KEPT = """
SELECT conname, pg_get_constraintdef(oid), convalidated FROM pg_constraint
 WHERE conrelid IN ('nodes'::regclass, 'leaves'::regclass) ORDER BY 1
"""


def test_two_columns_of_one_key_take_their_places_in_one_plan(items: Database, tmp_path: Path) -> None:
    (tmp_path / "things.py").write_text(TREE)
    items.run(NODES)
    query = "SELECT tenant, id, parent, title FROM nodes ORDER BY 1, 2"
    indexes = INDEXES.replace("items", "nodes")
    queries = {"rows": query, "constraints": KEPT, "indexes": indexes}
    shown, before = {name: items.run(each) for name, each in queries.items()}, all_of(items)
    ended = apply(items, tmp_path)

    assert ended.stderr == ""
    assert {name: items.run(each) for name, each in queries.items()} == shown
    assert items.ask("SELECT count(*) FROM pg_attribute WHERE attname ~ 'pgmend_was'") == 3
    assert items.ask("SELECT count(*) - count(DISTINCT step -> 'title') FROM fixer_journal.step") == 0
    assert (undo(items, 1, "-q").stderr, all_of(items)) == ("", before)


def test_what_cannot_be_proved_again_is_said_in_one_sentence(items: Database, contract: Path) -> None:
    items.run("ALTER TABLE items ADD CONSTRAINT large CHECK (pages > 0)")
    process = dozing(items, contract, "VALIDATE CONSTRAINT .*large")
    ends(items, process, "kill -9")
    items.run("DROP EVENT TRIGGER doze; ALTER TABLE items DROP CONSTRAINT large")
    items.run("UPDATE items SET pages = 0 WHERE id = 2")
    items.run("ALTER TABLE items ADD CONSTRAINT large CHECK (pages > 0) NOT VALID")
    ended = apply(items, contract)

    assert "prove large of items again" in ended.stderr
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    items.run("UPDATE items SET pages = 9 WHERE id = 2")
    assert apply(items, contract).stderr == ""
