"""Code that SQL or another database declares: found, created, replaced with permission, and taken back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
from sqlalchemy import DDL, Column, Integer, MetaData, Table, event

from fixer.contract import prepare
from fixer.model.schema.code import Code, Key, same
from lab.commands import psql
from lab.database import Database, lent_copy, role
from lab.evidence.dumps import dump
from lab.evidence.facts import facts
from lab.laboratory import Laboratory
from lab.process import fixer

SCHEMA = """
CREATE SCHEMA api;
CREATE TYPE public.mood AS ENUM ('good', 'bad');
CREATE FUNCTION public.code() RETURNS text LANGUAGE sql AS $$ SELECT 'x' $$;
CREATE TABLE public.books (id serial PRIMARY KEY, code text DEFAULT public.code(), mood mood, at timestamptz);
CREATE FUNCTION api.moods(m mood DEFAULT 'good') RETURNS SETOF books LANGUAGE sql SECURITY DEFINER
    AS $$ SELECT * FROM public.books WHERE mood = m -- 100 % of "them" $$;
REVOKE ALL ON FUNCTION api.moods(mood) FROM PUBLIC;
CREATE FUNCTION public.stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.at := now(); RETURN NEW; END $$;
CREATE VIEW api."all.books" AS SELECT id, code, extract(year FROM at) AS year FROM public.books;
CREATE VIEW api.a_few WITH (security_barrier) AS SELECT id FROM api."all.books" WHERE id < 3;
CREATE TRIGGER "At %" BEFORE INSERT ON public.books FOR EACH ROW EXECUTE FUNCTION public.stamp();
ALTER TABLE public.books ENABLE ROW LEVEL SECURITY;
CREATE POLICY open ON public.books USING (mood = 'good' OR id = 1);
"""
ROWS = "INSERT INTO books (mood) SELECT 'good' FROM generate_series(1, 4);"
WOUNDS = """
DROP VIEW api.a_few; DROP VIEW api."all.books"; DROP FUNCTION api.moods(mood); DROP FUNCTION code() CASCADE;
DROP POLICY open ON books; ALTER TABLE books DISABLE ROW LEVEL SECURITY, DISABLE TRIGGER "At %";
CREATE OR REPLACE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
COMMENT ON FUNCTION stamp() IS 'it was there';
CREATE TABLE beyond (a integer); CREATE VIEW beyond_too AS SELECT a FROM beyond;
"""
FOUND = {
    ("missing-function", "public.code()"),
    ("missing-default", "public.books.code"),
    ("missing-function", "api.moods(public.mood)"),
    ("missing-view", "api.all.books"),
    ("missing-view", "api.a_few"),
    ("different-function", "public.stamp()"),
    ("missing-policy", "public.books.open"),
    ("missing-row-security", "public.books.ENABLE ROW LEVEL SECURITY"),
    ("disabled-trigger", "public.books.At %"),
}


@pytest.fixture
def made(laboratory: Laboratory) -> Iterator[Database]:
    with lent_copy(laboratory, 18, "code", lambda database: database.run(SCHEMA + ROWS)) as database:
        yield database


def found(database: Database, cwd: Path, contract: str = "schema.sql", *words: str) -> set[tuple[str, str]]:
    """Return slug and object of each finding that is no mere note."""
    ended = fixer("check", "--format", "json", "--contract", contract, *words, "--dsn", database.dsn, cwd=cwd)
    assert ended.returncode in (0, 1), ended.stderr
    return {(f["slug"], f["object"]) for f in json.loads(ended.stdout)["findings"] if f["severity"] != "info"}


@pytest.mark.parametrize("mode", ["atomic", "online"])
def test_code_is_found_mended_and_taken_back(made: Database, tmp_path: Path, mode: str) -> None:
    (tmp_path / "schema.sql").write_text(SCHEMA)
    words = ("--contract", "schema.sql", "--dsn", made.dsn)
    sound = found(made, tmp_path)
    made.run(WOUNDS)
    broken, before = found(made, tmp_path), facts(made.dump())
    refused = fixer("apply", "--yes", "-q", *words, cwd=tmp_path)
    untouched = facts(made.dump())
    ended = fixer("apply", "--yes", "-q", "--mode", mode, "--allow-hazards", "replaces-code", *words, cwd=tmp_path)
    whole, acting = found(made, tmp_path), made.ask("INSERT INTO books (id) VALUES (99) RETURNING at IS NOT NULL")
    made.run("DELETE FROM books WHERE id = 99")
    back = fixer("undo", "--yes", "-q", "1", "--dsn", made.dsn)
    after = facts(dump(made.server, made.name, "--exclude-schema=fixer_*"))

    assert (sound, broken) == (set(), FOUND)
    assert (refused.returncode, untouched) == (1, before)
    assert "replaces-code" in refused.stderr
    assert (ended.returncode, ended.stderr, whole, acting) == (0, "", set(), True)
    assert (back.returncode, back.stderr, after) == (0, "", before)


APART = """
CREATE SCHEMA "o.x";
CREATE DOMAIN "o.x".pos AS integer CHECK (VALUE > 0);
CREATE TYPE pair AS (x "o.x".pos, y integer);
CREATE TABLE public.books (id serial PRIMARY KEY, n integer);
CREATE TABLE public.pairs (id integer PRIMARY KEY, pair pair);
CREATE FUNCTION "o.x".f(k "o.x".pos) RETURNS "o.x".pos LANGUAGE plpgsql AS 'BEGIN RETURN k; END';
CREATE FUNCTION "o.x".g(k pair[]) RETURNS pair LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE FUNCTION "o.x".same() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE VIEW "o.x".v AS SELECT id, "o.x".f(n) AS q FROM books;
CREATE TRIGGER same BEFORE UPDATE ON books FOR EACH ROW EXECUTE FUNCTION "o.x".same();
GRANT USAGE ON SCHEMA "o.x" TO PUBLIC; GRANT SELECT ON "o.x".v TO PUBLIC;
"""


def test_one_plan_creates_code_with_its_schema_and_its_types(empty: Database, tmp_path: Path) -> None:
    """None of its tables is in that schema; undo drops the functions before the types that they take."""
    (tmp_path / "schema.sql").write_text(APART)
    empty.run("CREATE TABLE books (id serial PRIMARY KEY, n integer); INSERT INTO books (n) VALUES (1)")
    before = facts(dump(empty.server, empty.name))
    words = ("--yes", "-q", "--allow-hazards", "all", "--contract", "schema.sql", "--dsn", empty.dsn)
    ended = fixer("apply", *words, cwd=tmp_path)
    left = found(empty, tmp_path)
    back = fixer("undo", "--yes", "-q", "1", "--dsn", empty.dsn)

    assert (ended.stderr, left, back.stderr) == ("", set(), "")
    assert facts(dump(empty.server, empty.name, "--exclude-schema=fixer_*")) == before


def test_a_script_mends_code(made: Database, tmp_path: Path) -> None:
    (tmp_path / "schema.sql").write_text(SCHEMA)
    words = ("--contract", "schema.sql", "--dsn", made.dsn, "--sql", "mend.sql")
    made.run(WOUNDS)
    planned = fixer("plan", *words, cwd=tmp_path)
    ended = psql(made, tmp_path / "mend.sql")

    assert (planned.returncode, ended.returncode) == (1, 0), ended.stderr
    assert found(made, tmp_path) == set()


@pytest.mark.parametrize("mode", ["atomic", "online", "script"])
def test_a_schema_that_is_missing_comes_with_its_code(made: Database, tmp_path: Path, mode: str) -> None:
    """One of code alone, which no table of the contract names, and one of a table, a sequence and a type."""
    (tmp_path / "schema.sql").write_text(
        f"""{SCHEMA} CREATE SCHEMA "o.dd"; CREATE SEQUENCE "o.dd".spare;
        CREATE DOMAIN "o.dd".part AS int CHECK (VALUE > 0);
        CREATE FUNCTION "o.dd".first() RETURNS int LANGUAGE sql AS 'SELECT 1';
        CREATE TABLE "o.dd".parts (id serial PRIMARY KEY, part "o.dd".part DEFAULT "o.dd".first());"""
    )
    words = ("--contract", "schema.sql", "--dsn", made.dsn)
    made.run("DROP SCHEMA api CASCADE")
    before = facts(made.dump())
    if mode == "script":
        planned = fixer("plan", *words, "--sql", "mend.sql", cwd=tmp_path)
        assert planned.returncode == 1, planned.stderr
        ended = psql(made, tmp_path / "mend.sql")
    else:
        ended = fixer("apply", "--yes", "-q", "--mode", mode, "--allow-hazards", "creates-schema", *words, cwd=tmp_path)
    whole = found(made, tmp_path)

    assert (ended.returncode, ended.stderr, whole) == (0, "", set())
    if mode != "script":
        back = fixer("undo", "--yes", "-q", "1", "--dsn", made.dsn)
        after = facts(dump(made.server, made.name, "--exclude-schema=fixer_*"))
        assert (back.returncode, back.stderr, after) == (0, "", before)


def test_grants_are_wanted_and_a_role_that_is_missing_is_told_once(made: Database, tmp_path: Path) -> None:
    with role(made) as there:
        (tmp_path / "schema.sql").write_text(
            f"{SCHEMA} GRANT SELECT ON books, api.a_few TO {there}, pgmend_nobody;GRANT USAGE ON SCHEMA api TO {there};"
        )
        lacking = found(made, tmp_path)
        ended = fixer("apply", "--yes", "-q", "--contract", "schema.sql", "--dsn", made.dsn, cwd=tmp_path)
        left = found(made, tmp_path)
        made.run(f"DROP OWNED BY {there}")

    assert lacking == {
        ("missing-grant", "public.books"),
        ("missing-grant", "api.a_few"),
        ("missing-grant", "api"),
    }
    assert (ended.returncode, ended.stderr, left) == (0, "", {("missing-grant", "api.a_few")})


def test_code_is_excluded_and_is_none_of_models_and_of_self(made: Database, tmp_path: Path) -> None:
    (tmp_path / "schema.sql").write_text(SCHEMA)
    (tmp_path / "pyproject.toml").write_text('[tool.pgmend]\nexclude = ["api.*"]\n')
    metadata = MetaData()
    event.listen(metadata, "after_create", DDL("CREATE VIEW listened AS SELECT 1 AS a"))
    Table("books", metadata, Column("id", Integer, primary_key=True))
    made.run(WOUNDS)
    ended = fixer("check", "--format", "json", "--dsn", made.dsn, cwd=tmp_path, env={"PGMEND_CONTRACT": "schema.sql"})
    with closing(psycopg2.connect(made.dsn)) as connection:
        codes = [prepare(source, connection).schema.code for source in (metadata, "self")]

    kept = {pair for pair in FOUND if not pair[1].startswith("api.")}
    assert {(f["slug"], f["object"]) for f in json.loads(ended.stdout)["findings"] if f["severity"] != "info"} == kept
    assert codes == [None, None]


def test_servers_of_several_versions_print_one_view_otherwise() -> None:
    def view(definition: str) -> Code:
        return Code(Key("view", "public", "v", ""), "VIEW", "public.v", definition, (), "")

    plain, full = view(" SELECT id,\n    (a + 1)\n FROM t"), view(" SELECT t.id,\n    t.a + 1\n FROM t;")
    called, spelt = view("SELECT date_part('year'::text, t.at) FROM t"), view("SELECT EXTRACT(year FROM at) FROM t")

    assert (same(plain, full), same(plain, full, {15, 18}), same(plain, called, {13, 18})) == (False, True, False)
    assert (same(called, spelt, {13, 18}), same(called, spelt, {15, 18})) == (True, False)


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("SELECT a UNION ALL SELECT NULL::integer", "SELECT a UNION ALL SELECT NULL::integer AS int4", True),
        ("SELECT a UNION (SELECT 1, 2 AS b WHERE c)", "SELECT a UNION (SELECT 1 AS x, 2 WHERE c)", True),
        ("SELECT a FROM (SELECT b EXCEPT SELECT 1) q", "SELECT a FROM (SELECT b EXCEPT SELECT 1 AS c) q", True),
        ("SELECT a INTERSECT SELECT b", "SELECT a INTERSECT SELECT c AS b", False),
        ("SELECT a UNION SELECT b", "SELECT a AS b UNION SELECT b", False),
        ("SELECT a FROM b UNION SELECT 1 FROM c", "SELECT a FROM b UNION SELECT 1 FROM c AS d", False),
        ("SELECT a UNION SELECT f(( SELECT q FROM (SELECT 1) q))",
         "SELECT a UNION SELECT f(( SELECT q FROM (SELECT 1 AS b) q))", False),
        ("SELECT a, (SELECT 1 UNION SELECT 2), 3", "SELECT a, (SELECT 1 UNION SELECT 2), 3 AS b", False),
        ("SELECT a FROM (SELECT 1 UNION VALUES (2)) q, (SELECT 3) r",
         "SELECT a FROM (SELECT 1 UNION VALUES (2)) q, (SELECT 3 AS b) r", False),
    ],
)  # fmt: skip
def test_names_that_only_a_later_select_of_a_union_has_make_no_difference(one: str, other: str, alike: bool) -> None:
    views, texts = [
        [Code(Key(kind, "public", "v", ""), kind.upper(), "public.v", said, (), "") for said in (one, other)]
        for kind in ("view", "function")
    ]

    assert (same(*views), same(*texts)) == (alike, False)


def test_what_needs_code_that_is_left_out_is_left_out_with_it(made: Database, tmp_path: Path) -> None:
    (tmp_path / "schema.sql").write_text(SCHEMA)
    made.run('DROP VIEW api.a_few; DROP VIEW api."all.books"; DROP TRIGGER "At %" ON books; DROP POLICY open ON books')
    words = ("--skip", "missing-view:api.all.books", "--skip", "missing-trigger", "--contract", "schema.sql")
    ended = fixer("apply", "--yes", "-q", *words, "--dsn", made.dsn, cwd=tmp_path)

    assert ended.returncode == 1
    assert found(made, tmp_path) == {
        ("missing-view", "api.all.books"),
        ("missing-view", "api.a_few"),
        ("missing-trigger", "public.books.At %"),
    }


CALLING = """
CREATE FUNCTION "pl%us"(a integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT a + 1';
CREATE TABLE goods (id integer PRIMARY KEY, n integer CHECK ("pl%us"(n) > 0));
CREATE UNIQUE INDEX ON goods ("pl%us"(n)) WHERE "pl%us"(n) > 3;
"""


@pytest.mark.parametrize("mode", ["atomic", "online"])
def test_a_function_to_come_is_asked_of_no_row_where_there_is_none(empty: Database, tmp_path: Path, mode: str) -> None:
    (tmp_path / "schema.sql").write_text(CALLING)
    empty.run("CREATE TABLE goods (id integer PRIMARY KEY, n integer)")
    words = ("--contract", "schema.sql", "--dsn", empty.dsn)
    found = fixer("check", *words, cwd=tmp_path).returncode
    ended = fixer("apply", "--yes", "-q", "--mode", mode, *words, cwd=tmp_path)
    undone = fixer("undo", "1", "--yes", "-q", "--dsn", empty.dsn, cwd=tmp_path)

    assert (found, ended.returncode, ended.stderr, undone.returncode) == (1, 0, "", 0)
    assert empty.ask("SELECT count(*) FROM pg_proc WHERE proname = 'pl%us'") == 0


def test_rows_that_only_a_function_to_come_can_judge_wait_for_it(empty: Database, tmp_path: Path) -> None:
    (tmp_path / "schema.sql").write_text(CALLING)
    empty.run("CREATE TABLE goods (id integer PRIMARY KEY, n integer); INSERT INTO goods VALUES (1, -5)")
    words = ("--yes", "-q", "--contract", "schema.sql", "--dsn", empty.dsn)
    refused = fixer("apply", *words, cwd=tmp_path)
    first = fixer("apply", "--only", "missing-function", *words, cwd=tmp_path)
    then = fixer("apply", "--allow-hazards", "moves-rows", *words, cwd=tmp_path)

    assert "create it first: fixer apply --only missing-function; then plan again" in refused.stderr
    assert (refused.returncode, first.returncode, then.returncode, then.stderr) == (1, 1, 0, "")
    assert empty.ask("SELECT count(*) FROM fixer_quarantine.goods") == 1


STORED = """
CREATE TABLE "Lo%gs" (id integer PRIMARY KEY, n numeric(9, 2), note text) WITH (fillfactor = 70);
ALTER TABLE "Lo%gs" ALTER note SET STORAGE EXTERNAL, ALTER n SET STATISTICS 300;
"""
_KEPT = """
SELECT ARRAY (SELECT concat_ws(' ', reloptions, attname, attstorage, to_jsonb(a) ->> 'attstattarget')
                FROM pg_class c JOIN pg_attribute a ON attrelid = c.oid
               WHERE relname = 'Lo%gs' AND attname IN ('n', 'note') ORDER BY 1)
"""
_TOLD = ["{fillfactor=70} n m 300", "{fillfactor=70} note e"]


@pytest.mark.parametrize("mode", ["atomic", "online"])
@pytest.mark.parametrize(
    "made",
    [
        "",
        'CREATE TABLE "Lo%gs" (id integer PRIMARY KEY, n numeric(9, 2), note text)',
        'CREATE TABLE "Lo%gs" (id integer PRIMARY KEY, n real, note text);ALTER TABLE "Lo%gs" ALTER n SET STATISTICS 7',
    ],
)
def test_a_table_is_stored_as_the_contract_says(empty: Database, tmp_path: Path, made: str, mode: str) -> None:
    """Also one that is made, and a column that gets another type, which takes its own target with it."""
    (tmp_path / "schema.sql").write_text(STORED)
    empty.run(f"SELECT 1; {made}")
    words = ("--contract", "schema.sql", "--dsn", empty.dsn)
    ended = fixer("apply", "--yes", "-q", "--allow-hazards", "all", "--mode", mode, *words, cwd=tmp_path)
    told, again = empty.ask(_KEPT), fixer("check", "-q", *words, cwd=tmp_path).stdout
    undone = fixer("undo", "1", "--yes", "-q", "--dsn", empty.dsn)

    assert (ended.returncode, ended.stderr, undone.returncode, undone.stderr) == (0, "", 0, "")
    assert [each.rstrip() for each in told] == _TOLD
    assert "different-storage" not in again
