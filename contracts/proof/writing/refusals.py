"""Decides what a refusal means: the target is at fault, or the contract itself refuses the row."""

from __future__ import annotations

from collections.abc import Sequence

import psycopg2
from hypothesis.errors import UnsatisfiedAssumption
from psycopg2 import errors as pg
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - it is a class
from sqlalchemy import Table

from contracts.proof.advice.facts import Facts
from contracts.proof.trials import Shut
from contracts.proof.writing.forbidden import why_shut
from contracts.rows import Bad, Insertion, Row, resolved


def back(cursor: Cursor, error: psycopg2.Error) -> None:
    """Return to the savepoint pgmend_row, so that the target can be asked; raise the error of a lost connection."""
    survived = pg.QueryCanceled | pg.LockNotAvailable | pg.StatementTooComplex
    if isinstance(error, psycopg2.OperationalError) and not isinstance(error, survived):
        raise error
    cursor.execute("ROLLBACK TO SAVEPOINT pgmend_row")


def excuse(cursor: Cursor, error: psycopg2.Error, facts: Facts, table: Table, row: Row) -> None:
    """Discard an example whose row the contract itself, or an existing row, or the role's rights refuse.

    The savepoint pgmend_row stands before what was refused. Raises the error where the connection is lost.
    """
    back(cursor, error)
    shut = why_shut(facts.place, facts.name(table), error)
    if shut:
        raise Shut(shut)
    if is_excused(error, facts, table, row):
        said = error.diag.message_primary or str(error).strip()
        raise UnsatisfiedAssumption(f"the contract itself refuses each row of {table.name} that was made: {said}")


def is_excused(error: psycopg2.Error, facts: Facts, table: Table, row: Row) -> bool:
    """Return whether the contract itself refuses a row with this error."""
    match error:
        case pg.CheckViolation():
            unfit = facts.is_unfit(table, row) or facts.has_no_place(table, row)
            return unfit or facts.is_unsure(table, row)
        case pg.UniqueViolation() | pg.ExclusionViolation():
            return facts.is_repeated(table, row)
        case pg.NumericValueOutOfRange() if error.diag.context:
            return True  # a trigger counts on from a number that is as large as it can be
        case psycopg2.DataError() | pg.ProgramLimitExceeded():
            return facts.cannot_be_computed(table, row)
    return False


def excuse_family(
    cursor: Cursor, error: psycopg2.Error, facts: Facts, family: Sequence[Insertion], returned: Sequence[Row]
) -> None:
    """Discard an example whose refused row the contract itself refuses."""
    refused = family[len(returned)]
    excuse(cursor, error, facts, refused.table, resolved(refused.row, returned))


def is_right(cursor: Cursor, error: psycopg2.Error, bad: Bad, facts: Facts, row: Row) -> bool:
    """Return whether an error names what is bad about the row; the names of constraints are free.

    A constraint may report the name of the partition or of the heir into which the row goes, and a NULL be refused in a
    column that is computed from it. PostgreSQL refuses a row whose NULL gives it no place in any partition for that
    reason first. The savepoint pgmend_row stands before what was refused.
    """
    computed = (column.name for column in bad.table.columns if column.computed is not None)
    named = bad.kind != "null" or error.diag.column_name in (None, *bad.columns, *computed)
    if error.pgcode == bad.sqlstate and error.diag.table_name in (None, bad.table.name):
        return named
    cursor.execute("ROLLBACK TO SAVEPOINT pgmend_row")  # so that the target can be asked
    partitions = facts.partitions(bad.table)
    if partitions and bad.kind == "null" and isinstance(error, pg.CheckViolation) and not error.diag.constraint_name:
        return partitions.columns.issuperset(bad.columns) and facts.has_no_place(bad.table, row)
    below = partitions.names if partitions else facts.heirs(facts.name(bad.table))
    return error.pgcode == bad.sqlstate and error.diag.table_name in below and named
