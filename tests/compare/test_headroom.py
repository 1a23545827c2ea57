"""Rows that are to get new numbers, where their key has few left: a person decides before anything is changed."""

from __future__ import annotations

import pytest
from sqlalchemy import Column, Identity, MetaData, SmallInteger, Table, Text

from fixer.errors import NeedsPermission
from fixer.model.defect import Specimen
from fixer.model.plan import MODES
from lab.laboratory import Laboratory


def few() -> MetaData:
    """Return a contract of a key that counts up, one that counts down, and one by steps."""
    metadata = MetaData()
    for name, counts in {
        "up": Identity(),
        "down": Identity(increment=-1, minvalue=-32768, maxvalue=-1),
        "steps": Identity(increment=10, maxvalue=100),
    }.items():
        Table(name, metadata, Column("id", SmallInteger, counts, primary_key=True), Column("word", Text))
    return metadata


KEYLESS = "ALTER TABLE {0} DROP CONSTRAINT {0}_pkey; ALTER TABLE {0} ALTER id DROP IDENTITY, ALTER id DROP NOT NULL;"
LAST = {"up": 32765, "down": -32766, "steps": 71}  # after which there are two numbers
PACE = {"up": 1, "down": -1, "steps": 10}
ROWS = "INSERT INTO {0} VALUES ({1}, 'last'), (NULL, 'none'), ({2}, 'one'), ({2}, 'other')"
FIRST = {"up": 1, "down": -1, "steps": 1}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("table", LAST)
def test_all_numbers_but_the_last_are_given(laboratory: Laboratory, table: str, mode: str) -> None:
    last = LAST[table] - PACE[table]
    with laboratory.database(18, Specimen("few", "", contract=few)) as case:
        case.break_(KEYLESS.format(table), ROWS.format(table, last, FIRST[table]))
        case.apply(mode=mode, allow_hazards="all")

        assert case.check().ok


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("table", LAST)
def test_where_they_do_not_suffice_a_person_decides(laboratory: Laboratory, table: str, mode: str) -> None:
    with laboratory.database(18, Specimen("few", "", contract=few)) as case:
        case.break_(KEYLESS.format(table), ROWS.format(table, LAST[table], FIRST[table]))
        before, plan = case.dump(), case.plan(mode=mode)

        assert {f.slug for f in plan.findings if f.repair.refusal} == {"null-key", "duplicate-key"}
        assert all(f"2 rows should get new numbers, and {table}.id has 2 left" in why for why in plan.refusals)
        with pytest.raises(NeedsPermission):
            case.apply(mode=mode, allow_hazards="all")
        assert case.dump() == before


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("check", "refuses"), [("id > 0", False), ("id < 30000", True), ("id < 32001", True)])
def test_a_check_that_refuses_the_new_numbers_is_told_beforehand(
    laboratory: Laboratory, check: str, refuses: bool, mode: str
) -> None:
    with laboratory.database(18, Specimen("few", "", contract=few)) as case:
        rows = ROWS.format("up", 31999, 1)
        case.break_(KEYLESS.format("up"), rows, f"ALTER TABLE up ADD CONSTRAINT few CHECK ({check}) NOT VALID")
        before, plan = case.dump(), case.plan(mode=mode)

        assert any("which few, " in why for why in plan.refusals) == refuses, plan.refusals
        if refuses:
            with pytest.raises(NeedsPermission):
                case.apply(mode=mode, allow_hazards="all")
            assert case.dump() == before
        else:
            case.apply(mode=mode, allow_hazards="all")
            assert case.check().ok
