"""What a contract declares, read from where it was made: shapes, without rows, rights and owners."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer.introspect import read_parts
from fixer.introspect.questions import query
from fixer.model import schema as s
from fixer.model.table import Check, ForeignKey, Index, QName

_LEFT_OVER = re.compile(r"_cc(new|old)\d*$")  # by REINDEX CONCURRENTLY that failed (PostgreSQL manual, REINDEX)


def read_model(cursor: Cursor, schemas: Sequence[str]) -> s.Schema:
    """Read what the setting `pgmend.schemas` names as a model: its shape alone. Types of `schemas` bear short names."""
    found, definitions = read_parts(cursor, [*schemas, "public"], {}, False, model=True)
    tables = {name: _shape(found.tables[name]) for name in sorted(found.tables) if found.tables[name].columns}
    return replace(found, tables=tables, names=frozenset(), spellings=definitions.spellings())


def read_declared(cursor: Cursor, *, proved: bool) -> s.Schema:
    """Read what users declared, as if it had just been added: every constraint enforced and awake.

    Where it shall be `proved`, what is NOT VALID is wanted of the rows that are there too. Partitions are parts of
    their tables: only their names and bounds are declared, and the uniques that they have alone. No table is an
    extension's, or pgmend's own.
    """
    cursor.execute(query("declared"))
    found_there = {QName(*row[:2]): row[2] for row in cursor.fetchall()}
    names = sorted(name for name, is_part in found_there.items() if not is_part)
    schemas = sorted({name.schema for name in found_there})
    cursor.execute("SELECT set_config('pgmend.schemas', %s::text[]::text, true)", (schemas,))
    found, definitions = read_parts(cursor, [*schemas, "public"], {}, False, model=True)
    tables = {name: _added(_shape(found.tables[name]), proved) for name in names}
    sequences = {n: each for n, each in found.sequences.items() if not each.owned_by or each.owned_by[0] in tables}
    parts = tuple(_parts(found, sorted(found_there.keys() - tables.keys())))
    spellings, alone = definitions.spellings(), dict(_alone(found))
    return s.Schema(tables=tables, sequences=sequences, spellings=spellings, partitions=parts, alone=alone)


def _parts(found: s.Schema, names: Sequence[QName]) -> Iterator[s.Partition]:
    """Yield partitions, those above others first; one of a table that is not declared is left out."""
    deep = {name: len(found.wholes(name)) for name in names}
    for name in sorted(names, key=lambda each: (deep[each], each)):
        part = found.tables[name]
        if part.part_of:
            yield s.Partition(name, part.part_of, part.bound, part.parted_by, part.persistence)


def _alone(found: s.Schema) -> Iterator[tuple[QName, tuple[Index, ...]]]:
    """Yield the uniques that partitions have and the tables above them have not, by partition."""
    for part in found.tables.values():
        if part.part_of:
            root = found.tables[found.wholes(part.name)[-1]]
            shared = {index.tail for index in root.indexes if index.unique}
            own = tuple(index for index in part.indexes if index.unique and index.tail not in shared)
            if own:
                yield part.name, own


def _added(table: s.Table, proved: bool) -> s.Table:
    """Return a table whose constraints are as they are when they are added; what a repair left over is none."""
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


def _of_all(constraint: Check | ForeignKey, proved: bool) -> bool:
    """Return whether a constraint is wanted of all rows; one that is NOT ENFORCED is as if it were not so."""
    return proved or constraint.validated or not constraint.enforced


def _shape(table: s.Table) -> s.Table:
    return s.Table(
        table.name,
        table.kind,
        persistence=table.persistence,
        columns=table.columns,
        indexes=table.indexes,
        checks=table.checks,
        foreign_keys=table.foreign_keys,
        parted_by=table.parted_by,
    )
