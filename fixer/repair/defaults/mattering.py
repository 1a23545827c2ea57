"""Which tables have expressions that the contract lacks, so that it matters what these call."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from operator import attrgetter

from fixer.model.table import TABLES, QName, Table

_COLUMNS = attrgetter("columns")


def mattering(pairs: Iterable[tuple[Table, Table]]) -> Iterator[QName]:
    """Yield the tables whose expressions matter, given as wanted and as found: they act on rows of the contract.

    So do those of columns that it does not know or gives no default, of indexes that it lacks, and of keys that no
    sequence numbers. Every check goes through all columns here, so the common ones cost no call.
    """
    for wanted, table in pairs:
        if table.kind in TABLES and _differs(wanted, table):
            yield table.name


def _differs(wanted: Table, table: Table) -> bool:
    meant = wanted.columns
    for name, found in table.columns.items():
        if name not in meant:
            return True
        if found.default and not found.sequence:
            column = meant[name]
            if column.sequence or column.identity or column.default is None:
                return True
    for index in table.indexes:
        if (index.partial or "" in index.columns) and index not in wanted.indexes:
            return True
    return () in [*map(_COLUMNS, table.checks)]
