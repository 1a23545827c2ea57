"""Collations: one under which other texts are equal breaks the contract, one that only sorts otherwise does not."""

from __future__ import annotations

import pytest

from lab.laboratory import VERSIONS, Laboratory

SORTED = 'CREATE COLLATION odd FROM "C"; ALTER TABLE authors ALTER name TYPE varchar(50) COLLATE odd'
LOOSE = "UPDATE pg_collation SET collisdeterministic = false WHERE collname = 'odd'"  # as only builds with ICU make it
COLLATED = {"other texts are equal": (f"{SORTED}; {LOOSE}", False), "texts are sorted otherwise": (SORTED, True)}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("what", COLLATED)
def test_a_collation_breaks_the_contract_only_if_other_texts_are_equal(
    laboratory: Laboratory, version: int, what: str
) -> None:
    breaks, sound = COLLATED[what]
    with laboratory.database(version) as case:
        case.break_(breaks)
        report = case.check()
        [finding] = report.findings

        assert (report.ok, finding.slug, finding.breaks) == (sound, "different-comparison", not sound)
        assert 'ALTER COLUMN "name" TYPE character varying(50)' in str(finding.repair.refusal)
