"""Where rows stood when they were counted is handed on to the repair: what is written is what is there by then."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import psycopg2
import pytest

from fixer import api
from fixer.compare import probes as rows
from fixer.errors import PlanRefused
from fixer.model.plan import Plan
from fixer.model.table import QName
from fixer.runner import atomic
from fixer.runner import row_places as places
from lab.laboratory import Case, Laboratory
from lab.process import wait_for

REVIEWS = QName("public", "reviews")
# Of 1 there are three copies, of 2 one and another row with two copies, of 3 another row.
BROKEN = """
ALTER TABLE reviews DROP CONSTRAINT reviews_pkey;
INSERT INTO reviews SELECT r.* FROM reviews r, generate_series(1, 3) WHERE id = 1;
INSERT INTO reviews SELECT * FROM reviews WHERE id = 2;
INSERT INTO reviews SELECT 2, book_id, 'another' FROM reviews, generate_series(1, 3) WHERE id = 4;
INSERT INTO reviews SELECT id, book_id, 'another' FROM reviews WHERE id = 3;
"""
FIRST = "ctid = (SELECT min(ctid) FROM reviews WHERE {})"
BODIES = "SELECT r.row->>'body' FROM fixer_quarantine.reviews r ORDER BY 1"


@pytest.fixture
def library(laboratory: Laboratory) -> Iterator[Case]:
    """A library whose reviews have no key, and repeat."""
    with laboratory.database(18) as case:
        case.break_(BROKEN)
        settle(case)
        yield case


@pytest.fixture
def trusted(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether what was handed on was taken for what a search would find."""
    found: list[bool] = []
    untouched = places._untouched

    def spied(*given: Any) -> bool:
        found.append(untouched(*given))
        return found[-1]

    monkeypatch.setattr(places, "_untouched", spied)
    return found


def settle(case: Case) -> None:
    """Wait until no transaction is at work that is older than the rows: else they might be of one that is."""
    cursor = case.observer.cursor()

    def settled() -> bool:
        oldest = "pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
        cursor.execute(f"SELECT max(xmin::text::bigint) < {oldest} FROM reviews")
        return bool(cursor.fetchone()[0])

    wait_for(settled)


def planned(library: Case) -> Plan:
    return api.plan(library.connection, library.sound.contract)


def moved(library: Case, plan: Plan) -> int:
    """Carry a plan out, and tell how many reviews went to quarantine, or were too many; the ledger has added up."""
    try:
        run = atomic.run(library.connection, library.sound.contract, plan)
    except PlanRefused as refused:
        return int(str(refused).partition(" rows of public.reviews would go to quarantine, the plan announced 6")[0])
    assert run.report
    assert run.report.ok
    return next(entry.quarantined for entry in run.ledger if entry.table == REVIEWS)


def test_what_was_found_is_written_without_another_search(library: Case, trusted: list[bool]) -> None:
    plan = planned(library)

    assert moved(library, plan) == 3 + 1 + 2
    assert trusted == [True]


def test_the_places_of_orphans_do_not_stand_for_those_of_copies(library: Case, trusted: list[bool]) -> None:
    library.break_(
        "ALTER TABLE reviews DROP CONSTRAINT reviews_book_id_fkey; UPDATE reviews SET book_id = 99 WHERE id = 5"
    )
    settle(library)

    assert moved(library, planned(library)) == 3 + 1 + 2 + 1
    assert trusted == [True]


def test_a_plan_that_is_carried_out_by_another_session_searches(library: Case, trusted: list[bool]) -> None:
    with closing(psycopg2.connect(library.connection.dsn)) as connection:
        plan = api.plan(connection, library.sound.contract)

    assert moved(library, plan) == 3 + 1 + 2
    assert trusted == [False]


MEANWHILE = {
    "a copy comes in": ("INSERT INTO reviews SELECT * FROM reviews WHERE id = 9", 7),
    "another row comes in under a key": ("INSERT INTO reviews SELECT 9, book_id, 'new' FROM reviews WHERE id = 9", 6),
    "a copy becomes another": (f"UPDATE reviews SET body = 'new' WHERE {FIRST.format('id = 1')}", 5),
    "a place is taken by another row": (
        f"DELETE FROM reviews WHERE {FIRST.format('id = 1')}; VACUUM reviews;"
        " INSERT INTO reviews SELECT * FROM reviews WHERE id = 9",
        6,
    ),
    "all rows move": (f"DELETE FROM reviews WHERE {FIRST.format('true')}; VACUUM FULL reviews", 5),
    "all rows move in order": ("CREATE INDEX i ON reviews (body); CLUSTER reviews USING i; DROP INDEX i", 6),
}


@pytest.mark.parametrize("event", MEANWHILE)
def test_what_was_written_meanwhile_is_found(library: Case, trusted: list[bool], event: str) -> None:
    plan = planned(library)
    statements, expected = MEANWHILE[event]
    for statement in statements.split(";"):
        library.observer.cursor().execute(statement)

    assert moved(library, plan) == expected
    assert trusted == [False]


def test_what_was_being_written_is_found(library: Case, trusted: list[bool]) -> None:
    library.observer.autocommit = False
    library.observer.cursor().execute("INSERT INTO reviews SELECT * FROM reviews WHERE id = 9")
    with closing(psycopg2.connect(library.connection.dsn)) as later:
        later.cursor().execute("CREATE TEMP TABLE later ()")
        later.commit()
        plan = planned(library)
    library.observer.commit()

    assert moved(library, plan) == 7
    assert trusted == [False]


GONE = {
    "the row that stays": (f"DELETE FROM reviews WHERE {FIRST.format('id = 1')}", 5),
    "the row of which another is a copy": (f"DELETE FROM reviews WHERE {FIRST.format('id = 2')}", 5),
    "a row and its copy": ("DELETE FROM reviews WHERE id = 2 AND body <> 'another'", 5),
    "the row whose key it shares": ("DELETE FROM reviews WHERE id = 3 AND body <> 'another'", 6),
    "a copy": ("DELETE FROM reviews WHERE ctid = (SELECT max(ctid) FROM reviews WHERE id = 1)", 5),
    "all": ("DELETE FROM reviews", 0),
}


@pytest.mark.parametrize("event", GONE)
def test_what_is_gone_meanwhile_is_missed(library: Case, trusted: list[bool], event: str) -> None:
    plan = planned(library)
    statement, expected = GONE[event]
    library.observer.cursor().execute(statement)

    assert moved(library, plan) == expected
    assert trusted == [False]


def test_rows_that_were_frozen_meanwhile_stay_where_they_were_seen(library: Case, trusted: list[bool]) -> None:
    plan = planned(library)
    library.observer.cursor().execute("VACUUM FREEZE reviews")

    assert moved(library, plan) == 6
    assert trusted == [True]


def test_more_rows_than_are_handed_on_are_searched(
    library: Case, trusted: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "PLACES", 7)  # of eight
    plan = planned(library)

    assert moved(library, plan) == 6
    assert trusted == []


def test_after_many_transactions_their_numbers_prove_nothing(
    library: Case, trusted: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = planned(library)
    monkeypatch.setattr(places, "FAR", 0)

    assert moved(library, plan) == 6
    assert trusted == [False]
