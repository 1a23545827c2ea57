"""Expressions as PostgreSQL spells them: which are alike, which columns they name, what an index is over."""

from __future__ import annotations

import pytest

from fixer.model.expression import Tail, canonical, column_of, mentioned, names_column, plain, respelt, tail_of

ALIKE = [
    ("((status)::text = 'a'::text)", "(status = 'a'::character varying)"),
    ('("order" > 0)', "(order > 0)"),
    ("nextval('\"Seq\"'::regclass)", "nextval('Seq'::regclass)"),
    ('(("we""ird")::text <> \'\'::text)', '("we""ird" <> \'\')'),
    ("((code)::text = ('a''b'::character varying)::text)", "(code = 'a''b'::text)"),
    ("((code)::text = ('ab'::character varying)::text)", "(code = 'ab'::text)"),
    ("(now() > at)", "(CURRENT_TIMESTAMP > at)"),
]
DIFFERENT = [
    ('("we""ird" > 0)', "(weird > 0)"),
    ("(a = '(1)')", "(a = '1')"),
    ("(a = 'x  y')", "(a = 'x y')"),
    ("(a = 'x::text')", "(a = 'x')"),
    ("(a = 'say \"x\"')", "(a = 'say x')"),
]


@pytest.mark.parametrize(("one", "other"), ALIKE)
def test_spelling_does_not_count(one: str, other: str) -> None:
    assert canonical(one) == canonical(other)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_names_and_literals_count_to_the_letter(one: str, other: str) -> None:
    assert canonical(one) != canonical(other)


def test_a_person_reads_literals_as_they_are() -> None:
    assert plain("((code)::text = 'a::text ('::text)") == "(code = 'a::text (')"


@pytest.mark.parametrize("name", ["plain", 'we"ird', "do.t", "CAPITALS", "a, (b)"])
def test_a_column_is_known_by_its_name_and_nothing_else(name: str) -> None:
    spelt = name if name == "plain" else '"' + name.replace('"', '""') + '"'
    text = f"(({spelt} + 1) > other)"

    assert (names_column(text, name), names_column(f"(other = '{spelt}')", name)) == (True, False)
    assert f"(({spelt} + 1) > new)" == respelt(text, "other", "new")
    assert respelt(text, name, "new one") == '(("new one" + 1) > other)'


def test_an_index_is_taken_apart() -> None:
    tail = """USING gist ("a, (b) WHERE c" DESC, lower(x), d) INCLUDE (e) NULLS NOT DISTINCT WHERE (f = ' WHERE ')"""
    elements = ('"a, (b) WHERE c" DESC', "lower(x)", "d")

    assert Tail("USING gist", elements, "INCLUDE (e) NULLS NOT DISTINCT", "(f = ' WHERE ')") == tail_of(tail)
    assert [*map(column_of, elements)] == [("a, (b) WHERE c", " DESC"), ("", "lower(x)"), ("d", "")]


@pytest.mark.parametrize(
    ("text", "times"),
    [
        ("code = 'code'", 1),
        ("t.code || \"code\"", 2),
        ("app.code() || code(1)", 0),
        ("code.name", 0),
        ("('x'::code || 'y'::app.code) || ('z'::\"code\")", 0),
        ("lower(code) = lower(code::text)", 2),
        ("(code)::numeric(10,2)", 1),
    ],
)  # fmt: skip
def test_a_name_of_a_function_a_type_or_a_schema_is_no_column(text: str, times: int) -> None:
    assert mentioned(text, "code") == times


def test_only_columns_are_renamed() -> None:
    text = "(lower(lower) = 'lower'::lower) AND lower.x > 0 AND (at)::timestamp with time zone > time"

    assert respelt(text, "lower", "New") == text.replace("(lower(lower)", '(lower("New")')
    assert respelt(text, "time", "at_time") == text.removesuffix("time") + "at_time"
