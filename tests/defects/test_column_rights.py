"""Columns that get new values under their old name keep what was said of them, and what was granted on them."""

from __future__ import annotations

import pytest

from fixer.defects import text_key
from fixer.model.plan import MODES
from lab.laboratory import Laboratory
from lab.laws import return_

CLERK = """
DO $$ BEGIN CREATE ROLE pgmend_clerk; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
COMMENT ON COLUMN books.id IS 'what it is called';
GRANT SELECT (id, title), INSERT (title) ON books TO pgmend_clerk;
COMMENT ON COLUMN reviews.book_id IS 'what it is about';
GRANT SELECT (book_id) ON reviews TO pgmend_clerk;
"""
PUT_ON = """
SELECT attname, col_description(attrelid, attnum), has_column_privilege('pgmend_clerk', attrelid, attnum, 'SELECT')
  FROM pg_attribute
 WHERE (attrelid::regclass::text, attname) IN (('books', 'id'), ('reviews', 'book_id'))
 ORDER BY attname
"""
COUNTS = "SELECT has_sequence_privilege('pgmend_clerk', pg_get_serial_sequence('books', 'id'), 'USAGE')"


@pytest.mark.parametrize("mode", MODES)
def test_a_key_of_numbers_and_its_references_have_the_rights_of_those_of_texts(
    laboratory: Laboratory, mode: str
) -> None:
    with laboratory.database(18, role="owner") as case:
        case.break_(text_key.SPECIMENS[0].breaks, CLERK)
        before, cursor = case.state(dumped=True), case.observer.cursor()
        run = case.apply(mode=mode, allow_hazards="all")

        cursor.execute(PUT_ON)
        assert cursor.fetchall() == [("book_id", "what it is about", True), ("id", "what it is called", True)]
        cursor.execute(COUNTS)
        assert cursor.fetchone() == (True,)
        assert return_(case, run, before.lines, refusable=False) == []
