"""Triggers and rules of users, which sleep while rows of their tables are written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from fixer.connect.settings import ASLEEP, AWAKE
from fixer.model.obstacle import Rule, Trigger
from fixer.model.report import Comparison
from fixer.model.schema import Schema
from fixer.model.step import Lock, Phase, Step
from fixer.model.table import QName
from fixer.repair.constraints_online import is_syncing
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Identifier


def quietly(steps: list[Step], future: Schema) -> list[Step]:
    """Return the steps, with the triggers and rules of users asleep in every table whose rows are written.

    They would change cells that nobody announced, or swallow the write altogether.
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
    """Return the step with the triggers and rules of users asleep around each batch, for its own transaction alone."""
    wakeful = list(_wakeful(step.table, comparison.future)) if step.effect.writes_rows else []
    if not wakeful:
        return step
    if _sleeps_without_lock(step, comparison):
        return replace(step, batches=replace(step.batches, asleep=(_IN_SESSION,)))
    switches = [
        (_switch(step.table, o.kind, o.name, "DISABLE", Phase.RELEASE).sql, _switch(*on, Phase.FINISH).sql)
        for o, on in wakeful
    ]
    rules = any(isinstance(obstacle, Rule) for obstacle, _ in wakeful)
    lock = Lock.ACCESS_EXCLUSIVE if rules else Lock.SHARE_ROW_EXCLUSIVE
    return replace(
        step,
        batches=replace(step.batches, asleep=tuple(switches)),
        lock=lock if step.lock is Lock.ROW_EXCLUSIVE else step.lock,
    )


# By which triggers and rules sleep in one session, without any lock: our own fill columns all the same.
_IN_SESSION = (SQL(ASLEEP), SQL(AWAKE))


def _sleeps_without_lock(step: Step, comparison: Comparison) -> bool:
    """Tell whether all triggers may sleep in the session: those of keys sleep too, so that none may have work to do.

    Foreign keys have none where no row comes or goes and no column at either end changes, nor have keys that are
    proved late. Only a superuser may do so, and what is enabled ALWAYS or for a REPLICA would not sleep.
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


def _wakeful(name: QName, future: Schema) -> Iterator[tuple[Trigger | Rule, tuple[QName, str, str, str]]]:
    """Yield the triggers and rules of a table that act, with what lets each act again."""
    table = future.tables.get(name)
    for obstacle in table.obstacles if table else ():
        if isinstance(obstacle, Trigger | Rule) and obstacle.enabled in ("O", "A") and not is_syncing(obstacle.name):
            how = "ENABLE" if obstacle.enabled == "O" else "ENABLE ALWAYS"
            yield obstacle, (name, obstacle.kind, obstacle.name, how)
