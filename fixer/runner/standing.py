"""Proves that what a plan takes down is what it was made for, and that it stands as before at the end."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer import introspect
from fixer.errors import ApplyFailed, PlanRefused
from fixer.model.obstacle import Standing
from fixer.model.plan import Plan
from fixer.sql.by_hand import around

Stands = Mapping[tuple[str, str], Standing]  # by kind and identifier


def standing(cursor: Cursor, plan: Plan) -> Stands:
    """Return what stands over the columns that a plan converts; ask nothing if it converts none."""
    columns = {(step.table, reverted.column) for step in plan.steps for reverted in step.shape.reverts}
    found = introspect.standing(cursor, sorted(columns), [*plan.schemas, "public"]) if columns else {}
    return {(each.kind, each.id): each for stands in found.values() for each in stands}


def see_that_it_was_planned(cursor: Cursor, plan: Plan) -> Stands:
    """Return what stands over the columns; raise PlanRefused if a plan would bring it back otherwise than it is."""
    found, known = standing(cursor, plan), {step.sql for step in plan.steps}
    for each in found.values():
        if not {each.drop, ";\n".join(each.back)} <= known:
            raise PlanRefused(f"The {each.name} has changed since the plan was made: plan again. Nothing was changed.")
    return found


def see_that_it_stands(cursor: Cursor, plan: Plan, before: Stands) -> None:
    """Raise ApplyFailed unless all that was taken down stands as before, but for how its definition is spelt."""
    now = standing(cursor, plan) if before else {}
    for key, was in before.items():
        is_ = now.get(key)
        if is_ is None or (is_.head, is_.rest) != (was.head, was.rest):
            raise ApplyFailed(f"The {was.name} could not be brought back as it was. Everything was rolled back.")


def by_hand(sql: str, before: Collection[Standing]) -> str:
    """Return how a person helps where this statement, which brings one back, fails; empty if it brings back none."""
    lowest_first = sorted(before, key=lambda each: each.level)
    failed = next((each for each in lowest_first if ";\n".join(each.back) == sql), None)
    if failed is None:
        return ""
    others = (each for each in lowest_first if each.level > failed.level)
    return f" Drop it before, and create it afterwards as the new type needs: {around([failed, *others])}"
