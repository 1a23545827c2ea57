"""Constants: what is said of two is compared with what PostgreSQL makes of them."""

from __future__ import annotations

from contextlib import closing

import psycopg2
import pytest

from fixer.model.constant import same_value
from fixer.sql.types import family
from lab.laboratory import Laboratory

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
