"""A plain check says which valid constraints it took at their word; a deep one reads their rows."""

from __future__ import annotations

import json
from contextlib import closing

import psycopg2
import pytest

import fixer
from fixer.compare.reading import CHEAP_PROBES
from lab.database import Database
from lab.process import fixer as command

MADE = """
CREATE TABLE p (id integer PRIMARY KEY, n integer CHECK (n > 0));
CREATE TABLE large (id integer PRIMARY KEY, p_id integer REFERENCES p, t text NOT NULL CHECK (t <> ''));
CREATE TABLE small (id integer PRIMARY KEY, p_id integer REFERENCES p);
INSERT INTO p SELECT n, n FROM generate_series(1, 10) AS n; INSERT INTO small VALUES (1, 1);
INSERT INTO large SELECT n, n % 10 + 1, repeat('x', 900) FROM generate_series(1, 45000) AS n
"""
SELF = ("--contract", "self")


def test_a_large_table_is_named_and_smaller_ones_are_read(empty: Database) -> None:
    empty.run(MADE)

    said = command("check", empty.dsn, *SELF)
    document = command("check", empty.dsn, *SELF, "--format", "json").stdout
    deep = command("check", empty.dsn, *SELF, "--deep", "--format", "json").stdout

    assert (said.returncode, said.stdout.count("not read")) == (0, 1)
    assert "· not read: rows behind 4 valid constraints of large  (--deep reads them)" in said.stdout
    assert json.loads(document)["unread"] == [{"table": "public.large", "constraints": 4}]
    assert "unread" not in json.loads(deep)


@pytest.mark.parametrize("form", ["sarif", "junit", "github", "html"])
def test_every_form_says_what_was_not_read(empty: Database, form: str) -> None:
    empty.run(MADE)
    said = "ot read: rows behind 4 valid constraints of large  (--deep reads them)"

    assert command("check", empty.dsn, *SELF, "--format", form).stdout.count(said) == 1
    assert said not in command("check", empty.dsn, *SELF, "--format", form, "--deep").stdout


def test_of_many_tables_those_that_were_not_read_and_have_rows_are_counted(empty: Database) -> None:
    names = [f"t{number:03}" for number in range(CHEAP_PROBES + 9)]
    made = "; ".join(f"CREATE TABLE {name} (n integer CHECK (n > 0))" for name in names)
    filled = "; ".join(f"INSERT INTO {name} VALUES (1)" for name in names[:-3])
    empty.run(f"{made}; {filled}")

    with closing(psycopg2.connect(empty.dsn)) as connection:
        unread = fixer.check(connection, "self").comparison.unread

    assert [(name.name, number) for name, number in unread] == [(name, 1) for name in names[CHEAP_PROBES:-3]]
