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
    lowest_first = _lowest_first(found)
    down = [_down(each, found[each]) for each in reversed(lowest_first)]
    up = [_up(each, found[each]) for each in lowest_first]
    return sorted([*down, *steps, *up], key=lambda step: step.phase)


def within(steps: list[Step], future: Schema) -> list[Step]:
    """Return the steps of online mode: those that convert columns take down and bring back what stands over them.

    Steps over whose columns the same stands share a transaction, since it may go with all new types or none. What
    stands over a table is locked before the table, in the order in which readers lock them.
    """
    over = {number: found for number, step in enumerate(steps) if (found := _standing([step], future))}
    arranged = {number: [number] for number in range(len(steps))}
    for group in _connected(over):
        arranged[group[0]] = group
        arranged |= {number: [] for number in group[1:]}
    return [each for group in arranged.values() for each in _wrapped([steps[number] for number in group], future)]


def _connected(over: dict[int, dict[Standing, _Place]]) -> list[list[int]]:
    """Return the numbers of the steps, together if something stands over columns of both."""
    groups: list[tuple[list[int], set[str]]] = []
    for number, found in over.items():
        mine, drops = [number], {each.drop for each in found}
        apart = [group for group in groups if not group[1] & drops]
        for numbers, others in (group for group in groups if group[1] & drops):
            mine, drops = mine + numbers, drops | others
        groups = [*apart, (sorted(mine), drops)]
    return [numbers for numbers, _ in groups]


def _wrapped(steps: list[Step], future: Schema) -> list[Step]:
    """Return the steps, of which the first takes down what stands over columns of all, and the last brings it back."""
    found = _standing(steps, future)
    if not found:
        return steps
    lowest_first = _lowest_first(found)
    names = " and ".join(f"the {each.name}" for each in lowest_first)
    down, up = [SQL(each.drop) for each in reversed(lowest_first)], [_back(each) for each in lowest_first]
    statements = [[step.sql] for step in steps]
    statements[0] = [*down, *statements[0]]
    statements[-1] = [*statements[-1], *up]
    jointly = len(steps) > 1
    return [
        replace(
            step,
            title=f"{step.title}; take down {names} meanwhile",
            sql=SQL(";\n").join(each),
            action=None,
            effect=replace(step.effect, jointly=jointly),
        )
        for step, each in zip(steps, statements, strict=True)
    ]


def _standing(steps: Iterable[Step], future: Schema) -> dict[Standing, _Place]:
    found: dict[Standing, _Place] = {}
    known: dict[str, Standing] = {}  # one may stand over several columns
    for step in steps:
        table = future.tables.get(step.table)
        for column in [reverted.column for reverted in step.shape.reverts]:
            for each in stands(table, column) if table else ():
                one = known.setdefault(each.drop, each)
                place = found.setdefault(one, _Place(step.table))
                place.level = max(place.level, each.level)
                place.columns[f"{step.table.name}.{column}"] = table.columns[column].type if table else ""
    return found


def _lowest_first(found: dict[Standing, _Place]) -> list[Standing]:
    return sorted(found, key=lambda each: (found[each].level, each.name))


def _down(each: Standing, place: _Place) -> Step:
    title = f"take down the {each.name}, which depends on {', '.join(place.columns)}"
    return Step(Phase.RELEASE, place.table, title, SQL(each.drop))


def _up(each: Standing, place: _Place) -> Step:
    now = ", ".join(f"{column} as {type_}" for column, type_ in place.columns.items())
    title = f"bring back the {each.name}, which reads {now} now"
    return Step(Phase.FINISH, place.table, title, _back(each))


def _back(each: Standing) -> Composed:
    return SQL(";\n").join(map(SQL, each.back))
