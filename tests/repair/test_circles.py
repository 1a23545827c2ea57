"""Rows of tables whose foreign keys form a circle go together, counted and with true reasons, and come back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Column, ForeignKey, Integer, MetaData, Table

import fixer
from fixer.defects._circles import RING_ROWS, ring
from fixer.errors import NeedsPermission, PlanRefused
from fixer.model.defect import Specimen
from fixer.model.plan import MODES, Plan
from lab.database import Database, all_of, differences, written
from lab.laboratory import Case, Laboratory
from lab.mixing import mixed

# Teams belong to offices, badges to teams, and badges lead teams; triggers of the application forbid every DELETE.
LOST = """
ALTER TABLE teams DROP CONSTRAINT teams_office_id_fkey; UPDATE teams SET office_id = 9 WHERE id = 1;
CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER stop BEFORE DELETE ON teams FOR EACH ROW EXECUTE FUNCTION stop();
CREATE TRIGGER stop BEFORE DELETE ON badges FOR EACH ROW EXECUTE FUNCTION stop();
"""


@contextmanager
def ringed(laboratory: Laboratory, breaks: str = "", role: str = "superuser") -> Iterator[tuple[Case, Database]]:
    with laboratory.database(18, Specimen("ring", "", contract=ring, setup=RING_ROWS), role) as case:
        case.break_(LOST + breaks)
        yield case, Database(case.server, case.name)


def moves(plan: Plan) -> dict[str, int]:
    return {step.table.name: step.effect.rows for step in plan.steps if step.effect.rows}


def moved(run: fixer.Run) -> dict[str, int]:
    return {entry.table.name: entry.quarantined for entry in run.ledger if entry.quarantined}


def reasons(database: Database, table: str) -> list[tuple[str, str]]:
    rows = database.run(f"SELECT \"row\" ->> 'id', reason FROM fixer_quarantine.{table} ORDER BY 1")
    return [(row[0], row[1]) for row in rows]


@pytest.mark.parametrize("role", ["superuser", "owner"])
@pytest.mark.parametrize("mode", ["atomic", "online"])
def test_rows_that_follow_by_turns_are_counted_explained_and_brought_back(
    laboratory: Laboratory, mode: str, role: str
) -> None:
    with ringed(laboratory, role=role) as (case, database):
        before = all_of(database)
        plan, run = case.plan(mode=mode), case.apply(mode=mode, allow_hazards="all")

        assert moves(plan) == moved(run) == {"teams": 3, "badges": 2}
        assert reasons(database, "teams") == [
            ("1", "its office_id points at no row of offices"),
            ("2", "its row of badges (id 1) is in quarantine"),
            ("3", "its row of badges (id 2) is in quarantine"),
        ]
        assert reasons(database, "badges") == [
            (each, f"its row of teams (id {each}) is in quarantine") for each in "12"
        ]
        fixer.undo(case.connection, run.run or 0)
        assert differences(before, database) == []


CAME_IN = "INSERT INTO badges (team_id) VALUES (3); INSERT INTO teams VALUES (7, 1, 5)"


def test_rows_that_came_in_since_the_plan_follow_online_as_well(laboratory: Laboratory) -> None:
    with ringed(laboratory) as (case, database):
        plan = case.plan(mode="online")
        database.run(CAME_IN)
        run = case.apply(plan=plan, allow_hazards="all")

        assert moved(run) == {"teams": 4, "badges": 3}


def test_one_transaction_moves_no_rows_that_came_in_since_the_plan(laboratory: Laboratory) -> None:
    with ringed(laboratory) as (case, database):
        plan = case.plan()
        database.run(CAME_IN)
        before = written(database)
        with pytest.raises(PlanRefused, match=r"3 rows of public\.badges would go to quarantine, the plan announced 2"):
            case.apply(plan=plan, allow_hazards="all")

        assert before == written(database)


def test_a_reference_that_may_be_empty_breaks_the_circle(laboratory: Laboratory) -> None:
    contract = ring()
    contract.tables["teams"].c.lead_id.info["orphans"] = "null"
    with ringed(laboratory, "UPDATE teams SET lead_id = 1 WHERE id = 1") as (case, database):
        run = fixer.apply(case.connection, contract, allow_hazards="all")

        assert moved(run) == {"teams": 1, "badges": 1}
        assert database.run("SELECT id, lead_id FROM teams ORDER BY id") == [(2, None), (3, 2), (4, None), (5, 3)]


@pytest.mark.parametrize("mode", ["atomic", "online"])
def test_rows_that_reference_each_other_in_a_circle_are_for_a_person(laboratory: Laboratory, mode: str) -> None:
    with ringed(laboratory, "UPDATE teams SET lead_id = 2 WHERE id = 1") as (case, database):
        before = written(database)
        with pytest.raises(
            NeedsPermission, match=r"rows of public\.badges, public\.teams .* reference each other in a"
        ):
            case.apply(mode=mode, allow_hazards="all")

        assert before == written(database)


def test_a_circle_of_rows_that_stay_stops_nobody(laboratory: Laboratory) -> None:
    with ringed(laboratory, "UPDATE teams SET lead_id = 3 WHERE id = 4") as (case, _):
        assert moved(case.apply(allow_hazards="all")) == {"teams": 3, "badges": 2}


def _rounds() -> MetaData:
    """Return a contract of stops that lead to each other and to a line, and of lines that begin at a stop."""
    made = MetaData()
    up = Column("next", Integer, ForeignKey("stops.id", ondelete="SET NULL"))
    line = Column("line", Integer, ForeignKey("lines.id", name="line", use_alter=True))
    Table("stops", made, Column("id", Integer, primary_key=True), line, up)
    start = Column("start", Integer, ForeignKey("stops.id"), info={"orphans": "quarantine"})
    Table("lines", made, Column("id", Integer, primary_key=True), start)
    return made


LINES = "INSERT INTO stops (next) VALUES (1), (1), (1); INSERT INTO lines (start) VALUES (1), (2), (3);"


@pytest.mark.parametrize("mode", MODES)
def test_rows_whose_circle_lost_a_table_go_once(laboratory: Laboratory, mode: str) -> None:
    specimen = Specimen("lines", "", contract=_rounds, setup=LINES + "UPDATE stops SET line = id")
    with laboratory.database(18, specimen) as case:
        assert mixed(case, ["DROP TABLE stops CASCADE"], mode=mode) == []
        assert fixer.history(case.connection)


def test_no_step_parts_those_that_share_a_transaction(laboratory: Laboratory) -> None:
    with laboratory.database(18, Specimen("lines", "", contract=_rounds, setup=LINES)) as case:
        case.break_("DROP TABLE stops CASCADE")
        plan = case.plan(mode="online")
        places = [place for place, step in enumerate(plan.steps) if step.effect.jointly]

        assert len(places) == 2
        assert places[1] == places[0] + 1


def rounds() -> MetaData:
    """Return a contract of orders that name their best line, and of lines, which belong to an order and hint at one."""
    metadata = MetaData()
    best = ForeignKey("lines.id", use_alter=True, name="best_of")
    Table(
        "orders",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("best_id", Integer, best),
        Column("n", Integer, unique=True),
    )
    Table(
        "lines",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("hint_id", Integer, ForeignKey("orders.id"), info={"orphans": "null"}),
        Column("order_id", Integer, ForeignKey("orders.id"), nullable=False, info={"orphans": "quarantine"}),
    )
    return metadata


BOUND = (
    "INSERT INTO orders (id, n) VALUES (1, 1), (2, 2), (3, 3), (4, 4);"
    "INSERT INTO lines VALUES (1, 1, 1), (2, NULL, 2), (6, NULL, 3); UPDATE orders SET best_id = 2"
)
UNBOUND = (
    "ALTER TABLE orders DROP CONSTRAINT best_of; ALTER TABLE lines DROP CONSTRAINT lines_hint_id_fkey,"
    " DROP CONSTRAINT lines_order_id_fkey; ALTER TABLE lines DROP CONSTRAINT lines_pkey;"
    "ALTER TABLE orders DROP CONSTRAINT orders_pkey, DROP CONSTRAINT orders_n_key;"
    "UPDATE lines SET order_id = 9 WHERE id = 6; UPDATE orders SET n = 2 WHERE id = 4"
)


@pytest.mark.parametrize("mode", MODES)
def test_nothing_comes_between_the_copies_of_a_circle_and_its_end(laboratory: Laboratory, mode: str) -> None:
    """What empties a reference of the same rows is repeated before the circle, and not within it."""
    with laboratory.database(18, Specimen("rounds", "", contract=rounds, setup=BOUND)) as case:
        case.break_(UNBOUND)
        database = Database(case.server, case.name)
        before, plan = all_of(database), case.plan(mode=mode)
        joint = [place for place, step in enumerate(plan.steps) if step.effect.jointly]
        run = case.apply(mode=mode, allow_hazards="all")

        assert joint == list(range(joint[0], joint[-1] + 1))
        assert moved(run) == {"lines": 1, "orders": 1}
        assert reasons(database, "lines") == [("6", "its order_id points at no row of orders")]
        fixer.undo(case.connection, run.run or 0)
        assert differences(before, database) == []
