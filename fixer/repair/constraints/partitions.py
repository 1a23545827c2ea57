"""Partitions that a contract declares: which are missing, and how they are created."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from fixer.model.contract import Contract
from fixer.model.expression.bounds import bound_of, taken
from fixer.model.schema import Partition, Schema
from fixer.model.step import Lock, Phase, Step
from fixer.model.subject import OfTable
from fixer.model.table import QName
from fixer.model.values import dataclass
from fixer.repair.owners import belonging
from fixer.sql import compose as q
from fixer.sql import ddl


@dataclass(frozen=True)
class OfPartition(OfTable):
    """A partition that a contract wants."""

    wanted: Partition


def missing(actual: Schema, contract: Contract) -> Iterator[Partition]:
    """Yield the partitions whose rows no partition takes, of tables that stand and are partitioned as wanted."""
    for part in contract.schema.partitions:
        above, there = actual.tables.get(part.of), actual.tables.get(part.name)
        wanted = _key(part.of, contract)
        if not above or not above.parted_by or above.parted_by != wanted:
            continue
        if there and there.part_of == part.of and there.bound == part.bound:
            continue
        others = (bound_of(t.bound) for t in actual.tables.values() if t.part_of == part.of)
        is_rest = bound_of(part.bound).is_default and above.rest is not None
        if not is_rest and not taken(bound_of(part.bound), others):
            yield part


def _key(table: QName, contract: Contract) -> str:
    if table in contract.tables:
        return contract.tables[table].parted_by
    return next((part.parted_by for part in contract.schema.partitions if part.name == table), "")


def below(table: QName, contract: Contract) -> Iterator[Partition]:
    """Yield the partitions of a table and those below them, so that each comes after the one above it."""
    roots = {table}
    for part in contract.schema.partitions:
        if part.of in roots:
            roots.add(part.name)
            yield part


def creating(parts: Iterable[Partition], actual: Schema, owner: str, touches: tuple[QName, ...] = ()) -> Iterator[Step]:
    """Yield the steps that create partitions, and give them to the owner of what they are parts of."""
    for part in parts:
        title = f"create {part.name.name} as a partition of {part.of.name}"
        create = ddl.create_partition(part)
        step = Step(Phase.TABLES, part.name, title, create, Lock.ACCESS_EXCLUSIVE, touches=touches)
        yield from belonging(step, "TABLE", part.name, owner, actual)


def foreseen(parts: Iterable[Partition], actual: Schema, contract: Contract) -> Schema:
    """Return the schema with those partitions to come that shall have something alone, which they still lack."""
    for part in parts:
        if alone := contract.schema.alone.get(part.name):
            own = closed_alone(part.name, contract)
            columns = {name: replace(c, not_null=c.not_null and name not in own) for name, c in alone.columns.items()}
            bare = replace(alone, columns=columns, indexes=(), checks=(), foreign_keys=(), created=True, inherits=True)
            actual = actual.with_table(replace(bare, part_of=part.of, bound=part.bound, parted_by=part.parted_by))
    return actual


def closed_alone(part: QName, contract: Contract) -> frozenset[str]:
    """Return the columns that the contract lets a partition alone forbid NULL in, whatever the tables above it do."""
    alone = contract.schema.alone.get(part)
    closed = {name for name, column in alone.columns.items() if column.not_null} if alone else set[str]()
    of = {each.name: each.of for each in contract.schema.partitions}
    while closed and part in of:
        part = of[part]
        above = contract.tables.get(part) or contract.schema.alone.get(part)
        closed -= {name for name, column in above.columns.items() if column.not_null} if above else set()
    return frozenset(closed)


def attaching(part: Partition) -> str:
    """Return the statement by which a person attaches a table as a partition."""
    return f"ALTER TABLE {q.quoted(part.of)} ATTACH PARTITION {q.quoted(part.name)} {part.bound};"


def moving(part: Partition, rest: QName, condition: str) -> str:
    """Return the statements by which a person moves rows of the DEFAULT partition to a new one."""
    new, old = q.quoted(part.name), q.quoted(rest)
    parted = f" PARTITION BY {part.parted_by}" if part.parted_by else ""
    return (
        f"BEGIN; CREATE TABLE {new} (LIKE {q.quoted(part.of)} INCLUDING ALL){parted};"  # noqa: S608 - to be read
        f" WITH t AS (DELETE FROM {old} AS t WHERE {condition} RETURNING t.*) INSERT INTO {new} SELECT * FROM t;"
        f" {attaching(part)} COMMIT;"
    )
