"""Counts rows: one statement for the probes of a stage, one scan for those that share a source."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

import psycopg2
from psycopg2.errorcodes import INSUFFICIENT_PRIVILEGE, UNDEFINED_FUNCTION, UNDEFINED_OBJECT
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer import introspect
from fixer.compare.sessions import TOGETHER, Session, together
from fixer.connect.failures import relying_on_path, told
from fixer.connect.settings import FOR_ROWS, setting, waiting
from fixer.model.expression.names import names_in
from fixer.model.finding import Count, Counter, Places, Probe
from fixer.model.table import QName
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Composed, Identifier, Literal, all_of, any_of

SAMPLE = 5
PLACES = 20_000  # places (ctids) that are kept for the repair; a repair of more rows searches again
_ORDERED = 10_000  # rows among which a sample is put in order: to sort more costs too much
IN_SCAN = 500  # probes that one scan answers: it gives each some columns, and PostgreSQL takes 1,664 in all
_MOMENT = """
SELECT {session}, pg_snapshot_xmin(pg_current_snapshot())::text::bigint, pg_relation_filenode({table}::text::regclass)
"""

# What is true of every row `t`, and keeps the scan from an index, which holds no row's place. Next to no time goes into
# it: PostgreSQL asks the subquery once, and then no row.
_EVERY = SQL("((SELECT true) OR t.ctid IS NULL)")

_ALWAYS = (SQL("true"), all_of([SQL("true")]))  # the conditions that every row fulfils, as probes spell them

# A row of counts: probe numbers, their counts, NULL, places. A row of a sample: probe number, NULL, cells, NULL.
_Answer = tuple[list[int], list[int] | None, list[str | None] | None, list[list[str]] | None]

_TO_COME = (UNDEFINED_FUNCTION, UNDEFINED_OBJECT)  # what the plan may create, as it may not be there yet

log = logging.getLogger("pgmend.rows")


def counter(session: Session) -> Counter:
    """Return the function that answers probes in the session's transaction.

    A probe that fails (no right to read, a value that does not cast) gets its error as its answer; the others are
    answered all the same. Raises psycopg2.OperationalError, such as a lost connection or a timeout.
    """

    def count(probes: Sequence[Probe]) -> Sequence[Count]:
        try:
            return _together(session, probes)
        except psycopg2.Error as error:
            session.recover(error)
        log.info("some rows cannot be read together with others: reading them one by one")
        return [_alone(session, probe) for probe in probes]

    return count


def how_many(cursor: Cursor, tables: Sequence[QName], most: int) -> dict[QName, int]:
    """Return the number of rows of each table, counted up to `most`.

    It leaves out a table that it cannot read, or whose lock it does not get within 100 ms.
    """
    if not tables:
        return {}
    each = SQL("SELECT {}, pg_catalog.count(*) FROM (SELECT FROM {} LIMIT {}) AS t")
    counts = together([each.format(Literal(n), q.name(table), Literal(most)) for n, table in enumerate(tables)])
    try:
        cursor.execute(SQL("SAVEPOINT pgmend_many; {}; {}").format(setting(waiting(FOR_ROWS)), counts))
        return {tables[number]: rows for number, rows in cursor.fetchall()}
    except psycopg2.Error as error:
        if cursor.connection.closed:
            raise
        log.info("rows cannot be counted: %s", told(error))
    finally:
        if not cursor.connection.closed:
            cursor.execute("ROLLBACK TO SAVEPOINT pgmend_many; RELEASE SAVEPOINT pgmend_many")
    return {} if len(tables) == 1 else {k: v for table in tables for k, v in how_many(cursor, [table], most).items()}


def _alone(session: Session, probe: Probe) -> Count:
    try:
        return _together(session, [probe])[0]
    except psycopg2.Error as error:
        session.recover(error)
        log.warning("rows cannot be read: %s", told(error))
        denied = error.pgcode == INSUFFICIENT_PRIVILEGE
        ways = _ways(session, error) if denied else ()
        unmade = error.pgcode in _TO_COME
        return Count(error=told(error), beyond=bool(relying_on_path(error)), denied=denied, ways=ways, unmade=unmade)


def _ways(session: Session, error: psycopg2.Error) -> tuple[str, ...]:
    """Return the statements that let this role call, or use, what an error names."""
    named = names_in(error.diag.message_primary or "")
    shut = [each for each in introspect.shut(session.cursor) if each.name in named]
    if not shut:
        return ()
    ((role,),) = session.ask(SQL("SELECT current_user::text"))
    return tuple(each.opening(role) for each in shut)


def _together(session: Session, probes: Sequence[Probe]) -> list[Count]:
    counts = [0] * len(probes)
    samples: dict[int, list[tuple[str | None, ...]]] = {}
    places: dict[int, Places] = {}
    groups = _groups(probes)
    for stage in (_counted, _sampled):
        parts = [part for group in groups for part in stage(probes, group, counts)]
        for numbers, rows, cells, found in _fetch(session, parts, long=any(probe.costly for probe in probes)):
            if rows is None:
                samples.setdefault(numbers[0], []).append(tuple(cells or ()))
                continue
            for number, count in zip(numbers, rows, strict=True):
                counts[number] = count
            if (table := probes[numbers[0]].table) and found and len(found) <= PLACES:
                places |= dict.fromkeys(numbers, _seen(session, table, found))
    return [
        Count(rows, tuple(samples.get(number, ())), places=places.get(number)) for number, rows in enumerate(counts)
    ]


def _seen(session: Session, table: QName, found: Sequence[Sequence[str]]) -> Places:
    """Return the places that were found in a table, with the session, snapshot and file for which they are right."""
    moment = SQL(_MOMENT).format(session=q.THIS_SESSION, table=Literal(q.quoted(table)))
    ((name, horizon, file),) = session.ask(moment)
    return Places(tuple(map(tuple, found)), name, horizon, file)


def _fetch(session: Session, parts: Sequence[Composable], *, long: bool) -> Iterator[_Answer]:
    """Yield the rows that the SELECTs return; `long` ones may run in two sessions."""
    for start in range(0, len(parts), TOGETHER):
        some = parts[start : start + TOGETHER]
        yield from session.ask_all(some) if long else session.ask(together(some))


def _groups(probes: Sequence[Probe]) -> list[list[int]]:
    """Return the probes, by number, that each scan answers: shared probes of one source together, others alone."""
    groups: dict[object, list[int]] = {}
    for number, probe in enumerate(probes):
        groups.setdefault(repr(probe.source) if probe.shared else number, []).append(number)
    return [group[start : start + IN_SCAN] for group in groups.values() for start in range(0, len(group), IN_SCAN)]


def _counted(probes: Sequence[Probe], group: Sequence[int], _: Sequence[int]) -> Iterator[Composed]:
    """Yield the SELECT that counts the rows behind a group in one scan; a costly search gives the samples too."""
    if probes[group[0]].costly:
        yield _found(probes, group, _ORDERED, counting=True)
        return
    counts: Composable = SQL("count(*)")
    where = probes[group[0]].condition  # a single condition stays in WHERE, where an index may answer it
    around = any(probes[n].around for n in group)
    if around or len(group) > 1:
        counts = SQL(", ").join(_number(probes[n].condition) for n in group)
        where = _EVERY if around else SQL("true")
    yield SQL("SELECT {}::integer[], ARRAY[{}], NULL::text[], NULL::text[] FROM {} WHERE {}").format(
        Literal(list(group)), counts, probes[group[0]].source, where
    )


def _number(condition: Composable) -> Composable:
    """Return the aggregate that counts the rows of a scan which fulfil a condition."""
    return SQL("count(*)") if condition in _ALWAYS else SQL("count(*) FILTER (WHERE {})").format(condition)


def _sampled(probes: Sequence[Probe], group: Sequence[int], counts: Sequence[int]) -> Iterator[Composed]:
    """Yield the SELECTs that sample the rows of a group that was only counted.

    Probes with few rows get one scan, probes with many another: the second stops at the first rows of each,
    while the first keeps every row that it finds.
    """
    wanted = [n for n in group if counts[n] and probes[n].show and not probes[n].costly]
    few = [n for n in wanted if counts[n] <= _ORDERED]
    many = [n for n in wanted if counts[n] > _ORDERED]
    if few:
        yield _found(probes, few, _ORDERED)
    if many:
        yield _found(probes, many, SAMPLE)


def _found(probes: Sequence[Probe], group: Sequence[int], most: int, *, counting: bool = False) -> Composed:
    """Return the SELECT that finds the rows behind a group once, and samples the first in order among `most` of each.

    The rows found are MATERIALIZED, because for a few rows in order PostgreSQL may walk an index on that order and
    look up each row's parent without an index, which practically never ends on large tables.
    """
    cells = {repr(cell): cell for n in group for cell in probes[n].show}
    names = {cell: Identifier(f"c{place}") for place, cell in enumerate(cells)}
    marks = {n: SQL("true") if len(group) == 1 else Identifier(f"is{n}") for n in group}
    kept = [SQL("{} AS {}").format(cells[cell], name) for cell, name in names.items()]
    if len(group) > 1:
        kept += [SQL("{} AS {}").format(probes[n].condition, mark) for n, mark in marks.items()]
    places = probes[group[0]].places if counting else ()
    stand = [Identifier(f"p{place}") for place in range(len(places))]
    kept += [SQL("{} AS {}").format(cell, name) for cell, name in zip(places, stand, strict=True)]
    answers = [
        _shown(n, probes[n], [names[repr(c)] for c in probes[n].show], marks[n], most) for n in group if probes[n].show
    ]
    if counting:
        counts = SQL(", ").join(SQL("count(*) FILTER (WHERE {})").format(mark) for mark in marks.values())
        numbers = Literal(list(group))
        told = SQL("SELECT {}::integer[], ARRAY[{}], NULL::text[], {} FROM found")
        answers.insert(0, told.format(numbers, counts, _placed(stand)))
    return SQL("(WITH found AS MATERIALIZED (SELECT {} FROM {} WHERE {}) {})").format(
        SQL(", ").join(kept),
        probes[group[0]].source,
        any_of(SQL("({})").format(probes[n].condition) for n in group),
        SQL(" UNION ALL ").join(answers),
    )


def _placed(stand: Sequence[Identifier]) -> Composable:
    """Return the expression for the places of the rows found; one more than PLACES shows that there are too many."""
    if not stand:
        return SQL("NULL::text[]")
    cells = SQL(", ").join(SQL("{}::text").format(cell) for cell in stand)
    return SQL("(SELECT array_agg(ARRAY[{}]) FROM (SELECT * FROM found LIMIT {}) AS f)").format(
        cells, Literal(PLACES + 1)
    )


def _shown(number: int, probe: Probe, cells: Sequence[Identifier], mark: Composable, most: int) -> Composed:
    return SQL(
        "(SELECT ARRAY[{}], NULL::bigint[], ARRAY[{}]::text[], NULL::text[]"
        " FROM (SELECT * FROM found WHERE {} LIMIT {}) AS few ORDER BY {} LIMIT {})"
    ).format(
        Literal(number),
        SQL(", ").join(SQL("{}::text").format(cell) for cell in cells),
        mark,
        Literal(most),
        SQL(", ").join(SQL("{} DESC").format(cell) if probe.downwards else cell for cell in cells),
        Literal(SAMPLE),
    )
