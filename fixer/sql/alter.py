"""ALTER TABLE as a step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from fixer.model.step import Added, Effect, Hazard, Lock, Phase, Reversal, Shape, Step
from fixer.model.table import ForeignKey, QName
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Identifier


def alter(
    phase: Phase,
    table: QName,
    title: str,
    action: Composable,
    *,
    hazard: Hazard | None = None,
    lock: Lock = Lock.ACCESS_EXCLUSIVE,
    changes: tuple[str, ...] = (),
    rows: int = 0,
    touches: tuple[QName, ...] = (),
    merge: bool = False,
    added: tuple[Added[Composable], ...] = (),
    reverts: tuple[Reversal[Composable], ...] = (),
    only: bool = False,
) -> Step:
    """Return the step for ``ALTER TABLE table action``; with `merge`, it may share one statement with its neighbours.

    With `only`, partitions and heirs stay as they are.
    """
    return Step(
        phase=phase,
        table=table,
        title=title,
        sql=SQL("ALTER TABLE ONLY {} {}" if only else "ALTER TABLE {} {}").format(q.name(table), action),
        lock=lock,
        hazard=hazard,
        touches=touches,
        effect=Effect(rows=rows, changes=changes),
        shape=Shape(added=added, reverts=reverts),
        action=action if merge else None,
    )


def drop_constraint(table: QName, constraint: str, title: str, *, hazard: Hazard | None = None) -> Step:
    """Return the step that drops a constraint, before rows and columns change."""
    action = SQL("DROP CONSTRAINT {}").format(Identifier(constraint))
    return replace(alter(Phase.RELEASE, table, title, action, hazard=hazard), drops=constraint)


def dropping(table: QName, constraint: str) -> str:
    """Return the statement that drops a constraint, to be pasted by a person."""
    return f"ALTER TABLE {q.quoted(table)} DROP CONSTRAINT {q.quoted([constraint])}"


def enable_triggers(phase: Phase, whole: QName, what: str, triggers: Iterable[tuple[QName, str]]) -> Iterator[Step]:
    """Yield the steps that enable triggers, each given with its table; `what` names what they enforce.

    They are of the table `whole`, of its partitions, or of what it references. Each is enabled by itself: PostgreSQL
    14 and older do not enable those of partitions with their root's.
    """
    for table, trigger in triggers:
        action = SQL("ENABLE TRIGGER {}").format(Identifier(trigger))
        yield alter(phase, table, f"enable the trigger {trigger} of the {what}", action, only=True, touches=(whole,))


def drop_foreign_key(key: ForeignKey, reason: str, *, hazard: Hazard | None = None) -> Step:
    """Return the step that drops a foreign key; it locks both its tables."""
    step = drop_constraint(key.table, key.name, f"drop the foreign key {key.name} ({reason})", hazard=hazard)
    return replace(step, phase=Phase.UNLINK, touches=(key.target,))


def letting_go(step: Step, key: ForeignKey) -> Step:
    """Return the step that drops a foreign key, marked as one after which its orphans may stay."""
    return replace(step, shape=replace(step.shape, orphans_by=key.columns))
