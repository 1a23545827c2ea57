"""New numbers for rows of tables that count by the sequence of another table."""

from __future__ import annotations

import pytest

from fixer.defects._counters import SEATED, seats
from fixer.model.defect import Specimen
from fixer.model.plan import MODES
from lab.hook import apply, ask
from lab.laboratory import Laboratory

TWICE = "ALTER TABLE stalls DROP CONSTRAINT stalls_pkey, ALTER id {}; INSERT INTO stalls VALUES (5, 'd')"
COUNTING = {
    "by nothing": TWICE.format("DROP DEFAULT"),
    "by the sequence of a table beside": "CREATE TABLE other (id serial); SELECT setval('other_id_seq', 500);"
    + TWICE.format("SET DEFAULT nextval('other_id_seq')"),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("breaks", COUNTING.values(), ids=COUNTING)
def test_rows_of_an_heir_get_numbers_of_the_sequence_above(laboratory: Laboratory, breaks: str, mode: str) -> None:
    with laboratory.database(18, Specimen("heirs", breaks, contract=seats, setup=SEATED)) as case:
        case.break_(breaks)
        apply(case, mode=mode)
        ask(case, """INSERT INTO "se%ats" (place) VALUES ('next')""")

        assert ask(case, """SELECT count(*), count(DISTINCT id), max(id) < 100 FROM "se%ats" """) == [(7, 7, True)]


APART = "ALTER TABLE stalls NO INHERIT boxes; ALTER TABLE stalls {}"
KEYS = {
    "texts": APART.format("ALTER id DROP DEFAULT, ALTER id TYPE text USING 'S-' || id"),
    "none": APART.format("DROP id"),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("breaks", KEYS.values(), ids=KEYS)
def test_rows_of_a_table_that_is_to_inherit_are_numbered_like_those_above(
    laboratory: Laboratory, breaks: str, mode: str
) -> None:
    with laboratory.database(18, Specimen("heirs", breaks, contract=seats, setup=SEATED)) as case:
        case.break_(f"{breaks}; SELECT setval('se%ats_id_seq', 1, false)")
        run = case.apply(mode=mode, allow_hazards="all", skip=("missing-inheritance:public.stalls",))
        left = [finding.slug for finding in run.report.findings if finding.breaks]

        assert "missing-inheritance" in left
        assert not {"shared-sequence", "sequence-behind", "text-key", "missing-key-column"} & {*left}
        assert ask(case, "SELECT id > 4, pg_get_serial_sequence('stalls', 'id') FROM stalls") == [(True, None)]
