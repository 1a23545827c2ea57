"""What a copy holds at one moment: its definitions as pg_dump writes them, and a digest of the rows of each table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Sequence

from psycopg2.extensions import connection as Connection  # noqa: N812

from fixer.connect.link import rolled_back
from fixer.connect.settings import READING
from fixer.model.step import JOURNAL, QUARANTINE
from fixer.model.table import QName
from fixer.model.values import dataclass
from fixer.snapshots import moving
from fixer.snapshots.dumping import dumped
from fixer.snapshots.moving import Rows
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composed, Literal

_WORDS = ("--schema-only", "--no-security-labels", "--no-subscriptions", "--encoding=UTF8")
_NOISE = ("--", "\\restrict", "\\unrestrict", "SET ", "SELECT pg_catalog.set_config")
# The digest of a row is that of its text, with the columns by their names; that of a table is their sum.
_EACH = (
    "SELECT {}::integer, pg_catalog.count(*), pg_catalog.sum(pg_catalog.hashtextextended(ROW({})::text, 0)::numeric)"
    " FROM ONLY {} AS t"
)


@dataclass(frozen=True)
class State:
    """All of a database but the fixer's own schemas: the lines of its definitions, and rows by table."""

    lines: Counter[str]
    rows: dict[QName, tuple[int, object]]

    def differing(self, other: State) -> list[str]:
        """Return in words where another state differs from this: tables by their rows, definitions by their lines."""
        tables = sorted(name for name in {*self.rows, *other.rows} if self.rows.get(name) != other.rows.get(name))
        lines = [*(self.lines - other.lines), *(other.lines - self.lines)]
        return [*(f"the rows of {name}" for name in tables), *lines[:5]]


def of(connection: Connection) -> State:
    """Return what the database behind a connection holds now."""
    text = dumped(connection, [*_WORDS, f"--exclude-schema={JOURNAL}", f"--exclude-schema={QUARANTINE}"])
    lines = (line.strip().removesuffix(",") for line in text.splitlines() if not line.startswith(_NOISE))
    return State(Counter(filter(None, lines)), rows_of(connection))


def rows_of(connection: Connection, but: Container[QName] = ()) -> dict[QName, tuple[int, object]]:
    """Return count and digest of the rows of each table, but for some."""
    with rolled_back(connection) as cursor:
        cursor.execute(READING)
        every = [each for each in moving.tables(cursor) if each.name not in but]
        tables = [each for each in every if each.name.schema not in (JOURNAL, QUARANTINE)]
        if not tables:
            return {}
        cursor.execute(_digesting(tables))
        return {tables[place].name: (count, digest) for place, count, digest in cursor.fetchall()}


def _digesting(tables: Sequence[Rows]) -> Composed:
    each: Iterable[Composed] = (
        SQL(_EACH).format(Literal(place), q.columns(sorted(table.columns)), q.name(table.name))
        for place, table in enumerate(tables)
    )
    return SQL(" UNION ALL ").join(each)
