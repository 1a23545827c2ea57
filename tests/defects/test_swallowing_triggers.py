"""Triggers that return NULL are found wherever they stand and however it is spelt; others are silence."""

from __future__ import annotations

from contextlib import closing

import psycopg2
import pytest
from sqlalchemy import Column, Integer, MetaData, Table, Text

import fixer
from lab.database import Database

SCHEMA, NAME = 's."x%', "T t.é%"
METADATA = MetaData(schema=SCHEMA)
Table(
    NAME,
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("return", Text),
    postgresql_partition_by="RANGE (id)",
)
PLACE = '"s.""x%"'
TABLE, PART = f'{PLACE}."T t.é%"', f'{PLACE}."part %"'
MADE = f"""CREATE SCHEMA {PLACE};
    CREATE TABLE {TABLE} (id integer PRIMARY KEY, return text) PARTITION BY RANGE (id);
    CREATE TABLE {PART} PARTITION OF {TABLE} FOR VALUES FROM (0) TO (100);"""


def trigger(body: str, when: str = "BEFORE INSERT", of: str = TABLE, more: str = "", words: str = "plpgsql") -> str:
    return (
        f'{MADE} CREATE FUNCTION "f %"() RETURNS trigger LANGUAGE {words} AS $$ {body} $$;'
        f'CREATE TRIGGER "t ""%" {when} ON {of} FOR EACH ROW EXECUTE FUNCTION "f %"(\'NULL\'); {more}'
    )


BRANCHES = "BEGIN IF new.id < 0 THEN RETURN NULL; END IF; RETURN new; END"
CASES = {
    "NULL": (trigger("BEGIN RETURN NULL; END"), "error"),
    "in parentheses, in capitals, over lines": (trigger("BEGIN\n return\n( Null ) ;\nEND"), "error"),
    "after a comment and a string": (
        trigger("BEGIN -- don't RETURN new;\nRAISE NOTICE 'RETURN new;'; RETURN NULL; END"),
        "error",
    ),
    "in each branch": (trigger("BEGIN IF new.id < 0 THEN RETURN NULL; ELSE RETURN NULL; END IF; END"), "error"),
    "the old of a new one": (trigger("BEGIN RETURN old; END", "BEFORE INSERT OR UPDATE"), "error"),
    "the new of an old one": (trigger("BEGIN RETURN new; END", "BEFORE INSERT OR UPDATE OR DELETE"), "warning"),
    "changes": (trigger("BEGIN RETURN NULL; END", "BEFORE UPDATE"), "warning"),
    "of a partition": (trigger("BEGIN RETURN NULL; END", of=PART), "error"),
    "always": (trigger("BEGIN RETURN NULL; END", more=f'ALTER TABLE {TABLE} ENABLE ALWAYS TRIGGER "t ""%"'), "error"),
    "in one branch": (trigger(BRANCHES), "info"),
    "in one branch, of a partition": (trigger(BRANCHES, of=PART), "info"),
    "it may refuse instead": (trigger("BEGIN IF new.id < 0 THEN RAISE 'no'; END IF; RETURN NULL; END"), "info"),
    "it refuses": (trigger("/* a */ BEGIN RAISE EXCEPTION 'no'; RETURN NULL; END"), "error"),
    "it refuses, of a partition": (trigger("BEGIN RAISE unique_violation; END", of=PART), "error"),
    "it refuses afterwards": (trigger("DECLARE n int := 1; BEGIN RAISE 'no %', n; END", "AFTER INSERT"), "error"),
    "it refuses changes": (trigger("BEGIN RAISE EXCEPTION 'append only'; END", "BEFORE UPDATE OR DELETE"), None),
    "it refuses in a block": (
        trigger("BEGIN IF new.id < 0 THEN BEGIN RAISE 'no'; END; END IF; RETURN new; END"),
        None,
    ),
    "it notes": (trigger("BEGIN RAISE NOTICE 'yes'; RETURN new; END"), None),
    "it refuses and thinks better of it": (
        trigger("BEGIN RAISE 'no'; RETURN new; EXCEPTION WHEN others THEN RETURN new; END"),
        None,
    ),
    "it refuses some": (
        trigger("BEGIN RAISE 'no'; END", more="").replace("FOR EACH ROW", "FOR EACH ROW WHEN (new.id < 0)"),
        None,
    ),
    "a column of that name": (trigger("BEGIN new.return := NULL; RETURN new; END"), None),
    "afterwards": (trigger("BEGIN RETURN NULL; END", "AFTER INSERT"), None),
    "for replicas": (
        trigger("BEGIN RETURN NULL; END", more=f'ALTER TABLE {TABLE} ENABLE REPLICA TRIGGER "t ""%"'),
        None,
    ),
    "off": (trigger("BEGIN RETURN NULL; END", more=f'ALTER TABLE {TABLE} DISABLE TRIGGER "t ""%"'), None),
    "what there is": (trigger("BEGIN RETURN coalesce(new, old); END", "BEFORE INSERT OR UPDATE OR DELETE"), None),
    "by deed": (
        trigger(
            "BEGIN CASE tg_op WHEN 'DELETE' THEN RETURN old; ELSE RETURN new; END CASE; END", "BEFORE INSERT OR DELETE"
        ),
        None,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_trigger_that_returns_nothing_is_found(empty: Database, case: str) -> None:
    statements, severity = CASES[case]
    empty.run(statements)
    with closing(psycopg2.connect(empty.dsn)) as connection:
        found = [each for each in fixer.check(connection, METADATA).findings if each.slug == "swallowing-trigger"]

    assert [each.severity for each in found] == ([severity] if severity else [])
    assert all('"T t.é%"'.strip('"') in each.message and 't "%' in each.message for each in found)


def test_the_statement_to_paste_is_enough(empty: Database) -> None:
    empty.run(CASES["NULL"][0])
    with closing(psycopg2.connect(empty.dsn)) as connection:
        (found,) = fixer.check(connection, METADATA).findings
        empty.run(str(found.repair.refusal).partition("run: ")[2])

        assert fixer.check(connection, METADATA).findings == ()
