"""New numbers are clear of those that references to nothing hold, in both modes."""

from __future__ import annotations

import pytest

from fixer import undo
from fixer.errors import ApplyFailed
from fixer.model.plan import MODES
from lab.evidence.dumps import everything
from lab.examples.library import FREE, FURTHER, TWICE
from lab.hook import Hook, apply, ask
from lab.laboratory import Case, Laboratory

HELD = {  # what reviews of no book hold, and the numbers that three books get then
    "nothing": ("", [25, 26, 27]),
    "the next": ("UPDATE reviews SET book_id = 25 WHERE id = 1", [26, 27, 28]),
    "one among the next, too near": ("UPDATE reviews SET book_id = 1000 WHERE id = 1", [1001, 1002, 1003]),
    "one far up, that must not use up the integers": (
        "UPDATE reviews SET book_id = 2000000000 WHERE id = 1",
        [25, 26, 27],
    ),
    "some of each": (
        "UPDATE reviews SET book_id = (ARRAY[25, 27, 40, 5000, 2147483647, 3000000000])[id] WHERE id < 7",
        [41, 42, 43],
    ),
    "one in front of little room": (
        "UPDATE reviews SET book_id = (ARRAY[2147483600, 2147483640])[id] WHERE id < 3;"
        "SELECT setval('books_id_seq', 2147483599)",
        [2147483601, 2147483602, 2147483603],
    ),
    "a sequence that goes down": (
        "UPDATE reviews SET book_id = (ARRAY[-1, -2, -40])[id] WHERE id < 4;"
        "ALTER SEQUENCE books_id_seq INCREMENT -1 MINVALUE -2147483648 MAXVALUE 100 RESTART -1",
        [-43, -42, -41],
    ),
    "a sequence that goes down in tens, called before": (
        "UPDATE reviews SET book_id = -30 WHERE id = 1;"
        "ALTER SEQUENCE books_id_seq INCREMENT -10 MINVALUE -2147483648 MAXVALUE 100 RESTART -10;"
        "SELECT nextval('books_id_seq')",
        [-60, -50, -40],
    ),
    "a sequence that goes in tens": (
        "UPDATE reviews SET book_id = 2000 WHERE id = 1; ALTER SEQUENCE books_id_seq INCREMENT 10",
        [2004, 2014, 2024],
    ),
}


def books(case: Case) -> list[int]:
    return [number for (number,) in ask(case, "SELECT id FROM books WHERE title = 'another' ORDER BY id")]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("held", HELD)
def test_new_numbers_are_clear_of_what_is_held(laboratory: Laboratory, held: str, mode: str) -> None:
    breaks, expected = HELD[held]
    with laboratory.database(18) as case:
        case.break_(TWICE + breaks)
        case.apply(mode=mode, allow_hazards="all")

        assert books(case) == expected
        assert case.check().ok


@pytest.mark.parametrize("mode", MODES)
def test_rows_of_two_kinds_need_room_together(laboratory: Laboratory, mode: str) -> None:
    """Three rows share a key, three have none: a gap for three would let the others run into what is held."""
    with laboratory.database(18) as case:
        case.break_(
            f"{TWICE} ALTER TABLE books ALTER id DROP NOT NULL;"
            "INSERT INTO books SELECT NULL, author_id, editor_id, NULL, 'none ' || row_number() OVER (), price, pages"
            " FROM books WHERE id < 13;"
            "UPDATE reviews SET book_id = 2147483047::bigint + 13 * id; SELECT setval('books_id_seq', 2147483047)"
        )
        with pytest.raises(ApplyFailed, match=r"no room for 18 new numbers of books\.id"):
            case.apply(mode=mode, allow_hazards="all")


@pytest.mark.parametrize("mode", MODES)
def test_where_there_is_no_room_nothing_is_numbered(laboratory: Laboratory, mode: str) -> None:
    with laboratory.database(18) as case:
        case.break_(
            f"{TWICE} UPDATE reviews SET book_id = 2147483646 WHERE id = 1; SELECT setval('books_id_seq', 2147483643)"
        )
        with pytest.raises(ApplyFailed, match=r"no room for 3 new numbers of books\.id"):
            case.apply(mode=mode, allow_hazards="all")

        assert books(case) == [1, 2, 3]


BEHIND = {
    "a sequence that is behind": ("SELECT setval('books_id_seq', 7)", 33 + FURTHER),
    "no sequence": ("DROP SEQUENCE books_id_seq CASCADE", 33 + FURTHER),
    "the sequence of another": ("ALTER TABLE books ALTER id SET DEFAULT nextval('authors_id_seq')", 33),
}


@pytest.mark.parametrize("behind", BEHIND)
def test_who_writes_meanwhile_gets_no_number_that_is_held(laboratory: Laboratory, behind: str) -> None:
    """Online, others insert from the moment at which the generator works; the rows under nothing go later."""
    insert = "INSERT INTO books (author_id, editor_id, title, price) VALUES (1, 1, 'another', 1)"
    breaks, expected = BEHIND[behind]
    with laboratory.database(18) as case:
        held = f"CASE WHEN id > 8 THEN {FURTHER - 8} ELSE 0 END + 24 + id"
        case.break_(f"{FREE} UPDATE reviews SET book_id = {held} WHERE id < 17; {breaks}")
        apply(case, Hook("rows of reviews to quarantine", lambda: ask(case, insert)))

        assert books(case) == [expected]


OWN_DEFAULTS = {
    "a function": "CREATE FUNCTION next_review() RETURNS integer LANGUAGE sql AS"
    " 'SELECT 1000 + nextval(''reviews_id_seq'')::integer'; ALTER SEQUENCE reviews_id_seq OWNED BY NONE;"
    "ALTER TABLE reviews ALTER id SET DEFAULT next_review()",
    "a sequence elsewhere": "CREATE SCHEMA elsewhere; CREATE SEQUENCE elsewhere.numbers START 1049;"
    "ALTER TABLE reviews ALTER id SET DEFAULT nextval('elsewhere.numbers')",
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("default", OWN_DEFAULTS)
def test_a_column_that_counts_by_what_it_does_not_own_goes_on_so(
    laboratory: Laboratory, default: str, mode: str
) -> None:
    with laboratory.database(18) as case:
        case.break_(
            "ALTER TABLE reviews DROP CONSTRAINT reviews_pkey; ALTER TABLE reviews ALTER id DROP NOT NULL",
            OWN_DEFAULTS[default],
            "INSERT INTO reviews SELECT nullif(id, 3), book_id, 'another' FROM reviews WHERE id IN (2, 3)",
        )
        before = everything(case.server, case.name)
        case.apply(mode=mode, allow_hazards="all")

        aside = mode == "online" and default == "a sequence elsewhere"  # the last of 12 that are set aside
        given = [(1059,), (1060,)] if aside else [(1049,), (1050,)]
        assert ask(case, "SELECT id FROM reviews WHERE body = 'another' ORDER BY id") == given
        undo(case.connection, 1)
        assert everything(case.server, case.name) == before
