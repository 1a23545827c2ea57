"""A value that changes its type stays the value it was: what the new type cannot hold exactly is no fit."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - it is a class
from sqlalchemy import BigInteger, Column, Date, Double, Integer, MetaData, Numeric, String, Table
from sqlalchemy.dialects.postgresql import JSONB, REAL, TIMESTAMP

import fixer
from fixer.errors import NeedsPermission
from fixer.model.contract import ColumnHints
from fixer.model.defect import Specimen
from fixer.sql.conversions import conversion
from lab.conversions import column, converted, text
from lab.evidence.copies import copy_quarantine, stamps
from lab.laboratory import Case, Laboratory

ZONE = "Asia/Kolkata"  # has no summer time; five hours and a half ahead
OFTEN = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
MODES = pytest.mark.parametrize("mode", ["atomic", "online"])


@pytest.fixture(scope="module")
def cursor(laboratory: Laboratory) -> Iterator[Cursor]:
    with closing(psycopg2.connect(laboratory.server(18).dsn)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute("SET TimeZone = 'America/New_York'")  # has no say
        yield cursor


# ---- whatever is understood is the same


def digits(most: int) -> st.SearchStrategy[str]:
    return st.text("0123456789", min_size=1, max_size=most)


signs = st.sampled_from(["", "-", "+"])
wholes = st.integers(-(2**63), 2**63 - 1).map(str) | st.integers(0, 63).flatmap(
    lambda n: st.integers(-1, 1).map(lambda m: str(min(2**n + m, 2**63 - 1)))
)
decimals = st.builds("{}{}.{}".format, signs, digits(20), digits(22)) | wholes
texts = decimals | st.builds("{}e{}".format, decimals, st.integers(-400, 400)) | st.sampled_from(["", ".", "1.", "x"])
floats = st.floats(allow_nan=False, allow_infinity=False).map(repr)
NUMBERS: dict[str, st.SearchStrategy[str]] = {
    "bigint": wholes,
    "numeric": decimals,
    "text": texts,
    "double precision": floats,
}
WANTED = ["smallint", "integer", "bigint", "numeric", "numeric(10,2)", "real", "double precision"]


@pytest.mark.parametrize("found", NUMBERS)
@OFTEN
@given(data=st.data())
def test_a_number_that_is_understood_is_the_same_number(cursor: Cursor, found: str, data: st.DataObject) -> None:
    value = data.draw(NUMBERS[found])
    for wanted in WANTED:
        if isinstance(conversion(column(found), column(wanted), ColumnHints()), str) or found == wanted:
            continue
        new = converted(cursor, found, wanted, value)
        if new is not None:
            assert Decimal(text(cursor, value, found)) in said_by(new, wanted)


@pytest.mark.parametrize("found", ["9" * 200_000, "0." + "9" * 20_000, "1e131073", "1e-16384", "-1e400000"])
@pytest.mark.parametrize("wanted", WANTED)
def test_a_text_of_more_digits_than_any_number_has_is_no_number(cursor: Cursor, wanted: str, found: str) -> None:
    assert converted(cursor, "text", wanted, found) is None


def said_by(new: str, kind: str) -> set[Decimal]:
    """Return the number that a cell is; a float says one by its shortest text, and is one to the last bit."""
    bits = {"real": "f", "double precision": "d"}.get(kind)
    exactly = {Decimal(*struct.unpack(bits, struct.pack(bits, float(new))))} if bits else set()
    return {Decimal(new), *exactly}


def moment(text: str) -> tuple[datetime, Decimal]:
    """Read a moment to its last digit."""
    fraction = re.search(r"\.(\d+)", text)
    whole = re.sub(r"\.\d+", "", text.strip()).replace("Z", "+00")
    return datetime.fromisoformat(re.sub(r" (?=[+-])", "", whole)), Decimal(f"0.{fraction[1]}" if fraction else 0)


def instant(read: datetime) -> datetime:
    """Return a moment in UTC; one without a zone was meant in ours."""
    ahead = read.utcoffset()
    return read.replace(tzinfo=None) - (timedelta(hours=5, minutes=30) if ahead is None else ahead)


days = st.dates(date(1950, 1, 2), date(2037, 12, 30)).map(str)
clocks = st.builds("{}:{}".format, st.times().map(lambda t: f"{t:%H:%M}"), st.sampled_from(["00", "59"])) | st.just(
    "00:00"
)
fractions = st.just("") | st.builds(".{}".format, digits(9)) | st.sampled_from([".000000000", ".120000000"])
zones = st.sampled_from(["", "", "Z", " Z", "+00", "+05:30", "-0330", "+15"])
moments = days | st.builds(
    lambda day, between, clock, fraction, zone: (
        f"{day}{between}{clock}{fraction if clock.count(':') > 1 else ''}{zone}"
    ),
    days, st.sampled_from("T "), clocks, fractions, zones,
)  # fmt: skip
CLOCKS = ["date", "timestamp without time zone", "timestamp(3) without time zone", "timestamp(0) without time zone"]
MOMENTS = ["timestamp with time zone", "timestamp(3) with time zone"]


@OFTEN
@given(value=moments)
def test_a_moment_that_is_understood_is_the_same_moment(cursor: Cursor, value: str) -> None:
    for wanted in CLOCKS + MOMENTS:
        for zone in (None, ZONE) if wanted in CLOCKS else (ZONE,):
            new = converted(cursor, "text", wanted, value, zone)
            if new is None:
                continue
            (was, part), (now, rest) = moment(value), moment(new)

            assert (instant(was), part) == (instant(now), rest)
            assert zone or was.tzinfo is None


keys = st.sampled_from(["a", "b", "a:", 'q"', "\\", "ä", "\\u0041"])
plains = st.none() | st.booleans() | st.integers() | st.sampled_from(["", ":", '"a":1', "\\", '\\"'])
trees = st.recursive(
    plains.map(json.dumps),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda parts: f"[{', '.join(parts)}]")
        | st.lists(st.tuples(keys.map(json.dumps), inner), max_size=3).map(
            lambda pairs: "{" + ",".join(f"{key} :{value}" for key, value in pairs) + "}"
        )
    ),
    max_leaves=8,
)


def told(text: str) -> Any:
    """Read a json with every key that stands in it, in whatever order."""
    return json.loads(text, object_pairs_hook=lambda pairs: sorted(map(repr, pairs)))


@OFTEN
@given(value=trees)
def test_a_json_fits_if_no_key_of_it_is_lost(cursor: Cursor, value: str) -> None:
    new = converted(cursor, "json", "jsonb", value)
    cursor.execute("SELECT %s::jsonb::text", [value])

    assert (told(value) == told(cursor.fetchone()[0])) == (new is not None)  # type: ignore[index]


ODD = st.text(st.sampled_from("0123456789-+:. TZeE\t\n\u00a0\u2003\u0663{}abxyt"), max_size=40)


@OFTEN
@given(value=ODD | moments | texts | st.text().filter(lambda text: "\0" not in text))
def test_no_text_is_cast_that_no_cast_takes(cursor: Cursor, value: str) -> None:
    for wanted in (*WANTED, *CLOCKS, *MOMENTS, "boolean", "uuid", "character varying(5)"):
        converted(cursor, "text", wanted, value, ZONE)


# ---- what is sound goes on converting, what is not does not

BIG = 2**60
FITS = [
    ("text", "date", "2026-01-01 00:00:00.000", None, "2026-01-01"),
    ("text", "date", "2026-01-01T00:00", None, "2026-01-01"),
    ("text", "date", "2026-01-01 18:30Z", ZONE, "2026-01-02"),
    ("text", "timestamp without time zone", "2026-01-01 10:00+05:30", ZONE, "2026-01-01 10:00:00"),
    ("text", "timestamp without time zone", "2026-01-01 10:00:00.123456000", None, "2026-01-01 10:00:00.123456"),
    ("text", "timestamp(3) without time zone", "2026-01-01 10:00:00.120000", None, "2026-01-01 10:00:00.12"),
    ("text", "timestamp with time zone", "\t2026-01-01\n", ZONE, "2025-12-31 13:30:00-05"),
    ("text", "timestamp with time zone", "2018-11-04", "America/Sao_Paulo", "2018-11-03 23:00:00-04"),
    ("date", "timestamp with time zone", "2018-11-04", "America/Sao_Paulo", "2018-11-03 23:00:00-04"),
    ("date", "timestamp without time zone", "infinity", None, "infinity"),
    ("timestamp without time zone", "timestamp with time zone", "-infinity", "UTC", "-infinity"),
    ("timestamp without time zone", "timestamp(3) with time zone", "2026-01-01 05:00:00.12", "UTC",
     "2026-01-01 00:00:00.12-05"),
    ("timestamp without time zone", "timestamp with time zone", "2026-10-25 02:30", "Europe/Berlin",
     "2026-10-24 21:30:00-04"),
    ("text", "double precision", "0.1", None, "0.1"),
    ("text", "double precision", "-1.50e2", None, "-150"),
    ("text", "double precision", "1.7976931348623157e308", None, "1.7976931348623157e+308"),
    ("text", "double precision", "5e-324", None, "5e-324"),
    ("text", "real", "0.1", None, "0.1"),
    ("numeric", "double precision", "12345678.90", None, "12345678.9"),
    ("integer", "real", "16777216", None, "1.6777216e+07"),
    ("bigint", "double precision", str(BIG), None, "1.152921504606847e+18"),
    ("bigint", "double precision", str(-(2**63)), None, "-9.223372036854776e+18"),
    ("json", "jsonb", '{"b": [{"a": 1}, {"a": 2}], "a": "a:\\u00e4"}', None, '{"a": "a:ä", "b": [{"a": 1}, {"a": 2}]}'),
    ("numeric", "boolean", "1.00", None, "true"),
    ("double precision", "boolean", "0", None, "false"),
    ("text", "uuid", "{A0EEBC999C0B4EF8BB6D6BB9BD380A11}", None, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
]  # fmt: skip


@pytest.mark.parametrize(("found", "wanted", "value", "zone", "expected"), FITS)
def test_what_is_sound_converts(
    cursor: Cursor, found: str, wanted: str, value: str, zone: str | None, expected: str
) -> None:
    assert expected == converted(cursor, found, wanted, value, zone)


MISFITS = [
    ("text", "date", "2026-01-01 13:45", None),
    ("text", "date", "2026-01-01 00:00:00.0000001", None),
    ("text", "date", "2026-01-01 00:00Z", None),
    ("text", "date", "2026-01-01 00:00Z", ZONE),
    ("text", "timestamp without time zone", "2026-01-01 10:00:00+05:30", None),
    ("text", "timestamp without time zone", "2026-10-25 00:30Z", "Europe/Berlin"),  # the clock shows 02:30 twice
    ("text", "timestamp without time zone", "2026-01-01 10:00:00.1234567", None),
    ("text", "timestamp with time zone", "2026-01-01T00:00:00.123456789Z", "UTC"),
    ("text", "timestamp(3) with time zone", "2026-01-01T00:00:00.1234Z", "UTC"),
    ("text", "timestamp(0) with time zone", "2026-01-01T00:00:00.5Z", "UTC"),
    ("text", "timestamp with time zone", "2026-03-29 02:30", "Europe/Berlin"),  # the clock never showed it
    ("text", "timestamp with time zone", "0000-01-01", "UTC"),
    ("text", "timestamp with time zone", "2026-01-01Z", "UTC"),
    ("timestamp without time zone", "timestamp with time zone", "2026-03-29 02:30", "Europe/Berlin"),
    ("timestamp without time zone", "timestamp(3) with time zone", "2026-01-01 00:00:00.123456", "UTC"),
    ("date", "timestamp without time zone", "5874897-12-31", None),
    ("date", "timestamp with time zone", "5874897-12-31", "UTC"),
    ("text", "double precision", "0.12345678901234567890", None),
    ("text", "double precision", "1e-400", None),
    ("text", "double precision", "1.8e308", None),
    ("text", "real", "0.123456789", None),
    ("text", "real", "1e-60", None),
    ("numeric", "double precision", "12345678901234567890.123", None),
    ("integer", "real", "16777217", None),
    ("bigint", "double precision", "9007199254740993", None),
    ("bigint", "double precision", "9223372036854775807", None),
    ("bigint", "real", "9223372036854775807", None),
    ("json", "jsonb", '{"a":1,"a":2}', None),
    ("json", "jsonb", '[{"b": {"a" : 1, "\\u0061":2}}]', None),
    ("json", "jsonb", '"\\u0000"', None),
    ("json", "jsonb", '"\\ud800"', None),
    ("json", "jsonb", "1e200000", None),
    ("text", "uuid", "{A0EEBC999C0B4EF8BB6D6BB9BD380A11", None),
    ("text", "integer", "\u00a07", None),
    ("numeric", "boolean", "0.5", None),
    ("double precision", "boolean", "NaN", None),
    ("text", "name", "x" * 64, None),
]


@pytest.mark.parametrize(("found", "wanted", "value", "zone"), MISFITS)
def test_what_the_new_type_cannot_hold_exactly_is_a_misfit(
    cursor: Cursor, found: str, wanted: str, value: str, zone: str | None
) -> None:
    assert None is converted(cursor, found, wanted, value, zone)


# ---- what becomes of a misfit, in either mode


def items(*columns: Column[Any]) -> Callable[[], MetaData]:
    """Return a contract of one table."""
    metadata = MetaData()
    Table("items", metadata, Column("id", Integer, primary_key=True), *columns)
    return lambda: metadata


def ask(case: Case, query: str) -> list[tuple[Any, ...]]:
    cursor = case.observer.cursor()
    cursor.execute(query)
    return cursor.fetchall()


ONE_OF_EACH = {
    "a time of day for a date": (Date(), "text", "2026-01-01", "2026-01-01 13:45:00"),
    "a zone for a clock": (TIMESTAMP(), "text", "2026-01-01 10:00:00", "2026-01-01 10:00:00+05:30"),
    "nanoseconds": (TIMESTAMP(timezone=True), "text", "2026-01-01 00:00:00+00", "2026-01-01 00:00:00.123456789Z"),
    "fractions for a rough moment": (
        TIMESTAMP(timezone=True, precision=3), "timestamp", "2026-01-01 00:00:00.12", "2026-01-01 00:00:00.123456"
    ),
    "digits for a double": (Double(), "text", "0.5", "0.12345678901234567890"),
    "digits of a numeric": (Double(), "numeric", "0.5", "12345678901234567890.123"),
    "a large integer": (REAL(), "integer", "7", "16777217"),
    "a larger integer": (Double(), "bigint", "1000000000000000", "9007199254740993"),
    "a key that stands twice": (JSONB(), "json", '{"a":1}', '{"a":1,"a":2}'),
}  # fmt: skip


@MODES
@pytest.mark.parametrize("what", ONE_OF_EACH)
def test_what_does_not_fit_is_announced_and_kept_as_it_was(laboratory: Laboratory, what: str, mode: str) -> None:
    wanted, found, sound, odd = ONE_OF_EACH[what]
    zone = {"timezone": "UTC"} if getattr(wanted, "timezone", False) else {}
    with laboratory.database(18, Specimen(what, "", contract=items(Column("v", wanted, info=zone)))) as case:
        case.break_(
            f"ALTER TABLE items DROP v, ADD v {found}; INSERT INTO items (v) VALUES ('{sound}'), ('{odd}'), (NULL)"
        )
        before = ask(case, "SELECT id, v::text FROM items ORDER BY id")
        plan = case.plan(mode=mode)
        with pytest.raises(NeedsPermission, match="moves-rows"):
            case.apply(mode=mode, allow_hazards=plan.hazards - {"moves-rows"})
        run = case.apply(mode=mode, allow_hazards=plan.hazards)
        assert ask(case, "SELECT id FROM items ORDER BY id") == [(1,), (3,)]
        assert [row["v"].replace("T", " ") for *_, row in copy_quarantine(case.observer)] == [before[1][1]]

        assert case.check(deep=True).ok
        fixer.undo(case.connection, run.run or 0)
        assert before == ask(case, "SELECT id, v::text FROM items ORDER BY id")


WHOLE = {
    "integer, numeric(10,2)": (Integer(), Numeric(10, 2), ["5", "-7", "12345678"]),
    "bigint, double precision": (BigInteger(), Double(), ["5", str(10**15), str(-(2**53)), str(2**60)]),
    "integer, real": (Integer(), REAL(), ["5", "16777216", "-1000000"]),
}


@MODES
@pytest.mark.parametrize("pair", WHOLE)
def test_integers_come_back_from_types_that_spell_them_otherwise(laboratory: Laboratory, pair: str, mode: str) -> None:
    old, wanted, values = WHOLE[pair]
    with laboratory.database(18, Specimen(pair, "", contract=items(Column("v", wanted)))) as case:
        case.break_(f"ALTER TABLE items ALTER v TYPE {old}; INSERT INTO items (v) VALUES ({'), ('.join(values)})")
        run = case.apply(mode=mode, allow_hazards="all")
        held = case.check(deep=True).ok
        case.break_("INSERT INTO items (v) VALUES (3)")
        fixer.undo(case.connection, run.run or 0)

        assert held
        assert [*values, "3"] == [v for (v,) in ask(case, "SELECT v::text FROM items ORDER BY id")]


# ---- texts that differ, and values that do not


ALIKE = {
    "a unique constraint": "ADD UNIQUE (v)",
    "a primary key": "DROP CONSTRAINT items_pkey, ALTER v SET NOT NULL, ADD PRIMARY KEY (v)",
    "a unique constraint over two": "ADD UNIQUE (v, w)",
    "a unique index over an expression": "ADD x text; CREATE UNIQUE INDEX ON items (v, lower(x || ',') DESC)",
}
PAIRED = items(Column("v", Integer), Column("w", Integer))


@MODES
@pytest.mark.parametrize("what", ALIKE)
def test_texts_that_would_become_one_number_are_told_before_anything_is_changed(
    laboratory: Laboratory, what: str, mode: str
) -> None:
    with laboratory.database(18, Specimen("", "", contract=PAIRED)) as case:
        case.break_(
            f"ALTER TABLE items ALTER v TYPE text, ALTER w TYPE text, {ALIKE[what]};"
            "INSERT INTO items (v, w) VALUES ('1', '01'), ('01', '1'), ('2', '1'), ('x', '1')"
        )
        if "expression" in what:
            case.break_("UPDATE items SET x = 'X'")
        before = stamps(case.observer)
        (told,) = (f for f in case.check().findings if "alike" in f.message)
        with pytest.raises(NeedsPermission, match="alike: 2 rows would share a value"):
            case.apply(mode=mode, allow_hazards="all")

        assert (2, before) == (told.rows, stamps(case.observer))
        assert {"1", "01"} == {row[-1 if "two" not in what else -2] for row in told.sample}


APART = {
    "NULLs": "INSERT INTO items (v) VALUES (NULL), (NULL), ('1')",
    "misfits that leave": "INSERT INTO items (v) VALUES ('x'), ('y'), ('1')",
    "rows outside of the index": "INSERT INTO items (v, w) VALUES ('1', 0), ('01', 0), ('1', 1)",
}


@MODES
@pytest.mark.parametrize("what", APART)
def test_what_stays_apart_is_converted(laboratory: Laboratory, what: str, mode: str) -> None:
    with laboratory.database(18, Specimen("", "", contract=PAIRED)) as case:
        where = " WHERE w > 0 AND v IS NOT NULL" if "outside" in what else ""
        case.break_(f"ALTER TABLE items ALTER v TYPE text; CREATE UNIQUE INDEX odd ON items (v){where}; {APART[what]}")
        case.apply(mode=mode, allow_hazards="all")

        assert case.check(deep=True).ok


# ---- indexes that need the old type

CLINGING = {
    "an operator class": "CREATE INDEX odd ON items (v text_pattern_ops)",
    "an operator class among others": "CREATE INDEX odd ON items (id, v varchar_pattern_ops DESC) WHERE w > 0",
    "a collation": 'CREATE INDEX odd ON items (v COLLATE "C" DESC)',
    "an expression": "CREATE INDEX odd ON items (lower(v))",
    "an expression that is more": "CREATE INDEX odd ON items (w, (v || ''))",
    "a condition": "CREATE INDEX odd ON items (v) WHERE v <> ''",
}


@MODES
@pytest.mark.parametrize("what", CLINGING)
def test_an_index_that_needs_the_old_type_is_named_before_anything_is_changed(
    laboratory: Laboratory, what: str, mode: str
) -> None:
    with laboratory.database(18, Specimen("", "", contract=PAIRED)) as case:
        case.break_(
            f"ALTER TABLE items ALTER v TYPE varchar(9); {CLINGING[what]}; INSERT INTO items (v, w) VALUES ('7', 1)"
        )
        before = stamps(case.observer)
        with pytest.raises(NeedsPermission, match=r"the index odd depends on the type of items\.v"):
            case.apply(mode=mode, allow_hazards="all")

        assert before == stamps(case.observer)


LOOSE = {
    "an order": "CREATE INDEX odd ON items (v DESC NULLS LAST, w)",
    "what asks for NULL alone": "CREATE INDEX odd ON items (v) WHERE v IS NOT NULL AND w > 0",
    "what it includes": "CREATE INDEX odd ON items (w) INCLUDE (v)",
    "another column": "CREATE INDEX odd ON items (v, (w + 1))",
    "a hash": "CREATE INDEX odd ON items USING hash (v)",
}


@MODES
@pytest.mark.parametrize("what", LOOSE)
def test_any_other_index_goes_over(laboratory: Laboratory, what: str, mode: str) -> None:
    with laboratory.database(18, Specimen("", "", contract=PAIRED)) as case:
        case.break_(f"ALTER TABLE items ALTER v TYPE text; {LOOSE[what]}; INSERT INTO items (v, w) VALUES ('7', 1)")
        index = ask(case, "SELECT pg_get_indexdef('odd'::regclass)")
        case.apply(mode=mode, allow_hazards="all")

        assert (index, True) == (ask(case, "SELECT pg_get_indexdef('odd'::regclass)"), case.check(deep=True).ok)


@MODES
def test_an_operator_class_of_padded_texts_forbids_another_kind_of_text(laboratory: Laboratory, mode: str) -> None:
    with laboratory.database(18, Specimen("", "", contract=items(Column("v", String(40))))) as case:
        case.break_("ALTER TABLE items ALTER v TYPE char(5); CREATE INDEX odd ON items (v bpchar_pattern_ops)")
        before = stamps(case.observer)
        with pytest.raises(NeedsPermission, match=r"the index odd depends on the type of items\.v"):
            case.apply(mode=mode, allow_hazards="all")

        assert before == stamps(case.observer)
