"""Types: what is said of them is compared with what PostgreSQL does to values."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from itertools import product

import psycopg2
import pytest
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - it is a class

from fixer.model.contract import ColumnHints
from fixer.sql.compose import SQL
from fixer.sql.conversions import Conversion, conversion
from fixer.sql.types import compares_alike, family, fits, holds, retyped, rewrites, shape, widened
from lab.conversions import column, converted, text
from lab.laboratory import Laboratory

# Types, and values at their edges.
VALUES = {
    "smallint": ["-32768", "32767"],
    "integer": ["-2147483648", "2147483647"],
    "bigint": ["-9223372036854775808", "9223372036854775807"],
    "numeric": ["0.1234567890123456789", "9" * 40, "NaN"],
    "numeric(5,0)": ["99999", "-99999"],
    "numeric(5,2)": ["999.99", "-0.01"],
    "numeric(15,2)": ["9999999999999.99"],
    "numeric(15,4)": ["99999999999.9999"],
    "real": ["1.1", "16777217", "NaN", "Infinity"],
    "double precision": ["0.1", "1.7976931348623157e308", "9007199254740993"],
    "character varying": ["", " a ", "ä" * 300],
    "character varying(5)": ["12345", "    5"],
    "character varying(50)": ["x" * 50, "ä" * 50],
    "character varying(80)": ["x" * 80],
    "text": ["", "x" * 300, "a "],
    "character(5)": ["12345", "1"],
    "bpchar": ["1  "],
    "name": ["x", "n" * 63],
    "boolean": ["t", "f"],
    "timestamp with time zone": ["2024-02-29 23:59:59.999999+05:30", "infinity"],
    "timestamp without time zone": ["2024-02-29 23:59:59.999999", "-infinity"],
    "timestamp(0) with time zone": ["2024-02-29 23:59:59+05:30"],
    "timestamp(3) without time zone": ["2024-02-29 23:59:59.999"],
    "date": ["2024-02-29"],
    "time without time zone": ["23:59:59.999999"],
    "time(0) without time zone": ["23:59:59"],
    "time(6) without time zone": ["23:59:59.999999"],
    "time with time zone": ["23:59:59.999999+05:30"],
    "time(3) with time zone": ["23:59:59.999+05:30"],
    "interval": ["1 mon -3 days 00:00:01.5"],
    "interval(0)": ["1 mon -3 days 00:00:01"],
    "interval(3)": ["00:00:01.125"],
    "interval year to month": ["1 year 1 mon"],
    "interval day": ["1 mon 3 days"],
    "interval day to hour": ["3 days 05:00"],
    "interval day to second(3)": ["1 mon 3 days 00:00:01.125"],
    "interval minute": ["00:01"],
    "bit(8)": ["10101010"],
    "bit(16)": ["1010101010101010"],
    "bit varying": ["1", "1" * 99],
    "bit varying(8)": ["", "10101010"],
    "bit varying(16)": ["1010101010101010"],
    "uuid": ["00000000-0000-0000-0000-000000000001"],
    "json": ['{"b": 1,  "a": 2}'],
    "jsonb": ['{"a": 1}'],
    "bytea": ["\\x00ff"],
    "integer[]": ["{1,2}"],
    "bigint[]": ["{9223372036854775807,NULL}"],
    "text[]": ['{"a b",NULL}'],
    "character varying[]": ["{abcdefgh}"],
    "character varying(5)[]": ["{abc}"],
    "character(5)[]": ['{"abc  "}'],
    "interval(0)[]": ["{00:00:01}"],
    "interval[]": ["{00:00:01.5}"],
}
PAIRS = list(product(VALUES, VALUES))


@pytest.fixture(scope="module")
def cursor(laboratory: Laboratory) -> Iterator[Cursor]:
    with closing(psycopg2.connect(laboratory.server(18).dsn)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        yield cursor


def stored(cursor: Cursor, value: str, kind: str, other: str) -> str | None:
    """Give the text of a value of one type after it was stored in a column of another, None where it cannot be."""
    try:
        cursor.execute(f"CREATE TEMP TABLE IF NOT EXISTS place (); ALTER TABLE place ADD v {other}")
        cursor.execute(f"INSERT INTO place VALUES (%s::{kind}) RETURNING v::{kind}::text", [value])
        return str((cursor.fetchone() or [""])[0])
    except psycopg2.Error:
        return None
    finally:
        cursor.execute("DROP TABLE IF EXISTS place")


def test_what_fits_takes_every_value_of_the_wanted_type_as_it_is(cursor: Cursor) -> None:
    lost = [
        (found, wanted, value)
        for found, wanted in PAIRS
        if fits(found, wanted)
        for value in VALUES[wanted]
        if stored(cursor, value, wanted, found) != text(cursor, value, wanted)
    ]

    assert lost == []


def test_what_is_widened_takes_every_value_of_both_as_it_is(cursor: Cursor) -> None:
    lost = [
        (found, wanted, value, wide)
        for found, wanted in PAIRS
        if (wide := widened(found, wanted))
        for kind in (found, wanted)
        for value in VALUES[kind]
        if stored(cursor, value, kind, wide) != text(cursor, value, kind)
    ]

    assert lost == []


def test_what_compares_texts_otherwise_takes_every_value_of_what_it_replaces(cursor: Cursor) -> None:
    lost = [
        (found, wanted, value, wide)
        for found, wanted in PAIRS
        if family(found) == family(wanted) and family(found) in ("text", "text[]") and not compares_alike(found, wanted)
        if shape(found.removesuffix("[]")).size or not shape(wanted.removesuffix("[]")).size  # else rows are asked
        for value in VALUES[found]
        if (stored(cursor, value, found, wide := retyped(found, wanted)) or "").strip(' {"}') != value.strip(' {"}')
        or not fits(wide, wanted)
    ]

    assert lost == []


def test_every_type_fits_itself() -> None:
    assert [kind for kind in VALUES if not fits(kind, kind)] == []


def test_two_types_that_fit_each_other_are_one_in_all_but_name() -> None:
    twins = {frozenset(pair) for pair in PAIRS if fits(*pair) and fits(*pair[::-1]) and len(set(pair)) > 1}

    names = (
        ("character varying", "text"),
        ("character varying[]", "text[]"),
        ("time without time zone", "time(6) without time zone"),
        ("interval(3)", "interval day to second(3)"),
    )
    assert {frozenset(pair) for pair in names} == twins


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        ("bigint", "integer"),
        ("text", "character varying(50)"),
        ("character varying(255)", "character varying(50)"),
        ("numeric", "numeric(15,2)"),
        ("numeric(20,4)", "numeric(15,2)"),
        ("double precision", "real"),
        ("timestamp with time zone", "timestamp(0) with time zone"),
        ("timestamp(6) with time zone", "timestamp with time zone"),
        ("text[]", "character varying[]"),
        ("character varying(80)[]", "character varying(40)[]"),
        ("bigint[]", "integer[]"),
        ("bit varying(16)", "bit(16)"),
        ("interval", "interval(3)"),
        ("interval day to second", "interval day to hour"),
        ("vector", "vector(384)"),
    ],
)
def test_what_is_wider_fits_and_stays(found: str, wanted: str) -> None:
    assert fits(found, wanted)


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        ("integer", "bigint"),
        ("character varying(15)", "character varying(50)"),
        ("numeric(15,2)", "numeric(15,4)"),
        ("numeric(15,2)", "numeric(20,1)"),
        ("numeric(15,2)", "numeric"),
        ("real", "double precision"),
        ("double precision", "numeric(15,2)"),
        ("character(10)", "text"),
        ("timestamp without time zone", "timestamp with time zone"),
        ("numeric", "integer"),
        ("text", "integer"),
        ("integer", "text"),
        ("integer[]", "integer"),
        ("integer[]", "bigint[]"),
        ("character varying(5)[]", "character varying(40)[]"),
        ("bit(8)", "bit(16)"),
        ("bit(16)", "bit(8)"),
        ("bit(16)", "bit varying(16)"),
        ("time(0) without time zone", "time without time zone"),
        ("interval(0)", "interval(6)"),
        ("interval day", "interval(0)"),
        ("interval year to month", "interval day"),
        ("vector(1536)", "vector(384)"),
        ("geometry(Point,4326)", "geometry(Point,3857)"),
        ("text", "citext"),
        ("citext", "text"),
        ("citext[]", "text[]"),
        ("text", "character(5)"),
    ],
)
def test_what_is_narrower_or_other_does_not_fit(found: str, wanted: str) -> None:
    assert not fits(found, wanted)


@pytest.mark.parametrize(
    ("found", "wanted", "wide"),
    [
        ("character varying(15)", "character varying(50)", "character varying(50)"),
        ("character varying(80)", "character varying(50)", "character varying(80)"),
        ("character varying(15)", "text", "text"),
        ("numeric(10,4)", "numeric(15,2)", "numeric(17,4)"),
        ("numeric(5,2)", "numeric", "numeric"),
        ("smallint", "bigint", "bigint"),
        ("real", "double precision", "double precision"),
        ("text", "integer", None),
        ("double precision", "numeric", None),
        ("uuid", "text", None),
        ("name", "character varying(5)", "character varying(63)"),
        ("character varying(20)", "name", "character varying(63)"),
        ("integer[]", "bigint[]", "bigint[]"),
        ("numeric(10,4)[]", "numeric(15,2)[]", "numeric(17,4)[]"),
        ("integer[]", "bigint", None),
        ("time(0) without time zone", "time without time zone", "time without time zone"),
        ("interval(0)", "interval(6)", "interval(6)"),
        ("interval year to month", "interval(0)", "interval(0)"),
        ("bit varying(8)", "bit varying(16)", "bit varying(16)"),
        ("bit varying(16)", "bit varying(8)", "bit varying(16)"),
        ("bit(8)", "bit(16)", None),
        ("bit(16)", "bit varying(8)", None),
        ("vector(384)", "vector", "vector"),
        ("vector(384)", "vector(1536)", None),
        ("text", "citext", None),
    ],
)
def test_widening_takes_the_larger_of_each_part(found: str, wanted: str, wide: str | None) -> None:
    assert wide == widened(found, wanted)


def test_only_a_change_that_is_said_to_rewrite_rewrites(cursor: Cursor) -> None:
    wrong = []
    for found, wanted in PAIRS:
        if not (wide := widened(found, wanted)) or wide == found:
            continue
        cursor.execute(f"CREATE TEMP TABLE place (v {found}); SELECT pg_relation_filenode('place')")
        before = cursor.fetchone()
        cursor.execute(f"ALTER TABLE place ALTER v TYPE {wide}; SELECT pg_relation_filenode('place')")
        if cursor.fetchone() != before and not rewrites(found, wide):
            wrong.append((found, wide))
        cursor.execute("DROP TABLE place")

    assert wrong == []


# ---- conversions


CONVERTED = [
    ("double precision", "numeric(15,2)", "0.1", "0.10"),
    ("double precision", "numeric", "0.1234567890123456", "0.1234567890123456"),
    ("double precision", "numeric", "9007199254740993", "9007199254740992"),
    ("double precision", "numeric", "1e-300", "0." + "0" * 299 + "1"),
    ("real", "numeric", "1234567.9", "1234567.9"),
    ("double precision", "numeric(15,2)", "NaN", None),
    ("double precision", "numeric(15,2)", "Infinity", None),
    ("double precision", "numeric(15,2)", "-Infinity", None),
    ("double precision", "numeric(15,2)", "0.125", None),
    ("double precision", "numeric(5,2)", "1000", None),
    ("double precision", "numeric(5,2)", "-999.99", "-999.99"),
    ("text", "integer", " 42 ", "42"),
    ("text", "integer", "4.2", None),
    ("text", "integer", "2147483648", None),
    ("text", "integer", "-2147483648", "-2147483648"),
    ("text", "integer", "", None),
    ("text", "integer", "0x1F", None),
    ("text", "integer", "1_000", None),
    ("text", "integer", "\u0663", None),
    ("text", "bigint", "-9223372036854775808", "-9223372036854775808"),
    ("text", "smallint", "32768", None),
    ("numeric", "integer", "7.00", "7"),
    ("numeric", "integer", "7.5", None),
    ("numeric", "integer", "NaN", None),
    ("double precision", "integer", "3", "3"),
    ("double precision", "integer", "1e3", "1000"),
    ("double precision", "bigint", "1e15", "1000000000000000"),
    ("text", "numeric(15,2)", "1e2", "100.00"),
    ("text", "numeric(15,2)", "NaN", None),
    ("text", "numeric(15,2)", "1,5", None),
    ("text", "numeric(15,2)", ".", None),
    ("text", "boolean", "YES", "true"),
    ("text", "boolean", " f ", "false"),
    ("text", "boolean", "maybe", None),
    ("text", "boolean", "", None),
    ("integer", "boolean", "1", "true"),
    ("integer", "boolean", "0", "false"),
    ("integer", "boolean", "2", None),
    ("integer", "boolean", "-1", None),
    ("boolean", "integer", "t", "1"),
    ("integer", "character varying(5)", "123456", None),
    ("integer", "character varying(5)", "12345", "12345"),
    ("text", "character varying(3)", "abcd", None),
    ("text", "uuid", "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
    ("text", "uuid", "A0EEBC99", None),
    ("text", "date", "2024-02-29", "2024-02-29"),
    ("text", "date", "29.02.2024", None),
    ("json", "jsonb", '{"a":1}', '{"a": 1}'),
]  # fmt: skip


@pytest.mark.parametrize(("found", "wanted", "value", "expected"), CONVERTED)
def test_a_value_is_converted_or_not_understood(
    cursor: Cursor, found: str, wanted: str, value: str, expected: str | None
) -> None:
    assert expected == converted(cursor, found, wanted, value)


@pytest.mark.parametrize(
    "value", ["2023-02-29", "2024-02-30 10:00", "2024-04-31", "10000-01-01", "2024-01-01 10:00+99"]
)
def test_a_moment_that_never_was_is_not_cast_to_its_ruin(cursor: Cursor, value: str) -> None:
    assert None is converted(cursor, "text", "timestamp with time zone", value, "UTC")


@pytest.mark.parametrize(
    ("found", "wanted"), [("text", "numeric(15,2)"), ("text", "integer"), ("text", "boolean"), ("text", "uuid")]
)
def test_null_stays_null(cursor: Cursor, found: str, wanted: str) -> None:
    assert None is converted(cursor, found, wanted, None)


@pytest.mark.parametrize(
    ("found", "value", "expected"),
    [
        ("timestamp without time zone", "2024-07-01 12:00", "2024-07-01 06:30:00+00"),
        ("text", "2024-07-01 12:00", "2024-07-01 06:30:00+00"),
        ("text", "2024-07-01T12:00:00.25Z", "2024-07-01 12:00:00.25+00"),
        ("text", "2024-07-01 12:00:00+02", "2024-07-01 10:00:00+00"),
        ("date", "2024-07-01", "2024-06-30 18:30:00+00"),
        ("text", "yesterday", None),
        ("text", "now", None),
        ("text", "1719828000", None),
    ],
)
def test_a_moment_without_a_zone_was_meant_in_the_declared_one(
    cursor: Cursor, found: str, value: str, expected: str | None
) -> None:
    cursor.execute("SET TimeZone = 'UTC'")

    assert expected == converted(cursor, found, "timestamp with time zone", value, "Asia/Kolkata")


def test_the_zone_of_the_session_has_no_say(cursor: Cursor) -> None:
    cursor.execute("SET TimeZone = 'America/New_York'")
    seen = converted(cursor, "text", "timestamp with time zone", "2024-07-01 12:00", "Asia/Kolkata")
    cursor.execute("SET TimeZone = 'UTC'")

    assert seen == "2024-07-01 02:30:00-04"


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        ("timestamp without time zone", "timestamp with time zone"),
        ("text", "timestamp with time zone"),
        ("integer", "timestamp with time zone"),
        ("integer", "uuid"),
        ("uuid", "integer"),
        ("date", "boolean"),
        ("jsonb", "integer"),
        ("bytea", "integer"),
        ("integer", "date"),
        ("integer[]", "integer"),
        ("integer", "integer[]"),
        ("interval", "integer"),
        ("inet", "bytea"),
    ],
)
def test_an_unknown_way_is_refused_with_its_reason(found: str, wanted: str) -> None:
    assert isinstance(conversion(column(found), column(wanted), ColumnHints()), str)


def test_only_labels_of_the_enum_are_understood(cursor: Cursor) -> None:
    made = conversion(column("text"), column("mood", ("calm", "it's")), ColumnHints())
    assert isinstance(made, Conversion)
    cursor.execute(
        SQL("SELECT array_agg({}) FROM unnest(ARRAY['calm', 'it''s', 'angry', NULL]) AS t (v)").format(made.fits)
    )

    assert cursor.fetchone() == ([True, True, False, None],)


def test_every_value_that_is_understood_converts_without_an_error(cursor: Cursor) -> None:
    failures = []
    for found, wanted in PAIRS:
        if found == wanted or isinstance(conversion(column(found), column(wanted), ColumnHints(timezone="UTC")), str):
            continue
        for value in VALUES[found]:
            try:
                converted(cursor, found, wanted, value, "UTC")
            except psycopg2.Error as error:
                failures.append((found, wanted, value, error.pgcode))

    assert failures == []


def test_what_is_called_reversible_comes_back(cursor: Cursor) -> None:
    lost = []
    for found, wanted in PAIRS:
        made = conversion(column(found), column(wanted), ColumnHints(timezone="UTC"))
        if isinstance(made, Conversion) and made.reversible and not holds(found, wanted):
            for value in VALUES[found]:
                new = converted(cursor, found, wanted, value, "UTC")
                if new is not None and text(cursor, value, found) != back(cursor, new, wanted, found):
                    lost.append((found, wanted, value, new))

    assert lost == []


def back(cursor: Cursor, value: str, kind: str, old: str) -> str | None:
    try:
        over = "::integer" if old == "boolean" and kind in ("smallint", "bigint") else ""
        over = "::text" if kind.startswith("character(") else over
        cursor.execute(f"SELECT %s::{kind}{over}::{old}::text", [value])
        return str((cursor.fetchone() or [""])[0])
    except psycopg2.Error:
        return None
