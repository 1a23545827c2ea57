"""Unique indexes that fail although the catalogue calls them valid."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Boolean, CheckConstraint, Column, ForeignKey, Index, Integer, MetaData, Table, Text, text

import fixer
from fixer.compare.examine import look
from fixer.model.defect import Specimen
from lab.laboratory import VERSIONS, Case, Laboratory


def shop() -> MetaData:
    """Return a contract of unique texts, with rows that reference them."""
    metadata = MetaData()
    Table("goods", metadata, Column("id", Integer, primary_key=True), Column("name", Text, unique=True))
    Table("sales", metadata, Column("id", Integer, primary_key=True), Column("good", ForeignKey("goods.id")))
    once = Index("stock_once", "place", unique=True, postgresql_where=text("NOT gone"))
    Table("stock", metadata, Column("place", Integer), Column("gone", Boolean), once)
    checks = CheckConstraint("amount > 0"), CheckConstraint("amount < 99")
    Table("prices", metadata, Column("amount", Integer, unique=True), *checks)
    return metadata


ROWS = (
    "INSERT INTO goods (name) SELECT chr(CASE g % 2 WHEN 0 THEN 64 ELSE 96 END + g) FROM generate_series(1, 26) AS g;"
    "INSERT INTO sales (good) SELECT g FROM generate_series(1, 26) AS g;"
    "INSERT INTO stock SELECT g, g % 9 = 0 FROM generate_series(1, 26) AS g;"
    "INSERT INTO prices SELECT generate_series(1, 26)"
)
UNSEEN = """
UPDATE pg_index SET indisready = false, indisvalid = false WHERE indexrelid = 'goods_pkey'::regclass;
INSERT INTO goods (name) VALUES ('other');
UPDATE pg_index SET indisready = true, indisvalid = true WHERE indexrelid = 'goods_pkey'::regclass;
SET LOCAL session_replication_role = replica;
INSERT INTO sales (good) VALUES (27);
"""
UNSEEN_BESIDE_OTHERS = (
    UNSEEN.split("SET LOCAL")[0]
    .replace("goods_pkey", "stock_once")
    .replace("goods (name) VALUES ('other')", "stock VALUES (1, true), (70, false)")
)
UNSEEN_BY_ALL_THAT_IS_ASKED = (
    UNSEEN.split("SET LOCAL")[0]
    .replace("goods_pkey", "prices_amount_key")
    .replace("goods (name) VALUES ('other')", "prices VALUES (27)")
)
# The index is built in one order, and read in another, as after an update of the system's libraries.
RESORTED = """
ALTER TABLE goods DROP CONSTRAINT goods_name_key;
CREATE UNIQUE INDEX goods_name_key ON goods (name DESC);
UPDATE pg_index SET indoption = '0' WHERE indexrelid = 'goods_name_key'::regclass;
"""


@pytest.fixture(params=VERSIONS)
def store(request: pytest.FixtureRequest, laboratory: Laboratory) -> Iterator[Case]:
    with laboratory.database(request.param, Specimen("shop", "", contract=shop, setup=ROWS)) as case:
        yield case


def told(report: fixer.Report) -> list[str]:
    return [f"{finding.slug}: {finding.message}" for finding in report.findings if finding.breaks]


def test_a_parent_that_its_key_does_not_show_is_there(store: Case) -> None:
    store.break_(UNSEEN)
    store.break_(f'ALTER DATABASE "{store.name}" SET enable_seqscan = off')

    assert told(store.check()) == ["failing-unique: goods should have each (id) once, goods_pkey does not show one row"]


def test_texts_that_are_sorted_otherwise_are_found_and_sorted_anew(store: Case) -> None:
    store.break_(RESORTED)

    assert told(store.check(deep=True)) == [
        "failing-unique: goods should have each (name) once, goods_name_key is not in order"
    ]
    store.apply(deep=True)
    assert told(store.check(deep=True)) == []
    assert store.check(deep=True).findings == ()


def test_a_repeat_in_the_wrong_order_is_found(store: Case) -> None:
    store.break_(RESORTED)
    with store.connection as later:  # a session that has not seen the index as it was
        later.cursor().execute("INSERT INTO goods (name) VALUES ('a')")

    assert "goods should have each (name) once, has rows that repeat it under goods_name_key" in str(
        told(store.check(deep=True))
    )


def test_the_rows_that_a_partial_index_should_show_are_counted_in_the_table(store: Case) -> None:
    store.break_(UNSEEN_BESIDE_OTHERS)
    with store.connection as along_indexes:
        along_indexes.cursor().execute("SET enable_seqscan = off")

    assert told(store.check(deep=True)) == [
        "failing-unique: stock should have each (place) WHERE (NOT gone) once, stock_once does not show one row"
    ]


def test_rows_are_counted_in_the_table_where_one_index_could_answer_all(store: Case) -> None:
    store.break_(UNSEEN_BY_ALL_THAT_IS_ASKED)
    with store.connection as along_indexes:
        along_indexes.cursor().execute("SET enable_seqscan = off")

    assert told(store.check(deep=True)) == [
        "failing-unique: prices should have each (amount) once, prices_amount_key does not show one row"
    ]


def test_a_deep_check_reads_a_table_once_for_its_checks_and_for_what_its_indexes_should_show(store: Case) -> None:
    with store.connection as reader, reader.cursor() as cursor:
        look(cursor, store.sound.contract, deep=True)
        cursor.execute("SELECT seq_scan FROM pg_stat_xact_user_tables WHERE relname = 'prices'")

        assert cursor.fetchall() == [(1,)]
