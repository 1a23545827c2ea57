"""Columns that come with a sequence of their own, where SERIAL would not make that as the contract declares it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from fixer.model.contract import Contract
from fixer.model.expression import literal
from fixer.model.schema import Schema
from fixer.model.step import Lock, Phase, Step
from fixer.model.table import Column, QName, Table
from fixer.model.values import dataclass
from fixer.repair.columns import calls, counter_of, serial_of
from fixer.repair.counting.attaching import let_count, let_count_by, own
from fixer.repair.counting.heirs import elder_of
from fixer.repair.counting.options import is_plain
from fixer.repair.owners import belonging
from fixer.repair.sequences import choose, let_go_on, numbered_in_batches
from fixer.sql import compose as q
from fixer.sql import ddl


@dataclass(frozen=True)
class Coming:
    """A column as it is created, the steps that create its sequence before and attach it after.

    `apart` is the sequence by which it counts, if the contract lets no column own that.
    """

    table: QName
    column: Column
    before: tuple[Step, ...] = ()
    after: tuple[Step, ...] = ()
    apart: QName | None = None
    serial: bool = False  # whether it counts by a sequence of its own

    def attached(self) -> Iterator[Step]:
        """Yield the steps that attach its sequence, and let roles use that which may insert; identities need none."""
        yield from self.after
        if self.apart:
            yield let_count_by(self.apart, self.table)
        elif self.serial:
            yield let_count(self.table, self.column.name)


def coming(table: QName, column: Column, owner: str, actual: Schema, contract: Contract) -> Coming:
    """Return how a column is created in a table of this owner: by SERIAL only where that says all of it."""
    sequence = serial_of(column, contract)
    if sequence is None:
        return Coming(table, column, serial=ddl.is_serial(column))
    if sequence.owned_by is None:
        return Coming(table, replace(column, sequence=None), apart=sequence.name)
    if sequence.owned_by != (table, column.name) or sequence.name.schema != table.schema:
        return Coming(table, column, serial=True)
    name, exists = choose(table, column, actual, sequence, owner=owner)
    usual = name == (table.schema, f"{table.name}_{column.name}_seq") and is_plain(sequence, column.type)
    if usual and not exists:
        return Coming(table, column, serial=True)
    if exists:
        going_on = let_go_on(name, table, column, column.type, sequence, actual)
        before = tuple(replace(step, phase=Phase.SEQUENCES) for step in going_on)
    else:
        create = ddl.create_sequence(replace(sequence, name=name))
        first = Step(Phase.SEQUENCES, table, f"create the sequence {name.name}", create, Lock.NONE)
        before = tuple(belonging(first, "SEQUENCE", name, owner, actual))
    return Coming(table, _counting_by(name, column), before, (own(name, table, column.name),), serial=True)


def _counting_by(name: QName, column: Column) -> Column:
    """Return a column whose default counts by a sequence that it does not make."""
    return replace(column, sequence=None, default=f"nextval({literal(q.quoted(name))}::regclass)")


def coming_below(table: QName, column: Column, actual: Schema, contract: Contract) -> Coming | None:
    """Return how a column with rows is created that counts by the sequence of a table above, past the numbers there.

    None if it does not, or if that sequence comes later.
    """
    like = elder_of(table, column, actual, contract)
    name = like.sequence if like else None
    if like is None or name is None or not (name in actual.sequences or actual.tables[like.table].created):
        return None
    first = (replace(part.atomic, phase=Phase.SEQUENCES) for part in like.ahead())
    return Coming(table, _counting_by(name, column), tuple(first), apart=name)


def numbered_beside(
    table: QName, column: Column, under: str, below: Coming | None, actual: Schema, contract: Contract
) -> tuple[Step, ...]:
    """Return the steps that add a column `under` another name and number its rows while others write.

    `below` says how it is created, if it counts by the sequence of a table above.
    """
    by, like = below.apart if below else None, counter_of(column, contract)
    numbered = numbered_in_batches(table, column, actual, under=under, like=like, by=by)
    return (*(below.before if below else ()), *numbered)


def as_counted_in_rows(table: QName, column: Column, actual: Schema, contract: Contract) -> Column:
    """Return a column to come in a table with rows as it will count: perhaps by that of a table above."""
    below = coming_below(table, column, actual, contract)
    return replace(column, sequence=below.apart) if below else as_counted(table, column, actual, contract)


def as_counted(table: QName, column: Column, actual: Schema, contract: Contract) -> Column:
    """Return a column to come as it will count: by the sequence that it gets, whatever the contract calls that."""
    sequence = serial_of(column, contract)
    if sequence is None or sequence.owned_by != (table, column.name):
        return column
    owner = actual.owner_of_most(contract.tables)
    return replace(column, sequence=choose(table, column, actual, sequence, owner=owner)[0])


def attached(counters: Iterable[Coming], made: Table, owner: str, actual: Schema, contract: Contract) -> Iterator[Step]:
    """Yield the steps that attach the sequences of a table to come, by which who may insert into it may count then."""
    granted = _is_kept_from_counting(made, owner, actual)
    for each in counters:
        yield from each.attached() if granted else each.after
    called = (sequence for c in made.columns.values() for sequence in calls(made.name, c, contract))
    yield from (let_count_by(each, made.name) for each in called if granted and actual.sequences[each].created)


def _is_kept_from_counting(made: Table, owner: str, actual: Schema) -> bool:
    """Return whether the application's role may insert into a table to come, but not count by the sequences of it."""
    role, by, schema = actual.application, owner or actual.maker, made.name.schema
    counts = ("USAGE ON SEQUENCES", "UPDATE ON SEQUENCES")
    return bool(role and role.gets("INSERT", schema, by) and not any(role.gets(each, schema, by) for each in counts))
