"""Schemas, types and sequences that SQL wants: what is missing is created, and goes again at undo."""

from __future__ import annotations

from pathlib import Path

import pytest

import fixer as library
from fixer.connect.target import resolve
from lab.database import Database, lent_copy, role
from lab.laboratory import Laboratory
from lab.process import fixer
from lab.proof import Proof, place_of

KEPT = """
CREATE TABLE orders (id integer PRIMARY KEY, note text);
INSERT INTO orders SELECT n, 'x' FROM generate_series(1, 3) AS n;
"""
SCHEMA = """
CREATE SCHEMA "T%.ypes"; CREATE SCHEMA counters;
CREATE SEQUENCE counters.spare MINVALUE 5;
CREATE DOMAIN "T%.ypes"."Per""cent" AS numeric(5, 2) CONSTRAINT "at most" CHECK (VALUE <= 100);
CREATE DOMAIN "T%.ypes".half AS "T%.ypes"."Per""cent" DEFAULT 1 NOT NULL CHECK (VALUE <= 50);
CREATE TYPE "T%.ypes".size AS ENUM ('s', 'it''s');
CREATE TYPE "T%.ypes".box AS (of "T%.ypes".half, "S ize" "T%.ypes".size[], note text COLLATE "C");
CREATE SCHEMA alone; CREATE DOMAIN alone.word AS text CHECK (VALUE <> '');
CREATE TYPE span AS RANGE (SUBTYPE = float8, SUBTYPE_DIFF = float8mi);
CREATE TYPE mood AS ENUM ('well', 'ill');
CREATE DOMAIN code AS text DEFAULT 'c' || nextval('counters.spare');
CREATE TABLE orders (id integer PRIMARY KEY, note text, share "T%.ypes"."Per""cent",
    boxes "T%.ypes".box[], word alone.word);
CREATE TABLE "T%.ypes".waits (id integer PRIMARY KEY, at span, mood mood DEFAULT 'ill',
    half "T%.ypes".half DEFAULT 7, code code);
"""


def found(database: Database, contract: Path) -> dict[tuple[str, str], str]:
    """Give the repair of each finding: its label, or why a person decides."""
    report = library.check(resolve(database.dsn), str(contract))
    return {(each.slug, each.object): each.repair.refusal or each.repair.label for each in report.findings}


def types(database: Database) -> object:
    """Give the schemas, and the types and sequences of users, but for those of pgmend."""
    return database.ask(
        "SELECT array_agg(o ORDER BY o) FROM (SELECT nspname::text FROM pg_namespace WHERE nspname !~ '^(pg|fixer)_'"
        " UNION ALL SELECT t.oid::regtype::text FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace"
        " WHERE n.nspname !~ '^(pg|fixer)_' AND n.nspname <> 'information_schema'"
        " UNION ALL SELECT seqrelid::regclass::text FROM pg_sequence) AS o (o)"
    )


@pytest.mark.parametrize("mode", ["atomic", "online"])
def test_what_a_table_is_made_of_is_made_before_it(laboratory: Laboratory, tmp_path: Path, mode: str) -> None:
    """A domain over a domain, an enum within a composite type, a range; each in a schema that is missing as well."""
    contract = tmp_path / "schema.sql"
    contract.write_text(SCHEMA)
    with lent_copy(laboratory, 16, "types wanted", lambda database: database.run(KEPT)) as database:
        rights = ["GRANT CREATE ON DATABASE {} TO {{}}".format(database.ask("SELECT current_database()"))]
        rights += ["ALTER TABLE orders OWNER TO {}", "GRANT ALL ON SCHEMA public TO {}"]
        with role(database, *rights) as owner:
            before, said = types(database), found(database, contract)
            words = ("--contract", "schema.sql", "--dsn", database.seen_by(owner))
            hazards = "creates-schema,rewrites-table"
            ended = fixer("apply", "--mode", mode, "--yes", "-q", "--allow-hazards", hazards, *words, cwd=tmp_path)
            assert {slug for slug, _ in said} == {
                "missing-schema",
                "missing-sequence",
                "missing-type",
                "missing-table",
                "missing-column",
            }
            assert set(said.values()) <= {"automatic", "needs-hazard"}, said
            assert ended.stderr == ""
            assert (ended.returncode, ended.stderr, found(database, contract)) == (0, "", {})

            database.run("INSERT INTO \"T%.ypes\".waits VALUES (1, '[1,2)'); CREATE DOMAIN theirs AS text")
            database.run('TRUNCATE "T%.ypes".waits')
            undone = fixer("undo", "1", "--yes", "--dsn", database.seen_by(owner), cwd=tmp_path)
            database.run("DROP DOMAIN theirs")
            assert undone.returncode == 0, undone.stderr
            assert types(database) == before


def test_a_type_that_calls_a_function_which_is_missing_is_for_a_person(laboratory: Laboratory, tmp_path: Path) -> None:
    """So is a column that would be converted to a type which only the plan creates."""
    contract = tmp_path / "schema.sql"
    contract.write_text(
        "CREATE FUNCTION fits(text) RETURNS boolean IMMUTABLE LANGUAGE sql AS 'SELECT true';"
        "CREATE DOMAIN fit AS text CHECK (fits(VALUE)); CREATE DOMAIN whole AS bigint CHECK (VALUE > 0);"
        "CREATE TABLE orders (id integer PRIMARY KEY, note whole, fit fit)"
    )
    with lent_copy(laboratory, 16, "types wanted", lambda database: database.run(KEPT)) as database:
        said = found(database, contract)

        database.run("CREATE TYPE pair AS (a integer, b text); ALTER TABLE orders ADD pair pair;")
        database.run("CREATE DOMAIN grade AS integer DEFAULT 1 CHECK (VALUE > 0); ALTER TABLE orders ADD grade grade")
        contract.write_text(
            "CREATE TYPE pair AS (a integer, b text, c date); CREATE TYPE span AS RANGE (SUBTYPE = float8);"
            "CREATE DOMAIN grade AS integer DEFAULT 2 CHECK (VALUE > 0);"
            "CREATE TABLE orders (id integer PRIMARY KEY, note text, pair pair, grade grade, span span)"
        )
        other = found(database, contract)

    assert "ADD ATTRIBUTE" in other["different-type", "public.pair"]
    assert other["different-type", "public.grade"] == "automatic"
    assert other.keys() == {
        ("different-type", "public.grade"),
        ("different-type", "public.pair"),
        ("missing-type", "public.span"),
        ("missing-column", "public.orders.span"),
    }
    assert said["missing-type", "public.whole"] == "automatic"
    assert said["missing-type", "public.fit"].startswith(
        "it calls the function public.fits(text), which does not exist"
    )
    assert said["missing-column", "public.orders.fit"].startswith('fit is of the domain "public".fit, which does not')
    assert said["wrong-type", "public.orders.note"].startswith('rows get values of "public".whole, which does not')


def test_a_check_over_a_column_to_come_is_asked_although_its_enum_is_to_come_as_well(
    laboratory: Laboratory, tmp_path: Path
) -> None:
    contract = tmp_path / "schema.sql"
    contract.write_text(
        "CREATE SCHEMA \"o.x\"; CREATE TYPE mood AS ENUM ('a', 'b'); CREATE TYPE \"o.x\".\"Mo od\" AS ENUM ('a', 'b');"
        'CREATE TABLE orders (id integer PRIMARY KEY, note text, mood mood, moods "o.x"."Mo od"[],'
        " CHECK (mood IN ('a') IS TRUE OR id > 1),"
        " CHECK (moods <> '{a,b}' AND mood < 'b' AND note <> '::public.mood'))"
    )
    with lent_copy(laboratory, 16, "types wanted", lambda database: database.run(KEPT)) as database:
        database.run('CREATE SCHEMA "o.x"')
        said = found(database, contract)
        words = ("--yes", "-q", "--allow-hazards", "all", "--contract", "schema.sql", "--dsn", database.dsn)
        ended = fixer("apply", *words, cwd=tmp_path)
        left = database.ask("SELECT array_agg(id) FROM orders"), found(database, contract)

    assert {slug for slug, _ in said} == {"broken-check", "missing-check", "missing-column"}
    assert (ended.stderr, *left) == ("", [2, 3], {})


def test_a_type_in_a_schema_of_types_alone_is_missed(empty: Database, tmp_path: Path) -> None:
    """No table there needs it."""
    contract = tmp_path / "schema.sql"
    contract.write_text("CREATE SCHEMA types; CREATE DOMAIN types.word AS text; CREATE TABLE a (n int);")
    empty.run("CREATE SCHEMA types; CREATE TABLE a (n int); CREATE SCHEMA more; CREATE DOMAIN more.word AS text")
    missed = found(empty, contract)
    library.apply(resolve(empty.dsn), str(contract))

    assert (missed, found(empty, contract)) == ({("missing-type", "types.word"): "automatic"}, {})


@pytest.mark.parametrize(
    ("text", "slug"),
    [
        ("CREATE TYPE tone AS ENUM ('low', 'high')", "missing-type"),
        ("CREATE SEQUENCE counter INCREMENT 2", "missing-sequence"),
        ("CREATE FUNCTION one() RETURNS integer LANGUAGE sql AS 'SELECT 1'", "missing-function"),
        ("CREATE VIEW one AS SELECT 1 AS n", "missing-view"),
        ("CREATE AGGREGATE total (integer) (SFUNC = int4pl, STYPE = integer)", "missing-object"),
    ],
)
def test_a_contract_without_tables_counts(empty: Database, tmp_path: Path, text: str, slug: str) -> None:
    """The suite says so in an item of its own, as a table whose item would say it is not there."""
    contract = tmp_path / "schema.sql"
    contract.write_text(text)
    missed = {each for each, _ in found(empty, contract)}
    with place_of(empty.dsn, str(contract), tmp_path) as place:
        red = set(Proof(place).red)
    empty.run(text)

    assert (missed, found(empty, contract)) == ({slug}, {})
    assert red == {"nothing_else_is_wrong[beside tables]"}


def test_types_alone_are_created_and_go_again(empty: Database, tmp_path: Path) -> None:
    contract = tmp_path / "schema.sql"
    contract.write_text("CREATE TYPE tone AS ENUM ('low'); CREATE DOMAIN price AS integer CHECK (VALUE > 0);")
    before = types(empty)
    library.apply(resolve(empty.dsn), str(contract))
    kept = found(empty, contract), types(empty)
    library.undo(resolve(empty.dsn), 1)

    assert kept == ({}, ["information_schema", "price", "price[]", "public", "tone", "tone[]"])
    assert types(empty) == before
