"""Definitions of tables, columns and constraints, composed from values of the contract.

Types, expressions and index tails are PostgreSQL's own spelling of the contract, as introspection read it
back; names are always quoted by Identifier.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from fixer.model.expression import canonical
from fixer.model.obstacle import ApartCheck, ApartIndex, PartitionKey
from fixer.model.schema import Partition, Schema
from fixer.model.step import RefusalError
from fixer.model.table import UNLOGGED, Check, Column, ForeignKey, Index, QName, Sequence, Table
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Composed, Identifier, Literal
from fixer.sql.types import MAXIMA

ACTIONS = {"a": "NO ACTION", "r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}
_SERIAL = {"smallint": "smallserial", "integer": "serial", "bigint": "bigserial"}


def is_serial(column: Column) -> bool:
    """Return whether ``serial`` describes the column's numbering completely."""
    return bool(column.sequence) and not column.identity and column.type in _SERIAL


def column_definition(
    column: Column, *, default: Composable | None = None, sequences: Mapping[QName, Sequence] | None = None
) -> Composed:
    """Return a column's clause for CREATE TABLE and ADD COLUMN; `default` replaces the contract's own.

    `sequences` of the contract hold the options of an identity.
    """
    parts: list[Composable] = [Identifier(column.name)]
    parts.append(SQL(_SERIAL[column.type] if is_serial(column) else column.full_type))
    if column.collation:
        parts.append(SQL("COLLATE {}").format(SQL(column.collation)))
    if column.generated:
        kind = "STORED" if column.generated == "s" else "VIRTUAL"
        parts.append(SQL("GENERATED ALWAYS AS ({}) {}").format(SQL(column.default or "NULL"), SQL(kind)))
    elif column.identity:
        parts.append(identity_clause(column, sequences or {}))
    elif default is not None:
        parts.append(SQL("DEFAULT {}").format(default))
    elif column.default is not None and not column.sequence:
        parts.append(SQL("DEFAULT {}").format(SQL(column.default)))
    if column.not_null:
        parts.append(SQL("NOT NULL"))
    return SQL(" ").join(parts)


def identity_clause(column: Column, sequences: Mapping[QName, Sequence]) -> Composed:
    """Return the identity clause of a column, with the options of its sequence if it is known."""
    kind = SQL("GENERATED {} AS IDENTITY").format(SQL("ALWAYS" if column.identity == "a" else "BY DEFAULT"))
    sequence = sequences.get(column.sequence) if column.sequence else None
    options = sequence_options(replace(sequence, type=column.type)) if sequence else None
    return SQL("{} ({})").format(kind, options) if options else kind


def create_table(table: Table, sequences: Mapping[QName, Sequence]) -> Composed:
    """Return the statement that creates a table with its columns and checks; keys and indexes come later."""
    lines: Iterable[Composable] = [
        *(column_definition(column, sequences=sequences) for column in table.columns.values()),
        *(check_clause(check.name, check) for check in table.checks),
    ]
    kind = SQL("UNLOGGED TABLE" if table.persistence == UNLOGGED else "TABLE")
    parted = SQL(f" PARTITION BY {table.parted_by}" if table.parted_by else "")
    made = SQL("CREATE {} {} (\n    {}\n)").format(kind, q.name(table.name), SQL(",\n    ").join(lines))
    return made + parted


def create_partition(part: Partition) -> Composed:
    """Return the statement that creates a partition, which may be partitioned in turn."""
    kind = SQL("UNLOGGED TABLE" if part.persistence == UNLOGGED and not part.parted_by else "TABLE")
    parted = SQL(f" PARTITION BY {part.parted_by}" if part.parted_by else "")
    made = SQL("CREATE {} {} PARTITION OF {} {}{}")
    return made.format(kind, q.name(part.name), q.name(part.of), SQL(part.bound), parted)


def check_clause(name: str, check: Check) -> Composed:
    """Return a check's clause for CREATE TABLE and ADD."""
    kind = (" NO INHERIT" if check.no_inherit else "") + ("" if check.enforced else " NOT ENFORCED")
    return SQL("CONSTRAINT {} CHECK ({}){}").format(Identifier(name), SQL(check.expression), SQL(kind))


def key_clause(name: str, key: Index) -> Composed:
    """Return a primary key's or unique constraint's clause for ADD."""
    return SQL("CONSTRAINT {} {}").format(Identifier(name), SQL(key_words(key)))


def key_words(key: Index) -> str:
    """Return a primary key or a unique constraint without its name, in SQL."""
    kind = "PRIMARY KEY" if key.primary else "UNIQUE"
    alike = " NULLS NOT DISTINCT" if key.nulls_not_distinct else ""
    columns = ", ".join(q.quoted([column]) for column in key.columns)
    apart = " WITHOUT OVERLAPS" if key.overlaps_not else ""
    return f"{kind}{alike} ({columns}{apart}){deferral(key.deferrable, key.deferred)}"


def foreign_key_clause(name: str, key: ForeignKey) -> Composed:
    """Return a foreign key's clause for ADD."""
    deeds: list[Composable] = [SQL(" MATCH FULL" if key.match == "f" else "")]
    if key.on_delete != "a":
        deeds.append(SQL(f" ON DELETE {ACTIONS[key.on_delete]}"))
    if key.emptied:
        deeds.append(SQL(" ({})").format(q.names(key.emptied)))
    if key.on_update != "a":
        deeds.append(SQL(f" ON UPDATE {ACTIONS[key.on_update]}"))
    deeds.append(SQL(deferral(key.deferrable, key.deferred) + ("" if key.enforced else " NOT ENFORCED")))
    return SQL("CONSTRAINT {} FOREIGN KEY ({}) REFERENCES {} ({}){}").format(
        Identifier(name),
        _ends(key.columns, key),
        q.name(key.target),
        _ends(key.target_columns, key),
        SQL("").join(deeds),
    )


def _ends(columns: tuple[str, ...], key: ForeignKey) -> Composed:
    """Return the columns at one end of a foreign key, the last of which may be a PERIOD."""
    names = [SQL("{}").format(Identifier(column)) for column in columns]
    if key.period:
        names[-1] = SQL("PERIOD {}").format(names[-1])
    return SQL(", ").join(names)


def deferral(deferrable: bool, deferred: bool) -> str:
    """Return the end of a constraint's definition: whether it can be deferred, and is so by default."""
    if not deferrable:
        return ""
    return " DEFERRABLE INITIALLY DEFERRED" if deferred else " DEFERRABLE"


def alone(table: Table, index: Index) -> None:
    """Raise RefusalError if a partition already has an index like the one that the table will get, or a primary key.

    PostgreSQL would attach it to the new one, whatever its order (manual, 5.12.2.1), and drop it together with that.
    """
    kind = "p" if index.primary else "u" if index.constraint else "unique" if index.unique else "index"
    for each in table.obstacles:
        if isinstance(each, ApartIndex) and (each.kind, _unordered(each.tail)) == (kind, _unordered(index.tail)):
            way = f"if it may, run: {_adding(table.name, index)}"
            raise RefusalError(f"the {each.name} would become part of it, and go with it at undo; {way}")
        if index.primary and isinstance(each, ApartIndex) and each.kind == "p":
            raise RefusalError(f"a partition has a primary key already, the {each.name}: drop that first")


def _adding(table: QName, index: Index) -> str:
    """Return the statement by which a person adds an index or a key of the contract."""
    if not (index.primary or index.constraint):
        return f"CREATE {'UNIQUE ' if index.unique else ''}INDEX ON {q.quoted(table)} {index.tail}"
    return f"ALTER TABLE {q.quoted(table)} ADD {key_words(index)}"


def _unordered(tail: str) -> str:
    return canonical(re.sub(r" (ASC|DESC)\b| NULLS (FIRST|LAST)\b", "", tail))


def whole(table: Table, columns: Iterable[str]) -> None:
    """Raise RefusalError if a table is partitioned by a column or expression that is not among these columns.

    A key over all partitions needs all of them (PostgreSQL manual, 5.12.2.3).
    """
    for each in table.obstacles:
        if isinstance(each, PartitionKey) and not set(each.columns) <= set(columns):
            by = ", ".join(column or "an expression" for column in each.columns)
            raise RefusalError(f"it is partitioned by {by}, which a key over all partitions has to have")


def create_sequence(sequence: Sequence) -> Composed:
    """Return the statement that creates a sequence, with its options but its owner."""
    words = "CREATE SEQUENCE {} AS {} {}" if (options := sequence_options(sequence)) else "CREATE SEQUENCE {} AS {}{}"
    return SQL(words).format(q.name(sequence.name), SQL(sequence.type), options or SQL(""))


def sequence_options(sequence: Sequence) -> Composed | None:
    """Return the options of a sequence that are not PostgreSQL's own for its type; None if all are."""
    up, top = sequence.increment > 0, MAXIMA[sequence.type]
    lowest, highest = (1, top) if up else (-top - 1, -1)
    parts = (
        ("INCREMENT BY", sequence.increment, 1),
        ("MINVALUE", max(sequence.minimum, -top - 1), lowest),
        ("MAXVALUE", min(sequence.maximum, top), highest),
        ("START WITH", sequence.start, sequence.minimum if up else sequence.maximum),
        ("CACHE", sequence.cache, 1),
    )
    said = [SQL(f"{word} {{}}").format(Literal(value)) for word, value, usual in parts if value != usual]
    said += [SQL("CYCLE").format()] if sequence.cycle else []
    return SQL(" ").join(said) if said else None


def alter_sequence(sequence: Sequence) -> Composed:
    """Return the statement that gives a sequence all its options."""
    words = SQL("ALTER SEQUENCE {} AS {} INCREMENT BY {} MINVALUE {} MAXVALUE {} START WITH {} CACHE {} {}")
    figures = (sequence.increment, sequence.minimum, sequence.maximum, sequence.start, sequence.cache)
    cycle = SQL("CYCLE" if sequence.cycle else "NO CYCLE")
    return words.format(q.name(sequence.name), SQL(sequence.type), *map(Literal, figures), cycle)


def create_index(name: str, table: QName, index: Index) -> Composed:
    """Return the statement that creates an index."""
    return SQL("CREATE {}INDEX {} ON {} {}").format(
        SQL("UNIQUE " if index.unique else ""), Identifier(name), q.name(table), SQL(index.tail)
    )


def create_type(column: Column) -> Composed:
    """Return the block that creates the column's enum type if it is missing."""
    labels, type_ = SQL(", ").join(map(Literal, column.labels or column.items)), column.full_type.removesuffix("[]")
    return q.Block(
        SQL("BEGIN\n    IF to_regtype({}) IS NULL THEN\n        CREATE TYPE {} AS ENUM ({});\n    END IF;\nEND").format(
            Literal(type_), SQL(type_), labels
        )
    ) + SQL("")


def altered(table: QName, action: Composable) -> Composed:
    """Return the statement that changes a table."""
    return SQL("ALTER TABLE {} {}").format(q.name(table), action)


def dropped(table: QName, constraint: str) -> Composed:
    """Return the statement that drops a constraint."""
    return altered(table, SQL("DROP CONSTRAINT {}").format(Identifier(constraint)))


def free_relation_name(schema: Schema, home: QName, wanted: str) -> str:
    """Return a name for an index or sequence that no relation in the schema of the table `home` has."""
    return q.free_name(wanted, (name.name for name in schema.names if name.schema == home.schema))


def free_constraint_name(table: Table | None, schema: Schema, home: QName, wanted: str, *, index: bool) -> str:
    """Return a name for a constraint that is free on the table, and in the schema too if it has an `index`.

    PostgreSQL itself names the constraints of a foreign key to single partitions: up to 17 as it would name any key of
    these columns, from 18 on by the key's name and a number.
    """
    taken = set()
    if table:
        numbered = (
            k.name for k in table.foreign_keys if k.target in schema.tables and schema.tables[k.target].kind == "p"
        )
        wanted = f"{wanted}_again" if wanted in numbered else wanted
        taken |= {each.check for each in table.obstacles if isinstance(each, ApartCheck)}
        taken |= {check.name for check in table.checks} | {key.name for key in table.foreign_keys}
        taken |= {key.name for key in table.indexes if key.constraint}
        taken.update(*(key.beside for key in table.foreign_keys))
    if index:
        taken |= {name.name for name in schema.names if name.schema == home.schema}
    return q.free_name(wanted, taken)


def handed_over(table: QName, column: str, to: str) -> Composable:
    """Return the block that gives the column `to` the comment, grants and options of `column`."""
    grants = (
        "SELECT privilege_type AS deed, is_grantable AS further, CASE WHEN grantee = 0 THEN 'PUBLIC'"
        " ELSE quote_ident(pg_get_userbyid(grantee)) END AS whom FROM pg_catalog.aclexplode({}.attacl)"
    )
    its_grants, wanted_grants = SQL(grants.format("its")), SQL(grants.format("wanted"))
    return q.block(
        "columns/hand_over_rights",
        table=Literal(q.quoted(table)),
        column=Literal(column),
        to=Literal(to),
        gone=SQL("{} EXCEPT {}").format(its_grants, wanted_grants),
        come=SQL("{} EXCEPT {}").format(wanted_grants, its_grants),
    )


def view_anew(spelt: str, create: str) -> Composable:
    """Return the statement that replaces a view, or creates it anew with what is on it if its columns change."""
    anew = create.replace("CREATE OR REPLACE ", "CREATE ", 1)
    replacing = anew.replace("CREATE ", "CREATE OR REPLACE ", 1)
    return q.block("rights/view_anew", view=Literal(spelt), replace=Literal(replacing), create=Literal(anew))
