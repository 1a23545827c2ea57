"""Steps for the defaults of columns, and columns whose types are missing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from fixer.model.contract import Contract
from fixer.model.expression import as_needed, names_in, parts_of_name, quoted, sequences_in
from fixer.model.expression.patterns import pattern
from fixer.model.schema import Schema
from fixer.model.step import Phase, RefusalError, Step
from fixer.model.table import Column, QName, Sequence, Table
from fixer.sql import compose as q
from fixer.sql.alter import alter
from fixer.sql.compose import SQL, Identifier
from fixer.sql.types import element, extension_of, fits

_MULTIRANGE = pattern(
    r""", MULTIRANGE_TYPE_NAME = (?:"(?:[^"]|"")*"|[^".)])+(?:\.(?:"(?:[^"]|"")*"|[^".)])+)?(?=\)$)"""
)


def named(spelt: str) -> QName | None:
    """Return the type that SQL spells with its schema, or that of the elements of an array; None for others."""
    parts = parts_of_name(spelt.removesuffix("[]"))
    return QName(*parts) if len(parts) == 2 else None


def in_full(type_: QName) -> str:
    """Return a type as SQL spells it."""
    return f"{quoted(type_.schema)}.{quoted(type_.name)}"


def names_type(statement: str, type_: QName) -> bool:
    """Return whether a statement names a type, as PostgreSQL spells it."""
    spelt = r"\.".join(f"(?:{re.escape(as_needed(part))}|{re.escape(quoted(part))})" for part in type_)
    return re.search(rf'(?<![\w"]){spelt}(?![\w"])', statement) is not None


def apart_from_multirange(statement: str) -> str:
    """Return the statement that creates a type without the name of its multirange, which PostgreSQL 13 has not."""
    return _MULTIRANGE.sub("", statement)


def untyped(column: Column, actual: Schema) -> str:
    """Return what a person does about the type of a column, if it is missing; empty if it is there, or will be."""
    type_ = column.full_type
    if (there := actual.standing.get(type_)) and (
        said := another_kind(column, there) or (column.base and _narrow(column, there))
    ):
        return f"{column.name} {said}: run ALTER TYPE {type_.removesuffix('[]')} RENAME TO …; then plan again"
    if type_ not in actual.lacking:
        return ""
    if not column.base or element(column.type):
        extension = extension_of(names_in(type_))
        way = f"run CREATE EXTENSION {as_needed(extension)};" if extension else "create it,"
        return f"{column.name} is of the type {type_}, which does not exist: {way} then plan again"
    domain = " ".join([f"CREATE DOMAIN {type_} AS {column.base}", *column.guards])
    given = (
        ", with the DEFAULT of the contract, and before it the sequence that this may call" if column.supplied else ""
    )
    return f"{column.name} is of the domain {type_}, which does not exist: {domain}{given}; then plan again"


def another_kind(wanted: Column, found: Column) -> str:
    """Return how a type that stands under the name of an enum or a domain is none; empty if it is one."""
    wants = "an enum" if wanted.enum else "a domain" if wanted.base else ""
    has = "an enum" if found.enum else "a domain" if found.base else "neither an enum nor a domain"
    return f"should be of {wants}, and {wanted.full_type.removesuffix('[]')} is {has}" if wants not in ("", has) else ""


def _narrow(wanted: Column, found: Column) -> str:
    """Return how a domain that stands is made of a type that does not hold all values of the contract's."""
    narrow, domain = not fits(found.base, wanted.base), wanted.full_type.removesuffix("[]")
    return f"should be of a domain over {wanted.base}, and {domain} is over {found.base}" if narrow else ""


def as_it_stands(column: Column, actual: Schema) -> Column:
    """Return a column to come as it will be: of its domain as this stands, whatever the contract's demands."""
    there = actual.standing.get(column.full_type)
    return replace(column, base=there.base, guards=there.guards, supplied=there.supplied) if there else column


def needs_value(column: Column) -> bool:
    """Return whether rows need a value in this column that the database does not give by itself."""
    guarded = "NOT NULL" in column.guards and not (column.supplied or element(column.type))
    return (column.not_null or guarded) and not column.generates and not column.generated


def lost_default(column: Column, actual: Schema) -> str:
    """Return how rows get a default in a column to come: from its domain, where that has lost the contract's."""
    lost = column.supplied and not as_it_stands(column, actual).supplied
    return f"run ALTER DOMAIN {column.full_type} SET DEFAULT …;" if lost else "declare a default"


def is_to_come(column: Column, actual: Schema) -> bool:
    """Return whether the plan creates the type of a column, so that no value can be read as it yet."""
    return named(column.full_type) in actual.made


def to_come(column: Column, actual: Schema, contract: Contract) -> str:
    """Return what a person does about the type of a column whose values are read, if only the plan creates it."""
    type_ = named(column.full_type)
    if type_ not in actual.made:
        return ""
    statement = contract.schema.types[type_][0]
    return f"rows get values of {column.full_type}, which does not exist yet: {statement}; then plan again"


def is_read(column: Column, wanted: Table) -> bool:
    """Return whether the values that rows get in a column matter: they get some, or a key or a check is over them."""
    over = [*(each.tail + each.exclusion for each in wanted.indexes), *(each.expression for each in wanted.checks)]
    return column.fills or column.not_null or "NOT NULL" in column.guards or any(column.name in text for text in over)


def unread(table: Table, column: Column, actual: Schema) -> Table:
    """Return a table to come, or with a column to come, whose type no value can be read as yet: it reads as NULL."""
    return table.with_column(replace(column, now=SQL("NULL::text"))) if is_to_come(column, actual) else table


def set_default(table: QName, column: Column, actual: Schema, contract: Contract) -> Step:
    """Return the step that gives a column the contract's default, also in partitions that have what it has today.

    Raises RefusalError if a sequence lacks for it.
    """
    if why := unmade(table, column, actual, contract):
        raise RefusalError(why)
    action = SQL("ALTER COLUMN {} SET DEFAULT {}").format(Identifier(column.name), SQL(column.default or "NULL"))
    title, below = (
        f"set the default of {table.name}.{column.name} to {column.default}",
        [*_alike(table, column, actual)],
    )
    if below:
        title += f", also in {below[0].name}" if len(below) == 1 else f", also in {len(below)} partitions"
    step = alter(Phase.DEFAULTS, table, title, action, only=actual.tables[table].inherits, touches=tuple(below))
    each = (SQL("ALTER TABLE ONLY {} {}").format(q.name(part), action) for part in below)
    return replace(step, sql=SQL(";\n").join([step.sql, *each]))


def _alike(table: QName, column: Column, actual: Schema) -> Iterator[QName]:
    """Yield the partitions of a table in which a column defaults to what it does in the table today."""
    above = actual.tables[table].columns[column.name]
    for part in actual.tables.values():
        found = part.columns.get(column.name) if part.part_of and part.owned else None
        alike = found and found.default == above.default and not (found.identity or found.generated)
        if alike and table in actual.wholes(part.name)[1:]:
            yield part.name


def calls(table: QName, column: Column, contract: Contract) -> list[QName]:
    """Return the sequences of the contract that the default or the backfill of a column calls."""
    said = [column.default, contract.hints[table].of(column.name).backfill]
    texts = (each.string if isinstance(each, SQL) else each for each in said)
    named = {parts for text in texts if isinstance(text, str) and "nextval" in text for parts in sequences_in(text)}
    there = contract.schema.sequences.values() if named else ()
    return [each.name for each in there if stands_apart(each, contract) and {each.name, (each.name.name,)} & named]


def counter_of(column: Column, contract: Contract) -> Sequence | None:
    """Return the sequence of the contract by which a column of it counts; None if the contract does not say."""
    return contract.schema.sequences.get(column.sequence) if column.sequence else None


def serial_of(column: Column, contract: Contract) -> Sequence | None:
    """Return the sequence of the contract by which a column counts that is no identity."""
    return None if column.identity else counter_of(column, contract)


def stands_apart(sequence: Sequence, contract: Contract) -> bool:
    """Return whether a sequence is created by itself, and not along with the column that counts by it and owns it."""
    table, column = sequence.owned_by or (None, "")
    return table is None or contract.tables[table].columns[column].sequence != sequence.name


def unmade(table: QName, column: Column, actual: Schema, contract: Contract) -> str:
    """Return what a person does about the sequence that a column's default calls, if it is missing and stays so."""
    for name in calls(table, column, contract):
        if name not in actual.sequences:
            return f"{column.name} is made of numbers of {name}, which is missing: let that sequence be created as well"
    return ""
