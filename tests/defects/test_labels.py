"""Labels of enums: what a person pastes gives the enum that the contract means."""

from __future__ import annotations

import re
from contextlib import closing

import psycopg2
import pytest
from sqlalchemy import Column, Enum

import fixer
from fixer.model.plan import MODES
from lab.database import Database
from lab.examples.models import contract, key
from lab.laboratory import Laboratory
from lab.outcomes import outcome

LABELS = ("a'", "B", "c", "d")


@pytest.mark.parametrize(
    "found",
    [("B", "d"), ("c",), ("d",), ("a'", "B", "c"), ("x", "d"), ("b", "d"), ("A'", "b", "C", "D")],
    ids=" ".join,
)
def test_what_is_pasted_gives_the_labels_of_the_contract_in_their_order(empty: Database, found: tuple[str]) -> None:
    listed = ", ".join(psycopg2.extensions.QuotedString(label).getquoted().decode() for label in found)
    empty.run(f"CREATE TYPE kind AS ENUM ({listed}); CREATE TABLE t (id serial PRIMARY KEY, k kind)")
    wanted = contract(t=(key(), Column("k", Enum(*LABELS, name="kind"))))
    with closing(psycopg2.connect(empty.dsn)) as connection:
        (finding,) = fixer.check(connection, wanted).findings
    for statement in re.findall(r"ALTER TYPE .*?;", finding.repair.refusal):
        empty.run(statement)
    with closing(psycopg2.connect(empty.dsn)) as connection:
        left = fixer.check(connection, wanted).findings

    assert left == ()
    assert [label for label in empty.ask("SELECT enum_range(NULL::kind)::text[]") if label != "x"] == list(LABELS)


@pytest.mark.parametrize("mode", MODES)
def test_an_enum_of_another_schema_is_created_and_taken_back(laboratory: Laboratory, mode: str) -> None:
    made = """CREATE SCHEMA "e. s"; CREATE TYPE "e. s".other AS ENUM ('z'); CREATE SEQUENCE "e. s".loose;
        CREATE TABLE t (id serial PRIMARY KEY, k text, o "e. s".other); INSERT INTO t (k) VALUES ('d'), ('c')"""
    wanted = contract(
        t=(key(), *(Column(name, Enum(*LABELS, name="K.k", schema="e. s")) for name in ("k", "added"))),
    )

    assert outcome(laboratory, wanted, made, mode) == "mended"
