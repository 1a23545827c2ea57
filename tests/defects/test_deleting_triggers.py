"""Triggers that delete each new row afterwards are found however it is spelt; what deletes others is silence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import psycopg2
import pytest
from sqlalchemy import Column, Integer, MetaData, Table, Text

import fixer
from fixer import api
from fixer.model.contract import Contract
from lab.database import Database, lent
from lab.laboratory import Laboratory

SCHEMA = 's."x%'
PLACE, TABLE, ARCHIVE = '"s.""x%"', '"s.""x%"."T t.é%"', '"s.""x%".archive'
METADATA = MetaData(schema=SCHEMA)
Table(
    "T t.é%",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("Our Key", Text, nullable=False),
    Column("note", Text),
    postgresql_partition_by="RANGE (id)",
)
Table("log", METADATA, Column("id", Integer, primary_key=True, autoincrement=False), Column("note", Text))
MADE = f"""CREATE SCHEMA {PLACE};
    CREATE TABLE {TABLE} (id integer PRIMARY KEY, "Our Key" text NOT NULL, note text) PARTITION BY RANGE (id);
    CREATE TABLE {PLACE}.part PARTITION OF {TABLE} FOR VALUES FROM (0) TO (100);
    CREATE TABLE {PLACE}.log (id integer PRIMARY KEY, note text); CREATE TABLE {ARCHIVE} (LIKE {TABLE});
    CREATE SCHEMA old; CREATE TABLE old.log (LIKE {PLACE}.log);"""
ROW, ALL = "FOR EACH ROW", "REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT"


def trigger(body: str, each: str = ROW, of: str = TABLE, when: str = "", more: str = "") -> str:
    return (
        f'CREATE FUNCTION "f %"() RETURNS trigger LANGUAGE plpgsql {more} AS $$ {body} $$;'
        f'CREATE TRIGGER "t ""%" AFTER INSERT ON {of} {each} {when} EXECUTE FUNCTION "f %"();'
    )


def body(statement: str, declared: str = "") -> str:
    return f"{declared} BEGIN {statement}; RETURN NULL; END"


GONE = f"DELETE FROM {TABLE} WHERE id = NEW.id"
MOVED = f"INSERT INTO {ARCHIVE} SELECT NEW.*"
LOG = f"{PLACE}.log"
FOUND = {
    "by its key": trigger(body(GONE)),
    "it moves": trigger(body(f"{MOVED}; {GONE}")),
    "it moves at once": trigger(body(f"WITH gone AS ({GONE} RETURNING *) INSERT INTO {ARCHIVE} SELECT * FROM gone")),
    "by each cell that has a value, aliased": trigger(
        body(f'DELETE FROM ONLY {TABLE} AS t WHERE (t.id = new.id) AND NEW."Our Key" = t."Our Key"')
    ),
    "in small and over lines, after a comment": trigger(
        f"/* if */ begin\n -- case\n delete\nfrom {TABLE}\n where id\n=\nnew.id ;\n return new; end"
    ),
    "all": trigger(body(f"DELETE FROM {TABLE}")),
    "of a partition": trigger(body(GONE), of=f"{PLACE}.part"),
    "of a partition, by its name": trigger(
        body(f"DELETE FROM {PLACE}.part WHERE part.id = NEW.id"), of=f"{PLACE}.part"
    ),
    "for a statement": trigger(body(f"DELETE FROM {LOG} WHERE id IN (SELECT n.id FROM fresh n)"), ALL, LOG),
    "for a statement, joined": trigger(body(f"DELETE FROM {LOG} l USING fresh AS n WHERE l.id = n.id"), ALL, LOG),
    "whatever the value": trigger(body(f"DELETE FROM {LOG} WHERE note IS NOT DISTINCT FROM NEW.note"), of=LOG),
    "by its bare name": trigger(body("DELETE FROM log WHERE id = NEW.id"), of=LOG),
    "by its bare name, and a path": trigger(
        body("DELETE FROM log WHERE id = NEW.id"), of=LOG, more=f"SET search_path = pg_catalog, {PLACE}, old"
    ),
}
SILENT = {
    "of another table": trigger(body(f"DELETE FROM {ARCHIVE} WHERE id = NEW.id")),
    "of another schema": trigger(body("DELETE FROM old.log WHERE id = NEW.id"), of=LOG),
    "of another path": trigger(
        body("DELETE FROM log WHERE id = NEW.id"), of=LOG, more=f"SET search_path = old, {PLACE}"
    ),
    "in a branch": trigger(body(f"IF NEW.note = 'x' THEN {GONE}; END IF")),
    "where it says when": trigger(body(GONE), when="WHEN (NEW.note = 'x')"),
    "what is not the new row": trigger(body(f"DELETE FROM {TABLE} WHERE id <> NEW.id")),
    "what was before it": trigger(body(f'DELETE FROM {TABLE} WHERE "Our Key" = NEW."Our Key" AND id < NEW.id')),
    "the old ones": trigger(body(f"DELETE FROM {TABLE} WHERE note < (now() - interval '1 day')::text")),
    "or others": trigger(body(f"DELETE FROM {TABLE} WHERE id = NEW.id AND note IS NULL OR note = ''")),
    "what may be NULL": trigger(body(f"DELETE FROM {TABLE} WHERE note = NEW.note")),
    "by another column": trigger(body(f'DELETE FROM {TABLE} WHERE note = NEW."Our Key"')),
    "by itself": trigger(body(f"DELETE FROM {TABLE} WHERE NEW.id = NEW.id AND id = id AND false")),
    "by a number of its own": trigger(body(f"DELETE FROM {TABLE} WHERE id = other", "DECLARE other int := 7;")),
    "some of a statement": trigger(
        body(f"DELETE FROM {LOG} WHERE id IN (SELECT n.id FROM fresh n WHERE n.id < 0)"), ALL, LOG
    ),
    "as a string": trigger(body(f"PERFORM $q${GONE}$q$".replace("$q$", "'").replace('"', "")), of=LOG),
    "never": trigger(f"BEGIN RETURN NULL; {GONE}; RETURN NULL; END"),
    "if it can be": trigger(f"BEGIN {GONE}; RETURN NULL; EXCEPTION WHEN others THEN RETURN NULL; END"),
    "and puts it back": trigger(body(f"{GONE}; INSERT INTO {TABLE} VALUES (NEW.*)"), when="WHEN (true)"),
    "off": trigger(body(GONE)) + f'ALTER TABLE {TABLE} DISABLE TRIGGER "t ""%"',
}


@pytest.fixture(scope="module")
def made(laboratory: Laboratory) -> Iterator[tuple[Database, Contract]]:
    with lent(laboratory.server(18), None) as database:
        database.run(MADE)
        with closing(psycopg2.connect(database.dsn)) as connection:
            contract = api.prepare(METADATA, connection, "public")
        yield database, contract


@pytest.mark.parametrize("case", [*FOUND, *SILENT])
def test_a_trigger_that_deletes_each_new_row_is_found(made: tuple[Database, Contract], case: str) -> None:
    database, contract = made
    database.run((FOUND | SILENT)[case])
    with closing(psycopg2.connect(database.dsn)) as connection:
        found = [(each.slug, each.severity) for each in fixer.check(connection, contract).findings]
    database.run('DROP FUNCTION "f %" CASCADE')

    assert found == ([("swallowing-trigger", "error")] if case in FOUND else [])
