"""Values of rows: a page shows keys, and others only if asked to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import fixer
from contracts.trading import metadata
from fixer.report import html
from lab.database import Database
from lab.pages import Page

SECRET = "sesame@example.org"
WANTED = """
CREATE TABLE people (id serial PRIMARY KEY, email text UNIQUE NOT NULL, born date NOT NULL, boss text REFERENCES people
  (email), desk integer);
CREATE TABLE stays (email text, stay int4range, EXCLUDE USING gist (stay WITH &&));
CREATE TABLE letters (id serial PRIMARY KEY, person integer NOT NULL REFERENCES people, words text CHECK (words <> ''))
"""
PLAIN = """
CREATE TABLE people (id serial {key}, email text {unique} NOT NULL, born {born} NOT NULL, boss text, desk integer);
CREATE TABLE stays (email text, stay int4range);
CREATE TABLE letters (id serial PRIMARY KEY, person {person} NOT NULL, words text)
"""
CASES = {
    "orphans by a text": (PLAIN.format(key="PRIMARY KEY", unique="UNIQUE", born="date", person="integer"),
                          f"INSERT INTO people (email, born, boss) VALUES ('a', '1999-01-01', '{SECRET}')"),
    "texts that are no dates": (PLAIN.format(key="PRIMARY KEY", unique="UNIQUE", born="text", person="integer"),
                                f"INSERT INTO people (email, born) VALUES ('a', '{SECRET}')"),
    "values that repeat": (PLAIN.format(key="PRIMARY KEY", unique="", born="date", person="integer"),
                           f"INSERT INTO people (email, born) VALUES ('{SECRET}', '1999-01-01'), ('{SECRET}', now())"),
    "rows known by a unique text": (PLAIN.format(key="", unique="UNIQUE", born="text", person="integer"),
                                    f"INSERT INTO people (email, born) VALUES ('{SECRET}', 'x')"),
    "rows that exclude each other": (PLAIN.format(key="PRIMARY KEY", unique="UNIQUE", born="date", person="integer"),
                                     f"INSERT INTO stays VALUES ('{SECRET}', '[1,3)'), ('{SECRET}', '[2,4)')"),
    "references that are texts": (PLAIN.format(key="PRIMARY KEY", unique="UNIQUE", born="date", person="text"),
                                  f"INSERT INTO letters (person) VALUES ('{SECRET}')"),
}  # fmt: skip


@pytest.mark.parametrize(("made", "rows"), CASES.values(), ids=CASES)
def test_values_are_not_shown_unless_asked_for(empty: Database, tmp_path: Path, made: str, rows: str) -> None:
    (contract := tmp_path / "wanted.sql").write_text(f"{WANTED};\n")
    empty.run(f"{made}; {rows}")
    report = fixer.check(empty.dsn, str(contract))
    plan = fixer.plan(empty.dsn, str(contract))
    told = [text for finding in report.findings for row in finding.sample for text in row if text and SECRET in text]

    assert told
    assert SECRET not in html.of_report(report)
    assert SECRET not in html.of_plan(plan, report)
    assert SECRET not in html.of_plan(plan)
    assert SECRET in html.of_report(report, show_values=True)


def test_keys_are_shown_with_the_names_of_their_columns(broken: Database) -> None:
    report = fixer.check(broken.dsn, metadata)
    orphans = next(finding for finding in report.findings if finding.slug == "orphan-rows")
    (table,) = Page.of(html.of_report(report)).root.iter("table")
    rows = [["".join(cell.itertext()) for cell in row] for row in table.iter("tr")]

    assert rows == [["id", "user_id"], *map(list, orphans.sample)]


UNKNOWN: dict[str, dict[str, Any]] = {"no question": {"asks": None}, "other cells": {"sample": ((SECRET,),)}}


@pytest.mark.parametrize("change", UNKNOWN.values(), ids=UNKNOWN)
def test_rows_of_which_nobody_knows_the_columns_are_only_counted(broken: Database, change: dict[str, Any]) -> None:
    report = fixer.check(broken.dsn, metadata)
    findings = tuple(replace(each, **change) if each.sample else each for each in report.findings)
    page = Page.of(html.of_report(replace(report, comparison=replace(report.comparison, findings=findings))))

    assert [*page.root.iter("table")] == []
    assert "7 rows" in ["".join(each.itertext()) for each in page.classed("rows")]


def test_what_postgresql_said_of_a_value_is_not_shown(empty: Database, tmp_path: Path) -> None:
    (contract := tmp_path / "wanted.sql").write_text(
        "CREATE TABLE people (id integer PRIMARY KEY, age text, CHECK (age::integer > 0));"
    )
    empty.run(f"CREATE TABLE people (id integer PRIMARY KEY, age text); INSERT INTO people VALUES (1, '{SECRET}')")
    report = fixer.check(empty.dsn, str(contract))

    assert [finding.slug for finding in report.findings if SECRET in finding.message] == ["unreadable-rows"]
    assert SECRET not in html.of_report(report)
    assert SECRET in html.of_report(report, show_values=True)
