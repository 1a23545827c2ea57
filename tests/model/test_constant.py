"""Constants: what is said of two is compared with what PostgreSQL makes of them."""

from __future__ import annotations

from contextlib import closing

import psycopg2
import pytest
from sqlalchemy import Column, text
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.types import TypeEngine

from fixer import check
from fixer.connect.target import resolve
from fixer.model.expression.constant import is_computable, same_value
from fixer.sql.types import family
from lab.database import lent
from lab.examples.models import contract, key
from lab.laboratory import VERSIONS, Laboratory

ALIKE = [
    ("bigint", "'600'::bigint", "600"),
    ("integer", "'-1'::integer", "(-1)"),
    ("numeric(10,2)", "0.0", "'0'::numeric"),
    ("boolean", "true", "'t'::boolean"),
    ("boolean", "false", "'off'::boolean"),
    ("text[]", "'{}'::text[]", "ARRAY[]::text[]"),
    ("text[]", "'{a,b}'::text[]", "ARRAY['a'::text, 'b'::text]"),
    ("integer[]", "'{1,02}'::integer[]", "ARRAY[1, 2]"),
    ("jsonb", """'{"a": 1, "b": [2]}'::jsonb""", """'{"b":[2],"a":1}'::jsonb"""),
    ("timestamp with time zone", "CURRENT_TIMESTAMP", "now()"),
    ("timestamp without time zone", "timezone('utc'::text, now())", "(now() AT TIME ZONE 'utc'::text)"),
    ("date", "CURRENT_DATE", "(now())::date"),
]
APART = [
    ("bigint", "'600'::bigint", "601"),
    ("text", "'600'::text", "'0600'::text"),
    ("text", "'t'::text", "'true'::text"),
    ("text", "'1'::text", "'1.0'::text"),
    ("boolean", "true", "'f'::boolean"),
    ("text[]", "'{}'::text[]", "ARRAY['a'::text]"),
    ("text[]", "'{1}'::text[]", "ARRAY['01'::text]"),
    ("text[]", "'{NULL}'::text[]", "ARRAY['NULL'::text]"),
    ("text[]", "'{a,b}'::text[]", "ARRAY['a,b'::text]"),
    ("text[]", "'{}'::text[]", "ARRAY[''::text]"),
    ("json", """'{"a": 1}'::json""", """'{"a":1}'::json"""),
    ("jsonb", "'{}'::jsonb", "'[]'::jsonb"),
    ("jsonb", "'[1.5]'::jsonb", """'["1.5"]'::jsonb"""),
    ("timestamp without time zone", "timezone('utc'::text, now())", "(now() AT TIME ZONE 'cet'::text)"),
]


@pytest.mark.parametrize(("type_", "one", "other"), ALIKE)
def test_one_value_in_two_spellings_is_one(laboratory: Laboratory, type_: str, one: str, other: str) -> None:
    assert same_value(one, other, family(type_))
    assert evaluated(laboratory, type_, one, other)


@pytest.mark.parametrize(("type_", "one", "other"), APART)
def test_what_may_differ_is_not_one(laboratory: Laboratory, type_: str, one: str, other: str) -> None:
    assert not same_value(one, other, family(type_))
    assert not evaluated(laboratory, type_, one, other)


def evaluated(laboratory: Laboratory, type_: str, one: str, other: str) -> bool:
    """Return whether PostgreSQL stores one value for both."""
    equal = "({})::{}" + ("::text" if type_ == "json" else "")
    with closing(psycopg2.connect(laboratory.server(18).dsn)) as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT {equal.format(one, type_)} IS NOT DISTINCT FROM {equal.format(other, type_)}")
        return (cursor.fetchone() or [False])[0] is True


COMPUTED: list[tuple[TypeEngine[object], str, str]] = [
    (pg.INTEGER(), "600", "+600"),
    (pg.INTEGER(), "2", "1 + 1"),
    (pg.INTEGER(), "2", "1.6"),
    (pg.SMALLINT(), "-6", "- abs(-6)"),
    (pg.BIGINT(), "5242880", "5 * 1024 * 1024"),
    (pg.BIGINT(), "8", "(1 << 3)::bigint"),
    (pg.NUMERIC(8, 2), "0.5", "1 / 2.0"),
    (pg.DOUBLE_PRECISION(), "0.25", "1 / 4.0::float8"),
    (pg.BOOLEAN(), "true", "NOT (1 = 2)"),
    (pg.TEXT(), "'ab'", "'a' || 'b'"),
    (pg.TEXT(), "'50% {} it''s'", "'50%' || ' {} it''s'"),
    (pg.TEXT(), "'a;\n\\\\b'", "'a;' || chr(10) || E'\\\\\\\\b'"),
    (pg.VARCHAR(9), "'OPEN'", "upper('open')"),
    (pg.VARCHAR(9), "'a'", "'a'::char(3)"),
    (pg.CHAR(3), "'a'", "'a' || ' '"),
    (pg.JSONB(), """'{"a": [], "b": 1}'""", """'{"b": 1}'::jsonb || '{"a": []}'::jsonb"""),
    (pg.ARRAY(pg.INTEGER()), "'{1,2}'", "ARRAY[1] || 2"),
    (pg.BYTEA(), "'\\x6162'", "'a'::bytea || 'b'::bytea"),
    (pg.INTERVAL(), "'14 days'", "7 * interval '2 days'"),
    (pg.INTERVAL(), "'2 days'", "make_interval(days => 2)"),
    (pg.DATE(), "'2020-01-02'", "date '2020-01-01' + 1"),
]
OTHERS: list[tuple[TypeEngine[object], str, str]] = [
    (pg.INTEGER(), "2", "1 + 2"),
    (pg.INTEGER(), "2", "2 / (1 - 1)"),
    (pg.TEXT(), "'ab'", "'a' || 'B'"),
    (pg.TEXT(), "'ab'", "'a' || 'b '"),
    (pg.TEXT(), "'2'", "'2' || '.0'"),
    (pg.VARCHAR(2), "'ab'", "'ab' || 'c'"),
    (pg.JSONB(), "'[1.0]'", "'[]'::jsonb || '[1.00]'::jsonb"),
    (pg.ARRAY(pg.TEXT()), "'{NULL}'", "ARRAY[]::text[] || 'NULL'::text"),
    (pg.INTERVAL(), "'1 day'", "24 * interval '1 hour'"),
    (pg.INTEGER(), "3", "f(3)"),
    (pg.INTEGER(), "1", "public.==>(1)"),
    (pg.BIGINT(), "1", "txid_current() * 0 + 1"),
    (pg.TEXT(), "'x'", "coalesce(g('x'), 'x')"),
]
MARKS = """
CREATE SEQUENCE called;
CREATE FUNCTION f(integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT 3 + 0 * nextval(''called'')::integer';
CREATE FUNCTION g(text) RETURNS text LANGUAGE sql STABLE AS 'SELECT $1 || substr(nextval(''called'')::text, 1, 0)';
CREATE FUNCTION "==>"(integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT f(1)';
"""


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("pairs", "differ"), [(COMPUTED, False), (OTHERS, True)], ids=["alike", "apart"])
def test_the_server_computes_what_is_constant_and_calls_nothing_of_others(
    laboratory: Laboratory, version: int, pairs: list[tuple[TypeEngine[object], str, str]], differ: bool
) -> None:
    columns = [Column(f"c{n}", type_, server_default=text(meant)) for n, (type_, meant, _) in enumerate(pairs)]
    with lent(laboratory.server(version), None) as database:
        database.run(MARKS + "CREATE TABLE k (id serial PRIMARY KEY)")
        for column, (_, _, found) in zip(columns, pairs, strict=True):
            shape = column.type.compile(pg.dialect())  # type: ignore[no-untyped-call]
            default = found.replace("public.==>", 'public."==>"')
            database.run(
                f"ALTER TABLE k ADD {column.name} {shape}; ALTER TABLE k ALTER {column.name} SET DEFAULT {default}"
            )
        found_ = {each.object for each in check(resolve(database.dsn), contract(k=(key(), *columns))).findings}

        assert found_ == {f"public.k.{column.name}" for column in columns if differ}
        assert database.ask("SELECT is_called FROM called") is False


@pytest.mark.parametrize(
    "default",
    ["now()", "random()", "app.f(1)", '"f"(1)', "1 OPERATOR(app.+) 1", "'now'::text", "(1)--", "$1", "1; SELECT 2"],
)
def test_a_name_of_others_or_of_the_clock_is_no_constant(default: str) -> None:
    assert not is_computable(default, "date")
    assert default == "'now'::text" or not is_computable(default, "integer")
