"""Rows are not given one value under a unique that holds each value once."""

from __future__ import annotations

import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table, UniqueConstraint

from fixer.model.defect import Specimen
from lab.laboratory import Laboratory

EMPTY = (
    "ALTER TABLE accounts ALTER v DROP NOT NULL, DROP CONSTRAINT accounts_v_key;"
    "INSERT INTO accounts (v) VALUES (NULL), (NULL), (NULL)"
)
KEPT = "; ALTER TABLE accounts ADD UNIQUE (v) DEFERRABLE INITIALLY DEFERRED"


def accounts() -> MetaData:
    metadata = MetaData()
    Table(
        "accounts",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("v", String(20), nullable=False, server_default="x"),
        UniqueConstraint("v", deferrable=True, initially="DEFERRED"),
    )
    return metadata


@pytest.mark.parametrize("breaks", [EMPTY, EMPTY + KEPT])
@pytest.mark.parametrize("mode", ["atomic", "online"])
def test_several_rows_under_a_deferrable_unique_get_no_common_value(
    laboratory: Laboratory, breaks: str, mode: str
) -> None:
    specimen = Specimen("nulls", breaks, contract=accounts, setup="INSERT INTO accounts (v) VALUES ('a')")
    with laboratory.database(18, specimen) as case:
        case.break_(specimen.breaks)

        refusals = case.plan(mode=mode).refusals

        assert "3 rows would get the same v" in "\n".join(refusals)
