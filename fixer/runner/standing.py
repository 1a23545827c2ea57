"""Looks whether what steps take down is what they were planned for, and stands as before at the end."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence

import psycopg2
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer import introspect
from fixer.model.obstacle import Standing
from fixer.model.plan import PlannedStep
from fixer.model.step import Phase
from fixer.model.table import QName
from fixer.sql import compose as q
from fixer.sql.by_hand import around
from fixer.sql.compose import SQL, Composable, Literal

Stands = Mapping[str, Standing]  # by the statement that takes it down


def standing(cursor: Cursor, steps: Iterable[PlannedStep], schemas: Sequence[str]) -> Stands:
    """Return what stands over the columns that steps convert; ask nothing if they convert none."""
    columns = _columns(steps)
    found = introspect.standing(cursor, columns, [*schemas, "public"]) if columns else {}
    return {each.drop: each for stands in found.values() for each in stands}


def _columns(steps: Iterable[PlannedStep]) -> list[tuple[QName, str]]:
    """Return the columns that steps convert in place."""
    return sorted({(step.table, reverted.column) for step in steps for reverted in step.shape.reverts})


def changed(stood: Stands, steps: Iterable[PlannedStep]) -> str:
    """Return the name of what these steps would not bring back as it is now; empty if there is nothing."""
    known = "\n".join(step.sql for step in steps)
    others = (each.name for each in stood.values() if not (each.drop in known and joined(each) in known))
    return next(others, "")


def guarded(steps: Sequence[PlannedStep]) -> Composable | None:
    """Return the block that fails where `changed` would name something; None if the steps convert no column."""
    columns = _columns(steps)
    if not columns:
        return None
    return q.block(
        "columns/as_it_stood",
        columns=Literal(json.dumps([{**table._asdict(), "column": column} for table, column in columns])),
        standing=SQL(introspect.query("standing")),
        known=Literal([step.sql for step in steps if step.phase in (Phase.RELEASE, Phase.FINISH)]),
    )


def lost(cursor: Cursor, steps: Iterable[PlannedStep], schemas: Sequence[str], before: Stands) -> str:
    """Return why something does not stand as before, but for how its definition is spelt; empty if all does."""
    now = standing(cursor, steps, schemas) if before else {}
    for key, was in before.items():
        is_ = now.get(key)
        if is_ is None or is_.head != was.head or not {*was.rest} <= {*is_.rest}:
            return f"The {was.name} could not be brought back as it was."
        # A step may have granted more: whoever has the first of them, its grants are spelt from none on.
        if not all(each.startswith(("GRANT ", "REVOKE ")) for each in {*is_.rest} - {*was.rest}):
            return f"The {was.name} could not be brought back as it was."
        if other := other_call(is_, was):
            why = f"The {was.name} would call the {other} over the new type, which it did not call before."
            return f"{why}{around_it(was, before.values())}."
    return ""


def joined(each: Standing) -> str:
    """Return the statements that bring it back, as a step has them."""
    return ";\n".join(each.back)


def by_hand(sql: str, before: Collection[Standing]) -> str:
    """Return how a person helps where this statement, which brings one back, fails; empty if it brings back none."""
    return next((around_it(each, before) for each in before if joined(each) == sql), "")


def by_hand_at(error: psycopg2.Error, cursor: Cursor, before: Collection[Standing]) -> str:
    """Return how a person helps where an error is in what brings one back; empty if it is elsewhere."""
    place = int(error.diag.statement_position or 0)
    begun = (cursor.query or b"").decode(errors="replace")[:place]
    started = [each for each in before if each.head in begun]
    failed = max(started, key=lambda each: begun.rindex(each.head), default=None)
    return around_it(failed, before) if failed else ""


def other_call(is_: Standing, was: Standing) -> str:
    """Return a function or operator of the database's own that it calls now, and did not call; empty if none."""
    return next((each for each in is_.calls if each not in was.calls), "")


def around_it(failed: Standing, before: Collection[Standing], age: str = "new") -> str:
    """Return how a person helps where this one of those that stood cannot be brought back over the type of this age."""
    others = (each for each in sorted(before, key=lambda each: each.level) if each.level > failed.level)
    return f" Drop it before, and create it afterwards as the {age} type needs: {around([failed, *others])}"
