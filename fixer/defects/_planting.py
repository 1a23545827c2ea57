"""Statements that plant a defect in any table of a contract, for the mutations of the defect classes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fixer.model.table import Column, ForeignKey, Index, QName, Table
from fixer.sql import compose as q
from fixer.sql import ddl
from fixer.sql.compose import SQL, Composable, Identifier, Literal
from fixer.sql.types import family

_STRAY = {"integer": "987654", "text": "'nowhere'", "uuid": "'99999999-9999-9999-9999-999999999999'"}
_FIRST = SQL("(SELECT ctid FROM {} ORDER BY ctid LIMIT {})")


def altered(table: QName, action: str, *names: str) -> Composable:
    """Return ALTER TABLE with an action that has names in place of its braces."""
    return ddl.altered(table, SQL(action).format(*map(Identifier, names)))


def everywhere(table: Table, action: str) -> Composable:
    """Return the statement that alters a table, and each of its partitions by itself."""
    if not table.parted_by:
        return altered(table.name, action)
    return SQL(
        "DO $$ DECLARE part regclass; BEGIN FOR part IN SELECT relid FROM pg_catalog.pg_partition_tree({}) LOOP"
        " EXECUTE format('ALTER TABLE %s {}', part); END LOOP; END $$"
    ).format(Literal(q.quoted(table.name)), SQL(action))


def without(table: QName, constraint: str) -> Composable:
    """Return the statement that drops a constraint, with the foreign keys that need it."""
    return altered(table, "DROP CONSTRAINT {} CASCADE", constraint)


def without_index(table: QName, index: Index) -> Composable:
    """Return the statement that drops an index, or the constraint on it."""
    if index.constraint:
        return without(table, index.name)
    return SQL("DROP INDEX {} CASCADE").format(Identifier(table.schema, index.name))


def writable(table: Table) -> list[Column]:
    """Return the columns that statements may write."""
    return [column for column in table.columns.values() if not column.generated]


def bare(table: Table) -> list[Column]:
    """Return the columns that statements may write and that no key, unique, index or reference contains."""
    held = {name for index in table.indexes for name in index.columns}
    held |= {name for key in table.foreign_keys for name in key.columns}
    made = {c.name for c in table.columns.values() for other in table.columns.values() if _makes(c, other)}
    return [column for column in writable(table) if column.name not in held | made]


def _makes(column: Column, other: Column) -> bool:
    return bool(other.generated and other.default and column.name in other.default)


def set_first(table: QName, column: str, value: Composable, rows: int = 1) -> Composable:
    """Return the statement that writes a value into a column of the first rows."""
    places = _FIRST.format(q.name(table), SQL(str(rows)))
    return SQL("UPDATE {} SET {} = {} WHERE ctid IN {}").format(q.name(table), Identifier(column), value, places)


def moved_first(table: QName, column: str, other: str, rows: int) -> Composable:
    """Return the statement that moves the values of the first rows from one column to another."""
    places, (from_, to) = _FIRST.format(q.name(table), SQL(str(rows))), map(Identifier, (column, other))
    move = SQL("UPDATE {0} SET {2} = {1}, {1} = NULL WHERE ctid IN {3}")
    return move.format(q.name(table), from_, to, places)


def repeated(table: QName, columns: Iterable[str]) -> Composable:
    """Return the statement that gives the first row the values of another in some columns."""
    columns = list(columns)
    cells = SQL(", ").join(map(Identifier, columns))
    return SQL(
        "UPDATE {table} SET ({cells}) = (SELECT {cells} FROM {table} ORDER BY ctid DESC LIMIT 1) WHERE ctid IN {first}"
    ).format(table=q.name(table), cells=cells, first=_FIRST.format(q.name(table), SQL("1")))


def copied(table: Table) -> Composable:
    """Return the statement that inserts an identical copy of the first row."""
    cells = SQL(", ").join(Identifier(column.name) for column in writable(table))
    return SQL(
        "INSERT INTO {table} ({cells}) OVERRIDING SYSTEM VALUE SELECT {cells} FROM {table} ORDER BY ctid LIMIT 1"
    ).format(table=q.name(table.name), cells=cells)


def strays(table: Table, key: ForeignKey, rows: int) -> Iterator[Composable]:
    """Yield the statement that makes the first rows reference a parent that does not exist."""
    column = table.columns[key.columns[-1]]
    if not column.generated and (value := _STRAY.get(family(column.type) or "")):
        if column.type == "smallint":
            value = "9876"
        yield set_first(table.name, column.name, SQL(value), rows)


def block(*statements: Composable) -> Composable:
    """Return several statements as one."""
    return SQL(";\n").join(statements)
