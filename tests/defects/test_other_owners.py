"""What another role owns, or this one may not read: the refusal is a statement to paste, whatever the names."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection  # noqa: N812 - it is a class

import fixer
from lab.database import Database, lent, role
from lab.laboratory import VERSIONS, Laboratory

HOME = '"we""ird"'
WANTED = """
CREATE SCHEMA "we""ird"; CREATE SEQUENCE "we""ird"."Ids" INCREMENT BY 10;
CREATE TABLE "we""ird".tiles (id serial PRIMARY KEY); GRANT SELECT ON "we""ird".tiles TO pg_monitor;
CREATE TABLE "we""ird".heirs (id serial PRIMARY KEY, more integer) INHERITS ("we""ird".tiles)
"""
MADE = """
CREATE ROLE "{o}"; CREATE ROLE "{r}" LOGIN; CREATE SCHEMA "we""ird"; SET search_path = "we""ird";
CREATE SEQUENCE "Ids"; CREATE TABLE tiles (id serial PRIMARY KEY); ALTER TABLE tiles OWNER TO "{o}";
ALTER SEQUENCE "Ids" OWNER TO "{o}"; GRANT USAGE ON SCHEMA "we""ird" TO "{r}", "{o}";
GRANT SELECT ON tiles, tiles_id_seq, "Ids" TO "{r}"
"""

Roles = tuple[str, str]  # an owner, and a reader


@pytest.fixture
def database(laboratory: Laboratory) -> Iterator[Database]:
    with lent(laboratory.server(max(VERSIONS)), None) as database:
        yield database


@pytest.fixture
def roles(database: Database) -> Iterator[Roles]:
    """Lend an owner of things and a reader of them, whose names SQL has to quote."""
    owner, reader = (f"Odd {word} {os.urandom(4).hex()}" for word in ("owner", "reader"))
    database.run(MADE.format(o=owner, r=reader))
    yield owner, reader
    database.run(f'DROP OWNED BY "{owner}", "{reader}"; DROP ROLE "{owner}", "{reader}"')


def refusals(database: Database, role: str, place: Path) -> dict[str, str]:
    """Return why a role cannot repair it, by the defect."""
    (place / "schema.sql").write_text(WANTED)
    with closing(psycopg2.connect(database.seen_by(role))) as connection:
        found = fixer.plan(connection, str(place / "schema.sql")).findings
    return {each.slug: str(each.repair.refusal) for each in found if each.repair.refusal}


def test_whoever_lacks_membership_is_told_how_to_get_it(
    database: Database, roles: tuple[str, str], tmp_path: Path
) -> None:
    owner, reader = roles
    told = refusals(database, reader, tmp_path)

    way = f'it belongs to "{owner}": GRANT "{owner}" TO "{reader}"; then plan again'
    assert (told["different-sequence"], told["missing-grant"]) == (way, way)
    assert told["missing-inheritance"] == f"tiles: {way}"


def test_whoever_may_not_read_a_sequence_is_told_how_to(
    database: Database, roles: tuple[str, str], tmp_path: Path
) -> None:
    _, reader = roles
    database.run(f'ALTER SEQUENCE {HOME}."Ids" OWNER TO "{reader}"; REVOKE ALL ON {HOME}."Ids" FROM "{reader}"')

    assert refusals(database, reader, tmp_path)["different-sequence"] == (
        f'GRANT SELECT ON SEQUENCE {HOME}."Ids" TO "{reader}"; GRANT USAGE ON SCHEMA {HOME} TO "{reader}";'
        " then check again"
    )


OPEN = """
CREATE SCHEMA "we""ird"; CREATE SEQUENCE "we""ird".lone; CREATE VIEW "we""ird".seen AS SELECT 1 AS one;
CREATE FUNCTION "we""ird".f() RETURNS integer LANGUAGE sql AS 'SELECT 1';
"""
GRANTS = """
GRANT USAGE ON SCHEMA "we""ird", public TO pg_monitor; GRANT USAGE ON SEQUENCE "we""ird".lone TO pg_monitor;
GRANT SELECT ON "we""ird".seen TO pg_monitor; GRANT EXECUTE ON FUNCTION "we""ird".f() TO pg_monitor
"""


def test_no_grant_is_promised_on_what_others_own(database: Database, tmp_path: Path) -> None:
    (tmp_path / "schema.sql").write_text(f"CREATE TABLE here (id integer); {OPEN}{GRANTS}")
    with role(database) as owner, role(database) as reader:
        given = "SCHEMA {0}", "SEQUENCE {0}.lone", "VIEW {0}.seen", "FUNCTION {0}.f()"
        give = "; ".join(f"ALTER {each.format(HOME)} OWNER TO {owner}" for each in given)
        database.run(f"CREATE TABLE here (id integer); ALTER TABLE here OWNER TO {reader}; {OPEN}{give}")
        database.run(f"ALTER DATABASE {database.name} OWNER TO {owner}; GRANT USAGE ON SCHEMA {HOME} TO {reader}")
        with closing(psycopg2.connect(database.seen_by(reader))) as connection:
            found = fixer.plan(connection, str(tmp_path / "schema.sql")).findings
        told = {each.object: each.repair.refusal for each in found if each.slug == "missing-grant"}
        database.run(f"ALTER DATABASE {database.name} OWNER TO postgres")

        way = f"it belongs to {owner}: GRANT {owner} TO {reader}; then plan again"
        home = HOME.strip('"').replace('""', '"')
        assert told == dict.fromkeys((home, "public", f"{home}.lone", f"{home}.seen", f"{home}.f()"), way)


MADE_BESIDE = {
    "a view": "CREATE VIEW app.seen AS SELECT id FROM app.tiles",
    "a function": "CREATE FUNCTION app.f() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
    "a sequence": "CREATE SEQUENCE app.lone",
    "a type": "CREATE TYPE app.mood AS ENUM ('good')",
    "a table": "CREATE TABLE app.more (id serial PRIMARY KEY)",
    "all in a new schema": "CREATE SCHEMA more; CREATE SEQUENCE more.lone; CREATE TYPE more.pair AS (a integer);"
    "CREATE TABLE more.tiles (id serial PRIMARY KEY); CREATE VIEW more.seen AS SELECT id FROM app.tiles",
}


@pytest.mark.parametrize("made", MADE_BESIDE)
def test_nothing_is_promised_to_an_owner_to_whom_it_cannot_be_given(
    database: Database, tmp_path: Path, made: str
) -> None:
    """What is said in place of it is enough: then all is made, and belongs to the owner of the rest."""
    base = "CREATE SCHEMA app; CREATE TABLE app.tiles (id serial PRIMARY KEY);"
    (tmp_path / "schema.sql").write_text(base + MADE_BESIDE[made])
    with role(database) as owner, role(database) as maker:
        database.run(f"{base} ALTER TABLE app.tiles OWNER TO {owner}; GRANT ALL ON SCHEMA app TO {maker}")
        database.run(f"GRANT SELECT ON app.tiles TO {maker}; GRANT CREATE ON DATABASE {database.name} TO {maker}")
        with closing(psycopg2.connect(database.seen_by(maker))) as connection:
            ways = set[str]()
            while refused := list(plan(connection, tmp_path)):
                assert not ways.issuperset(refused)
                ways.update(refused)
                database.run(";".join(re.findall(r"GRANT [^;,]*", "; ".join(refused))))
            fixer.apply(connection, str(tmp_path / "schema.sql"), allow_hazards="all")

        assert ways
        assert {owner} == owners(database)


def plan(connection: Connection, place: Path) -> Iterator[str]:
    """Yield the statements that a plan asks for."""
    for each in fixer.plan(connection, str(place / "schema.sql")).findings:
        if each.repair.refusal and "GRANT" in each.repair.refusal:
            yield each.repair.refusal


def owners(database: Database) -> set[str]:
    """Return who owns what stands in the schemas app and more, and the schema more itself."""
    found = database.run(
        "SELECT o.owner::regrole::text FROM (SELECT relowner, relnamespace FROM pg_class"
        " UNION ALL SELECT proowner, pronamespace FROM pg_proc UNION ALL SELECT typowner, typnamespace FROM pg_type"
        " UNION ALL SELECT nspowner, oid FROM pg_namespace WHERE nspname = 'more') AS o (owner, home)"
        " JOIN pg_namespace n ON n.oid = o.home WHERE n.nspname IN ('app', 'more')"
    )
    return {owner for (owner,) in found}
