"""The rows of a target: which tables have some, and how they get into a copy, by COPY."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from typing import IO, Protocol

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer.connect.interrupt import at_one_go
from fixer.connect.settings import EXACTLY, SEEING_ALL, setting
from fixer.model.table import QName
from fixer.model.values import dataclass
from fixer.snapshots.beyond import OURS
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Composed, Literal

# How values are spelt on both sides, so that their texts mean the same.
MANNERS = {
    **EXACTLY, **SEEING_ALL, "DateStyle": "ISO, YMD", "IntervalStyle": "postgres", "TimeZone": "UTC",
    "bytea_output": "hex", "client_encoding": "UTF8", "lc_monetary": "C", "xmloption": "content",
    "search_path": "pg_catalog",
}  # fmt: skip
_CHUNK = 1 << 18
# How rows are written: as texts, or as the server keeps them, which takes two thirds of the time.
TEXT, BINARY = "text", "binary"
# Types that each database of a major version keeps alike, whatever else it has.
_PLAIN = (
    "boolean", "smallint", "integer", "bigint", "real", "double precision", "numeric", "text", "character varying",
    "character", "date", "time without time zone", "time with time zone", "timestamp without time zone",
    "timestamp with time zone", "interval", "uuid", "bytea", "json", "jsonb", "inet", "cidr", "macaddr",
)  # fmt: skip
_ALIKE = frozenset((*_PLAIN, *(f"{each}[]" for each in _PLAIN)))
# A table of as many bytes is filled in the transaction that empties it: its rows are frozen from the start, so that no
# later look at them writes, and where the server keeps little WAL, none is written (PostgreSQL manual, COPY, 14.4.7).
_LARGE = 1 << 20
_TABLES = """
SELECT c.oid::bigint, n.nspname, c.relname, greatest(c.reltuples, 0)::bigint, pg_table_size(c.oid),
       array_agg(a.attname::text ORDER BY a.attnum), array_agg(format_type(a.atttypid, a.atttypmod) ORDER BY a.attnum),
       array_agg(coalesce(nullif(t.typbasetype, 0)::regtype, t.oid::regtype)::text ORDER BY a.attnum),
       bool_or(a.attidentity = 'a')
  FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
  JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
  JOIN pg_type AS t ON t.oid = a.atttypid
 WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND {OURS}
 GROUP BY c.oid, n.nspname, c.relname, c.reltuples
 ORDER BY 2, 3
""".replace("{OURS}", OURS)


@dataclass(frozen=True)
class Rows:
    """A table that has rows of its own, and the columns that hold what was written."""

    oid: int
    name: QName
    estimated: int
    bytes: int
    columns: tuple[str, ...]
    types: tuple[str, ...]  # as they were declared
    bases: tuple[str, ...]  # those under domains
    always: bool  # whether an identity gives its own numbers unless it is overridden

    @property
    def listed(self) -> Composed:
        """The names of the columns."""
        return q.names(self.columns)


class Source(Protocol):
    """Where rows come from."""

    def form(self, table: Rows) -> str:
        """Return how the rows of a table are written: TEXT or BINARY."""

    def send(self, table: Rows, into: IO[bytes]) -> None:
        """Write the rows of a table, as COPY spells them in this form."""


def tables(cursor: Cursor) -> list[Rows]:
    """Return the tables that may have rows of their own."""
    cursor.execute(_TABLES)
    return [
        Rows(oid, QName(schema, name), rows, size, tuple(columns), tuple(types), tuple(bases), always)
        for oid, schema, name, rows, size, columns, types, bases, always in cursor.fetchall()
    ]


def spell(cursor: Cursor) -> None:
    """Let a session spell values as all of ours do."""
    cursor.execute(setting(MANNERS, local=False))


@dataclass(frozen=True)
class Chosen:
    """Some rows of the tables of a target: those at certain places, where not all are taken."""

    places: dict[int, frozenset[str]]  # by the number of the table; one that is absent gives all

    def query(self, table: Rows) -> Composable:
        """Return the query for the rows of a table."""
        if table.oid not in self.places:
            return SQL("{} ({})").format(q.name(table.name), table.listed) if table.columns else SQL("")
        places = sorted(self.places[table.oid], key=_place)
        words = "(SELECT {} FROM ONLY {} AS t WHERE t.ctid = ANY ({}::tid[]))"
        return SQL(words).format(q.columns(table.columns), q.name(table.name), Literal(places))


EVERY = Chosen({})


def _place(ctid: str) -> tuple[int, ...]:
    return tuple(map(int, ctid.strip("()").split(",")))


@dataclass(frozen=True)
class FromTarget:
    """The rows of a target, as a transaction of ours sees them; `swiftly` is for servers of its own version alone."""

    reader: Connection
    chosen: Chosen = EVERY
    swiftly: bool = False

    def form(self, table: Rows) -> str:
        """Return how the rows of a table are written."""
        return BINARY if self.swiftly and _ALIKE.issuperset(table.bases) else TEXT

    def send(self, table: Rows, into: IO[bytes]) -> None:
        """Write the rows of a table, as COPY spells them."""
        if table.columns:
            form = SQL(self.form(table))
            words = SQL("COPY {} TO STDOUT (FORMAT {})").format(self.chosen.query(table), form)
            with self.reader.cursor() as cursor:
                cursor.copy_expert(words.as_string(cursor), into, _CHUNK)


class _Pump(threading.Thread):
    """Sends the rows of a table into a pipe; `failure` is what ended it early."""

    def __init__(self, source: Source, table: Rows, into: IO[bytes]) -> None:
        super().__init__(daemon=True)
        self.failure: BaseException | None = None
        self._source, self._table, self._into = source, table, into

    def run(self) -> None:
        """Send all rows, and close the pipe."""
        try:
            with self._into:
                self._source.send(self._table, self._into)
        except BaseException as failure:  # it is raised where the thread is waited for
            self.failure = failure


def fill(cursor: Cursor, table: Rows, source: Source) -> int:
    """Copy the rows of a table into the database of a cursor; return how many.

    Raises psycopg2.Error where the copy refuses a row; what keeps the rows from being sent is raised as it is.
    """
    if not table.columns:
        return 0
    reading, writing = os.pipe()
    pump = _Pump(source, table, os.fdopen(writing, "wb"))
    with os.fdopen(reading, "rb") as rows, at_one_go():
        pump.start()
        try:
            copied = _copied(cursor, table, rows, source.form(table))
        except psycopg2.Error:
            _drained(rows)
            raise
        finally:
            pump.join()
            if pump.failure is not None:
                raise pump.failure
    return copied


def _copied(cursor: Cursor, table: Rows, rows: IO[bytes], form: str) -> int:
    """Copy what can be read into a table that is empty; return how many rows that were."""
    copy = SQL("COPY {} ({}) FROM STDIN").format(q.name(table.name), table.listed).as_string(cursor)
    if table.bytes < _LARGE:
        cursor.copy_expert(f"{copy} (FORMAT {form})", rows, _CHUNK)
        return cursor.rowcount
    cursor.execute(SQL("BEGIN; TRUNCATE ONLY {}").format(q.name(table.name)))
    try:
        cursor.copy_expert(f"{copy} (FORMAT {form}, FREEZE)", rows, _CHUNK)
        copied = cursor.rowcount
        cursor.execute("COMMIT")
    except psycopg2.Error:
        if not cursor.connection.closed:
            cursor.execute("ROLLBACK")
        raise
    return copied


def _drained(rows: IO[bytes]) -> None:
    """Read what is left, so that the sender's transaction goes on."""
    while rows.read(_CHUNK):
        pass


def counting(names: Sequence[QName]) -> Composable:
    """Return the query for the number of rows that each table has of its own."""
    each = SQL("SELECT {}::integer, count(*) FROM ONLY {}")
    counts: Iterator[Composed] = (each.format(Literal(place), q.name(name)) for place, name in enumerate(names))
    return SQL(" UNION ALL ").join(counts)
