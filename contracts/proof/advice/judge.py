"""Asks the server whether rows obey the laws of the contract.

The query has the rows in a VALUES list: it writes nothing, runs no trigger and moves no sequence.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import psycopg2
from psycopg2 import errors as pg
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - it is a class
from sqlalchemy import Table

from contracts.proof.advice.savepoint import Savepoint
from contracts.rows.insertions import Ref, Row
from contracts.rows.laws.generated import generated
from contracts.rows.laws.law import Law
from contracts.rows.sqltext import default_of, mentioned_in, sql_of
from contracts.rows.tables import AnyColumn, columns_of
from fixer.sql.compose import SQL, Composable, Composed, Identifier, Literal

_PLACE = "pgmend place"  # the column that numbers the rows
_CAST = SQL(", CAST(")
PATIENCE = 400  # statements for one question, where values raise errors

# SQLSTATE classes of an expression that this server cannot evaluate for any row.
_NOT_UNDERSTOOD = ("42", "3F", "0A")

# Errors that an expression may raise for a row.
_SPOKEN = (
    psycopg2.DataError,
    psycopg2.IntegrityError,
    psycopg2.InternalError,
    psycopg2.ProgrammingError,
    pg.ProgramLimitExceeded,
)


@dataclass(frozen=True)
class _Question:
    """A query that judges rows: the SQL before and after their values."""

    before: SQL
    after: SQL
    names: tuple[str, ...]  # of the columns that it needs

    def about(self, rows: Sequence[Composable]) -> Composed:
        """Return the query about these rows."""
        return self.before + SQL(", ").join(rows) + self.after


def _spelt(composed: Composable, cursor: Cursor) -> SQL:
    """Render SQL once, so that later queries need not."""
    return SQL(composed.as_string(cursor))


class Judge:
    """Judges the rows of one table."""

    def __init__(self, table: Table, types: Mapping[str, str]) -> None:
        self.table = table
        self.types = types  # of the columns that are there
        self._as_type = {name: SQL(" AS {})").format(SQL(kind)) for name, kind in types.items()}
        self._understood: dict[Law, bool] = {}
        self._questions: dict[tuple[Law, ...], _Question] = {}

    def understands(self, cursor: Cursor, law: Law) -> bool:
        """Return whether the server has the functions and the columns that a law needs."""
        if law not in self._understood:
            self._understood[law] = self._can(cursor, law)
        return self._understood[law]

    def _can(self, cursor: Cursor, law: Law) -> bool:
        if not set(law.columns) <= set(self.types):
            return False
        question = self._question(cursor, (law,))
        empty = dict.fromkeys(law.columns)
        try:
            with Savepoint(cursor) as savepoint:
                savepoint.ask(question.about([self._cells(0, empty, question)]) + SQL(" LIMIT 0"))
        except _SPOKEN as error:  # the planner computed the expression with a NULL
            return not (error.pgcode or "").startswith(_NOT_UNDERSTOOD)
        return True

    def fitting(self, cursor: Cursor, laws: Sequence[Law], rows: Iterable[Row], enough: int) -> list[Row]:
        """Return the first rows that obey all of these laws, `enough` of them at most."""
        known = tuple(law for law in laws if self.understands(cursor, law))
        if not known:
            return list(itertools.islice(rows, enough))
        portions, waiting = _portions(rows), list[list[Row]]()
        found, asked = list[Row](), 0
        with Savepoint(cursor) as savepoint:
            while len(found) < enough and asked < PATIENCE:
                some, asked = waiting.pop(0) if waiting else next(portions, []), asked + 1
                if not some:
                    break
                try:
                    answers = self._ask(savepoint, known, some)
                except _SPOKEN:
                    if len(some) > 1:
                        middle = (len(some) + 1) // 2
                        waiting[:0] = [some[:middle], some[middle:]]
                    continue
                found += [row for row, good in zip(some, answers, strict=True) if good]
        return found[:enough]

    def _ask(self, savepoint: Savepoint, laws: tuple[Law, ...], rows: Sequence[Row]) -> list[bool]:
        """Return for each row whether it obeys the laws; errors of the expressions come as they are."""
        question = self._question(savepoint.cursor, laws)
        savepoint.ask(question.about([self._cells(at, row, question) for at, row in enumerate(rows)]))
        answers = {place: computed is not None for place, computed in savepoint.cursor.fetchall()}
        return [answers[at] for at in range(len(rows))]

    def _question(self, cursor: Cursor, laws: tuple[Law, ...]) -> _Question:
        """Return the query that judges rows by these laws; it is composed once."""
        if laws not in self._questions:
            names = tuple(name for name in columns_of(self.table) if any(name in law.columns for law in laws))
            start, end = self._around(names, laws)
            before = SQL("SELECT {}, {} FROM {}").format(Identifier(_PLACE), _test(laws), start)
            self._questions[laws] = _Question(_spelt(before, cursor), _spelt(end, cursor), names)
        return self._questions[laws]

    def _around(self, names: Sequence[str], laws: Sequence[Law]) -> tuple[Composable, Composable]:
        """Return the SQL before and after the rows, which makes them a table with the name of this one.

        It adds the generated columns.
        """
        home = Identifier(self.table.name)
        end = SQL(") AS {} ({})").format(home, SQL(", ").join(map(Identifier, [_PLACE, *names])))
        computed = [
            SQL("CAST(({}) AS {}) AS {}").format(
                SQL(sql_of(column.computed.sqltext)), SQL(self.types[name]), Identifier(name)
            )
            for name, column in columns_of(self.table).items()
            if column.computed is not None
            and name in self.types
            and any(name in mentioned_in(law.text, {name: column}) for law in laws)
            and set(mentioned_in(sql_of(column.computed.sqltext), columns_of(self.table))) <= set(names)
        ]
        if not computed:
            return SQL("(VALUES "), end
        start = SQL("(SELECT *, {} FROM (VALUES ").format(SQL(", ").join(computed))
        return start, end + SQL(") AS {}").format(home)

    def _cells(self, at: int, row: Row, question: _Question) -> Composed:
        """Return a row of VALUES, numbered by its place."""
        parts: list[Composable] = [SQL("("), Literal(at)]
        for name in question.names:
            parts += [_CAST, self._value(row, name), self._as_type[name]]
        return Composed([*parts, SQL(")")])

    def _value(self, row: Row, name: str) -> Composable:
        if name in row:
            return Literal(row[name])
        return SQL("({})").format(SQL(default_sql(columns_of(self.table)[name])))

    def knows(self, row: Row, law: Law) -> bool:
        """Return whether the values of all columns of a law are known."""
        columns = columns_of(self.table)
        return not any(
            isinstance(row.get(name), Ref) or (name not in row and generated(columns[name])) for name in law.columns
        )


def _test(laws: tuple[Law, ...]) -> Composable:
    """Return the SQL that is NULL where a row breaks a law; it computes what may raise only where none is broken.

    So a row that breaks a law raises nothing by another, which would need every row to be asked about alone.
    """
    broken = [SQL("WHEN ({}) IS FALSE THEN NULL").format(law.sql) for law in laws if law.binding]
    computed = SQL(", ").join([SQL("TRUE"), *(SQL("({}) IS NULL").format(law.sql) for law in laws if not law.binding)])
    whole = SQL("ARRAY[{}]").format(computed)
    return SQL("CASE {} ELSE {} END").format(SQL(" ").join(broken), whole) if broken else whole


def _portions(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Yield rows in portions, one for each query; the first portion is small because it is often enough."""
    source = iter(rows)
    for size in itertools.chain((8, 40), itertools.repeat(64)):
        portion = list(itertools.islice(source, size))
        if not portion:
            return
        yield portion


def default_sql(column: AnyColumn) -> str:
    """Return the default of a column as SQL: a plain string is a literal, as SQLAlchemy has it."""
    given = default_of(column)
    if given is None:
        return "NULL"
    return "'" + given.replace("'", "''") + "'" if isinstance(given, str) else sql_of(given)
