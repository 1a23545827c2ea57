"""The order of a plan, from repairs alone: no server is asked."""

from __future__ import annotations

from dataclasses import replace

import pytest
from psycopg2.sql import SQL
from sqlalchemy import MetaData

from fixer.model.contract import Contract
from fixer.model.finding import Finding
from fixer.model.obstacle import Rule, Trigger
from fixer.model.plan import ATOMIC, MODES, ONLINE
from fixer.model.report import Comparison
from fixer.model.schema import Schema
from fixer.model.step import Effect, Hazard, Lock, Phase, Repair, Room, Step
from fixer.model.subject import OfTable
from fixer.model.table import ForeignKey, QName, Table
from fixer.planner.order import arrange
from fixer.sql.alter import alter

AUTHORS, BOOKS, REVIEWS = (QName("public", name) for name in ("authors", "books", "reviews"))


def pointing(child: QName, parent: QName) -> ForeignKey:
    return ForeignKey(f"{child.name}_fkey", child, ("parent",), parent, ("id",))


def compared(*repairs: Repair, keys: tuple[ForeignKey, ...] = (), tables: tuple[Table, ...] = ()) -> Comparison:
    """Return what a comparison has found: these repairs, each of its first step's table, in a contract of three."""
    wanted = {
        name: Table(name, foreign_keys=tuple(key for key in keys if key.table == name))
        for name in (REVIEWS, BOOKS, AUTHORS)
    }
    future = Schema({**wanted, **{table.name: table for table in tables}})
    findings = [Finding("defect", 4, OfTable(r.steps[0].table), "is wrong", repair=r) for r in repairs]
    return Comparison(future, future, Contract("", Schema(wanted), {}, MetaData()), tuple(findings))


def titles(comparison: Comparison, mode: str = ATOMIC) -> list[str]:
    return [step.title for step in arrange(comparison, mode=mode)]


def step(phase: Phase, table: QName, title: str, *, rows: int = 0, moves: bool = False) -> Step:
    lock = Lock.ROW_EXCLUSIVE if moves else Lock.ACCESS_EXCLUSIVE
    return Step(phase, table, title, SQL(title), lock, effect=Effect(rows=rows, moves=moves))


def added(table: QName, column: str, *, hazard: Hazard | None = None, phase: Phase = Phase.CONVERT) -> Step:
    return alter(phase, table, f"add {column}", SQL(f"ADD {column} int"), hazard=hazard, merge=True)


def test_parents_come_before_children_although_other_tables_reference_each_other_in_a_circle() -> None:
    steps = [step(Phase.KEYS, table, table.name) for table in (AUTHORS, BOOKS, REVIEWS)]
    keys = (pointing(AUTHORS, REVIEWS), pointing(BOOKS, REVIEWS), pointing(REVIEWS, BOOKS))

    assert titles(compared(*(Repair.of((each,)) for each in steps), keys=keys))[-1] == "authors"


@pytest.mark.parametrize("mode", MODES)
def test_phases_come_in_their_order_over_all_tables(mode: str) -> None:
    late, early = step(Phase.FOREIGN_KEYS, AUTHORS, "late"), step(Phase.NAMES, REVIEWS, "early")
    middle = step(Phase.INDEXES, BOOKS, "middle")

    assert titles(compared(Repair.of((middle, late)), Repair.of((early,))), mode) == ["early", "middle", "late"]


def test_parents_come_before_children_in_a_phase() -> None:
    keys = (pointing(REVIEWS, BOOKS), pointing(BOOKS, AUTHORS))
    repairs = [Repair.of((step(Phase.KEYS, table, table.name),)) for table in (REVIEWS, BOOKS, AUTHORS)]

    assert titles(compared(*repairs, keys=keys)) == ["authors", "books", "reviews"]


def test_tables_that_point_at_each_other_come_by_name() -> None:
    keys = (pointing(REVIEWS, BOOKS), pointing(BOOKS, REVIEWS))
    repairs = [Repair.of((step(Phase.KEYS, table, table.name),)) for table in (REVIEWS, BOOKS, AUTHORS)]

    assert titles(compared(*repairs, keys=keys)) == ["authors", "books", "reviews"]


def test_the_steps_of_one_repair_keep_their_order_within_a_phase() -> None:
    one, two = step(Phase.KEYS, BOOKS, "b comes first"), step(Phase.KEYS, BOOKS, "a comes after it")

    assert titles(compared(Repair.of((one, two)))) == ["b comes first", "a comes after it"]


def test_a_step_of_two_repairs_is_taken_once_with_the_greater_number_of_rows() -> None:
    few, many = (step(Phase.VALUES, BOOKS, "settle", rows=rows) for rows in (2, 7))
    arranged = arrange(compared(Repair.of((many,)), Repair.of((few,))))

    assert [(each.title, each.effect.rows) for each in arranged] == [("settle", 7)]


def test_a_step_of_two_repairs_comes_in_the_last_of_its_places() -> None:
    shared, first, second = (step(Phase.VALUES, BOOKS, title) for title in ("shared", "first", "second"))
    comparison = compared(Repair.of((shared, first)), Repair.of((second, shared)))

    assert titles(comparison) == ["first", "second", "shared"]


def test_rows_that_hang_on_others_go_before_them_whatever_came_between() -> None:
    """Children that a repair moves before their parents go first, even where another repair names the parents first."""
    children = step(Phase.ORPHANS, REVIEWS, "move the reviews", moves=True)
    parents = step(Phase.ORPHANS, BOOKS, "move the books", moves=True)
    comparison = compared(Repair.of((children, parents)), Repair.of((parents,)), Repair.of((children,)))

    assert titles(comparison)[:2] == ["move the reviews", "move the books"]


def test_children_go_once_before_parents_that_leave_in_two_waves() -> None:
    """A repair that names children and parents twice, as orphans and as what hangs on others, moves each once."""
    children = step(Phase.ORPHANS, REVIEWS, "move the reviews", moves=True)
    parents = step(Phase.ORPHANS, BOOKS, "move the books", moves=True)
    first = step(Phase.ORPHANS, AUTHORS, "move the authors", moves=True)
    comparison = compared(Repair.of((first, children, parents, children, parents)), Repair.of((children, parents)))

    assert titles(comparison) == ["move the authors", "move the reviews", "move the books"]


def test_room_for_new_numbers_adds_up() -> None:
    def room(rows: int) -> Step:
        return Step(Phase.ANCHOR, BOOKS, "find room", SQL(f"{rows}"), room=Room(rows, lambda n: SQL(f"room for {n}")))

    (found,) = arrange(compared(Repair.of((room(2),)), Repair.of((room(3),))))

    assert (found.room and found.room.rows, found.sql) == (5, SQL("room for 5"))


def test_neighbours_that_alter_one_table_are_one_statement() -> None:
    repairs = Repair.of((added(BOOKS, "a"),)), Repair.of((added(BOOKS, "b", hazard=Hazard.REWRITES_TABLE),))
    (both,) = arrange(compared(*repairs))

    assert (both.title, both.hazard) == ("add a; add b", Hazard.REWRITES_TABLE)
    assert "ADD a int" in repr(both.sql)
    assert "ADD b int" in repr(both.sql)


@pytest.mark.parametrize(
    "other",
    [
        added(AUTHORS, "b"),
        added(BOOKS, "b", phase=Phase.RULES),
        replace(added(BOOKS, "b"), lock=Lock.SHARE),
        replace(added(BOOKS, "b"), action=None),
    ],
    ids=["another table", "another phase", "another lock", "not to be merged"],
)
def test_others_stay_statements_of_their_own(other: Step) -> None:
    assert titles(compared(Repair.of((added(BOOKS, "a"), other)))) in (["add a", "add b"], ["add b", "add a"])


def test_a_hazard_keeps_statements_apart_where_nothing_is_converted() -> None:
    plain = added(BOOKS, "a", phase=Phase.RULES)
    risky = added(BOOKS, "b", phase=Phase.RULES, hazard=Hazard.REPLACES_CONSTRAINT)

    assert titles(compared(Repair.of((plain, risky)))) == ["add a", "add b"]


@pytest.mark.parametrize(("mode", "expected"), [(ATOMIC, ["at once"]), (ONLINE, ["prepare", "prove"])])
def test_what_stands_for_a_step_online_takes_its_place_there_alone(mode: str, expected: list[str]) -> None:
    light = (step(Phase.GUARDS, BOOKS, "prepare"), step(Phase.PROOFS, BOOKS, "prove"))
    heavy = step(Phase.RULES, BOOKS, "at once").online_as(light)

    assert titles(compared(Repair.of((heavy,))), mode) == expected


def test_what_stands_for_a_step_online_belongs_to_its_defect_class() -> None:
    light = (step(Phase.GUARDS, BOOKS, "prepare"),)
    heavy = step(Phase.RULES, BOOKS, "at once").online_as(light)
    repair = Repair.of((heavy,)).for_class("null-rows", doubted=True)
    (found,) = arrange(compared(repair), mode=ONLINE)

    assert (found.slug, found.effect.doubted) == ("null-rows", True)


def test_what_new_rows_get_by_default_comes_early_online() -> None:
    default, settle = step(Phase.DEFAULTS, BOOKS, "set the default"), step(Phase.VALUES, BOOKS, "settle")
    comparison = compared(Repair.of((settle, default)))

    assert (titles(comparison), titles(comparison, ONLINE)) == (
        ["settle", "set the default"],
        ["set the default", "settle"],
    )


@pytest.mark.parametrize(
    ("obstacle", "switched"),
    [
        (Trigger("audit"), ["disable the trigger audit of books meanwhile", "enable the trigger audit of books again"]),
        (Rule("divert", "A"), ["disable the rule divert of books meanwhile", "enable the rule divert of books again"]),
        (Trigger("asleep", "D"), []),
        (Trigger("for replicas", "R"), []),
    ],
    ids=["a trigger", "a rule that is always on", "one that is off", "one for replicas"],
)
def test_what_acts_on_rows_sleeps_while_they_are_moved(obstacle: Trigger | Rule, switched: list[str]) -> None:
    table = Table(BOOKS, obstacles=(obstacle,))
    comparison = compared(Repair.of((step(Phase.VALUES, BOOKS, "move", moves=True),)), tables=(table,))

    assert titles(comparison) == [*switched[:1], "move", *switched[1:]]


def test_nothing_sleeps_where_no_row_is_written() -> None:
    table = Table(BOOKS, obstacles=(Trigger("audit"),))

    assert titles(compared(Repair.of((step(Phase.INDEXES, BOOKS, "index"),)), tables=(table,))) == ["index"]


@pytest.mark.parametrize(
    ("obstacle", "lock"),
    [(Trigger("audit"), Lock.SHARE_ROW_EXCLUSIVE), (Rule("divert"), Lock.ACCESS_EXCLUSIVE)],
    ids=["a trigger", "a rule"],
)
def test_online_it_sleeps_around_each_batch_under_the_lock_that_this_takes(
    obstacle: Trigger | Rule, lock: Lock
) -> None:
    table = Table(BOOKS, obstacles=(obstacle,))
    move = step(Phase.VALUES, BOOKS, "move", moves=True)
    (found,) = arrange(compared(Repair.of((move,)), tables=(table,)), mode=ONLINE)

    assert (len(found.batches.asleep), found.lock) == (1, lock)
