"""Of rows that share a value, the one that stays has no other fault; and a row goes for its own, where all have one."""

from __future__ import annotations

import pytest
from sqlalchemy import CheckConstraint, Column, ForeignKey, Integer, MetaData, String, Table

from fixer.model.defect import Specimen
from fixer.model.plan import MODES
from lab.laboratory import Case, Laboratory
from lab.mixing import mixed


def shelf() -> MetaData:
    """Return a contract of writers, their works with a unique title and number, and notes on them."""
    metadata = MetaData()
    Table("writers", metadata, Column("id", Integer, primary_key=True))
    Table(
        "works",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("writer", Integer, ForeignKey("writers.id"), nullable=False),
        Column("prequel", Integer, ForeignKey("works.id")),
        Column("title", String(30), nullable=False, unique=True),
        Column("number", Integer, unique=True),
        Column("pages", Integer, CheckConstraint("pages > 0")),
        Column("language", String(3), nullable=False),
    )
    Table(
        "notes",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("work", Integer, ForeignKey("works.id"), nullable=False),
        Column("word", String(10), unique=True),
    )
    return metadata


ROWS = """
INSERT INTO writers SELECT generate_series(1, 5);
INSERT INTO works (id, writer, title, number, pages, language)
SELECT n, n, 'title ' || n, n, 10, 'en' FROM generate_series(1, 5) AS n;
INSERT INTO notes SELECT n, n, 'word ' || n FROM generate_series(1, 5) AS n;
"""
SHELF = Specimen("shelf", "", contract=shelf, setup=ROWS)
TITLES = "ALTER TABLE works DROP CONSTRAINT works_title_key;"
OPEN = f"{TITLES} ALTER TABLE works DROP CONSTRAINT works_writer_fkey;"
ROWS_BELOW = "UPDATE works SET prequel = id - 1 WHERE id IN (2, 3); UPDATE works SET writer = 77 WHERE id = 1;"
KEPT = {  # how rows come to share a value, and which of all these rows stay
    "the first is an orphan": (f"{OPEN} UPDATE works SET title = 'title 2', writer = 77 WHERE id = 1", [2, 3, 4, 5]),
    "the first is an orphan, in a column that is wider than the contract's": (
        f"{OPEN} ALTER TABLE works ALTER writer TYPE bigint;"
        "UPDATE works SET title = 'title 2', writer = 77 WHERE id = 1",
        [2, 3, 4, 5],
    ),
    "all are orphans": (f"{OPEN} UPDATE works SET title = 'title 2', writer = 77 WHERE id < 3", [3, 4, 5]),
    "the first and the third are orphans": (
        f"{OPEN} UPDATE works SET title = 'x' WHERE id < 5; UPDATE works SET writer = 77 WHERE id IN (1, 3)",
        [2, 5],
    ),
    "the first breaks a check": (
        f"{TITLES} ALTER TABLE works DROP CONSTRAINT works_pages_check;"
        "UPDATE works SET title = 'title 3', pages = -1 WHERE id = 2",
        [1, 3, 4, 5],
    ),
    "the first lacks a value": (
        f"{TITLES} ALTER TABLE works ALTER language DROP NOT NULL;"
        "UPDATE works SET title = 'title 3', language = NULL WHERE id = 2",
        [1, 3, 4, 5],
    ),
    "the first repeats another in another column": (
        f"{TITLES} ALTER TABLE works DROP CONSTRAINT works_number_key;"
        "UPDATE works SET title = 'title 3', number = 1 WHERE id = 2",
        [1, 3, 4, 5],
    ),
    "the first hangs on an orphan": (
        f"{OPEN} {ROWS_BELOW} UPDATE works SET title = 'title 4' WHERE id = 3",
        [4, 5],
    ),
    "the first hangs on an orphan, without a key": (
        f"{OPEN} ALTER TABLE works DROP CONSTRAINT works_prequel_fkey;"
        f"{ROWS_BELOW} UPDATE works SET title = 'title 4' WHERE id = 3",
        [4, 5],
    ),
}


BELOW = {  # what hangs on an orphan, and shares a word with what does not
    "under a key": "",
    "without a key": "ALTER TABLE notes DROP CONSTRAINT notes_work_fkey;",
}


@pytest.mark.parametrize("name", KEPT)
def test_the_row_that_stays_is_one_without_another_fault(laboratory: Laboratory, name: str) -> None:
    breaks, wanted = KEPT[name]
    with laboratory.database(18, SHELF, role="owner") as case:
        case.break_(breaks)
        case.apply(allow_hazards="all")

        assert _ids(case, "works") == wanted


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", KEPT)
def test_each_row_goes_for_a_true_reason(laboratory: Laboratory, name: str, mode: str) -> None:
    with laboratory.database(18, SHELF, role="owner") as case:
        assert "\n".join(mixed(case, [KEPT[name][0]], mode=mode)) == ""


@pytest.mark.parametrize("name", BELOW)
def test_a_row_that_goes_after_its_parent_is_not_kept_for_another(laboratory: Laboratory, name: str) -> None:
    breaks = (
        "ALTER TABLE works DROP CONSTRAINT works_writer_fkey; ALTER TABLE notes DROP CONSTRAINT notes_word_key;"
        f"{BELOW[name]} UPDATE works SET writer = 77 WHERE id = 1; UPDATE notes SET word = 'word 2' WHERE id = 1"
    )
    with laboratory.database(18, SHELF, role="owner") as case:
        case.break_(breaks)
        case.apply(allow_hazards="all")

        assert _ids(case, "notes") == [2, 3, 4, 5]


def _ids(case: Case, table: str) -> list[int]:
    cursor = case.observer.cursor()
    cursor.execute(f"SELECT id FROM {table} ORDER BY id")
    return [id_ for (id_,) in cursor.fetchall()]
