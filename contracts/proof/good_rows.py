"""Proves that good rows can be inserted, read back unchanged, updated and deleted, and that they may be alike."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import psycopg2
from hypothesis.strategies import SearchStrategy
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - it is a class
from sqlalchemy import Table

from contracts import rows
from contracts.proof.advice.adviser import Advice, advice_for
from contracts.proof.advice.facts import facts_of
from contracts.proof.cases import Case, table_of
from contracts.proof.databases.place import Place
from contracts.proof.trials import Broken, NotApplicable, for_all
from contracts.proof.writing.evidence import said, shown
from contracts.proof.writing.forbidden import why_declared, why_forbidden
from contracts.proof.writing.inserting import insert_good
from contracts.proof.writing.paths import ITS_PATH
from contracts.proof.writing.reading import (
    assert_kept,
    found_by,
    is_written,
    key_of,
    literal,
    meant_to_change,
    misread,
    types_of,
)
from contracts.proof.writing.refusals import back, excuse
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


@dataclass
class _Outcome:
    """How many rows were kept, which were gone at once, and why a step could not be tried."""

    kept: int = 0
    gone: str = ""
    untried: dict[int, str] = field(default_factory=dict)  # by the number of the step

    def say(self, meant: str | None) -> None:
        """Raise Broken where each row was gone, unless it is `meant`; NotApplicable where something was not tried."""
        if self.gone and not self.kept:
            raise NotApplicable(meant) if meant else Broken(self.gone)
        reasons = [
            *([f"not always so: {self.gone}"] if self.gone else []),
            *(self.untried[n] for n in sorted(self.untried)),
        ]
        if reasons:
            raise NotApplicable("; ".join(reasons))


def good_rows_live(place: Place, case: Case) -> None:
    """Insert generated good rows, read them back, update and delete the last one; raise Broken where one step fails.

    Raises NotApplicable where all else holds, and the owner forbids to update or to delete.
    """
    table, outcome = table_of(place.contract, case.table), _Outcome()
    with rolled_back(place) as cursor:
        types, meant = types_of(cursor, case.table), meant_to_change(place, case.table)

        def prove(life: _Life) -> None:
            with example(place):
                returned = insert_good(cursor, life.family, place)
                assert_kept(cursor, table, types, life.family, returned, meant)
                key = key_of(place, case.table, returned[-1])
                if _is_kept(cursor, place, case.table, key, outcome, life.family) and key is not None:
                    change = _Change(table, case.table, key, life.change, returned[-1])
                    tried = _prove_change(cursor, place, change, types), _prove_removal(cursor, place, case.table, key)
                    outcome.untried |= {n: reason for n, reason in enumerate(tried) if reason}

        advice = advice_for(place, table)
        for_all(_lives(table, advice), place.examples[0], prove, table.name)
        if _may_draw(place, case, table):
            drawing = rows.example_for(table, size=1, advice=advice, draws=True)
            for_all(drawing, 1, _once(lambda family: _prove_inserted(cursor, family, place)), table.name)
    outcome.say(why_declared(place, case.table, "INSERT"))


def _is_kept(
    cursor: Cursor, place: Place, name: QName, key: Composable | None, outcome: _Outcome, family: Sequence[Insertion]
) -> bool:
    """Note whether the last row of a family is still there after its insert: a trigger may delete it."""
    if key is None and outcome.kept:
        return True  # to look for another one takes long
    kept = is_written(cursor, name) if key is None else found_by(cursor, name, key) == 1
    outcome.kept += kept
    if not kept:
        outcome.gone = f"a row of {name.name} is gone after its insert: does a trigger delete it? {shown(family)}"
    return kept


def alike_rows_live(place: Place, case: Case) -> None:
    """Insert rows that are alike wherever no key of the contract needs them to differ; raise Broken where one fails."""
    table = table_of(place.contract, case.table)
    with rolled_back(place) as cursor:
        advice = advice_for(place, table)
        prove = functools.partial(_prove_inserted, cursor, place=place)
        for_all(rows.twins(table, advice), place.examples[1], prove, table.name)


def _prove_inserted(cursor: Cursor, family: Sequence[Insertion], place: Place) -> None:
    with example(place):
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
    return rows.made_by(functools.partial(_life, table, advice))


def _life(table: Table, advice: Advice | None, draws: rows.Draws) -> _Life:
    return _Life(draws.made(rows.example_for(table, advice=advice)), draws.made(rows.changes(table, advice)))


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


def _prove_change(cursor: Cursor, place: Place, change: _Change, types: Mapping[str, str]) -> str | None:
    """Change a row, and raise Broken where it is refused or not read back as it was written.

    Returns why it could not be tried, where the owner forbids it.
    """
    if not change.cells:
        return None
    name, cells = change.name.name, change.cells
    try:
        found = rows.spelt(cursor, SQL("SAVEPOINT pgmend_row; ") + ITS_PATH + change.statement)
    except psycopg2.Error as error:
        back(cursor, error)
        if reason := why_forbidden(place, change.name, "UPDATE", error):
            return reason
        excuse(cursor, error, facts_of(place), change.table, change.row | cells)
        raise Broken(f"a good change of {name} is refused: {said(error)}: {cells!r}") from None
    if len(found) != 1:
        if not found and (reason := why_forbidden(place, change.name, "UPDATE", None)):
            return reason
        if not found and misread(cursor, types, cells, change.row) is None:
            return None  # it says what the row says already: a trigger may suppress it
        raise Broken(f"a row of {name} could not be changed: the UPDATE found {len(found)} rows: {cells!r}")
    wrong = misread(cursor, types, cells, found[0])
    if wrong:
        if meant := meant_to_change(place, change.name):
            return meant
        raise Broken(f"{name}.{wrong[0]} is not changed as told: {cells!r}, found {wrong[1]!r}")
    return None


def _prove_removal(cursor: Cursor, place: Place, name: QName, key: Composable) -> str | None:
    """Delete a row, and raise Broken where it is refused or the row is still there.

    Returns why it could not be tried, where the owner forbids it.
    """
    try:
        cursor.execute(
            SQL("SAVEPOINT pgmend_row; ") + ITS_PATH + SQL("DELETE FROM {} WHERE {}").format(q.name(name), key)
        )
        gone = cursor.rowcount
        left = found_by(cursor, name, key)
    except psycopg2.Error as error:
        back(cursor, error)
        if reason := why_forbidden(place, name, "DELETE", error):
            return reason
        raise Broken(f"a row of {name.name} cannot be deleted: {said(error)}") from None
    if (gone, left) != (1, 0):
        if not gone and left and (reason := why_forbidden(place, name, "DELETE", None)):
            return reason
        raise Broken(f"a row of {name.name} could not be deleted: the DELETE found {gone} rows and left {left}")
    return None
