"""Statements that a person pastes: each of them runs, and none of them depends on the settings of his session."""

from __future__ import annotations

import re
from contextlib import closing

import psycopg2
import pytest

from fixer.model.table import Column, QName
from fixer.sql.by_hand import statement_for
from lab.database import Database

TABLE = QName("public", 'odd "name')
TYPES = (
    "smallint",
    "integer",
    "bigint",
    "numeric(12,2)",
    "real",
    "double precision",
    "money",
    "boolean",
    "text",
    "character varying(40)",
    "character(10)",
    "bytea",
    "uuid",
    "json",
    "jsonb",
    "xml",
    "date",
    "timestamp without time zone",
    "timestamp with time zone",
    "timestamp(0) with time zone",
    "time without time zone",
    "time with time zone",
    "interval",
    "inet",
    "cidr",
    "macaddr",
    "bit(8)",
    "bit varying",
    "point",
    "int4range",
    "text[]",
    "integer[]",
    "tsvector",
)


def statements(found: str, wanted: str, default: str | None = None) -> list[str]:
    told = statement_for(TABLE, Column("a Column", found, default=default), Column("a Column", wanted))
    return re.findall(r"ALTER TABLE .*?;", told)


@pytest.mark.parametrize("found", TYPES)
def test_every_statement_runs(empty: Database, found: str) -> None:
    refused = []
    with closing(psycopg2.connect(empty.dsn)) as connection, connection.cursor() as cursor:
        cursor.execute(f'CREATE TABLE "odd ""name" ("a Column" {found} DEFAULT NULL)')
        connection.commit()
        for wanted in TYPES:
            for statement in statements(found, wanted, "NULL"):
                try:
                    cursor.execute(statement)
                except psycopg2.Error as error:
                    refused.append(f"{statement}: {error}")
                connection.rollback()

    assert refused == []


NOON = {
    "timestamp without time zone": "timestamp '2026-07-01 12:00'",
    "timestamp with time zone": "timestamptz '2026-07-01 12:00+00'",
    "date": "date '2026-07-01'",
    "time without time zone": "time '12:00'",
    "time with time zone": "timetz '12:00+00'",
}
CLOCKS = [(f, w) for f in NOON for w in NOON if f != w and f.startswith("time ") == w.startswith("time ")]


@pytest.mark.parametrize(("found", "wanted"), CLOCKS, ids=" to ".join)
@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "America/Los_Angeles"])
def test_no_moment_moves_with_the_session(empty: Database, found: str, wanted: str, zone: str) -> None:
    (statement,) = statements(found, wanted)
    held = NOON[wanted].replace("12:00", "00:00") if found == "date" else NOON[wanted]
    came = empty.run(
        f"""CREATE TABLE "odd ""name" AS SELECT {NOON[found]} AS "a Column"; SET TimeZone = '{zone}'; {statement}
        SELECT "a Column" = {held} FROM "odd ""name" """
    )

    assert came == [(True,)]


def test_seconds_and_milliseconds_are_both_offered(empty: Database) -> None:
    for wanted in ("timestamp with time zone", "interval"):
        seconds, thousandths = statements("bigint", wanted)
        for statement, value in ((seconds, 90), (thousandths, 90_000)):
            cells = empty.run(
                f"""DROP TABLE IF EXISTS "odd ""name";
                CREATE TABLE "odd ""name" AS SELECT {value}::bigint AS "a Column";
                {statement} SELECT extract(epoch FROM "a Column")::integer FROM "odd ""name" """
            )
            assert cells == [(90,)], wanted


def test_integers_become_uuids_of_their_digits(empty: Database) -> None:
    (statement,) = statements("bigint", "uuid")
    came = empty.run(
        f"""CREATE TABLE "odd ""name" AS SELECT 4711::bigint AS "a Column"; {statement}
        SELECT "a Column"::text FROM "odd ""name" """
    )

    assert came == [("00000000-0000-0000-0000-000000004711",)]
