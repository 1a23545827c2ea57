"""What a contract declares, read from where it was made: shapes, without rows, rights and owners."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer.connect.settings import OUR_PATH
from fixer.introspect import Sides, proved, read_parts, session
from fixer.introspect.questions import query
from fixer.model import schema as s
from fixer.model.expression.patterns import pattern
from fixer.model.table import TABLES, Check, ForeignKey, QName

TEMPORARY = "SELECT set_config('pgmend.schemas', ARRAY[pg_my_temp_schema()::regnamespace::text]::text, true)"
_LEFT_OVER = pattern(r"_cc(new|old)\d*$")  # by REINDEX CONCURRENTLY that failed (PostgreSQL manual, REINDEX)


def read_model(cursor: Cursor, schemas: Sequence[str]) -> s.Schema:
    """Read what the setting `pgmend.schemas` names as a model: its shape alone. Types of `schemas` bear short names."""
    found, definitions = read_parts(cursor, [*schemas, "public"], {}, Sides.CONTRACT)
    tables = {name: _shape(found.tables[name]) for name in sorted(found.tables) if found.tables[name].columns}
    return replace(found, tables=tables, names=frozenset(), spellings=definitions.spellings())


def read_declared(cursor: Cursor, *, lone_types: bool = True) -> s.Schema:
    """Read what users declared, as if it had just been added: every constraint enforced and awake.

    Partitions are parts of their tables: only their names and bounds are declared, and what they have alone. No table
    is an extension's, or pgmend's own.
    """
    users = _Users.of(cursor)
    _choose(cursor, users.schemas)
    types = read_types(cursor, lone=lone_types)
    homes = sorted({*users.schemas, *(name.schema for name in types)})  # where types bear short names, as in the target
    if homes != users.schemas:
        _choose(cursor, homes)
    found, definitions = read_parts(cursor, [*homes, "public"], {}, Sides.CONTRACT)
    return replace(users.declared(found, definitions.spellings(), proved=False), types=types)


def read_itself(cursor: Cursor) -> tuple[s.Schema, s.Schema]:
    """Read what the target itself declares, of all rows that are there too, and the target as it is: both at once.

    It is not said how checks are spelt: the target is not read again unless it changes, and asked then.
    """
    users = _Users.of(cursor)
    who = session(cursor, users.schemas)
    found, _ = read_parts(cursor, [*users.schemas, "public"], {}, Sides.ACTUAL | Sides.CONTRACT)
    declared = users.declared(found, {}, proved=True)
    return declared, replace(proved(cursor, found), session=who)


class _Users(NamedTuple):
    """What users declared, by name: schemas, tables, partitions, and sequences."""

    schemas: list[str]
    tables: list[QName]
    parts: list[QName]
    counters: set[QName]

    @classmethod
    def of(cls, cursor: Cursor) -> _Users:
        """Ask for it."""
        cursor.execute(query("declared"))
        rows = [(QName(*row[:2]), *row[2:]) for row in cursor.fetchall()]
        there = {name: is_part for name, kind, is_part in rows if kind in TABLES}
        return cls(
            sorted({name.schema for name, *_ in rows}),
            sorted(name for name, is_part in there.items() if not is_part),
            sorted(name for name, is_part in there.items() if is_part),
            {name for name, kind, _ in rows if kind not in TABLES},
        )

    def declared(self, found: s.Schema, spellings: s.Spellings, *, proved: bool) -> s.Schema:
        """Return it as if it had just been added.

        Where it shall be `proved`, what is NOT VALID is wanted of the rows that are there too.
        """
        tables = {name: _added(_shape(found.tables[name]), proved) for name in self.tables}
        mine = ((name, each) for name, each in found.sequences.items() if name in self.counters)
        sequences = {name: each for name, each in mine if not each.owned_by or each.owned_by[0] in tables}
        parts, alone = tuple(_parts(found, self.parts)), dict(_alone(found, self.parts, proved))
        return s.Schema(tables=tables, sequences=sequences, spellings=spellings, partitions=parts, alone=alone)


def _choose(cursor: Cursor, schemas: Sequence[str]) -> None:
    """Let queries ask of these schemas, and spell names in full."""
    cursor.execute(f"{OUR_PATH}SELECT set_config('pgmend.schemas', %s::text[]::text, true)", ([*schemas],))


def read_types(cursor: Cursor, *, lone: bool = True) -> dict[QName, tuple[str, ...]]:
    """Return the types that columns of the schemas in the setting `pgmend.schemas` need, as Schema.types has them.

    With `lone`, also those that no column needs, of any schema: one may hold nothing but types.
    """
    chosen = "on" if lone else ""
    cursor.execute(f"SELECT set_config('pgmend.lone', '{chosen}', true);\n{query('wanted_types')}")
    return {QName(schema, name): (made, *calls) for schema, name, made, calls in cursor.fetchall() if made}


def _parts(found: s.Schema, names: Sequence[QName]) -> Iterator[s.Partition]:
    """Yield partitions, those above others first; one of a table that is not declared is left out."""
    deep = {name: len(found.wholes(name)) for name in names}
    for name in sorted(names, key=lambda each: (deep[each], each)):
        part = found.tables[name]
        if part.part_of:
            yield s.Partition(name, part.part_of, part.bound, part.parted_by, part.persistence)


def _alone(found: s.Schema, names: Sequence[QName], proved: bool) -> Iterator[tuple[QName, s.Table]]:
    """Yield the indexes, checks, foreign keys and NOT NULLs that partitions have and the tables above them have not."""
    for part in (found.tables[name] for name in names if found.tables[name].part_of):
        above = [found.tables[name] for name in found.wholes(part.name)[1:]]
        tails = {index.tail for table in above for index in table.indexes}
        checks = {check.name for table in above for check in table.checks}
        own = s.Table(
            part.name,
            part.kind,
            columns=part.columns,
            indexes=tuple(index for index in part.indexes if index.tail not in tails),
            checks=tuple(check for check in part.checks if check.name not in checks),
            foreign_keys=tuple(key for key in part.foreign_keys if not key.inherited),
        )
        open_ = {each.name for table in above for each in table.columns.values() if not each.not_null}
        closed = any(each.not_null and each.name in open_ for each in part.columns.values())
        if own.indexes or own.checks or own.foreign_keys or closed:
            yield part.name, _added(own, proved)


def _added(table: s.Table, proved: bool) -> s.Table:
    """Return a table whose constraints are as they are when they are added; what a repair left over is none."""
    if all(i.valid and not i.disabled_triggers for i in table.indexes) and _hold(table):
        return table
    indexes = (i for i in table.indexes if i.valid or not _LEFT_OVER.search(i.name))
    return replace(
        table,
        indexes=tuple(
            i if i.valid and not i.disabled_triggers else replace(i, valid=True, disabled_triggers=()) for i in indexes
        ),
        checks=tuple(
            c if c.validated and c.enforced else replace(c, validated=_of_all(c, proved), enforced=True)
            for c in table.checks
        ),
        foreign_keys=tuple(
            k if k.holds else replace(k, validated=_of_all(k, proved), enforced=True, disabled_triggers=())
            for k in table.foreign_keys
        ),
    )


def _hold(table: s.Table) -> bool:
    """Return whether all checks and foreign keys are in force."""
    return all(c.validated and c.enforced for c in table.checks) and all(k.holds for k in table.foreign_keys)


def _of_all(constraint: Check | ForeignKey, proved: bool) -> bool:
    """Return whether a constraint is wanted of all rows; one that is NOT ENFORCED is as if it were not so."""
    return proved or constraint.validated or not constraint.enforced


def _shape(table: s.Table) -> s.Table:
    """Return what a table declares; its key forbids NULL, even where a damaged catalogue lacks the mark of that."""
    key, columns = table.primary_key.columns if table.primary_key else (), table.columns
    open_ = [name for name in key if name in columns and not columns[name].not_null]
    closed = {name: replace(columns[name], not_null=True) for name in open_}
    return s.Table(
        table.name,
        table.kind,
        persistence=table.persistence,
        columns={**columns, **closed} if closed else columns,
        indexes=table.indexes,
        checks=table.checks,
        foreign_keys=table.foreign_keys,
        parted_by=table.parted_by,
        parents=table.parents,
    )
