"""What a plan says that its steps cost: bytes from the catalogue's sizes, by what each step does."""

from __future__ import annotations

import pytest

from fixer.model.plan import PlannedStep
from lab.laboratory import Laboratory

NARROW = """
ALTER TABLE books ALTER COLUMN pages TYPE smallint, DROP CONSTRAINT books_author_id_title_key;
INSERT INTO books (author_id, editor_id, title, price) SELECT 1, 1, n, 1 FROM generate_series(1, 5000) AS n;
ALTER TABLE reviews DROP CONSTRAINT reviews_book_id_fkey;
CREATE INDEX left_behind ON books (title);
UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'left_behind'::regclass;
"""
# Of each step: what it reads and writes and what disk it needs, in sizes of its table.
COSTS = {
    ("atomic", "widen books.pages"): (1, 1, 2),
    ("online", "in pgmend_new_pages"): (1, 1, 1),
    ("online", "prove that pgmend_new_pages is filled"): (1, 0, 0),
    ("online", "put pgmend_new_pages in place of"): (0, 0, 0),
    ("online", "drop the invalid index"): (0, 0, 0),
}


@pytest.mark.parametrize(("mode", "title"), COSTS)
def test_a_step_costs_what_it_does(laboratory: Laboratory, mode: str, title: str) -> None:
    with laboratory.database(18) as case:
        case.break_(NARROW)
        case.observer.cursor().execute("VACUUM ANALYZE books")
        cursor = case.observer.cursor()
        cursor.execute("SELECT pg_relation_size('books')")
        (size,) = cursor.fetchone()
        cost = step(case.plan(mode=mode).steps, title).cost

        assert tuple(round(each / size, 1) for each in (cost.reads, cost.writes, cost.disk)) == COSTS[mode, title]


def test_an_index_costs_its_entries_and_is_read_twice_where_others_write(laboratory: Laboratory) -> None:
    with laboratory.database(18) as case:
        case.break_(NARROW)
        case.observer.cursor().execute("VACUUM ANALYZE books")
        titles = {"atomic": "UNIQUE (author_id, title)", "online": "build the index of books_author_id_title_key"}
        steps = [step(case.plan(mode=mode).steps, title) for mode, title in titles.items()]

        assert [round(each.cost.reads / steps[0].cost.reads) for each in steps] == [1, 2]
        assert steps[0].cost.writes == steps[1].cost.writes > 0


def step(steps: tuple[PlannedStep, ...], title: str) -> PlannedStep:
    return next(each for each in steps if title in each.title)
