"""Views and policies over columns that get another type: taken down before, brought back after."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from fixer.model.obstacle import Standing
from fixer.model.report import Comparison
from fixer.model.schema import Schema
from fixer.model.step import Phase, Step
from fixer.model.table import QName
from fixer.repair.conversion.standing import stands
from fixer.sql.compose import SQL


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


def too_heavy(steps: Iterable[Step], comparison: Comparison) -> Iterator[str]:
    """Yield why steps cannot run online: a column would get another type under what stands over it."""
    for each, place in _standing(steps, comparison.future).items():
        columns = ", ".join(place.columns)
        yield f"the {each.name} depends on {columns}, and is taken down meanwhile: this takes --mode atomic"


def _standing(steps: Iterable[Step], future: Schema) -> dict[Standing, _Place]:
    found: dict[Standing, _Place] = {}
    known: dict[tuple[str, str], Standing] = {}  # one may stand over several columns
    for step in steps:
        table = future.tables.get(step.table)
        columns = [reverted.column for reverted in step.shape.reverts]
        columns += [added.column for added in step.shape.added if added.aside]
        for column in columns if table else ():
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
    return Step(Phase.FINISH, place.table, title, SQL(";\n").join(map(SQL, each.back)))
