"""Looks whether what steps take down is what they were planned for, and stands as before at the end."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer import introspect
from fixer.model.obstacle import Standing
from fixer.model.plan import PlannedStep
from fixer.sql.by_hand import around

Stands = Mapping[tuple[str, str], Standing]  # by kind and identifier


def standing(cursor: Cursor, steps: Iterable[PlannedStep], schemas: Sequence[str]) -> Stands:
    """Return what stands over the columns that steps convert; ask nothing if they convert none."""
    columns = {(step.table, reverted.column) for step in steps for reverted in step.shape.reverts}
    found = introspect.standing(cursor, sorted(columns), [*schemas, "public"]) if columns else {}
    return {(each.kind, each.id): each for stands in found.values() for each in stands}


def changed(stood: Stands, steps: Iterable[PlannedStep]) -> str:
    """Return the name of what these steps would not bring back as it is now; empty if there is nothing."""
    known = "\n".join(step.sql for step in steps)
    others = (each.name for each in stood.values() if not (each.drop in known and joined(each) in known))
    return next(others, "")


def lost(cursor: Cursor, steps: Iterable[PlannedStep], schemas: Sequence[str], before: Stands) -> str:
    """Return the name of what does not stand as before, but for how its definition is spelt; empty if all does."""
    now = standing(cursor, steps, schemas) if before else {}
    for key, was in before.items():
        is_ = now.get(key)
        if is_ is None or (is_.head, is_.rest) != (was.head, was.rest):
            return was.name
    return ""


def joined(each: Standing) -> str:
    """Return the statements that bring it back, as a step has them."""
    return ";\n".join(each.back)


def by_hand(sql: str, before: Collection[Standing]) -> str:
    """Return how a person helps where this statement, which brings one back, fails; empty if it brings back none."""
    lowest_first = sorted(before, key=lambda each: each.level)
    failed = next((each for each in lowest_first if joined(each) == sql), None)
    if failed is None:
        return ""
    others = (each for each in lowest_first if each.level > failed.level)
    return f" Drop it before, and create it afterwards as the new type needs: {around([failed, *others])}"
