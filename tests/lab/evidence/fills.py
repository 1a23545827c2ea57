"""What a repair wrote into cells: nothing but what the contract declares for them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from psycopg2 import sql
from psycopg2.extensions import connection as Connection  # noqa: N812 - it is a class

from fixer.model.contract import Contract
from fixer.model.run import Run
from fixer.model.table import Column, Table
from lab.evidence.copies import Copy, Rows


def strange_fills(connection: Connection, contract: Contract, before: Copy, after: Copy, run: Run) -> Iterator[str]:
    """Name each value that cells of a plain column have since a run, and that the contract does not declare."""
    filled = {str(entry.table) for entry in run.ledger if entry.inserted}  # by default rows, say
    for oid, rows in after.items():
        table = next((each for each in contract.tables.values() if str(each.name) == rows.name), None)
        if table and oid in before and rows.name not in filled:
            for column in _plain(table):
                yield from _strange(connection, contract, table, column, before[oid], rows)


def _plain(table: Table) -> list[Column]:
    """Return the columns that no key, unique or reference has, and that get the same value in each row."""
    held = {name for index in table.indexes for name in index.columns if index.unique}
    held |= {name for key in table.foreign_keys for name in key.columns}
    return [c for c in table.columns.values() if not (c.name in held or c.generates or c.generated or c.volatile)]


def _strange(
    connection: Connection, contract: Contract, table: Table, column: Column, before: Rows, after: Rows
) -> Iterator[str]:
    number = after.number(column.name)
    if number not in before.columns or before.columns[number][1] != after.columns[number][1]:
        return
    old, new = (Counter(row[number][0] for row in rows.cells) for rows in (before, after))
    legacy = contract.hints[table.name].of(column.name).legacy_names
    meant = {row[n][0] for row in before.cells for n, (name, _) in before.columns.items() if name in legacy}
    value = contract.value_for(table.name, column) or sql.SQL("NULL")
    cursor = connection.cursor()
    query = sql.SQL("SELECT ({})::{}::text").format(value, sql.SQL(column.full_type))
    cursor.execute(query)
    (declared,) = cursor.fetchone() or (None,)
    if "now()" in query.as_string(connection):  # it is later now
        return
    yield from (
        f"{after.name}: {column.name} became {each}, not {declared}"
        for each in new - old
        if each != declared and each not in meant
    )
