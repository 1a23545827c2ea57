"""Proves that good rows can be inserted, read back unchanged, updated and deleted, and that they may be alike."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import psycopg2
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - it is a class
from sqlalchemy import Table

from contracts import rows
from contracts.proof.advice.adviser import Advice, advice_for
from contracts.proof.advice.facts import facts_of
from contracts.proof.cases import Case, table_of
from contracts.proof.databases.place import Place
from contracts.proof.trials import Broken, for_all
from contracts.proof.writing.evidence import said
from contracts.proof.writing.inserting import insert_good
from contracts.proof.writing.paths import ITS_PATH, OUR_PATH, is_row
from contracts.proof.writing.reading import assert_kept, literal, misread, types_of
from contracts.proof.writing.refusals import excuse
from contracts.proof.writing.transactions import example, rolled_back
from contracts.rows import Insertion, Row
from fixer.model.table import QName
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Identifier


@dataclass(frozen=True)
class _Life:
    """Good rows, and a good change of the last of them."""

    family: Sequence[Insertion]
    change: Row


def good_rows_live(place: Place, case: Case) -> None:
    """Insert generated good rows, read them back, update and delete the last one; raise Broken where one step fails."""
    table = table_of(place.contract, case.table)
    with rolled_back(place) as cursor:
        types = types_of(cursor, case.table)

        def prove(life: _Life) -> None:
            with example(cursor):
                returned = insert_good(cursor, life.family, place)
                assert_kept(cursor, table, types, life.family, returned)
                key = _key(place, case.table, returned[-1])
                if key is not None:
                    change = _Change(table, case.table, key, life.change, returned[-1])
                    _prove_change(cursor, place, change, types)
                    _prove_removal(cursor, case.table, key)

        advice = advice_for(place, table)
        for_all(_lives(table, advice), place.examples[0], prove, table.name)
        if _may_draw(place, case, table):
            drawing = rows.example_for(table, size=1, advice=advice, draws=True)
            for_all(drawing, 1, _once(lambda family: _prove_inserted(cursor, family, place)), table.name)


def alike_rows_live(place: Place, case: Case) -> None:
    """Insert rows that are alike wherever no key of the contract needs them to differ; raise Broken where one fails."""
    table = table_of(place.contract, case.table)
    with rolled_back(place) as cursor:
        advice = advice_for(place, table)
        prove = functools.partial(_prove_inserted, cursor, place=place)
        for_all(rows.twins(table, advice), place.examples[1], prove, table.name)


def _prove_inserted(cursor: Cursor, family: Sequence[Insertion], place: Place) -> None:
    with example(cursor):
        insert_good(cursor, family, place)


def _may_draw(place: Place, case: Case, table: Table) -> bool:
    """Return whether one row takes a number from its sequence: not where that would heal a sequence."""
    verdicts = [place.verdict(each) for each in place.cases if each.table == case.table]
    return any(map(rows.counted, table.columns)) and not any(verdict.of_sequence for verdict in verdicts)


def _once(prove: Callable[[Sequence[Insertion]], None]) -> Callable[[Sequence[Insertion]], None]:
    """Return a proof that fails again by itself after it failed, so that no simpler example draws more numbers."""
    failed: list[Broken] = []

    def prove_once(family: Sequence[Insertion]) -> None:
        if failed:
            raise failed[0]
        try:
            prove(family)
        except Broken as broken:
            failed.append(broken)
            raise

    return prove_once


@functools.cache
def _lives(table: Table, advice: Advice | None) -> SearchStrategy[_Life]:
    return _life(table, advice)


@st.composite
def _life(draw: DrawFn, table: Table, advice: Advice | None) -> _Life:
    return _Life(draw(rows.example_for(table, advice=advice)), draw(rows.changes(table, advice)))


def _key(place: Place, name: QName, record: Row) -> Composable | None:
    """Return the condition that finds a row by a key; None where the row has no key without NULL."""
    wanted = place.contract.tables[name]
    keys = sorted(wanted.plain_keys, key=lambda key: not key.primary)
    for key in keys:
        if all(record.get(column) is not None for column in key.columns):
            return is_row(wanted, [(column, literal(record[column])) for column in key.columns])
    return None


@dataclass(frozen=True)
class _Change:
    """A change of one row, which its key finds."""

    table: Table
    name: QName
    key: Composable
    cells: Row
    row: Row  # as it was

    @property
    def statement(self) -> Composable:
        cells = SQL(", ").join(SQL("{} = {}").format(Identifier(c), literal(v)) for c, v in self.cells.items())
        return SQL("UPDATE {} SET {} WHERE {} {}").format(
            q.name(self.name), cells, self.key, rows.returning(self.table)
        )


def _prove_change(cursor: Cursor, place: Place, change: _Change, types: Mapping[str, str]) -> None:
    """Change a row, and raise Broken where it is refused or not read back as it was written."""
    if not change.cells:
        return
    name, cells = change.name.name, change.cells
    try:
        found = rows.spelt(cursor, SQL("SAVEPOINT pgmend_row; ") + ITS_PATH + change.statement)
    except psycopg2.Error as error:
        excuse(cursor, error, facts_of(place), change.table, change.row | cells)
        raise Broken(f"a good change of {name} is refused: {said(error)}: {cells!r}") from None
    if len(found) != 1:
        raise Broken(f"a row of {name} could not be changed: the UPDATE found {len(found)} rows: {cells!r}")
    wrong = misread(cursor, types, cells, found[0])
    if wrong:
        raise Broken(f"{name}.{wrong[0]} is not changed as told: {cells!r}, found {wrong[1]!r}")


def _prove_removal(cursor: Cursor, name: QName, key: Composable) -> None:
    """Delete a row, and raise Broken where it is refused or the row is still there."""
    try:
        cursor.execute(ITS_PATH + SQL("DELETE FROM {} WHERE {}").format(q.name(name), key))
        gone = cursor.rowcount
        cursor.execute(OUR_PATH + SQL("SELECT count(*) FROM {} WHERE {}").format(q.name(name), key))
    except psycopg2.Error as error:
        if isinstance(error, psycopg2.OperationalError) and cursor.connection.closed:
            raise
        raise Broken(f"a row of {name.name} cannot be deleted: {said(error)}") from None
    left = (cursor.fetchone() or (0,))[0]
    if (gone, left) != (1, 0):
        raise Broken(f"a row of {name.name} could not be deleted: the DELETE found {gone} rows and left {left}")
