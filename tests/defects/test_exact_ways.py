"""Values with one exact way to the wanted type are converted and come back; json that jsonb rejects moves as it is."""

from __future__ import annotations

from contextlib import closing

import psycopg2
import pytest
from sqlalchemy import (
    ARRAY,
    JSON,
    TIMESTAMP,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Enum,
    ForeignKey,
    MetaData,
    Numeric,
    String,
    Table,
    Text,
    Time,
    Uuid,
)
from sqlalchemy.dialects.postgresql import (
    CIDR,
    DATEMULTIRANGE,
    INET,
    INT4RANGE,
    INT8MULTIRANGE,
    INT8RANGE,
    JSONB,
    MACADDR,
    MACADDR8,
    TSTZMULTIRANGE,
    TSTZRANGE,
)

import fixer
from fixer.errors import NeedsPermission
from fixer.model.plan import MODES
from lab.database import all_of, differences, lent
from lab.examples.models import contract, integer, key
from lab.laboratory import Laboratory
from lab.outcomes import outcome

DOMAINS = """CREATE SCHEMA app; CREATE DOMAIN app."S.m" AS smallint; CREATE DOMAIN word AS varchar(36);
    CREATE DOMAIN other AS word; CREATE DOMAIN ratio AS real; CREATE DOMAIN coins AS money;
    CREATE DOMAIN flag AS bit(1); CREATE TYPE older AS ENUM ('new', 'old');
"""
WAYS = {
    "a domain over shorter numbers": ('app."S.m"', BigInteger(), ["-3", "32767"], ["-3", "32767"]),
    "arrays of a domain": ("word[]", ARRAY(String(40)), ["{a,NULL}", "{}"], ["{a,NULL}", "{}"]),
    "a domain over a domain over texts": ("other", Boolean(), ["yes", "f"], ["true", "false"]),
    "a domain over floats": ("ratio", Numeric, ["0.1", "2.5"], ["0.1", "2.5"]),
    "a domain over money": ("coins", Numeric(12, 2), ["$1,000.50"], ["1000.50"]),
    "a domain over bits": ("flag", Boolean(), ["1", "0"], ["true", "false"]),
    "money": ("money", Numeric(18, 2), ["$92,233,720,368,547.58", "-0.99"], ["92233720368547.58", "-0.99"]),
    "text to jsonb": ("text", JSONB(), ['{"b":1,  "a": 2}', "[1, 2]"], ['{"a": 2, "b": 1}', "[1, 2]"]),
    "text to json": ("text", JSON(), ['{"b":1,  "a": "\\u0000"}'], ['{"b":1,  "a": "\\u0000"}']),
    "text to inet": ("text", INET(), ["10.0.0.1", "::0001"], ["10.0.0.1/32", "::1/128"]),
    "text to cidr": ("text", CIDR(), ["10.0.0.0/8"], ["10.0.0.0/8"]),
    "a network as an address": ("cidr", INET(), ["10.0.0.0/8", "::1"], ["10.0.0.0/8", "::1/128"]),
    "an address as a network": ("inet", CIDR(), ["10.0.0.0/8", "10.0.0.1"], ["10.0.0.0/8", "10.0.0.1/32"]),
    "longer hardware addresses": ("macaddr", MACADDR8(), ["08:00:2b:01:02:03"], ["08:00:2b:ff:fe:01:02:03"]),
    "shorter hardware addresses": ("macaddr8", MACADDR(), ["08:00:2b:ff:fe:01:02:03"], ["08:00:2b:01:02:03"]),
    "text to a hardware address": ("text", MACADDR(), ["08002b010203"], ["08:00:2b:01:02:03"]),
    "text to a range": ("text", INT4RANGE(), ["[1,5]", "empty"], ["[1,6)", "empty"]),
    "numbers of eight bytes": ("oid", BigInteger(), ["4294967295"], ["4294967295"]),
    "ranges of longer numbers": ("int4range", INT8RANGE(), ["[1,5)", "(,)", "empty"], ["[1,5)", "(,)", "empty"]),
    "sets of a range": ("daterange", DATEMULTIRANGE(), ["[2026-01-01,)", "empty"], ["{[2026-01-01,)}", "{}"]),
    "sets of longer numbers": ("int4multirange", INT8MULTIRANGE(), ["{[1,2),[4,5)}"], ["{[1,2),[4,5)}"]),
    "lists of numbers to texts": (
        "numeric(6,2)[]",
        ARRAY(Text),
        ["{1.50,NULL}", "{{1},{2}}"],
        ["{1.50,NULL}", "{{1.00},{2.00}}"],
    ),
    "lists of texts to numbers": (
        "text[]",
        ARRAY(BigInteger),
        ["{ 7 ,NULL}", "[0:0]={-1}"],
        ["{7,NULL}", "[0:0]={-1}"],
    ),
    "lists of labels of another enum": (
        "older[]",
        ARRAY(Enum("new", "old", name="Age %")),
        ["{new,NULL}"],
        ["{new,NULL}"],
    ),
    "text to time": ("text", Time(), ["12:30", "23:59:59.5"], ["12:30:00", "23:59:59.5"]),
    "bit": ("bit(1)", Boolean(), ["0", "1"], ["false", "true"]),
    "bytes": ("bytea", Uuid(), ["\\x00112233445566778899aabbccddeeff"], ["00112233-4455-6677-8899-aabbccddeeff"]),
    "a list in jsonb": (
        "jsonb",
        ARRAY(Text),
        ['["a, b", "c\\"d\\\\n\\n", null]', "[]"],
        ['{"a, b","c\\"d\\\\n\n",NULL}', "{}"],
    ),
    "a list in json": ("json", ARRAY(Text), ['[ "one",\n"a\\/b" ]'], ["{one,a/b}"]),
    "arrays of a type that is not there": (
        "varchar(9)[]",
        ARRAY(Enum("new", "it's, old", name="Age %")),
        ["{new,NULL}", "{}", '{{new,new},{"it\'s, old",new}}', "[0:0]={new}"],
        ["{new,NULL}", "{}", '{{new,new},{"it\'s, old",new}}', "[0:0]={new}"],
    ),
    "a type that is not there": ("text", Enum("new", "old", name="age"), ["new", "old"], ["new", "old"]),
}


CELLS = "SELECT json_agg(v::text ORDER BY id) FROM m"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", WAYS)
def test_a_value_with_an_exact_way_is_converted_and_comes_back(laboratory: Laboratory, name: str, mode: str) -> None:
    found, wanted, values, expected = WAYS[name]
    with lent(laboratory.server(18), None) as database, closing(psycopg2.connect(database.dsn)) as connection:
        database.run(f"{DOMAINS} CREATE TABLE m (id serial PRIMARY KEY, v {found}); INSERT INTO m (v) VALUES (NULL)")
        with connection, connection.cursor() as cursor:
            cursor.executemany("INSERT INTO m (v) VALUES (%s)", [(value,) for value in values])
        before, models = database.ask(CELLS), contract(m=(key(), Column("v", wanted)))
        run = fixer.apply(connection, models, allow_hazards="all", mode=mode)
        assert [None, *expected] == database.ask(CELLS)
        fixer.undo(connection, run.run)
        assert before == database.ask(CELLS)


MISFITS = {
    "money of too many digits": ("money", Numeric(5, 2), "$1,000.00"),
    "money of too many digits after the point": ("money", Numeric(18, 1), "$1.25"),
    "no uuid in a domain": ("word", Uuid(), "x"),
    "no json": ("text", JSON(), "{"),
    "an address within a network": ("inet", CIDR(), "10.0.0.1/8"),
    "no short hardware address": ("macaddr8", MACADDR(), "08:00:2b:01:02:03:04:05"),
    "no number in a list": ("text[]", ARRAY(BigInteger), "{1,1.5}"),
    "no label in a list": ("older[]", ARRAY(Enum("new", name="Age %")), "{new,old}"),
    "no range": ("text", INT4RANGE(), "[5,1]"),
    "no time": ("text", Time(), "25:00"),
    "bytes of another length": ("bytea", Uuid(), "\\x0011"),
    "a number in a list": ("jsonb", ARRAY(Text), '["a", 1]'),
    "a list in a list": ("jsonb", ARRAY(Text), '[["a"]]'),
    "an object": ("jsonb", ARRAY(Text), '{"a": "b"}'),
    "a character by number in a list": ("json", ARRAY(Text), '["\\u0041"]'),
    "a character that jsonb lacks": ("json", JSONB(), '"\\u0000"'),
    "half a character": ("json", JSONB(), '"\\ud800"'),
    "a key twice": ("json", JSONB(), '{"a": 1, "a": 2}'),
    "a key twice in a text": ("text", JSONB(), '{"a": 1, "a": 2}'),
    "a number that jsonb lacks": ("json", JSONB(), "1e999999"),
    "no label": ("text", Enum("new", "old", name="age"), "young"),
}


@pytest.mark.parametrize("name", MISFITS)
def test_a_value_without_an_exact_way_is_counted_and_nothing_changes(laboratory: Laboratory, name: str) -> None:
    found, wanted, value = MISFITS[name]
    with lent(laboratory.server(18), None) as database, closing(psycopg2.connect(database.dsn)) as connection:
        database.run(f"{DOMAINS} CREATE TABLE m (id serial PRIMARY KEY, v {found}); INSERT INTO m (v) VALUES (NULL)")
        with connection, connection.cursor() as cursor:
            cursor.execute("INSERT INTO m (v) VALUES (%s)", [value])
        before, models = database.ask(CELLS), contract(m=(key(), Column("v", wanted, nullable=False)))
        findings = fixer.check(connection, models).findings
        assert [finding.rows for finding in findings if finding.slug == "wrong-type" and finding.rows] == [1]
        with pytest.raises(NeedsPermission):
            fixer.apply(connection, models)
        assert before == database.ask(CELLS)


@pytest.mark.parametrize("mode", MODES)
def test_texts_in_partitions_become_booleans(laboratory: Laboratory, mode: str) -> None:
    wanted = contract(m=(key(autoincrement=False), Column("v", Boolean)))
    wanted.tables["m"].dialect_options["postgresql"]["partition_by"] = "LIST (id)"
    with lent(laboratory.server(18), None) as database, closing(psycopg2.connect(database.dsn)) as connection:
        database.run(
            "CREATE TABLE m (id integer PRIMARY KEY, v text) PARTITION BY LIST (id);"
            "CREATE TABLE m1 PARTITION OF m FOR VALUES IN (1); CREATE TABLE m2 PARTITION OF m FOR VALUES IN (2, 3);"
            "INSERT INTO m VALUES (1, 'true'), (2, 'false'), (3, NULL)"
        )
        fixer.apply(connection, wanted, allow_hazards="all", mode=mode)
        assert database.ask(CELLS) == ["true", "false", None]


@pytest.mark.parametrize("mode", MODES)
def test_json_that_jsonb_rejects_moves_to_quarantine_and_comes_back(laboratory: Laboratory, mode: str) -> None:
    wanted = contract(p=(key(),), m=(key(), integer("p_id", ForeignKey("p.id")), Column("v", JSON)))
    with lent(laboratory.server(18), None) as database, closing(psycopg2.connect(database.dsn)) as connection:
        database.run(
            "CREATE TABLE p (id serial PRIMARY KEY); CREATE TABLE m (id serial PRIMARY KEY, p_id integer, v json);"
            r"""INSERT INTO m (p_id, v) VALUES (5, '{"a": "\u0000"}'), (5, NULL), (5, 'null')"""
        )
        before = database.ask("SELECT json_agg(m::text ORDER BY id) FROM m")
        run = fixer.apply(connection, wanted, allow_hazards="all", mode=mode)
        assert database.ask("SELECT count(*) FROM m") == 0
        fixer.undo(connection, run.run)
        assert before == database.ask("SELECT json_agg(m::text ORDER BY id) FROM m")


COUNTS = {
    "bigint NOT NULL DEFAULT 0": TIMESTAMP(timezone=True),
    "double precision": DateTime(),
    "numeric(20, 3)": Date(),
    "integer": TIMESTAMP(timezone=True),
}


@pytest.mark.parametrize(("unit", "factor"), [("seconds", 1), ("milliseconds", 1000)])
@pytest.mark.parametrize("type_", COUNTS)
def test_a_count_since_1970_is_shown_with_the_statements_that_convert_it(
    laboratory: Laboratory, type_: str, unit: str, factor: int
) -> None:
    models = MetaData()
    Table("Or%der", models, key(), Column("user", COUNTS[type_]), schema="group")
    count = 1_700_000 * factor
    with lent(laboratory.server(18), None) as database, closing(psycopg2.connect(database.dsn)) as connection:
        database.run(
            f'CREATE SCHEMA "group"; CREATE TABLE "group"."Or%der" (id serial PRIMARY KEY, "user" {type_});'
            f'INSERT INTO "group"."Or%der" ("user") VALUES ({count}), (0)'
        )
        [found] = [f for f in fixer.check(connection, models).findings if f.slug == "wrong-type"]
        ways = dict(way.split(": ") for way in (found.repair.refusal or "").split("convert it: for ")[1].split(" for "))
        database.run(ways[unit])

        shown = [cell.partition(".")[0] for _, cell in found.sample if cell]
        assert (found.rows, shown) == (2, [str(count), "0"])
        assert str(database.ask('SELECT "user"::date FROM "group"."Or%der" ORDER BY id')) == "1970-01-20"
        assert "wrong-type" not in {f.slug for f in fixer.check(connection, models).findings}


@pytest.mark.parametrize("mode", MODES)
def test_an_array_with_a_label_that_is_unknown_moves_to_quarantine_and_comes_back(
    laboratory: Laboratory, mode: str
) -> None:
    labels = ARRAY(Enum("a", "b", name="kind"))
    wanted = contract(m=(key(), Column("v", labels)), n=(key(), Column("v", labels), Column("w", labels)))
    with lent(laboratory.server(18), None) as database, closing(psycopg2.connect(database.dsn)) as connection:
        database.run(
            "CREATE TABLE m (id serial PRIMARY KEY, v text[]); INSERT INTO m (v) VALUES ('{a,z}'), ('{b}'), (NULL);"
            "CREATE TABLE n (id serial PRIMARY KEY, v text[]); INSERT INTO n (v) VALUES ('{a}')"
        )
        before = all_of(database)
        run = fixer.apply(connection, wanted, allow_hazards="all", mode=mode)
        assert database.ask(CELLS) == ["{b}", None]
        assert fixer.check(connection, wanted, deep=True).findings == ()
        fixer.undo(connection, run.run)
        assert differences(before, database) == []


@pytest.mark.parametrize("mode", MODES)
def test_a_missing_table_may_need_arrays_of_a_type_that_is_not_there(laboratory: Laboratory, mode: str) -> None:
    wanted = contract(m=(key(), Column("v", ARRAY(Enum("a", "b", name="kind")))))

    assert outcome(laboratory, wanted, "SELECT", mode) == "mended"


LEFT = {
    "days to moments": (
        "daterange",
        TSTZRANGE(),
        "[2026-01-02,2026-01-03)",
        '["2026-01-02 00:00:00+00","2026-01-03 00:00:00+00")',
    ),
    "sets of days to moments": ("datemultirange", TSTZMULTIRANGE(), "{[2026-01-02,)}", '{["2026-01-02 00:00:00+00",)}'),
    "lists of clocks to moments": (
        "timestamp[]",
        ARRAY(TIMESTAMP(timezone=True)),
        "{2026-01-02 10:00}",
        '{"2026-01-02 10:00:00+00"}',
    ),
    "numbers to labels": ("integer", Enum("new", "it's %", name="Age %"), "1", "it's %"),
    "truth to labels": ("boolean", Enum("new", "old", name="age"), "true", "old"),
    "ranges to sets of longer numbers": ("int4range", INT8MULTIRANGE(), "[1,5)", "{[1,5)}"),
    "sets to a range": ("int4multirange", INT8RANGE(), "{[1,2),[4,5)}", "[1,5)"),
}


@pytest.mark.parametrize("name", LEFT)
def test_what_is_left_to_a_person_has_a_statement_that_runs_and_depends_on_no_session(
    laboratory: Laboratory, name: str
) -> None:
    found, wanted, value, expected = LEFT[name]
    models = contract(m=(key(), Column("v", wanted)))
    with lent(laboratory.server(18), None) as database, closing(psycopg2.connect(database.dsn)) as connection:
        database.run(f"CREATE TABLE m (id serial PRIMARY KEY, v {found}); INSERT INTO m (v) VALUES ('{value}')")
        [each] = [f for f in fixer.check(connection, models).findings if f.slug == "wrong-type"]
        made, _, way = (each.repair.refusal or "").partition("convert it: ")[2].rpartition("for places from 0: ")
        way = way.partition(" for places from 1: ")[0].removeprefix("for clocks of UTC: ")
        database.run(f"SET timezone = 'Asia/Tokyo'; {made}{way.removeprefix('for what spans all of a set: ')}")

        assert database.ask(f"SET timezone = 'UTC'; {CELLS}") == [expected]
        assert "wrong-type" not in {f.slug for f in fixer.check(connection, models).findings}
