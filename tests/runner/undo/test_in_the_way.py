"""What keeps an owner from taking a run back is said in one sentence, with who may do it: and that role can."""

from __future__ import annotations

from contextlib import closing

import psycopg2
import pytest

import fixer
from fixer import defects
from fixer.errors import UndoRefused
from fixer.model.defect import Specimen
from lab.evidence.dumps import everything
from lab.laboratory import Laboratory

SLEPT = "Triggers of {} were switched off before run 1, and only a superuser may switch them off again"
IN_THE_WAY = {
    "disabled-foreign-key: disabled, and orphans came in": SLEPT.format("reviews_book_id_fkey of public.reviews"),
    "disabled-unique: disabled, and rows repeat": SLEPT.format("members_email_key of public.members"),
    "orphan-rows: under a key that is valid by the catalogue": "Only a superuser can undo run 1: the book_id of 3"
    " rows of public.reviews pointed at no row of public.books before it, although reviews_book_id_fkey forbids that",
    "failing-unique: values that repeat": "rows of public.authors would repeat values that authors_name_key holds"
    " only once: no role can allow that while it stands",
}


def specimen(name: str) -> Specimen:
    slug, _, called = name.partition(": ")
    (found,) = (each for each in defects.by_slug()[slug].SPECIMENS if each.name == called)
    return found


@pytest.mark.parametrize("name", IN_THE_WAY)
def test_an_owner_is_told_what_stands_in_the_way_and_who_may_undo(laboratory: Laboratory, name: str) -> None:
    broken = specimen(name)
    with laboratory.database(18, broken, "owner") as case:
        case.break_(broken.breaks)
        before = everything(case.server, case.name)
        run = case.apply(allow_hazards="all", deep=broken.deep).run or 0
        with pytest.raises(UndoRefused) as refused:
            fixer.undo(case.connection, run)
        if "superuser" in IN_THE_WAY[name]:
            with closing(psycopg2.connect(case.server.database_dsn(case.name))) as superuser:
                fixer.undo(superuser, run)

            assert everything(case.server, case.name) == before

        assert IN_THE_WAY[name] in str(refused.value)


def test_an_owner_is_told_whose_journal_it_may_not_read(laboratory: Laboratory) -> None:
    with laboratory.database(18, role="owner") as case:
        case.break_("ALTER TABLE reviews ALTER COLUMN id DROP DEFAULT")
        with closing(psycopg2.connect(case.server.database_dsn(case.name))) as superuser:
            run = fixer.apply(superuser, case.sound.contract, allow_hazards="all").run or 0
        with pytest.raises(UndoRefused, match=r"^Only postgres, .* or a superuser may undo run 1: let one of them"):
            fixer.undo(case.connection, run)
