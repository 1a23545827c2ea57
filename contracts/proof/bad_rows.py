"""Proves that the database refuses bad rows, each for the reason for which it is bad."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import psycopg2
from hypothesis.errors import UnsatisfiedAssumption
from hypothesis.strategies import SearchStrategy
from psycopg2 import errors as pg
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - it is a class
from sqlalchemy import Table

from contracts import rows
from contracts.proof.advice.adviser import Advice, advice_for
from contracts.proof.advice.facts import facts_of
from contracts.proof.cases import Case, table_of
from contracts.proof.databases.place import Place
from contracts.proof.trials import Broken, for_all
from contracts.proof.writing.evidence import named, said, shown
from contracts.proof.writing.inserting import insert, insert_good
from contracts.proof.writing.reading import assert_kept, found_by, key_of, meant_to_change, types_of
from contracts.proof.writing.refusals import excuse_family, is_right
from contracts.proof.writing.transactions import example, rolled_back
from contracts.rows import Bad, Insertion, Row, Swallowed
from contracts.rows.kinds.text import Text
from contracts.rows.kinds.types import kind_of
from contracts.rows.tables import columns_of

WORD = "BANKNIFTY26JAN59100PE"  # a real option symbol, one character longer than many columns

_INTEGRITY = "23"  # the SQLSTATE class of a row that a constraint refuses

_Family = tuple[Insertion, ...]


def bad_row_is_refused(place: Place, case: Case) -> None:
    """Insert generated rows that are bad in one way; raise Broken unless each is refused with the right SQLSTATE."""
    bad = rows.bad_ways(table_of(place.contract, case.table))[case.number]

    def prove(cursor: Cursor, family: Sequence[Insertion]) -> None:
        returned: list[Row] = []
        error = _refusal(cursor, family, place, bad, returned)
        if error is None and bad.kind == "null" and all(returned[-1].get(c) is not None for c in bad.columns):
            return  # a trigger filled it before it came in
        if error is None and bad.kind == "duplicate" and _is_gone(cursor, place, case, family, returned):
            raise UnsatisfiedAssumption(
                f"a row of {bad.table.name} is gone after its insert, so another may be like it"
            )
        facts, last = facts_of(place), len(returned) >= len(family) - 1
        row = rows.resolved(family[-1].row, returned) if last else {}
        if error is None and bad.kind == "duplicate" and facts.repeats_nothing(bad.table, bad.name, row):
            raise UnsatisfiedAssumption(f"{bad.name} is over an expression that is NULL for each row that was made")
        if error is None:
            raise Broken(f"{named(bad)} was let in, which should be refused ({bad.sqlstate}): {shown(family)}")
        if last and is_right(cursor, error, bad, facts, row):
            return
        excuse_family(cursor, error, facts, family, returned)
        raise Broken(f"{named(bad)} should be refused with {bad.sqlstate}, but: {said(error)}: {shown(family)}")

    _try_bad(place, bad.table, lambda advice: rows.bad_example(bad, advice), prove)


def _is_gone(cursor: Cursor, place: Place, case: Case, family: Sequence[Insertion], returned: Sequence[Row]) -> bool:
    """Return whether fewer rows are there than were inserted beside the last one: a trigger may delete some."""
    own = [row for insertion, row in zip(family, returned, strict=True) if insertion.table is family[-1].table]
    keys = [key for row in own if (key := key_of(place, case.table, row)) is not None]
    return any(found_by(cursor, case.table, key) < keys.count(key) for key in keys)


def _refusal(
    cursor: Cursor, family: Sequence[Insertion], place: Place, bad: Bad, returned: list[Row]
) -> psycopg2.Error | None:
    """Insert rows, and return the error that refuses one; None where all are inserted."""
    try:
        insert(cursor, family, place, returned)
    except Swallowed as error:
        raise Broken(f"{named(bad)} should be refused, but {error}") from None
    except psycopg2.Error as error:
        return error
    return None


def oversized_is_refused_or_kept(place: Place, case: Case) -> None:
    """Insert values that overstep their type; raise Broken unless each is refused, or kept whole in a wider column."""
    bad = rows.edges(table_of(place.contract, case.table))[case.number]

    def prove(cursor: Cursor, family: Sequence[Insertion]) -> None:
        returned: list[Row] = []
        try:
            insert(cursor, family, place, returned)
        except Swallowed as error:
            raise Broken(f"{error}: {shown(family)}") from None
        except psycopg2.Error as error:
            if not _is_fit(error, bad, last=len(returned) == len(family) - 1):
                excuse_family(cursor, error, facts_of(place), family, returned)
                raise Broken(_misfit(error, bad, family)) from None
        else:
            meant = meant_to_change(place, case.table)
            assert_kept(cursor, bad.table, types_of(cursor, case.table), family, returned, meant)

    _try_bad(place, bad.table, lambda advice: _oversized(bad, advice), prove)


def _is_fit(error: psycopg2.Error, bad: Bad, *, last: bool) -> bool:
    """Return whether an error refuses the oversized value in the last row."""
    return last and _is_of_value(error, bad) and not isinstance(error, pg.NotNullViolation)


def _is_of_value(error: psycopg2.Error, bad: Bad) -> bool:
    return error.pgcode == bad.sqlstate or (error.pgcode or "").startswith(_INTEGRITY)


def _misfit(error: psycopg2.Error, bad: Bad, family: Sequence[Insertion]) -> str:
    if _is_of_value(error, bad):
        return f"a row is refused for another reason: {said(error)}: {shown(family)}"
    return f"{named(bad)} should be refused with {bad.sqlstate}, but: {said(error)}: {shown(family)}"


@functools.cache
def _oversized(bad: Bad, advice: Advice | None) -> SearchStrategy[_Family]:
    """Give families whose last row oversteps a type, also with a real symbol where it is too long."""
    strategy = rows.bad_example(bad, advice)
    kind = kind_of(columns_of(bad.table)[bad.columns[0]])
    if isinstance(kind, Text) and kind.longest is not None and kind.longest < len(WORD):
        return rows.made_by(functools.partial(_also_with_word, strategy, bad.columns[0]))
    return strategy


def _also_with_word(strategy: SearchStrategy[_Family], column: str, draws: rows.Draws) -> _Family:
    family = draws.made(strategy)
    return _with(family, column, WORD) if draws.below(2) else family


def nul_is_refused(place: Place, case: Case) -> None:
    """Insert texts with a NUL; raise Broken unless each is refused and the connection goes on."""
    table = table_of(place.contract, case.table)

    def prove(cursor: Cursor, family: Sequence[Insertion]) -> None:
        insert_good(cursor, family, place)
        cursor.execute("ROLLBACK TO SAVEPOINT pgmend_example")
        try:
            insert(cursor, _with(family, case.columns[0], rows.NUL_TEXT), place)
        except ValueError:  # psycopg2 itself refuses; the server is never asked
            cursor.execute("SELECT 1")
            return
        raise Broken(f"{case.table.name}.{case.columns[0]} took a text with a NUL")

    _try_bad(place, table, lambda advice: rows.example_for(table, size=1, advice=advice), prove)


def _with(family: Sequence[Insertion], column: str, text: str) -> _Family:
    """Return a family whose last row has another text in one column."""
    last = family[-1]
    return (*family[:-1], Insertion(last.table, {**last.row, column: text}))


def _try_bad(
    place: Place,
    table: Table,
    strategy: Callable[[Advice | None], SearchStrategy[_Family]],
    prove: Callable[[Cursor, Sequence[Insertion]], None],
) -> None:
    """Prove a claim with the bad examples of a strategy, each rolled back."""
    with rolled_back(place) as cursor:

        def one(family: Sequence[Insertion]) -> None:
            with example(place):
                prove(cursor, family)

        for_all(strategy(advice_for(place, table)), place.examples[1], one, table.name)
