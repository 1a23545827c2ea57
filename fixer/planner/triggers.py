"""Disabling user triggers and rules while the rows of their tables are written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from fixer.connect.settings import ASLEEP, AWAKE
from fixer.model.obstacle import FIRING, Rule, Trigger
from fixer.model.report import Comparison
from fixer.model.schema import Schema
from fixer.model.step import Lock, Phase, Step
from fixer.model.table import QName
from fixer.repair.constraints.online import is_syncing
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Identifier

_Wakeful = tuple[Trigger | Rule, tuple[QName, str, str, str]]


def quietly(steps: list[Step], future: Schema) -> list[Step]:
    """Return the steps, with user triggers and rules disabled in every table whose rows are written.

    They could change cells that the plan did not announce, or suppress the write.
    """
    written = {step.table for step in steps if step.effect.writes_rows}
    before, after = list[Step](), list[Step]()
    for name in sorted(written):
        for obstacle, on in _wakeful(name, future):
            before.append(_switch(name, obstacle.kind, obstacle.name, "DISABLE", Phase.RELEASE))
            after.append(_switch(*on, Phase.FINISH))
    return sorted([*before, *steps, *after], key=lambda step: step.phase)


_WHEN = {Phase.RELEASE: "meanwhile", Phase.FINISH: "again"}


def _switch(table: QName, kind: str, name: str, how: str, phase: Phase) -> Step:
    action = SQL("{} {} {}").format(SQL(how), SQL(kind.upper()), Identifier(name))
    return Step(
        phase=phase,
        table=table,
        title=f"{how.split()[0].lower()} the {kind} {name} of {table.name} {_WHEN[phase]}",
        sql=SQL("ALTER TABLE {} {}").format(q.name(table), action),
    )


def while_asleep(step: Step, comparison: Comparison) -> Step:
    """Return the step with user triggers and rules disabled around each batch, within the transaction of the batch."""
    tables = (step.table, *step.touches) if step.effect.jointly else (step.table,)
    wakeful = [each for name in tables for each in _wakeful(name, comparison.future)] if step.effect.writes_rows else []
    wakeful += [*_in_its_wake(tables, comparison.future)] if step.effect.moves else []
    if not wakeful:
        return step
    if _sleeps_without_lock(step, comparison):
        return replace(step, batches=replace(step.batches, asleep=(_IN_SESSION,)))
    switches = [
        (_switch(on[0], o.kind, o.name, "DISABLE", Phase.RELEASE).sql, _switch(*on, Phase.FINISH).sql)
        for o, on in wakeful
    ]
    rules = any(isinstance(obstacle, Rule) for obstacle, _ in wakeful)
    lock = Lock.ACCESS_EXCLUSIVE if rules else Lock.SHARE_ROW_EXCLUSIVE
    return replace(
        step,
        batches=replace(step.batches, asleep=tuple(switches)),
        lock=lock if step.lock is Lock.ROW_EXCLUSIVE else step.lock,
    )


# Silences triggers and rules in one session, without a lock. Triggers that fill columns still fire: ENABLE ALWAYS.
_IN_SESSION = (SQL(ASLEEP), SQL(AWAKE))


def _sleeps_without_lock(step: Step, comparison: Comparison) -> bool:
    """Return whether the session may silence all triggers, those of constraints included, without losing a check.

    A foreign key checks nothing if no row comes or goes and no column at either end changes. Deferrable keys are
    excluded, because they are checked by triggers. Only a superuser may silence triggers, and those enabled ALWAYS or
    for a REPLICA would still fire.
    """
    actual, future, contract = comparison.actual, comparison.future, comparison.contract.schema
    table, later = actual.tables.get(step.table), future.tables.get(step.table)
    if (
        step.effect.moves
        or step.effect.inserts
        or not (table and later and actual.session and actual.session.superuser)
    ):
        return False
    keys = {key for schema in (actual, future, contract) for key in schema.foreign_keys()}
    ends = {(key.table, c) for key in keys for c in key.columns}
    ends |= {(key.target, c) for key in keys for c in key.target_columns}
    late = any(index.deferrable for index in (*table.indexes, *later.indexes))
    obstacles = (*table.obstacles, *later.obstacles)
    acts = (o for o in obstacles if isinstance(o, Trigger | Rule) and not is_syncing(o.name))
    changed = {(step.table, column) for column in step.effect.changes}
    return not (late or ends & changed or any(obstacle.enabled in ("A", "R") for obstacle in acts))


def _in_its_wake(tables: Sequence[QName], future: Schema) -> Iterator[_Wakeful]:
    """Yield the rules of tables to which foreign keys pass a DELETE on: one that is rewritten fails (XX000)."""
    passed = (key.table for name in tables for key in future.incoming(name) if key.on_delete in "cnd")
    for name in dict.fromkeys(each for each in passed if each not in tables):
        yield from (each for each in _wakeful(name, future) if isinstance(each[0], Rule))


def _wakeful(name: QName, future: Schema) -> Iterator[_Wakeful]:
    """Yield the enabled user triggers and rules of a table, each with the arguments that enable it again."""
    table = future.tables.get(name)
    for obstacle in table.obstacles if table else ():
        if isinstance(obstacle, Trigger | Rule) and obstacle.enabled in FIRING and not is_syncing(obstacle.name):
            how = "ENABLE" if obstacle.enabled == "O" else "ENABLE ALWAYS"
            yield obstacle, (name, obstacle.kind, obstacle.name, how)
