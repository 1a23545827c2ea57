"""Of rows that share a value, the one that stays has no other fault; and a row goes for its own, where all have one."""

from __future__ import annotations

from uuid import UUID

import pytest
from sqlalchemy import (
    CheckConstraint,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    Uuid,
    text,
)

from fixer.model.defect import Specimen
from fixer.model.plan import MODES
from lab.examples.models import contract, key
from lab.laboratory import Case, Laboratory
from lab.mixing import mixed
from lab.outcomes import outcome


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


def club() -> MetaData:
    """Return a contract of members with a unique mail, the day on which each was created, and what points at them."""
    metadata = MetaData()
    Table(
        "members",
        metadata,
        Column("id", Uuid, primary_key=True),
        Column("mail", String(30), nullable=False, unique=True),
        Column("created_on", Date),
        Column("seen_at", DateTime(timezone=True), server_default=text("now()")),
        Column("host", Uuid, ForeignKey("members.id")),
        Column("rank", Integer),
    )
    member: Column[UUID] = Column("member", ForeignKey("members.id", ondelete="CASCADE"))
    Table("visits", metadata, Column("id", Integer, primary_key=True), member)
    return metadata


def club_by_rank() -> MetaData:
    """Return the contract of `club`, which declares what tells the oldest."""
    metadata = club()
    metadata.tables["members"].info["oldest_by"] = "rank"
    return metadata


def club_of_nobody() -> MetaData:
    """Return the contract of members of whom nothing tells which is older, and at whom nothing points."""
    metadata = MetaData()
    Table("members", metadata, Column("id", Uuid, primary_key=True), Column("mail", String(30), unique=True))
    return metadata


MEMBERS = """
INSERT INTO members (id, mail, created_on, rank)
SELECT ('00000000-0000-0000-0000-00000000000' || n)::uuid, 'm' || n, date '2020-01-09' - n, n
FROM generate_series(1, 6) AS n;
"""
CLUB = Specimen("club", "", contract=club, setup=MEMBERS)
ALIKE = "ALTER TABLE members DROP CONSTRAINT members_mail_key; UPDATE members SET mail = 'm' WHERE rank < 4;"
THIRD = "00000000-0000-0000-0000-000000000003"
REFERENCED = "the one that others reference"
STAYING = {  # what tells the members apart, which of the first three stays, and what the plan says about it
    "the oldest": ("", 3, "the oldest by created_on"),
    "one has no day": ("UPDATE members SET created_on = NULL WHERE rank = 3", 2, "the oldest by created_on"),
    "one has visits": (f"INSERT INTO visits VALUES (1, '{THIRD[:-1]}1')", 1, REFERENCED),
    "two have visits": (f"INSERT INTO visits VALUES (1, '{THIRD[:-1]}1'), (2, '{THIRD[:-1]}2')", 2, REFERENCED),
    "one has visits that no key holds": (
        f"ALTER TABLE visits DROP CONSTRAINT visits_member_fkey; INSERT INTO visits VALUES (1, '{THIRD[:-1]}1')",
        1,
        REFERENCED,
    ),
    "one is a host": (f"UPDATE members SET host = '{THIRD[:-1]}2' WHERE rank = 5", 2, REFERENCED),
    "one is its own host": ("UPDATE members SET host = id WHERE rank = 1", 3, REFERENCED),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", STAYING)
def test_the_row_stays_that_others_reference_or_else_the_oldest(laboratory: Laboratory, name: str, mode: str) -> None:
    breaks, stays, told = STAYING[name]
    with laboratory.database(18, CLUB, role="owner") as case:
        case.break_(f"{ALIKE} {breaks}")
        plan = case.plan()
        assert any(told in step.title for step in plan.steps)
        shown = {row[0] for each in case.check().findings if each.slug == "duplicate-values" for row in each.sample}
        case.apply(allow_hazards="all", mode=mode)

        assert _ids(case, "members", "rank") == sorted({stays, 4, 5, 6})
        assert shown == {f"{THIRD[:-1]}{n}" for n in {1, 2, 3} - {stays}}


@pytest.mark.parametrize("mode", MODES)
def test_the_oldest_row_keeps_its_key(laboratory: Laboratory, mode: str) -> None:
    with laboratory.database(18, CLUB, role="owner") as case:
        case.break_(
            "ALTER TABLE members DROP CONSTRAINT members_pkey CASCADE;"
            f"UPDATE members SET id = '{THIRD}' WHERE rank IN (2, 4, 5);"
            "UPDATE members SET created_on = NULL WHERE rank = 5"
        )
        titles = " ".join(step.title for step in case.plan().steps)
        shown = {row[0] for each in case.check().findings if each.slug == "duplicate-key" for row in each.sample}
        case.apply(allow_hazards="all", mode=mode)

        assert "else the oldest by created_on, else the one stored first" in titles
        assert (_ids(case, "members", "rank"), shown) == ([1, 4, 6], {THIRD})


def test_a_hint_tells_the_oldest(laboratory: Laboratory) -> None:
    with laboratory.database(18, CLUB._replace(contract=club_by_rank), role="owner") as case:
        case.break_(ALIKE)
        case.apply(allow_hazards="all")

        assert _ids(case, "members", "rank") == [1, 4, 5, 6]


def test_nothing_is_called_older_where_nothing_tells(laboratory: Laboratory) -> None:
    setup = MEMBERS.replace(", created_on, rank", "").replace(", date '2020-01-09' - n, n", "")
    with laboratory.database(18, Specimen("nobody", "", contract=club_of_nobody, setup=setup), role="owner") as case:
        case.break_("ALTER TABLE members DROP CONSTRAINT members_mail_key; UPDATE members SET mail = 'm'")
        titles = " ".join(step.title for step in case.plan().steps)

        assert "the one with the lowest id stays, as nothing tells which is older" in titles


def _ids(case: Case, table: str, column: str = "id") -> list[int]:
    cursor = case.observer.cursor()
    cursor.execute(f"SELECT {column} FROM {table} ORDER BY {column}")
    return [id_ for (id_,) in cursor.fetchall()]


ADDED = {
    "texts of numbers": "'N-' || nextval('counted')",
    "random": "gen_random_uuid()::text",
    "alike": "'x'",
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("default", ADDED)
def test_identical_rows_stay_identical_whatever_a_column_that_is_added_gives_them(
    laboratory: Laboratory, default: str, mode: str
) -> None:
    made = """CREATE SEQUENCE counted; CREATE TABLE t (id integer NOT NULL, a text);
        INSERT INTO t VALUES (1, 'a'), (1, 'a'), (1, 'a'), (2, 'b')"""
    added = Column("n", Text, server_default=text(ADDED[default]))
    wanted = contract(t=(key(autoincrement=False), Column("a", Text), added))

    assert outcome(laboratory, wanted, made, mode) == "mended"
