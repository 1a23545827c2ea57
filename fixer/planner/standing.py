"""Views and policies over columns that get another type: taken down before, brought back after."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from fixer.model.obstacle import Standing
from fixer.model.schema import Schema
from fixer.model.step import Phase, Step
from fixer.model.table import QName
from fixer.repair.conversion.standing import stands
from fixer.sql.compose import SQL, Composed


@dataclass
class _Place:
    """Where something stands: how high, over which table, and over which of its columns under which types."""

    table: QName
    level: int = 0
    columns: dict[str, str] = field(default_factory=dict)


def around(steps: list[Step], future: Schema) -> list[Step]:
    """Return the steps, and those that take down what stands over columns that get another type, and bring it back."""
    found = _standing(steps, future)
    lowest_first = sorted(found, key=lambda each: (found[each].level, each.name))
    down = [_down(each, found[each]) for each in reversed(lowest_first)]
    up = [_up(each, found[each]) for each in lowest_first]
    return sorted([*down, *steps, *up], key=lambda step: step.phase)


def within(step: Step, future: Schema) -> Step:
    """Return the step of online mode: it takes down and brings back by itself what stands over its columns.

    What stands over a table is locked before the table, in the order in which readers lock them.
    """
    found = _standing([step], future)
    if not found:
        return step
    lowest_first = sorted(found, key=lambda each: (found[each].level, each.name))
    names = " and ".join(f"the {each.name}" for each in lowest_first)
    down, up = (SQL(each.drop) for each in reversed(lowest_first)), (_back(each) for each in lowest_first)
    title = f"{step.title}; take down {names} meanwhile"
    return replace(step, title=title, sql=SQL(";\n").join([*down, step.sql, *up]), action=None)


def _standing(steps: Iterable[Step], future: Schema) -> dict[Standing, _Place]:
    found: dict[Standing, _Place] = {}
    known: dict[tuple[str, str], Standing] = {}  # one may stand over several columns
    for step in steps:
        table = future.tables.get(step.table)
        for column in [reverted.column for reverted in step.shape.reverts]:
            for each in stands(table, column) if table else ():
                one = known.setdefault((each.kind, each.id), each)
                place = found.setdefault(one, _Place(step.table))
                place.level = max(place.level, each.level)
                place.columns[f"{step.table.name}.{column}"] = table.columns[column].type if table else ""
    return found


def _down(each: Standing, place: _Place) -> Step:
    title = f"take down the {each.name}, which depends on {', '.join(place.columns)}"
    return Step(Phase.RELEASE, place.table, title, SQL(each.drop))


def _up(each: Standing, place: _Place) -> Step:
    now = ", ".join(f"{column} as {type_}" for column, type_ in place.columns.items())
    title = f"bring back the {each.name}, which reads {now} now"
    return Step(Phase.FINISH, place.table, title, _back(each))


def _back(each: Standing) -> Composed:
    return SQL(";\n").join(map(SQL, each.back))
