"""What a copy holds at one moment: definitions as pg_dump writes them, digests of rows, and the next numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import field

from psycopg2.extensions import connection as Connection  # noqa: N812

from fixer.connect.link import rolled_back
from fixer.connect.settings import READING, setting
from fixer.model.step import JOURNAL, QUARANTINE
from fixer.model.table import QName
from fixer.model.values import dataclass
from fixer.snapshots import moving
from fixer.snapshots.beyond import OURS
from fixer.snapshots.dumping import dumped
from fixer.snapshots.moving import Rows
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Composed, Identifier, Literal

OUR_SCHEMAS = (JOURNAL, QUARANTINE)
_WORDS = ("--schema-only", "--no-security-labels", "--no-subscriptions", "--encoding=UTF8")
_NOISE = ("--", "\\restrict", "\\unrestrict", "SET ", "SELECT pg_catalog.set_config")
# The digest of a row is that of its cells, in the order of their names; that of a table is the sum.
_EACH = "SELECT {}::integer, pg_catalog.count(*), pg_catalog.sum({}) FROM ONLY {} AS t"
# Types of which equal values are the same to the byte, and those that are once they are compared so.
_EXACT = {
    "boolean", "smallint", "integer", "bigint", "oid", "date", "timestamp without time zone",
    "timestamp with time zone", "uuid", "bytea",
}  # fmt: skip
_EXACT_IN_C = {"text", "character varying"}
_NUMERIC = "numeric"  # 1.0 equals 1.00
_COUNTING = """
SELECT n.nspname, c.relname, s.seqincrement FROM pg_sequence AS s JOIN pg_class AS c ON c.oid = s.seqrelid
  JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE {OURS} ORDER BY 1, 2
""".replace("{OURS}", OURS)
_NEXT = "SELECT {}::integer, last_value + CASE WHEN is_called THEN {} ELSE 0 END::numeric FROM {}"
_BY_CELLS = 140000  # the first version that has digests of rows (PostgreSQL 14 release notes, E.4.3.3)
_MOST = 800  # columns: a row has 1,664 cells at most


@dataclass(frozen=True)
class Counting:
    """The number that a sequence gives next, and how far apart its numbers are."""

    next: int
    step: int

    def before(self, other: Counting) -> bool:
        """Whether it gives numbers that the other has given already."""
        return self.next < other.next if other.step > 0 else self.next > other.next


@dataclass(frozen=True)
class State:
    """All of a database but the fixer's own schemas: lines of its definitions, rows by table, sequences."""

    lines: Counter[str]
    rows: dict[QName, tuple[int, object]]
    sequences: Mapping[QName, Counting] = field(default_factory=dict)

    def differing(self, other: State, stays: Iterable[str] = ()) -> list[str]:
        """Return in words where another state differs from this: tables by their rows, definitions by their lines.

        A sequence differs if it would give numbers again; one that stands further on is in `moved`. A label of an enum
        that `stays`, as undo says, is none.
        """
        tables = sorted(name for name in {*self.rows, *other.rows} if self.rows.get(name) != other.rows.get(name))
        back = (name for name, now in sorted(other.sequences.items()) if now.before(self.sequences.get(name, now)))
        known = tuple(stays)
        new = (
            line for line in (other.lines - self.lines) if not any(e.startswith(f"the label {line} of ") for e in known)
        )
        lines = [*(self.lines - other.lines), *new]
        found = [*(f"the rows of {name}" for name in tables), *(f"the next number of {name}" for name in back)]
        return [*found, *lines[:5]]

    def moved(self, other: State) -> dict[QName, tuple[int, int]]:
        """Return the sequences that stand further on in another state, with the next number here and there."""
        both = {name: (self.sequences[name], now) for name, now in other.sequences.items() if name in self.sequences}
        return {name: (then.next, now.next) for name, (then, now) in sorted(both.items()) if then.before(now)}


def of(connection: Connection) -> State:
    """Return what the database behind a connection holds now."""
    words = [*_WORDS, f"--exclude-schema={JOURNAL}", f"--exclude-schema={QUARANTINE}"]
    with ThreadPoolExecutor(1) as beside:
        dumping = beside.submit(dumped, connection, words)
        rows, sequences = rows_of(connection), _sequences(connection)
        text = dumping.result()
    lines = (line.strip().removesuffix(",") for line in text.splitlines() if not line.startswith(_NOISE))
    return State(Counter(filter(None, lines)), rows, sequences)


def _sequences(connection: Connection) -> dict[QName, Counting]:
    """Return where the sequences of the database stand; all are asked at once."""
    with rolled_back(connection) as cursor:
        cursor.execute(f"{READING}{_COUNTING}")
        found = [(QName(schema, name), step) for schema, name, step in cursor.fetchall() if schema not in OUR_SCHEMAS]
        if not found:
            return {}
        each = (
            SQL(_NEXT).format(Literal(place), Literal(step), q.name(name)) for place, (name, step) in enumerate(found)
        )
        cursor.execute(SQL(" UNION ALL ").join(each))
        return {found[place][0]: Counting(int(number), found[place][1]) for place, number in cursor.fetchall()}


def rows_of(connection: Connection, but: Container[QName] = ()) -> dict[QName, tuple[int, object]]:
    """Return count and digest of the rows of each table, but for some."""
    with rolled_back(connection) as cursor:
        cursor.execute(READING)
        cursor.execute(setting(moving.MANNERS))
        every = [each for each in moving.tables(cursor) if each.name not in but]
        tables = [each for each in every if each.name.schema not in OUR_SCHEMAS]
        if not tables:
            return {}
        cursor.execute(_digesting(tables, as_text=connection.server_version < _BY_CELLS))
        return {tables[place].name: (count, digest) for place, count, digest in cursor.fetchall()}


def _digesting(tables: Sequence[Rows], *, as_text: bool) -> Composed:
    each: Iterable[Composed] = (
        SQL(_EACH).format(Literal(place), _digest(table, as_text=as_text), q.name(table.name))
        for place, table in enumerate(tables)
    )
    return SQL(" UNION ALL ").join(each)


def _digest(table: Rows, *, as_text: bool) -> Composed:
    """Return the digest of a row `t`: of its cells as they are stored where that tells all of them, else of its text.

    What is equal and not the same, as 1.0 and 1.00, has different digests.
    """
    if as_text or len(table.columns) > _MOST:
        return SQL("pg_catalog.hashtextextended(ROW({})::text, 0)").format(q.columns(sorted(table.columns)))
    cells: list[Composable] = []
    rest: list[str] = []
    for column, kind in sorted(zip(table.columns, table.bases, strict=True)):
        cell = SQL("t.{}").format(Identifier(column))
        if kind in _EXACT:
            cells.append(cell)
        elif kind in _EXACT_IN_C:
            cells.append(SQL('{} COLLATE "C"').format(cell))
        elif kind == _NUMERIC:
            cells += [cell, SQL("pg_catalog.scale({})").format(cell)]
        else:
            rest.append(column)
    if rest:
        cells.append(SQL("ROW({})::text").format(q.columns(rest)))
    return SQL("pg_catalog.hash_record_extended(ROW({}), 0)").format(SQL(", ").join(cells))
