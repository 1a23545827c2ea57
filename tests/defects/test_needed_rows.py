"""A default row of the contract never goes to quarantine: a person decides what is right in it."""

from __future__ import annotations

import pytest
from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    func,
)

from fixer import undo
from fixer.errors import NeedsPermission
from fixer.model.defect import Specimen
from fixer.model.plan import MODES
from lab.hook import ask
from lab.laboratory import Laboratory


def desks() -> MetaData:
    """Return a contract of desks with a default row, of which each may stand in a room and under another."""
    metadata = MetaData()
    Table("rooms", metadata, Column("id", Integer, primary_key=True))
    Table(
        "Desk %",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("name", String(10), unique=True),
        Column("room", Integer, ForeignKey("rooms.id")),
        Column("size", Integer, CheckConstraint("size > 0")),
        Column("legs", Integer, nullable=False),
        Column("number", Integer, unique=True),
        info={"default_rows": [{"name": "front", "legs": 4}]},
    )
    return metadata


ROWS = """
INSERT INTO rooms SELECT generate_series(1, 5);
INSERT INTO "Desk %" (name, room, size, legs, number)
SELECT CASE n WHEN 1 THEN 'front' ELSE 'desk ' || n END, n, n, 4, n FROM generate_series(1, 5) AS n;
"""
DESKS = Specimen("desks", "", contract=desks, setup=ROWS)
GOES = {
    "an orphan": 'ALTER TABLE "Desk %" DROP CONSTRAINT "Desk %_room_fkey"; UPDATE "Desk %" SET room = 77 WHERE id = 1',
    "breaks a check": 'ALTER TABLE "Desk %" DROP CONSTRAINT "Desk %_size_check";'
    'UPDATE "Desk %" SET size = -1 WHERE id = 1',
    "lacks a value": 'ALTER TABLE "Desk %" ALTER legs DROP NOT NULL; UPDATE "Desk %" SET legs = NULL WHERE id = 1',
    "repeats another": 'ALTER TABLE "Desk %" DROP CONSTRAINT "Desk %_number_key";'
    'UPDATE "Desk %" SET number = 2, id = 9 WHERE id = 1',
    "its room goes": 'ALTER TABLE "Desk %" DROP CONSTRAINT "Desk %_room_fkey"; DELETE FROM rooms WHERE id = 1',
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("fault", GOES)
def test_a_default_row_that_would_have_to_go_is_for_a_person(laboratory: Laboratory, fault: str, mode: str) -> None:
    with laboratory.database(18, DESKS) as case:
        case.break_(GOES[fault])
        before = case.state(dumped=True)

        with pytest.raises(NeedsPermission, match=r"the default row name 'front' of public\.Desk % would go"):
            case.apply(mode=mode, allow_hazards="all")
        assert before.changed(case.observer) == []


def test_other_rows_go_although_a_default_row_stays(laboratory: Laboratory) -> None:
    with laboratory.database(18, DESKS) as case:
        case.break_(GOES["an orphan"].replace("id = 1", "id = 2"))

        assert sum(case.apply(allow_hazards="all").plan.moves.values()) == 1


def marks() -> MetaData:
    """Return a contract of a default row that is told by bytes."""
    metadata = MetaData()
    Table("rooms", metadata, Column("id", Integer, primary_key=True))
    code, room = Column("code", LargeBinary, unique=True), Column("room", Integer, ForeignKey("rooms.id"))
    key = Column("id", Integer, primary_key=True)
    Table("marks", metadata, key, code, room, info={"default_rows": [{"code": b"\x01"}]})
    return metadata


@pytest.mark.parametrize("mode", MODES)
def test_a_default_row_is_known_although_its_column_stays_of_another_type(laboratory: Laboratory, mode: str) -> None:
    rows = r"INSERT INTO rooms VALUES (1); INSERT INTO marks (code, room) VALUES ('\x01', 1), ('\x02', 1)"
    with laboratory.database(18, Specimen("marks", "", contract=marks, setup=rows)) as case:
        case.break_(
            "ALTER TABLE marks DROP CONSTRAINT marks_room_fkey; UPDATE marks SET room = 77;"
            "ALTER TABLE marks ALTER code TYPE text USING code::text"
        )
        before = case.state(dumped=True)

        with pytest.raises(NeedsPermission, match=r"the default row code .* of public\.marks would go"):
            case.apply(mode=mode, allow_hazards="all", skip=("wrong-type:public.marks.code",))
        assert before.changed(case.observer) == []


def counters() -> MetaData:
    """Return a contract of a default row that is all defaults, so that nothing tells it from others."""
    metadata = MetaData()
    number = Column("n", Integer, server_default="0")
    Table(
        "counters", metadata, Column("id", Integer, Identity(), primary_key=True), number, info={"default_rows": [{}]}
    )
    return metadata


@pytest.mark.parametrize("mode", MODES)
def test_a_default_row_that_nothing_tells_apart_is_any_row(laboratory: Laboratory, mode: str) -> None:
    rows = "INSERT INTO counters DEFAULT VALUES"
    with laboratory.database(18, Specimen("counters", "", contract=counters, setup=rows)) as case:
        assert case.check(deep=True).findings == ()
        case.break_("DELETE FROM counters")

        assert [finding.slug for finding in case.check(deep=True).findings] == ["missing-default-row"]
        run = case.apply(mode=mode, allow_hazards="all").run
        assert (case.check(deep=True).findings, run) == ((), 1)
        undo(case.connection, 1)
        assert ask(case, "SELECT count(*) FROM counters") == [(0,)]


def shelves() -> MetaData:
    """Return a contract of a default row whose keys need a number, one of them by an expression."""
    metadata = MetaData()
    tenant = Column("tenant", Integer, primary_key=True, server_default="1")
    id_, place = Column("id", Integer, Identity(), primary_key=True), Column("place", Integer, server_default="1")
    name = Column("name", String(10), unique=True)
    both = Index("both", func.abs(place + id_), unique=True)
    Table("shelves", metadata, tenant, id_, place, name, both, info={"default_rows": [{"name": "top"}]})
    return metadata


def test_a_column_that_a_key_lacks_is_told_once(laboratory: Laboratory) -> None:
    filled = "INSERT INTO shelves (name) VALUES ('top'), ('bottom')"
    with laboratory.database(18, Specimen("shelves", "", contract=shelves, setup=filled)) as case:
        case.break_("CREATE TABLE of_old () INHERITS (shelves)", "ALTER TABLE shelves DROP id CASCADE")

        assert [each.message for each in case.check().findings if "could not be read" in each.message] == []
