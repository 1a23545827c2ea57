"""Chooses some rows of a target: the first of each table, those behind findings, and all that these reference."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import psycopg2
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer.connect.settings import OUR_PATH
from fixer.model.contract import Contract
from fixer.model.finding import Finding, Probe
from fixer.model.table import QName
from fixer.model.values import dataclass
from fixer.snapshots.moving import Chosen, Rows
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composed, Identifier, Literal

_KEYS = """
SELECT k.conrelid::bigint, k.confrelid::bigint,
       (SELECT array_agg(a.attname::text ORDER BY o.n) FROM unnest(k.conkey) WITH ORDINALITY AS o(at, n)
          JOIN pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = o.at),
       (SELECT array_agg(a.attname::text ORDER BY o.n) FROM unnest(k.confkey) WITH ORDINALITY AS o(at, n)
          JOIN pg_attribute AS a ON a.attrelid = k.confrelid AND a.attnum = o.at)
  FROM pg_constraint AS k WHERE k.contype = 'f'
"""
_OIDS = "SELECT c.oid::bigint, n.nspname, c.relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace"
_BELOW = "SELECT i.inhparent::bigint, i.inhrelid::bigint FROM pg_inherits AS i"
# Where the search of a probe says which rows it found, and which stay beside them: the table, and one place or some.
_PLACES = (
    ("t.tableoid", ("t.ctid",)),
    ("t.pgmend_part", ("t.pgmend_place", "t.pgmend_keeper", "t.pgmend_original", "t.pgmend_first")),
)
BEHIND = 200  # rows of each finding that are taken along
WHOLE = 20_000  # rows of a table that is taken whole where nobody can tell which are behind a finding


@dataclass(frozen=True)
class _Key:
    """A reference: of a foreign key, there or wanted."""

    table: int
    target: int
    columns: tuple[str, ...]
    target_columns: tuple[str, ...]


class Choice:
    """The rows that were chosen so far, by table; the cursor's transaction sees one moment."""

    def __init__(self, cursor: Cursor, tables: Sequence[Rows], contract: Contract) -> None:
        self._cursor = cursor
        self._tables = {table.oid: table for table in tables}
        self._places: dict[int, set[str]] = {table.oid: set() for table in tables}
        self._names = self._all_names()
        self._keys = [*self._found_keys(), *self._wanted_keys(contract)]
        self._whole: set[int] = set()

    def chosen(self, number: int, findings: Iterable[Finding]) -> Chosen:
        """Return so many rows of each table, with those behind findings, and all that they reference."""
        for oid, table in self._tables.items():
            self._take(SQL("SELECT {}::bigint, ctid::text FROM ONLY {} LIMIT {}").format(
                Literal(oid), q.name(table.name), Literal(number)
            ))  # fmt: skip
        for finding in findings:
            self._take_behind(finding)
        self._follow()
        return Chosen({oid: frozenset(found) for oid, found in self._places.items() if oid not in self._whole})

    def _take(self, query: Composed) -> dict[int, set[str]]:
        """Add the rows that a query places; return those that are new."""
        self._cursor.execute(query)
        new: dict[int, set[str]] = {}
        for oid, place in self._cursor.fetchall():
            if oid in self._places and place is not None and place not in self._places[oid]:
                self._places[oid].add(place)
                new.setdefault(oid, set()).add(place)
        return new

    def _take_behind(self, finding: Finding) -> None:
        probe = finding.probe if finding.rows else None
        if probe is None:
            return
        for table, places in _PLACES:
            if there := [place for place in places if self._says(probe, table, place)]:
                self._take(_found(probe, table, there))
                return
        self._take_whole(finding.table)

    def _says(self, probe: Probe, table: str, place: str) -> bool:
        """Return whether a probe can say where rows are; none is looked for."""
        words = "SAVEPOINT pgmend_behind; SELECT {}, {} FROM {} WHERE {} LIMIT 0"
        try:
            self._cursor.execute(SQL(words).format(SQL(table), SQL(place), probe.source, probe.condition))
        except psycopg2.Error:
            self._cursor.execute("ROLLBACK TO SAVEPOINT pgmend_behind")
            return False
        self._cursor.execute("RELEASE SAVEPOINT pgmend_behind")
        return True

    def _take_whole(self, name: QName) -> None:
        for oid, table in self._tables.items():
            if table.name == name and table.estimated <= WHOLE:
                self._take(SQL("SELECT {}::bigint, ctid::text FROM ONLY {}").format(Literal(oid), q.name(name)))

    def _follow(self) -> None:
        """Add all that the chosen rows reference, and what that references in turn."""
        new = {oid: set(places) for oid, places in self._places.items()}
        while new:
            further: dict[int, set[str]] = {}
            for key in self._keys:
                if new.get(key.table):
                    for oid, places in self._take(self._parents(key, new[key.table])).items():
                        further.setdefault(oid, set()).update(places)
            new = further

    def _parents(self, key: _Key, places: Iterable[str]) -> Composed:
        equal = SQL("p.{} = c.{}" if self._is_alike(key) else "p.{}::text = c.{}::text")
        same = q.all_of(
            equal.format(Identifier(theirs), Identifier(ours))
            for ours, theirs in zip(key.columns, key.target_columns, strict=True)
        )
        words = (
            "SELECT p.tableoid::bigint, p.ctid::text FROM {} AS p JOIN ONLY {} AS c ON {}"
            " WHERE c.ctid = ANY ({}::tid[])"
        )
        return SQL(words).format(
            q.name(self._names[key.target]),
            q.name(self._names[key.table]),
            same,
            Literal(sorted(places)),
        )

    def _is_alike(self, key: _Key) -> bool:
        """Return whether both sides have the same types, so that an index may find the parents."""
        here, there = self._tables.get(key.table), self._tables.get(key.target)
        if not here or not there:
            return False
        ours = dict(zip(here.columns, here.bases, strict=True))
        theirs = dict(zip(there.columns, there.bases, strict=True))
        return all(ours.get(a) == theirs.get(b) for a, b in zip(key.columns, key.target_columns, strict=True))

    def _all_names(self) -> dict[int, QName]:
        self._cursor.execute(f"{OUR_PATH}{_OIDS}")
        return {oid: QName(schema, name) for oid, schema, name in self._cursor.fetchall()}

    def _found_keys(self) -> Iterator[_Key]:
        self._cursor.execute(_KEYS)
        for table, target, columns, target_columns in self._cursor.fetchall():
            yield _Key(table, target, tuple(columns), tuple(target_columns))

    def _wanted_keys(self, contract: Contract) -> Iterator[_Key]:
        """Yield the references that the contract wants between tables that have the columns for it."""
        oids = {name: oid for oid, name in self._names.items()}
        for key in contract.foreign_keys():
            here, there = oids.get(key.table), oids.get(key.target)
            if here in self._tables and there in self._tables and here is not None and there is not None:
                ours, theirs = self._tables[here].columns, self._tables[there].columns
                if {*key.columns} <= {*ours} and {*key.target_columns} <= {*theirs}:
                    yield _Key(here, there, key.columns, key.target_columns)


def _found(probe: Probe, table: str, places: Sequence[str]) -> Composed:
    """Return the query for the places of some rows that a probe finds; the search is made once for all of them."""
    order = SQL(" ORDER BY {} DESC").format(probe.show[0]) if probe.downwards else SQL("")
    words = (
        "SELECT f.part::bigint, pg_catalog.unnest(f.places)::text"
        " FROM (SELECT {} AS part, ARRAY[{}] AS places FROM {} WHERE {}{} LIMIT {}) AS f"
    )
    listed = SQL(", ").join(map(SQL, places))
    return SQL(words).format(SQL(table), listed, probe.source, probe.condition, order, Literal(BEHIND))
