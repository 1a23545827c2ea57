"""Lets the server judge rows by the contract's own laws, without any table of the target.

A row is given as a list of values, so nothing is written, no trigger runs and no sequence moves.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence

import psycopg2
from psycopg2 import errors as pg
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - it is a class
from sqlalchemy import Table

from contracts.rows.insertions import Ref, Row
from contracts.rows.laws.generated import generated
from contracts.rows.laws.law import Law
from contracts.rows.sqltext import mentioned_in, sql_of
from contracts.rows.tables import columns_of
from fixer.sql.compose import SQL, Composable, Identifier, Literal

PATIENCE = 400  # statements that one question may take, where values raise errors

# The SQLSTATE classes that say that an expression cannot be understood here, whatever the row.
_NOT_UNDERSTOOD = ("42", "3F", "0A")

# What an expression may say of a row: a function raises what it likes.
_SPOKEN = (
    psycopg2.DataError,
    psycopg2.IntegrityError,
    psycopg2.InternalError,
    psycopg2.ProgrammingError,
    pg.ProgramLimitExceeded,
)


class Judge:
    """Judges the rows of one table."""

    def __init__(self, table: Table, types: Mapping[str, str]) -> None:
        self.table = table
        self.types = types  # of the columns that are there
        self._understood: dict[Law, bool] = {}

    def understands(self, cursor: Cursor, law: Law) -> bool:
        """Tell whether the server can judge by a law: it knows the functions and the columns in it."""
        if law not in self._understood:
            self._understood[law] = self._can(cursor, law)
        return self._understood[law]

    def _can(self, cursor: Cursor, law: Law) -> bool:
        if not set(law.columns) <= set(self.types):
            return False
        empty = dict.fromkeys(law.columns)
        try:
            self._ask(cursor, [law], [empty], nothing=True)
        except _SPOKEN as error:  # a NULL may have been put in beforehand, and the expression computed
            return not (error.pgcode or "").startswith(_NOT_UNDERSTOOD)
        return True

    def fitting(self, cursor: Cursor, laws: Sequence[Law], rows: Iterable[Row], enough: int) -> list[Row]:
        """Return rows that obey all of these laws, in their order, as soon as there are enough."""
        known = [law for law in laws if self.understands(cursor, law)]
        if not known:
            return list(itertools.islice(rows, enough))
        portions, waiting = _portions(rows), list[list[Row]]()
        found, asked = list[Row](), 0
        while len(found) < enough and asked < PATIENCE:
            some, asked = waiting.pop(0) if waiting else next(portions, []), asked + 1
            if not some:
                break
            try:
                answers = self._ask(cursor, known, some)
            except _SPOKEN:
                if len(some) > 1:
                    middle = (len(some) + 1) // 2
                    waiting[:0] = [some[:middle], some[middle:]]
                continue
            found += [row for row, good in zip(some, answers, strict=True) if good]
        return found[:enough]

    def _ask(self, cursor: Cursor, laws: Sequence[Law], rows: Sequence[Row], *, nothing: bool = False) -> list[bool]:
        """Return for each row whether it obeys the laws; errors of the expressions come as they are."""
        names = [name for name in columns_of(self.table) if any(name in law.columns for law in laws)]
        values = SQL(", ").join(self._values(at, row, names) for at, row in enumerate(rows))
        aliases = SQL(", ").join(map(Identifier, [_PLACE, *names]))
        tests = SQL(", ").join(
            SQL("(({}) IS NOT FALSE)" if law.binding else "(({}) IS NULL)").format(law.sql) for law in laws
        )
        query = SQL("SELECT {}, {} FROM {} {}").format(
            Identifier(_PLACE), tests, self._rows(values, aliases, names, laws), SQL("LIMIT 0" if nothing else "")
        )
        try:
            cursor.execute(SQL("SAVEPOINT pgmend_judged; ") + query)
            answers = {place: tests for place, *tests in cursor.fetchall()}
        except psycopg2.Error:
            if not cursor.connection.closed:
                cursor.execute("ROLLBACK TO SAVEPOINT pgmend_judged")
            raise
        binding = [at for at, law in enumerate(laws) if law.binding]
        return [all(answers[at][each] for each in binding) for at in range(len(rows))] if not nothing else []

    def _rows(self, values: Composable, aliases: Composable, names: Sequence[str], laws: Sequence[Law]) -> Composable:
        """Return the rows as a table of the table's own name, with the columns that are computed from others."""
        source = SQL("(VALUES {}) AS {} ({})").format(values, Identifier(self.table.name), aliases)
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
            return source
        inner = SQL("SELECT *, {} FROM {}").format(SQL(", ").join(computed), source)
        return SQL("({}) AS {}").format(inner, Identifier(self.table.name))

    def _values(self, at: int, row: Row, names: Sequence[str]) -> Composable:
        cells = [SQL("CAST({} AS {})").format(self._value(row, name), SQL(self.types[name])) for name in names]
        return SQL("({})").format(SQL(", ").join([Literal(at), *cells]))

    def _value(self, row: Row, name: str) -> Composable:
        if name in row:
            return Literal(row[name])
        default = columns_of(self.table)[name].server_default
        return SQL("NULL") if default is None else SQL("({})").format(SQL(default_sql(default)))

    def knows(self, row: Row, law: Law) -> bool:
        """Tell whether all values are known that a law speaks of."""
        columns = columns_of(self.table)
        return not any(
            isinstance(row.get(name), Ref) or (name not in row and generated(columns[name])) for name in law.columns
        )


def _portions(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Yield rows in portions that are asked for together: often the first few are enough."""
    source = iter(rows)
    for size in itertools.chain((8, 40), itertools.repeat(64)):
        portion = list(itertools.islice(source, size))
        if not portion:
            return
        yield portion


_PLACE = "pgmend place"


def default_sql(default: object) -> str:
    """Return a default as SQL: a plain string is a literal, as SQLAlchemy has it."""
    given = getattr(default, "arg", None)
    if given is None:
        return "NULL"
    return "'" + given.replace("'", "''") + "'" if isinstance(given, str) else sql_of(given)
