"""Counts rows: all questions of one stage in one statement, one scan for all questions about one table."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Any

import psycopg2
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer.explain import told
from fixer.findings import Count, Counter, Probe
from fixer.sqltext import SQL, Composable, Composed, Identifier, Literal

SAMPLE = 5
_ORDERED = 10_000  # a sample is put in order where that does not cost a large sort
_SAVEPOINT = SQL("SAVEPOINT pgmend_rows;\n")
_TOGETHER = 1_000  # so many scans in one statement

log = logging.getLogger("pgmend.rows")


def counter(cursor: Cursor) -> Counter:
    """Return the function that answers probes in the cursor's transaction.

    A probe that fails (no right to read, a value that does not cast) is answered with its error and hides
    no other answer. A lost connection is raised.
    """

    def count(probes: Sequence[Probe]) -> Sequence[Count]:
        try:
            return _together(cursor, probes)
        except psycopg2.Error as error:
            _recover(cursor, error)
        log.info("some rows cannot be read together with others: reading them one by one")
        return [_alone(cursor, probe) for probe in probes]

    return count


def _alone(cursor: Cursor, probe: Probe) -> Count:
    try:
        return _together(cursor, [probe])[0]
    except psycopg2.Error as error:
        _recover(cursor, error)
        log.warning("rows cannot be read: %s", told(error))
        return Count(error=told(error))


def _recover(cursor: Cursor, error: psycopg2.Error) -> None:
    if cursor.connection.closed or isinstance(error, psycopg2.OperationalError):
        raise error
    cursor.execute("ROLLBACK TO SAVEPOINT pgmend_rows")


def _together(cursor: Cursor, probes: Sequence[Probe]) -> list[Count]:
    counts = [0] * len(probes)
    for number, rows in _fetch(cursor, _scans(probes)):
        for each, count in zip(number, rows, strict=True):
            counts[each] = count
    samples: dict[int, list[tuple[str | None, ...]]] = {}
    wanted = [_sample(n, probes[n], rows) for n, rows in enumerate(counts) if rows and probes[n].show]
    for number, cells in _fetch(cursor, wanted):
        samples.setdefault(number, []).append(tuple(cells))
    return [Count(rows, tuple(samples.get(number, ()))) for number, rows in enumerate(counts)]


def _fetch(cursor: Cursor, parts: Sequence[Composable]) -> Iterable[tuple[Any, ...]]:
    for start in range(0, len(parts), _TOGETHER):
        cursor.execute(_SAVEPOINT + SQL("\nUNION ALL\n").join(parts[start : start + _TOGETHER]))
        yield from cursor.fetchall()


def _scans(probes: Sequence[Probe]) -> list[Composed]:
    """Return one SELECT for all the shared probes of one source, and one for each other probe."""
    groups: dict[object, list[int]] = {}
    for number, probe in enumerate(probes):
        groups.setdefault(repr(probe.source) if probe.shared else number, []).append(number)
    return [_scan(probes, numbers) for numbers in groups.values()]


def _scan(probes: Sequence[Probe], numbers: Sequence[int]) -> Composed:
    source = probes[numbers[0]].source
    if len(numbers) == 1:
        condition = probes[numbers[0]].condition
        one = SQL("SELECT {}::integer[], ARRAY[count(*)] FROM {} WHERE {}")
        return one.format(Literal(list(numbers)), source, condition)
    counts = SQL(", ").join(SQL("count(*) FILTER (WHERE {})").format(probes[n].condition) for n in numbers)
    return SQL("SELECT {}::integer[], ARRAY[{}] FROM {}").format(Literal(list(numbers)), counts, source)


def _sample(number: int, probe: Probe, rows: int) -> Composed:
    """Return the first few rows behind a probe.

    All of them are found first: for a few rows in order PostgreSQL would look up parents one by one, along
    an index on the order and without one on the parents, which never ends on large tables.
    """
    names = [Identifier(f"c{place}") for place in range(len(probe.show))]
    found = SQL(", ").join(SQL("{} AS {}").format(each, name) for each, name in zip(probe.show, names, strict=True))
    cells = SQL(", ").join(SQL("{}::text").format(name) for name in names)
    order = SQL("ORDER BY {}").format(SQL(", ").join(names)) if rows <= _ORDERED else SQL("")
    return SQL(
        "(WITH odd AS MATERIALIZED (SELECT {} FROM {} WHERE {}) SELECT {}, ARRAY[{}]::text[] FROM odd {} LIMIT {})"
    ).format(found, probe.source, probe.condition, Literal(number), cells, order, Literal(SAMPLE))
