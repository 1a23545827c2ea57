"""The keys of a table: columns whose values no two rows may share."""

from __future__ import annotations

import functools
from dataclasses import dataclass

from sqlalchemy import Index, PrimaryKeyConstraint, Table, UniqueConstraint
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.sql import visitors
from sqlalchemy.sql.base import DialectKWArgs
from sqlalchemy.sql.elements import ColumnClause

from contracts.rows.checks.nodes import Claim
from contracts.rows.checks.reader import read
from contracts.rows.conditions import Conditions, Other
from contracts.rows.sqltext import mentioned_in, sql_of
from contracts.rows.tables import columns_of, name_of, places


@dataclass(frozen=True)
class Key:
    """Columns whose values no two rows may share, among the rows that meet the conditions `where`."""

    name: str
    columns: tuple[str, ...]
    where: Conditions = ()
    distinct_nulls: bool = True
    certain: bool = True  # that rows equal in these columns are duplicates


@functools.cache
def keys_of(table: Table) -> tuple[Key, ...]:
    """Return the primary key, the unique constraints and the unique indexes."""
    found = []
    for constraint in table.constraints:
        if isinstance(constraint, PrimaryKeyConstraint | UniqueConstraint) and len(constraint.columns):
            names = tuple(column.name for column in constraint.columns)
            primary = isinstance(constraint, PrimaryKeyConstraint)
            usual = f"{table.name}_pkey" if primary else f"{table.name}_{'_'.join(names)}_key"
            found.append(Key(name_of(constraint, usual), names, (), _distinct_nulls(constraint)))
        elif isinstance(constraint, pg.ExcludeConstraint):
            compared = [sql_of(expression) for expression, _, op in constraint._render_exprs if op == "="]
            equal = dict.fromkeys(name for each in compared for name in mentioned_in(each, columns_of(table)))
            found.append(Key(name_of(constraint, ""), tuple(equal), (), certain=False))
    found += [_index_key(table, index) for index in table.indexes if index.unique]
    return tuple(sorted((k for k in found if k.columns), key=lambda k: (places(table, k.columns), k.name)))


def _index_key(table: Table, index: Index) -> Key:
    """Return the key of a unique index; an expression counts as the columns in it."""
    columns, names, certain = columns_of(table), dict[str, None](), True
    for expression in index.expressions:
        parts = [] if isinstance(expression, str) else visitors.iterate(expression)
        found = [each.name for each in parts if isinstance(each, ColumnClause) and each.name in columns]
        found = found or [*mentioned_in(sql_of(expression), columns)]
        names |= dict.fromkeys(found)
        certain = certain and bool(found)
    where = index.dialect_options["postgresql"].get("where")
    claim = Claim((), True) if where is None else read(sql_of(where), columns)
    simple = claim.whole and not any(isinstance(c.value, Other) for c in claim.conditions)
    return Key(str(index.name), tuple(names), claim.conditions, _distinct_nulls(index), certain and simple)


def _distinct_nulls(constraint: DialectKWArgs) -> bool:
    return not constraint.dialect_options["postgresql"].get("nulls_not_distinct")
