"""The psql script of a plan does what `apply` does, for a specimen of each class."""

from __future__ import annotations

from pathlib import Path
from subprocess import run
from zlib import crc32

import pytest

from fixer import api, defects
from fixer.model.defect import Specimen
from fixer.runner.script import of_plan
from lab.evidence.copies import copy_rows
from lab.laboratory import ROLES, Case, Laboratory
from lab.laws import Again, cure

VERSION = 18
OF_NO_TABLE = ("different-type", "a domain without its default, and one with another")


def chosen() -> list[object]:
    """Return the last specimen of each class that a plan repairs, and one whose step names no table."""
    found = {}
    for defect in defects.all_classes():
        for specimen in defect.SPECIMENS:
            if not specimen.manual and specimen.minimum_version <= VERSION:
                found[(defect.SLUG, "" if (defect.SLUG, specimen.name) != OF_NO_TABLE else specimen.name)] = specimen
    return [pytest.param(specimen, id=f"{slug}: {specimen.name}") for (slug, _), specimen in found.items()]


@pytest.mark.parametrize("specimen", chosen())
def test_a_script_repairs_what_apply_repairs(laboratory: Laboratory, tmp_path: Path, specimen: Specimen) -> None:
    role = list(ROLES)[crc32(specimen.name.encode()) % 2]
    with laboratory.database(VERSION, specimen, role) as case:
        case.break_(specimen.breaks)
        theirs = any(rows.name.startswith("public.") for rows in copy_rows(case.observer).values())

        said = scripted(case, tmp_path / "plan.sql", deep=specimen.deep)

        assert said == ""
        assert "\n".join(cure(case, Again.of(case), owners=theirs)) == ""


def scripted(case: Case, file: Path, *, deep: bool) -> str:
    """Repair a case by psql alone, as its role; return what psql complained of."""
    with api.session(case.connection, case.sound.contract) as work:
        _, plan = work.made(deep=deep)
        file.write_text(of_plan(plan, work.render, moment=work.moment(plan)))
    dsn = case.server.database_dsn(case.name, case.role)
    assert case.server.bindir
    return run([case.server.bindir / "psql", "-X", "-q", "-f", file, dsn], capture_output=True, text=True).stderr
