"""What a refusal means: that the target is at fault, or that the row was none that the contract calls good."""

from __future__ import annotations

from collections.abc import Sequence

import psycopg2
from hypothesis.errors import UnsatisfiedAssumption
from psycopg2 import errors as pg
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - it is a class
from sqlalchemy import Table

from contracts.proof.advice.adviser import Advice
from contracts.rows import Bad, Insertion, Row, resolved


def excuse(cursor: Cursor, error: psycopg2.Error, advice: Advice, table: Table, row: Row) -> None:
    """Give up an example where the contract itself, or a row that was there, refuses its row.

    The savepoint pgmend_row stands before what was refused. Raises the error where the connection is lost.
    """
    if isinstance(error, psycopg2.OperationalError) and not isinstance(error, pg.QueryCanceled | pg.LockNotAvailable):
        raise error
    cursor.execute("ROLLBACK TO SAVEPOINT pgmend_row")
    if is_excused(error, advice, table, row):
        said = error.diag.message_primary or str(error).strip()
        raise UnsatisfiedAssumption(f"the contract itself refuses each row of {table.name} that was made: {said}")


def is_excused(error: psycopg2.Error, advice: Advice, table: Table, row: Row) -> bool:
    """Tell whether by the contract a row is refused in this way."""
    match error:
        case pg.CheckViolation():
            unfit = advice.is_unfit(table, row) or advice.has_no_place(table, row)
            return unfit or advice.is_unsure(table, row)
        case pg.UniqueViolation() | pg.ExclusionViolation():
            return advice.is_repeated(table, row)
        case psycopg2.DataError() | pg.ProgramLimitExceeded():
            return advice.cannot_be_computed(table, row)
    return False


def excuse_family(
    cursor: Cursor, error: psycopg2.Error, advice: Advice, family: Sequence[Insertion], returned: Sequence[Row]
) -> None:
    """Give up an example where the contract itself refuses the row at which it ended."""
    refused = family[len(returned)]
    excuse(cursor, error, advice, refused.table, resolved(refused.row, returned))


def is_right(error: psycopg2.Error, bad: Bad, advice: Advice, row: Row) -> bool:
    """Tell whether an error says what is bad about the row; the names of constraints are free.

    A constraint of a partitioned table speaks in the name of the partition. A row whose NULL gives it no place
    in any partition is refused for that before anything else is looked at.
    """
    partitions = advice.partitions(bad.table)
    if partitions and bad.kind == "null" and isinstance(error, pg.CheckViolation) and not error.diag.constraint_name:
        return partitions.columns.issuperset(bad.columns) and advice.has_no_place(bad.table, row)
    if error.pgcode != bad.sqlstate:
        return False
    names = {bad.table.name} | (partitions.names if partitions else set())
    if error.diag.table_name is not None and error.diag.table_name not in names:
        return False
    return bad.kind != "null" or error.diag.column_name in (None, *bad.columns)
