"""Walks over a contract that yield what it wants together with what stands there.

They pass over tables that stand just as they are wanted, unless `alike` asks for those as well.
"""

from __future__ import annotations

from collections.abc import Iterator

from fixer.model.contract import Contract
from fixer.model.schema import Schema
from fixer.model.subject import DefaultRow
from fixer.model.table import Check, Column, ForeignKey, Index, QName, Sequence, Table
from fixer.repair.sequences import Users


def tables(actual: Schema, contract: Contract, *, alike: bool = False) -> Iterator[tuple[Table, Table]]:
    """Yield the tables that are there: wanted, found."""
    for name, wanted in contract.tables.items() if alike else contract.differing():
        if name in actual.tables:
            yield wanted, actual.tables[name]


def columns(actual: Schema, contract: Contract) -> Iterator[tuple[Table, Column, Column]]:
    """Yield the columns that are there: their table, wanted, found."""
    for wanted, table in tables(actual, contract):
        for column in wanted.columns.values():
            if column.name in table.columns:
                yield table, column, table.columns[column.name]


def typed_columns(actual: Schema, contract: Contract) -> Iterator[tuple[Table, Column, Column]]:
    """Yield the columns that are there today and keep their values: their table, wanted, found."""
    for table, wanted, found in columns(actual, contract):
        if not table.created and found.now is None:
            yield table, wanted, found


def missing_columns(actual: Schema, contract: Contract) -> Iterator[tuple[Table, Table, Column]]:
    """Yield the columns that are not there: their table as wanted and as found, and what is wanted."""
    for wanted, table in tables(actual, contract):
        for column in wanted.columns.values():
            if column.name not in table.columns:
                yield wanted, table, column


def columns_with_default(actual: Schema, contract: Contract) -> Iterator[tuple[Table, Column, Column]]:
    """Yield the columns for which the contract has a default of its own: their table, wanted, found."""
    for table, wanted, found in columns(actual, contract):
        if wanted.default is not None and not wanted.generates and not wanted.generated:
            yield table, wanted, found


def open_columns(actual: Schema, contract: Contract) -> Iterator[tuple[Table, Column]]:
    """Yield the columns that may be NULL and should not be; those of a primary key get that with their key."""
    for wanted, table in tables(actual, contract):
        in_key = wanted.primary_key.columns if wanted.primary_key else ()
        for column in wanted.columns.values():
            found = table.columns.get(column.name)
            if found and column.not_null and not found.not_null and column.name not in in_key:
                yield table, column


def primary_keys(actual: Schema, contract: Contract) -> Iterator[tuple[Table, Table, Index]]:
    """Yield the primary keys that are wanted: their table as wanted and as found, and the key."""
    for wanted, table in tables(actual, contract):
        if wanted.primary_key:
            yield wanted, table, wanted.primary_key


def unproved_keys(actual: Schema, contract: Contract) -> Iterator[tuple[Table, Table, Index]]:
    """Yield the primary keys whose columns are there, and may repeat by all that the catalogue knows."""
    for wanted, table, key in primary_keys(actual, contract):
        if set(key.columns) <= set(table.columns) and not table.tells_apart(key.columns):
            yield wanted, table, key


def indexes(actual: Schema, contract: Contract) -> Iterator[tuple[Table, Table, Index]]:
    """Yield the indexes that are wanted, keys aside: their table as wanted and as found, and the index."""
    for wanted, table in tables(actual, contract):
        for index in wanted.indexes:
            if not index.primary:
                yield wanted, table, index


def checks(actual: Schema, contract: Contract, *, alike: bool = False) -> Iterator[tuple[Table, Check]]:
    """Yield the checks that are wanted, with the table on which they should stand."""
    for wanted, table in tables(actual, contract, alike=alike):
        for check in wanted.checks:
            yield table, check


def foreign_keys(
    actual: Schema, contract: Contract, *, alike: bool = False
) -> Iterator[tuple[ForeignKey, tuple[ForeignKey, ...]]]:
    """Yield the foreign keys that are wanted, each with those that stand on its columns."""
    for wanted, table in tables(actual, contract, alike=alike):
        for key in wanted.foreign_keys:
            yield key, tuple(found for found in table.foreign_keys if set(found.columns) == set(key.columns))


def referencing_columns(actual: Schema, contract: Contract) -> Iterator[tuple[ForeignKey, Table, Column, Column]]:
    """Yield the columns of wanted foreign keys that are there: the key, their table, wanted, found."""
    for wanted, table in tables(actual, contract):
        for key in wanted.foreign_keys:
            for name in key.columns:
                if name in table.columns:
                    yield key, table, wanted.columns[name], table.columns[name]


def numbered_columns(
    actual: Schema, contract: Contract, *, alike: bool = False
) -> Iterator[tuple[Table, Column, Column]]:
    """Yield the columns that are wanted numbered and are there by themselves: their table, wanted, found."""
    for table_wanted, table in tables(actual, contract, alike=alike):
        for wanted in table_wanted.columns.values():
            found = table.columns.get(wanted.name) if wanted.generates and not table.created else None
            if found and not (found.now is not None and found.generates):  # else it is made with its generator
                yield table, wanted, found


def sequences(
    actual: Schema, contract: Contract, *, alike: bool = False
) -> Iterator[tuple[Table, Column, Sequence, Sequence | None]]:
    """Yield the sequences that number one column alone: its table, the column as wanted, and the sequence.

    The last is the sequence of the contract, where it has one.
    """
    users = Users(actual)
    for table, wanted, found in numbered_columns(actual, contract, alike=alike):
        sequence = actual.sequences.get(found.sequence) if found.sequence else None
        model = contract.schema.sequences.get(wanted.sequence) if wanted.sequence else None
        if sequence and not users.share(table.name, found):
            yield table, wanted, sequence, model


def default_rows(actual: Schema, contract: Contract) -> Iterator[tuple[QName, DefaultRow]]:
    """Yield the rows that the contract declares, each with the name of its table, where that is there."""
    for name, hints in contract.hints.items():
        if name in actual.tables:
            yield from ((name, row) for row in hints.default_rows)
