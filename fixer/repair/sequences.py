"""Steps that give a column a sequence: create it, attach it, make it the default, move it past the highest id."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property

from fixer.model.contract import Contract
from fixer.model.expression import as_needed, quoted
from fixer.model.schema import Schema
from fixer.model.step import Added, Batches, Effect, Hazard, Lock, Part, Phase, Step
from fixer.model.table import Column, QName, Sequence
from fixer.repair.numbers import Held, advance
from fixer.repair.rows import IN_BATCH, places
from fixer.sql import compose as q
from fixer.sql import ddl
from fixer.sql.alter import alter
from fixer.sql.compose import SQL, Identifier, Literal
from fixer.sql.types import MAXIMA


def give_generator(table: QName, column: Column, actual: Schema, held: Held = ()) -> Iterator[Part]:
    """Yield the steps that give a column its own sequence, past the highest id; online it avoids `held` numbers too.

    No identity comes beside a sequence that the column owns already: pg_get_serial_sequence would name the older one.
    """
    there = actual.tables[table].columns[column.name]
    left_over = any(s.owned_by == (table, column.name) for s in actual.sequences.values())
    if column.identity and there.not_null and there.default is None and not left_over:
        action = SQL("ALTER COLUMN {} ADD GENERATED {} AS IDENTITY").format(
            Identifier(column.name), SQL("ALWAYS" if column.identity == "a" else "BY DEFAULT")
        )
        yield alter(Phase.GENERATORS, table, f"let {table.name}.{column.name} number itself", action)
        yield advance(table, column.name, None, held)
        return
    wanted = column.sequence.name if column.sequence else f"{table.name}_{column.name}_seq"
    name, exists = _choose(QName(table.schema, wanted), table, column.name, actual)
    type_ = SQL(_sequence_type(column, there))
    if exists:
        widen = SQL("ALTER SEQUENCE {} AS {} NO MAXVALUE NO CYCLE").format(
            q.name(name), SQL(_sequence_type(column, there))
        )
        yield Step(Phase.GENERATORS, table, f"let {name.name} count as far as {table.name}.{column.name}", widen)
    else:
        create = SQL("CREATE SEQUENCE {} AS {}").format(q.name(name), type_)
        yield Step(Phase.GENERATORS, table, f"create the sequence {name.name}", create, Lock.NONE)
        yield from _handed_over(name, table, actual)
    yield own(name, table, column.name)
    yield let_count(table, column.name)
    yield advance(table, column.name, name, held)
    yield wire(name, table, column.name, only=actual.tables[table].inherits)


def numbered_in_batches(table: QName, column: Column, actual: Schema, *, under: str | None = None) -> tuple[Step, ...]:
    """Return the steps that add a numbered column to a table that others write to, and number its rows.

    `under` is another name for the column, if it gets its own name only later.
    """
    name = under or column.name
    bare = replace(column, name=name, default=None, sequence=None, identity="", not_null=False)
    there = actual.with_table(actual.tables[table].with_column(bare))
    add = SQL("ADD COLUMN IF NOT EXISTS {} {}").format(Identifier(name), SQL(column.full_type))
    added = Added(column.name, counts=True)
    first = alter(Phase.CONVERT, table, f"add {name} to {table.name}", add, added=(added,))
    fill = Step(
        phase=Phase.KEYS,
        table=table,
        title=f"number the rows of {table.name}",
        sql=SQL(""),
        batches=Batches(
            batch=SQL("UPDATE {} AS t SET {} = {} WHERE {} AND {}").format(
                q.name(table), Identifier(name), q.next_value(table, name), IN_BATCH, q.is_null(name)
            ),
            find=places(table, q.is_null(name)),
            pages=True,
        ),
        lock=Lock.ROW_EXCLUSIVE,
        hazard=Hazard.REWRITES_TABLE,
        effect=Effect(rows=actual.tables[table].estimated_rows, changes=(column.name,)),
    )
    counting = give_generator(table, replace(bare, sequence=column.sequence), there)
    return (first, *(part.atomic for part in counting), fill)


def _handed_over(name: QName, table: QName, actual: Schema) -> Iterator[Step]:
    """Yield the step that gives a new sequence to the table's owner, because OWNED BY requires the same owner."""
    owner = actual.tables[table].owner
    if actual.session and owner and owner != actual.session.role:
        action = SQL("ALTER SEQUENCE {} OWNER TO {}").format(q.name(name), Identifier(owner))
        yield Step(Phase.GENERATORS, table, f"give the sequence {name.name} to {owner}", action, Lock.NONE)


def own(name: QName, table: QName, column: str) -> Step:
    """Return the step that attaches a sequence to its column, so that they are dropped and moved together."""
    action = SQL("ALTER SEQUENCE {} OWNED BY {}").format(q.name(name), Identifier(*table, column))
    return Step(Phase.GENERATORS, table, f"let {table.name}.{column} own the sequence {name.name}", action)


def let_count(table: QName, column: str) -> Step:
    """Return the step that grants USAGE on the sequence of a column to roles that may insert into its table."""
    grant = q.block("rights/count", table=Literal(q.quoted(table)), generator=q.generator_of(table, column))
    title = f"let every role that may insert into {table.name} count"
    return Step(Phase.GENERATORS, table, title, grant, Lock.NONE)


def wire(name: QName, table: QName, column: str, *, only: bool) -> Step:
    """Return the step that makes nextval of a sequence the default of a column."""
    action = SQL("ALTER COLUMN {} SET DEFAULT nextval({}::regclass)").format(
        Identifier(column), Literal(q.quoted(name))
    )
    return alter(Phase.GENERATORS, table, f"let {table.name}.{column} count by {name.name}", action, only=only)


def _sequence_type(wanted: Column, found: Column) -> str:
    """Return the type whose numbers reach as far as those of the column, as wanted or as found."""
    return max((each if each in MAXIMA else "bigint" for each in (wanted.type, found.type)), key=MAXIMA.__getitem__)


def _choose(wanted: QName, table: QName, column: str, actual: Schema) -> tuple[QName, bool]:
    """Return the sequence to use, and whether it exists: the column's own, or a free one under the wanted name."""
    own = [s.name for s in actual.sequences.values() if s.owned_by == (table, column)]
    for name in (*own, wanted):
        sequence = actual.sequences.get(name)
        free = sequence and sequence.owned_by in (None, (table, column)) and not Users(actual).of(sequence)
        if sequence and free and sequence.increment > 0 and sequence.name.schema == table.schema:
            return name, True
    return QName(wanted.schema, ddl.free_relation_name(actual, table, wanted.name)), False


def declared(sequence: QName, table: QName, column: Column, contract: Contract) -> bool:
    """Return whether the contract itself names the sequence of a column, or lets columns share one."""
    spelt = contract.hints[table].of(column.name).counter
    names = (sequence.name, as_needed(sequence.name), quoted(sequence.name))
    homes = (f"{home}." for home in (sequence.schema, as_needed(sequence.schema), quoted(sequence.schema)))
    if spelt in {f"{home}{name}" for home in ("", *homes) for name in names}:
        return True
    return column.sequence == sequence and sequence not in contract.schema.sequences


class Users:
    """The columns that use each sequence of a schema; all are collected once, at the first question."""

    def __init__(self, actual: Schema) -> None:
        self._actual = actual

    def of(self, sequence: Sequence) -> list[tuple[QName, str]]:
        """Return the columns that use a sequence."""
        return self._by_sequence.get(sequence.name, [])

    def share(self, table: QName, column: Column) -> bool:
        """Return whether a column uses a sequence that others use or own."""
        sequence = self._actual.sequences.get(column.sequence) if column.sequence else None
        if sequence is None or column.identity:
            return False
        if sequence.owned_by:
            owner, of = sequence.owned_by
            family = owner in self._actual.tables and self._actual.tables[owner].inherits
            if family and self._actual.tables[table].inherits and of == column.name:
                return False  # a partition or heir uses the sequence of its root
            return sequence.owned_by != (table, column.name)
        return len(self.of(sequence)) > 1

    @cached_property
    def _by_sequence(self) -> Mapping[QName, list[tuple[QName, str]]]:
        users: dict[QName, list[tuple[QName, str]]] = {}
        for table in self._actual.tables.values():
            for column in table.columns.values():
                if column.sequence:
                    users.setdefault(column.sequence, []).append((table.name, column.name))
        return users
