"""The suite agrees with the check: what is an error for one is red for the other, and sound is green."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.proof.databases.place import Given
from contracts.proof.verdicts import described
from fixer import defects
from fixer.model.defect import Specimen
from lab.laboratory import VERSIONS, Laboratory
from lab.proof import Proof, place_in

READING = "holds|is_ahead|exists|is_wrong|is_demanded"  # the claims that write nothing


def named(pairs: list[tuple[str, Specimen]]) -> list[object]:
    return [pytest.param(specimen, id=f"{slug}: {specimen.name}") for slug, specimen in pairs]


@pytest.mark.parametrize(
    "specimen", named([(defect.SLUG, each) for defect in defects.all_classes() for each in defect.SPECIMENS])
)
def test_what_the_check_finds_is_red(laboratory: Laboratory, tmp_path: Path, specimen: Specimen) -> None:
    with laboratory.database(newest(specimen), specimen) as case, place_in(case, tmp_path) as place:
        case.break_(specimen.breaks)
        found = {described(finding) for finding in case.check().findings if finding.breaks}
        red = "\n".join(Proof(place, READING).red.values())

        assert {each for each in found if each not in red} == set()


@pytest.mark.parametrize(
    "near", named([(defect.SLUG, each) for defect in defects.all_classes() for each in defect.NEAR_MISSES])
)
def test_what_the_check_is_silent_about_is_green(
    laboratory: Laboratory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, near: Specimen
) -> None:
    monkeypatch.setattr(Given, "examples", (3, 2))
    with laboratory.database(newest(near), near) as case, place_in(case, tmp_path) as place:
        case.break_(near.breaks)

        assert Proof(place).red == {}


def newest(specimen: Specimen) -> int:
    """Return the newest server; skip where the specimen needs a newer one."""
    if max(VERSIONS) < specimen.minimum_version:
        pytest.skip(f"needs PostgreSQL {specimen.minimum_version}")
    return max(VERSIONS)
