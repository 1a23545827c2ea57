"""Finds out whether a plan would stop subscribers: each stops at what it lacks, until it has it; no row is lost.

A subscriber stops at a row of a table that it does not have, even of one that it never subscribed to; at a column that
it does not have; at a value that its column's type does not accept; and at a change of a row where it has no key. Once
it has the tables, it skips rows of those that it never subscribed to (ALTER SUBSCRIPTION … REFRESH PUBLICATION would
copy them).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer import introspect
from fixer.model.plan import Plan, PlannedStep, Published
from fixer.model.step import Phase
from fixer.model.table import QName
from fixer.runner.journal import tables
from fixer.runner.preflight import with_guards

_SHAPING = (Phase.TABLES, Phase.CONVERT, Phase.SHADOWS, Phase.EXCHANGES)
_KEYING = (Phase.INDEXES, Phase.KEYS_PROMOTED)
_KEYED = {"missing-primary-key", "wrong-primary-key"}


def with_audience(cursor: Cursor, plan: Plan, begin: str = "") -> Plan:
    """Return the plan with what publications publish of it, and what may refuse it; `begin` is SQL that runs first."""
    ours, shaping = tables.places(tables.leaving(plan.steps)), [step for step in plan.steps if _shapes(step)]
    theirs = {table for step in shaping for table in (step.table, *step.touches)}
    told = introspect.audience(cursor, [*ours, *sorted(theirs)], begin)
    plan = with_guards(cursor, plan)
    lacking = [each.table for each in told if each.table in ours and not each.made]
    reached = {each.table for each in told if each.heard and each.table in theirs}
    if not (lacking or reached):
        return replace(plan, published=None)
    statements = tables.made(place for place in ours if place in lacking)
    published = Published(
        publications=tuple(sorted({each.publication for each in told if each.table in reached.union(lacking)})),
        heard=any(each.heard for each in told),
        tables=tuple(statement.as_string(cursor) for statement in statements),
        steps=tuple(step.number for step in shaping if reached.intersection({step.table, *step.touches})),
    )
    return replace(plan, published=published)


def stopped_by(cursor: Cursor, moving: Iterable[QName]) -> str:
    """Return why moving rows out of these tables would stop subscribers, and what to do; empty if it would not."""
    told = introspect.audience(cursor, tables.places(moving))
    stops = {each.table: each.publication for each in told if each.heard and not each.made}
    if not stops:
        return ""
    statements = "".join(f"\n  {statement.as_string(cursor)};" for statement in tables.made(stops))
    return (
        f"The publication {next(iter(stops.values()))} publishes tables that would be made, and subscribers stop until"
        f" they have them: make them there, then here, and try again:{statements}"
    )


def _shapes(step: PlannedStep) -> bool:
    """Return whether a step changes what subscribers must have too: the name of a table or column, a type, or a key."""
    keys = step.phase in _KEYING and bool(_KEYED & set(step.slug.split(",")))
    return keys or step.phase in _SHAPING or bool(step.shape.added or step.shape.renames)
