"""Every defect class obeys every law, on every version, as a superuser and as the mere owner of the tables."""

from __future__ import annotations

import pytest
from laws import (
    OWNER, ROLES, VERSIONS, Case, Laboratory, copy_quarantine, copy_rows, cure, detection, idempotence, refusal, silence,
    stamps, survival,
)  # fmt: skip

from fixer import defects, specimens
from fixer.findings import Specimen

SPECIMENS = [(defect.SLUG, specimen) for defect in defects.all_classes() for specimen in defect.SPECIMENS]
NEAR_MISSES = [(defect.SLUG, near) for defect in defects.all_classes() for near in defect.NEAR_MISSES]
SERVERS = pytest.mark.parametrize("version", VERSIONS)
DUMPED = {(16, "owner"), (18, "superuser")}  # where pg_dump, which takes its time, watches refusals too
AS = pytest.mark.parametrize("role", ROLES)


def named(pairs: list[tuple[str, Specimen]]) -> list[object]:
    return [pytest.param(slug, specimen, id=f"{slug}: {specimen.name}") for slug, specimen in pairs]


@AS
@SERVERS
@pytest.mark.parametrize(("slug", "specimen"), named(SPECIMENS))
def test_a_specimen_obeys_the_laws(
    laboratory: Laboratory, version: int, role: str, slug: str, specimen: Specimen
) -> None:
    if version < specimen.minimum_version:
        pytest.skip(f"needs PostgreSQL {specimen.minimum_version}")
    with laboratory.database(version, specimen, role) as case:
        case.break_(specimen.breaks)

        assert "" == "\n".join(trial(case, slug, specimen, dumped=(version, role) in DUMPED))


def trial(case: Case, slug: str, specimen: Specimen, *, dumped: bool = True) -> list[str]:
    """Try a broken database by all laws; return the breaches, each with its law."""
    before, untouched = copy_rows(case.observer), stamps(case.observer)
    found = [f"1 detection: {b}" for b in detection(case.check(), slug, specimen)]
    plan = case.plan()
    if specimen.hazards != plan.hazards - hazards_of_the_owner(case, specimen):
        found.append(f"7 refusal: the plan has the hazards {sorted(plan.hazards)}, not {sorted(specimen.hazards)}")
    found += [f"7 refusal: {b}" for b in refusal(case, specimen, plan, dumped=dumped)]
    if untouched != stamps(case.observer):
        found.append("7 refusal: to check or to plan changed the database")
    if specimen.manual:
        return found
    run = case.apply(plan=plan, allow_hazards=plan.hazards)
    found += [f"3 cure: {b}" for b in cure(case, owners=bool(before))]
    moved = copy_quarantine(case.observer)
    if len(moved) != specimen.quarantined:
        found.append(f"4 survival: {len(moved)} rows lie in quarantine, not {specimen.quarantined}")
    found += [f"4 survival: {b}" for b in survival(before, copy_rows(case.observer), moved, plan, run)]
    return found + [f"5 idempotence: {b}" for b in idempotence(case)]


def hazards_of_the_owner(case: Case, specimen: Specimen) -> set[str]:
    """Return what a repair may need beyond the specimen's hazards where a superuser has an easier way."""
    return {"replaces-constraint"} if specimen.superuser and case.role == OWNER else set()


@AS
@SERVERS
@pytest.mark.parametrize(("slug", "near"), named(NEAR_MISSES))
def test_a_near_miss_is_met_with_silence(
    laboratory: Laboratory, version: int, role: str, slug: str, near: Specimen
) -> None:
    if version < near.minimum_version:
        pytest.skip(f"needs PostgreSQL {near.minimum_version}")
    with laboratory.database(version, near, role) as case:
        case.break_(near.breaks)

        assert "" == "\n".join(silence(case.plan()) + silence(case.check(deep=True)))
        assert () == case.plan().steps


@AS
@SERVERS
def test_a_sound_database_is_met_with_silence(laboratory: Laboratory, version: int, role: str) -> None:
    with laboratory.database(version, role=role) as case:
        found = [finding for deep in (False, True) for finding in case.check(deep=deep).findings]

        assert [] == found


def test_every_class_brings_specimens_and_near_misses_of_distinct_names() -> None:
    for defect in defects.all_classes():
        for examples in (defect.SPECIMENS, defect.NEAR_MISSES):
            assert len({example.name for example in examples}) == len(examples) > 0, defect.SLUG


def test_the_library_is_what_specimens_break_unless_they_say_otherwise() -> None:
    assert {"authors", "books", "reviews"} == set(specimens.library().tables)
