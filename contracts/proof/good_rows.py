"""Proves that good rows go in, are read back as they were written, change, and go out."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import psycopg2
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - it is a class
from sqlalchemy import Table

from contracts import rows
from contracts.proof.advice.adviser import Advice, advice_for, advice_of
from contracts.proof.cases import Case, table_of
from contracts.proof.databases.place import Place
from contracts.proof.trials import Broken, for_all
from contracts.proof.writing.evidence import said
from contracts.proof.writing.inserting import insert_good
from contracts.proof.writing.paths import ITS_PATH, asking, is_row, write
from contracts.proof.writing.reading import assert_kept, literal, misread, types_of
from contracts.proof.writing.refusals import excuse
from contracts.proof.writing.transactions import example, rolled_back
from contracts.rows import Insertion, Row
from fixer.model.schema import QName
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Identifier


@dataclass(frozen=True)
class _Life:
    """Good rows, and a good change of the last of them."""

    family: Sequence[Insertion]
    change: Row


def good_rows_live(place: Place, case: Case) -> None:
    """Insert generated good rows, read them back, change and delete the last one; raise Broken where that fails."""
    table = table_of(place.contract, case.table)
    with rolled_back(place) as cursor:

        def prove(life: _Life) -> None:
            with example(cursor):
                returned = insert_good(cursor, life.family, place)
                assert_kept(cursor, table, case.table, life.family, returned)
                key = _key(place, case.table, returned[-1])
                if key is not None:
                    _change(cursor, place, table, case.table, key, life.change, returned[-1])
                    _remove(cursor, case.table, key)

        for_all(_lives(table, advice_for(place, table)), place.examples[0], prove, table.name)


@functools.cache
def _lives(table: Table, advice: Advice | None) -> SearchStrategy[_Life]:
    return _life(table, advice)


@st.composite
def _life(draw: DrawFn, table: Table, advice: Advice | None) -> _Life:
    return _Life(draw(rows.example_for(table, advice=advice)), draw(rows.changes(table, advice)))


def _key(place: Place, name: QName, record: Row) -> Composable | None:
    """Return the condition that finds a row by its key; None where the contract has no key with values in it."""
    wanted = place.contract.tables[name]
    keys = sorted(wanted.plain_keys, key=lambda key: not key.primary)
    for key in keys:
        if all(record.get(column) is not None for column in key.columns):
            return is_row(wanted, [(column, literal(record[column])) for column in key.columns])
    return None


def _change(cursor: Cursor, place: Place, table: Table, name: QName, key: Composable, change: Row, row: Row) -> None:
    """Change a row, and raise Broken where it is refused or not read back as it was written."""
    if not change:
        return
    cells = SQL(", ").join(SQL("{} = {}").format(Identifier(c), literal(v)) for c, v in change.items())
    cursor.execute("SAVEPOINT pgmend_row")
    try:
        update = SQL("UPDATE {} SET {} WHERE {} RETURNING *").format(q.name(name), cells, key)
        found = rows.spelt(cursor, ITS_PATH + update)
        asking(cursor)
    except psycopg2.Error as error:
        excuse(cursor, error, advice_of(place), table, row | change)
        raise Broken(f"a good change of {name.name} is refused: {said(error)}: {change!r}") from None
    if len(found) != 1:
        raise Broken(f"a row of {name.name} could not be changed: the UPDATE found {len(found)} rows: {change!r}")
    wrong = misread(cursor, types_of(cursor, name), change, found[0])
    if wrong:
        raise Broken(f"{name.name}.{wrong[0]} is not changed as told: {change!r}, found {wrong[1]!r}")


def _remove(cursor: Cursor, name: QName, key: Composable) -> None:
    """Delete a row, and raise Broken where it is refused or the row is still there."""
    try:
        write(cursor, SQL("DELETE FROM {} WHERE {}").format(q.name(name), key))
        gone = cursor.rowcount
        asking(cursor)
        cursor.execute(SQL("SELECT count(*) FROM {} WHERE {}").format(q.name(name), key))
    except psycopg2.Error as error:
        if isinstance(error, psycopg2.OperationalError) and cursor.connection.closed:
            raise
        raise Broken(f"a row of {name.name} cannot be deleted: {said(error)}") from None
    left = (cursor.fetchone() or (0,))[0]
    if (gone, left) != (1, 0):
        raise Broken(f"a row of {name.name} could not be deleted: the DELETE found {gone} rows and left {left}")
