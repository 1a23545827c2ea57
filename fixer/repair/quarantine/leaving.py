"""Steps that move rows to quarantine: those of one table, or those of several that reference each other by turns."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from fixer.model.schema import Schema
from fixer.model.step import Effect, Hazard, Lock, Part, Phase, Step
from fixer.model.table import ForeignKey, QName, Table
from fixer.repair.rows import Going, counted, in_batches, quarantine_table
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Composed, Literal
from fixer.sql.row_statements import copy_statement, move_statement

Guards = Mapping[QName, Sequence[ForeignKey]]


def move(
    phase: Phase,
    table: Table,
    going: Going,
    guards: Iterable[ForeignKey] = (),
    coming: Sequence[ForeignKey] = (),
) -> Part:
    """Return the step that moves rows to quarantine; the rows that reference them have been dealt with.

    `coming` are the keys of the table to itself that the plan adds; online, they stand by then.
    """
    step, condition, told = _moving(phase, table.name, going), going.condition, going.told or Literal(going.reason)

    def statement(where: Composable) -> Composable:
        return move_statement(table, quarantine_table(table.name), where, told, early=phase < Phase.CONVERT)

    guards = tuple(guards)
    own = [key for key in guards if key.table == table.name]
    others = [key for key in guards if key.table != table.name]
    # Rows of one table that reference each other go in one statement, while nobody else writes.
    lock = Lock.SHARE_ROW_EXCLUSIVE if own or coming else Lock.ROW_EXCLUSIVE
    known = _known_keys_alone(table.name, (*guards, *coming), lock)
    whole = replace(step, sql=statement(condition), batches=replace(step.batches, known=known))
    watched = SQL(";\n").join([*_childless(table.name, condition, others), whole.sql])
    at_once = replace(whole, sql=watched, lock=lock)
    if own or table.inherits:
        return whole.online_as((at_once,))
    step = in_batches(step, table, statement, condition, rivals=going.rivals, guards=others, find=going.find)
    step = replace(step, batches=replace(step.batches, known=known))
    return step.online_as((at_once,)) if coming else step


def _moving(phase: Phase, table: QName, going: Going) -> Step:
    """Return the step that moves rows of a table, without its statement."""
    return Step(
        phase=phase,
        table=table,
        title=f"move {counted(going.rows)} of {table.name} to quarantine: {going.reason}",
        sql=SQL(""),
        lock=Lock.ROW_EXCLUSIVE,
        hazard=Hazard.MOVES_ROWS,
        effect=Effect(rows=going.rows, moves=True),
        expects=going.expected,
        follows=going.follows,
        repeats=going.repeats,
        after=going.after,
    )


def move_jointly(
    phase: Phase, actual: Schema, leaving: Mapping[QName, Going], closed: Composable, known: Guards
) -> Iterator[Part]:
    """Yield the steps that move rows of several tables in one transaction; the last one deletes them all.

    One statement deletes them, because they reference each other by turns. `closed` is the SELECT whether some do so
    in a circle, `known` are the foreign keys that point at each by then.
    """
    *first, last = leaving
    for name, going in leaving.items():
        step = replace(
            _moving(phase, name, going),
            sql=_jointly(phase, actual.tables[name], going, {each: leaving[each] for each in first}, name == last),
            touches=tuple(each for each in leaving if each != name),
            effect=Effect(rows=going.rows, moves=True, jointly=True),
            follows=True,
            closed=closed if name == last else None,
        )
        yield _alone_at_it(step, going.condition, known[name])


def _jointly(phase: Phase, table: Table, going: Going, first: Mapping[QName, Going], deletes: bool) -> Composable:
    place, reason, early = quarantine_table(table.name), going.told or Literal(going.reason), phase < Phase.CONVERT
    if not deletes:
        return copy_statement(table, place, going.condition, reason, early=early)
    copied = [(name, each.condition) for name, each in first.items()]
    return move_statement(table, place, going.condition, reason, early=early, copied=copied)


def _alone_at_it(step: Step, condition: Composable, known: Iterable[ForeignKey]) -> Part:
    """Return the step; online, it locks all tables of the transaction, so that nobody writes until its end."""
    lock = Lock.SHARE_ROW_EXCLUSIVE
    known, together = [*known], (step.table, *step.touches)
    tables = SQL(", ").join(map(q.name, sorted(together)))
    others = [key for key in known if key.table not in together]
    alone = SQL("LOCK TABLE {} IN {} MODE;\n{}").format(tables, SQL(lock), _known_keys_alone(step.table, known, lock))
    whole = replace(step, batches=replace(step.batches, known=alone))
    watched = SQL(";\n").join([*_childless(step.table, condition, others), whole.sql])
    return whole.online_as((replace(whole, sql=watched, lock=lock),))


def _known_keys_alone(table: QName, known: Iterable[ForeignKey], lock: Lock) -> Composed:
    """Return the statements that lock a table, and fail if a foreign key that the plan does not know references it.

    A DELETE would silently do what that key says. The lock keeps others from adding such a key.
    """
    pairs = [json.dumps([*key.table, sorted(map(list, key.pairs))]) for key in known]
    check = q.block("rows/known_keys", table=Literal(q.quoted(table)), known=Literal(pairs))
    return SQL("LOCK TABLE {} IN {} MODE;\n{}").format(q.name(table), SQL(lock), check)


def _childless(table: QName, condition: Composable, guards: Iterable[ForeignKey]) -> Iterator[Composable]:
    """Yield the statements that lock the rows of a condition, and fail if other tables reference them by now."""
    for key in guards:
        yield SQL("SELECT FROM {} AS t WHERE {} FOR UPDATE").format(q.name(table), condition)
        child = SQL("EXISTS (SELECT FROM {} AS t WHERE ({}) AND EXISTS (SELECT FROM {} AS c WHERE {}))").format(
            q.name(table), condition, q.name(key.table), q.referencing(key, "c", "t")
        )
        complaint = Literal(f"rows of {key.table} came in under rows that go")
        body = SQL(
            "BEGIN\n    IF {} THEN\n"
            "        RAISE object_not_in_prerequisite_state USING MESSAGE = {};\n    END IF;\nEND"
        )
        yield q.Block(body.format(child, complaint))
