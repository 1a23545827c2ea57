"""What another role owns, or this one may not read: the refusal is a statement to paste, whatever the names."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

import fixer
from lab.database import Database, lent
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
