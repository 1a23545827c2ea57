"""Foreign keys over several columns, some of which other keys use too, or which match in full."""

from __future__ import annotations

import pytest
from sqlalchemy import Column, ForeignKey, ForeignKeyConstraint, Integer, MetaData, Table, Text

from fixer.model.defect import Specimen
from fixer.model.plan import MODES
from lab.hook import ask
from lab.laboratory import Case, Laboratory

KEY = "tasks_tenant_id_member_id_fkey"
ROWS = """
INSERT INTO people SELECT generate_series(1, 6);
INSERT INTO members SELECT 1 + n % 2, n FROM generate_series(1, 6) AS n;
INSERT INTO tasks (tenant_id, member_id) SELECT 1 + n % 2, n FROM generate_series(1, 6) AS n;
"""


def tenants(*, match: str | None = None, shared: bool = False) -> MetaData:
    metadata = MetaData()
    keys = [ForeignKey("people.id")] if shared else []
    Table("people", metadata, Column("id", Integer, primary_key=True, autoincrement=False))
    Table(
        "members",
        metadata,
        Column("tenant_id", Integer, primary_key=True, autoincrement=False),
        Column("id", Integer, primary_key=True, autoincrement=False),
    )
    Table(
        "tasks",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("tenant_id", Integer),
        Column("member_id", Integer, *keys, info={"orphans": "null"}),
        Column("title", Text),
        ForeignKeyConstraint(["tenant_id", "member_id"], ["members.tenant_id", "members.id"], name=KEY, match=match),
    )
    return metadata


def in_full() -> MetaData:
    return tenants(match="FULL")


def shared() -> MetaData:
    return tenants(shared=True)


def repaired(case: Case, breaks: str, mode: str) -> None:
    case.break_(f"ALTER TABLE tasks DROP CONSTRAINT {KEY}; {breaks}")
    case.apply(mode=mode, allow_hazards="all")

    assert case.check(deep=True).ok


@pytest.mark.parametrize("mode", MODES)
def test_a_reference_that_matches_in_full_is_an_orphan_where_a_part_of_it_is_null(
    laboratory: Laboratory, mode: str
) -> None:
    with laboratory.database(18, Specimen("in full", "", contract=in_full, setup=ROWS)) as case:
        breaks = "UPDATE tasks SET member_id = NULL WHERE id = 3; UPDATE tasks SET tenant_id = 9 WHERE id = 4"
        repaired(case, breaks, mode)
        empty = ask(case, "SELECT id FROM tasks WHERE tenant_id IS NULL AND member_id IS NULL ORDER BY 1")

        assert empty == [(3,), (4,)]


@pytest.mark.parametrize("mode", MODES)
def test_a_column_that_references_something_else_as_well_is_not_emptied(laboratory: Laboratory, mode: str) -> None:
    with laboratory.database(18, Specimen("shared", "", contract=shared, setup=ROWS)) as case:
        repaired(case, "UPDATE tasks SET tenant_id = 9 WHERE id = 4", mode)

        assert ask(case, "SELECT count(*), count(member_id) FROM tasks") == [(5, 5)]
        assert ask(case, "SELECT row ->> 'member_id' FROM fixer_quarantine.tasks") == [("4",)]
