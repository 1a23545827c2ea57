"""Walks over a contract that yield what it wants together with what the database has.

They skip tables that already match the contract, unless `alike` is true; default rows they always yield.
"""

from __future__ import annotations

from collections.abc import Iterator

from fixer.model.contract import Contract
from fixer.model.schema import Schema
from fixer.model.subject import DefaultRow
from fixer.model.table import TABLES, Check, Column, ForeignKey, Index, QName, Sequence, Table
from fixer.repair.constraints.foreign_keys import pairs
from fixer.repair.counting.heirs import counts_elsewhere, is_heirs
from fixer.repair.counting.users import Users
from fixer.repair.sequences import declared
from fixer.sql.types import family, fits
from fixer.sql.uniques import as_meant


def tables(actual: Schema, contract: Contract, *, alike: bool = False) -> list[tuple[Table, Table]]:
    """Return each table that exists: as wanted, as found. A view or the like in its place is none (missing-table)."""
    wanted = contract.tables.items() if alike else contract.differing()
    there = actual.tables
    return [(table, there[name]) for name, table in wanted if name in there and there[name].kind in TABLES]


def parts(actual: Schema, contract: Contract) -> Iterator[tuple[Table, Table, Table]]:
    """Yield each partition that the contract does not know: its root as wanted and as found, and the partition.

    None where the contract is what the target itself declares: then what a partition has alone is meant.
    """
    if contract.itself:
        return
    for part in actual.tables.values():
        if part.part_of and part.name not in contract.tables:
            root = actual.wholes(part.name)[-1]
            if root in contract.tables and root in actual.tables:
                yield contract.tables[root], actual.tables[root], part


def columns(actual: Schema, contract: Contract) -> Iterator[tuple[Table, Column, Column]]:
    """Yield each column that exists: its table, the column as wanted, as found."""
    for wanted, table in tables(actual, contract):
        for column in wanted.columns.values():
            if column.name in table.columns:
                yield table, column, table.columns[column.name]


def typed_columns(actual: Schema, contract: Contract) -> Iterator[tuple[Table, Column, Column]]:
    """Yield each column that exists today, keeps its type and is plain: its table, the column as wanted, as found."""
    for table, wanted, found in columns(actual, contract):
        kept = found.now is None or found.rekeyed
        if not table.created and kept and not _is_computed(wanted, found) and not _inherited(table, wanted, contract):
            yield table, wanted, found


def takes(found: Column, wanted: Column) -> bool:
    """Return whether a column is of the wanted family, or of a domain over a type that takes all wanted values."""
    return family(found.type) == family(wanted.type) or bool(found.base and fits(found.base, wanted.type))


def _is_computed(wanted: Column, found: Column) -> bool:
    """Return whether either side is generated: its type and its default cannot be changed like those of others."""
    return bool(wanted.generated or found.generated)


def _inherited(table: Table, column: Column, contract: Contract) -> bool:
    """Return whether a table has a column from one that it INHERITs from, of which the contract wants the same.

    What is done to the column there is done here too, and cannot be done here alone.
    """
    wanted = (contract.tables[parent].columns.get(column.name) for parent in table.parents if parent in contract.tables)
    return any(each and each.full_type == column.full_type for each in wanted)


def above(table: Table, actual: Schema, contract: Contract) -> Iterator[Table]:
    """Yield the tables of the contract from which a table INHERITs, as found: what is done to them is done to it."""
    yield from (actual.tables[each] for each in table.parents if each in actual.tables and each in contract.tables)


def missing_columns(actual: Schema, contract: Contract) -> Iterator[tuple[Table, Table, Column]]:
    """Yield each missing column: its table as wanted and as found, the column as wanted."""
    for wanted, table in tables(actual, contract):
        for column in wanted.columns.values():
            if column.name not in table.columns and not _inherited(table, column, contract):
                yield wanted, table, column


def columns_with_default(actual: Schema, contract: Contract) -> Iterator[tuple[Table, Column, Column]]:
    """Yield each column with a wanted default that neither numbers nor generates it: its table, as wanted, as found."""
    for table, wanted, found in columns(actual, contract):
        if wanted.default is not None and not wanted.generates and not _is_computed(wanted, found):
            yield table, wanted, found


def open_columns(actual: Schema, contract: Contract) -> Iterator[tuple[Table, Column]]:
    """Yield each nullable column that should be NOT NULL, except of a key to come, which makes its columns so.

    A key that stands may lack that in a damaged catalogue.
    A column whose NOT NULL is NOT VALID in a partition or an heir is nullable, whatever its own says.
    """
    for wanted, table in tables(actual, contract):
        in_key = wanted.primary_key.columns if wanted.primary_key else ()
        key = table.primary_key
        in_key = () if key and key.is_plain_key and set(key.columns) == {*in_key} else in_key
        for column in wanted.columns.values():
            found = table.columns.get(column.name)
            open_ = found and not found.not_null and column.name not in in_key
            if found and column.not_null and (open_ or column.name in table.unproved_below):
                yield table, column


def primary_keys(actual: Schema, contract: Contract) -> Iterator[tuple[Table, Table, Index]]:
    """Yield each wanted primary key: its table as wanted and as found, and the key."""
    for wanted, table in tables(actual, contract):
        if wanted.primary_key:
            yield wanted, table, as_meant(wanted.primary_key, table, contract)


def unproved_keys(actual: Schema, contract: Contract) -> Iterator[tuple[Table, Table, Index]]:
    """Yield each wanted primary key whose columns exist and that no index proves unique."""
    for wanted, table, key in primary_keys(actual, contract):
        if set(key.columns) <= set(table.columns) and not table.tells_apart(key.columns):
            yield wanted, table, key


def indexes(actual: Schema, contract: Contract) -> Iterator[tuple[Table, Table, Index]]:
    """Yield each wanted index except primary keys: its table as wanted and as found, and the index."""
    for wanted, table in tables(actual, contract):
        for index in wanted.indexes:
            if not index.primary:
                yield wanted, table, as_meant(index, table, contract)


def exclusions(actual: Schema, contract: Contract, *, alike: bool = False) -> Iterator[tuple[Table, Table, Index]]:
    """Yield each wanted exclusion constraint: its table as wanted and as found, and the constraint."""
    for wanted, table in tables(actual, contract, alike=alike):
        for index in wanted.indexes:
            if index.exclusion:
                yield wanted, table, index


def periods(actual: Schema, contract: Contract) -> Iterator[tuple[Table, Table, Index]]:
    """Yield each wanted key WITHOUT OVERLAPS: its table as wanted and as found, and the key."""
    for wanted, table in tables(actual, contract, alike=True):
        for index in wanted.indexes:
            if index.overlaps_not:
                yield wanted, table, index


def checks(actual: Schema, contract: Contract, *, alike: bool = False) -> Iterator[tuple[Table, Check]]:
    """Yield each wanted check, after the table, as found, that should have it."""
    for wanted, table in tables(actual, contract, alike=alike):
        for check in wanted.checks:
            yield table, check


def own_checks(actual: Schema, contract: Contract) -> Iterator[tuple[Table, Check]]:
    """Yield each wanted check, after the table as found, unless it comes from one that the table INHERITs from."""
    for table, check in checks(actual, contract):
        names = (contract.tables[each.name].checks for each in above(table, actual, contract))
        if not any((check.name, check.expression) in {(o.name, o.expression) for o in each} for each in names):
            yield table, check


def foreign_keys(
    actual: Schema, contract: Contract, *, alike: bool = False
) -> Iterator[tuple[ForeignKey, tuple[ForeignKey, ...]]]:
    """Yield each wanted foreign key, with the found ones on the same columns; each found one comes once."""
    for wanted, table in tables(actual, contract, alike=alike):
        if wanted.foreign_keys:
            yield from pairs(wanted.foreign_keys, table.foreign_keys)


def referencing_columns(actual: Schema, contract: Contract) -> Iterator[tuple[ForeignKey, Table, Column, Column]]:
    """Yield each column of a wanted foreign key that exists and is plain: the key, its table, as wanted, as found."""
    for wanted, table in tables(actual, contract):
        for key in wanted.foreign_keys:
            for name in key.columns:
                if name in table.columns and not _is_computed(wanted.columns[name], table.columns[name]):
                    yield key, table, wanted.columns[name], table.columns[name]


def numbered_columns(
    actual: Schema, contract: Contract, *, alike: bool = False
) -> Iterator[tuple[Table, Column, Column]]:
    """Yield each existing column that the database should number: its table, the column as wanted, as found."""
    for table_wanted, table in tables(actual, contract, alike=alike):
        for wanted in table_wanted.columns.values():
            if not wanted.generates or (table.created and not counts_elsewhere(table.name, wanted, contract)):
                continue  # nothing numbers it, or it comes with what does
            found = table.columns.get(wanted.name)
            if found and not found.generated and not (found.added and found.generates):  # else the plan adds it
                yield table, wanted, found


def sequences(
    actual: Schema, contract: Contract, *, alike: bool = False
) -> Iterator[tuple[Table, Column, Sequence, Sequence | None]]:
    """Yield each sequence that numbers a column: its table, the column as wanted, and the sequence as found.

    The last value is the sequence of the contract, or None if it has none. A sequence of several columns is left out,
    unless the contract shares it as well.
    """
    users, meant = Users(actual), Users(contract.schema)
    for table, wanted, found in numbered_columns(actual, contract, alike=alike):
        sequence = actual.sequences.get(found.sequence) if found.sequence else None
        model = contract.schema.sequences.get(wanted.sequence) if wanted.sequence else None
        if sequence is None or is_heirs(table.name, wanted, contract):  # whose rows the table above shows
            continue
        shared = users.share(table.name, found) and not meant.share(table.name, wanted)
        if not shared or declared(sequence.name, table.name, wanted, contract):
            yield table, wanted, sequence, model


def default_rows(actual: Schema, contract: Contract) -> Iterator[tuple[QName, DefaultRow]]:
    """Yield each default row that the contract declares for a table that exists, after the name of the table."""
    for name, hints in contract.hints.items():
        if name in actual.tables and actual.tables[name].kind in TABLES:
            yield from ((name, row) for row in hints.default_rows)
