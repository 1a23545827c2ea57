"""Counts the rows of every step that moves or rewrites rows after others, in one statement, before anything moves."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace

import psycopg2
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer.compare.bounds import bounded
from fixer.compare.named import Namer
from fixer.compare.sessions import ROOM, Session, together
from fixer.connect.failures import told
from fixer.model.finding import Finding
from fixer.model.report import Comparison
from fixer.model.schema import Schema
from fixer.model.step import Phase, Step, refuse
from fixer.model.subject import DefaultRow
from fixer.model.table import QName, Table
from fixer.repair.default_rows import described
from fixer.repair.quarantine import identity_of
from fixer.repair.rows import announcing
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Gone, Literal
from fixer.sql.following import Before

_Same = tuple[Phase, str]  # steps of several repairs that expect the same rows

_CIRCLE = (
    "rows of {tables} that would have to go reference each other in a circle: give one of them another parent,"
    " or none, and plan again"
)

_NEEDED = (
    "the default row {row} of {table} would go to quarantine, although code needs it: change what is wrong with that"
    " row, and plan again"
)

log = logging.getLogger("pgmend.rows")


def counted(cursor: Cursor, comparison: Comparison) -> Comparison:
    """Return the comparison with the rows that each step will write; a row that moves counts for the first step.

    Asks nothing if the findings have told all rows, each of another table. If the database cannot answer, the
    comparison says why.
    """
    steps = {_same(step): step for step in _expecting(comparison)}
    ordered = [steps[same] for same in sorted(steps, key=lambda same: same[0])]
    untold = any(step.follows or not step.effect.rows for step in ordered) or _overlap(ordered)
    if not (untold or any(_needs(ordered, comparison))):
        return comparison
    session = Session(cursor)
    try:
        today = _Today(comparison.future)
        rows = _rows(session, ordered, today)
        barred = {**_circles(session, ordered, today), **_needed(session, ordered, comparison, today)}
    except psycopg2.Error as error:
        session.recover(error)
        log.info("the rows that follow others cannot be counted: %s", told(error))
        return replace(comparison, uncounted=told(error))
    found = {_same(step): rows.get(number, 0) for number, step in enumerate(ordered)}
    known = {number: rows.get(number, 0) for number in range(len(ordered))}
    others = [step for step in _steps(comparison) if step.repeats and step.expects is None]
    bounds = {_same(ordered[place]) for place in bounded([*ordered, *others], known) if place < len(ordered)}
    return replace(
        comparison,
        findings=tuple(_announced(finding, found, barred, bounds) for finding in comparison.findings),
        consequences=tuple(_announced(finding, found, barred, bounds) for finding in comparison.consequences),
    )


def _circles(session: Session, steps: list[Step], today: _Today) -> Mapping[_Same, str]:
    """Return the steps whose rows reference each other in a circle, with rows of other tables that go as well.

    Each is given with the reason to refuse it.
    """
    asked = [step for step in steps if step.closed is not None]
    if not asked:
        return {}
    each = [
        SQL("SELECT {}, ({})").format(Literal(number), today.read(step.closed or SQL("false"), early=_is_early(step)))
        for number, step in enumerate(asked)
    ]
    namer = Namer(session)
    closed = [asked[number] for number, closed in namer.ask([*map(namer.read, each)]) if closed]
    return {_same(step): _CIRCLE.format(tables=_names((step.table, *step.touches))) for step in closed}


def _names(tables: Iterable[QName]) -> str:
    return ", ".join(map(str, sorted(tables)))


def _needed(session: Session, steps: list[Step], comparison: Comparison, today: _Today) -> Mapping[_Same, str]:
    """Return the steps that would move a default row of the contract, each with the reason to refuse it."""
    asked, each = [*_needs(steps, comparison)], []
    for number, (step, row, identity) in enumerate(asked):
        table = comparison.future.tables[step.table]
        same = q.all_of(q.is_value(table, column, row[column]) for column in identity)
        goes = SQL("{} AND ({})").format(same, step.expects or SQL("false"))
        those = SQL("SELECT FROM {} AS t WHERE {}").format(q.name(step.table), goes)
        rows = today.read(those, early=_is_early(step))
        each.append(SQL("SELECT {}, EXISTS ({})").format(Literal(number), rows))
    namer = Namer(session)
    going = [asked[number] for number, goes in namer.ask([*map(namer.read, each)]) if goes]
    return {
        _same(step): _NEEDED.format(row=described(step.table, row, comparison.contract), table=step.table)
        for step, row, _ in going
    }


def _needs(steps: Iterable[Step], comparison: Comparison) -> Iterator[tuple[Step, DefaultRow, tuple[str, ...]]]:
    """Yield the steps that move rows, with each default row of their tables, and what identifies it by now."""
    contract, future = comparison.contract, comparison.future
    for step in steps:
        table = future.tables.get(step.table) if step.effect.moves and step.table in contract.hints else None
        for row in contract.hints[step.table].default_rows if table else ():
            identity = identity_of(contract, step.table, row)
            if table and all(_is_settled(table, contract.tables[step.table], column) for column in identity):
                yield step, row, identity


def _is_settled(table: Table, wanted: Table, column: str) -> bool:
    """Return whether a column has the type of the contract today, so that it can be compared with its values."""
    found = table.columns.get(column)
    return bool(found and not found.added and found.now is None and found.full_type == wanted.columns[column].full_type)


def _expecting(comparison: Comparison) -> Iterator[Step]:
    return (step for step in _steps(comparison) if step.expects is not None)


def _steps(comparison: Comparison) -> Iterator[Step]:
    for finding in comparison.every:
        yield from () if finding.left_out else finding.repair.steps


def _overlap(steps: Iterable[Step]) -> bool:
    """Return whether several steps move rows out of one table, so that a row may be counted for each of them."""
    moving = [step.table for step in steps if step.effect.moves]
    return len(moving) > len(set(moving))


def _same(step: Step) -> _Same:
    return step.phase, repr((step.table, step.effect.moves, step.effect.changes, step.expects))


def _rows(session: Session, steps: list[Step], today: _Today) -> Mapping[int, int]:
    """Return the rows of each step, by its place; a row that several steps would move counts for the first."""
    each = [_found(number, step, today) for number, step in enumerate(steps)]
    namer = Namer(session)
    named = [*map(namer.read, each)]
    if sum(question.size for question in named) <= ROOM and sum(question.weight for question in named) <= 4 * ROOM:
        return dict(session.ask(_FIRST.format(together(each))))
    if namer.size(named) <= ROOM:
        return dict(session.ask(namer.together(named, around=_FIRST)))
    first = dict[tuple[int, int, str], int]()  # by kind and place: one statement for all would be too large
    for number, kind, part, place in namer.ask(named):
        first.setdefault((kind, part, place), number)
    return Counter(first.values())


_FIRST = SQL(
    "SELECT w.step, pg_catalog.count(*) FROM (SELECT DISTINCT ON (w.kind, w.part, w.place) w.step FROM ({}) AS w"
    " ORDER BY w.kind, w.part, w.place, w.step) AS w GROUP BY w.step"
)


def _found(number: int, step: Step, today: _Today) -> Composable:
    """Return the SELECT for the number of a step, its kind, and the table and place of each of its rows."""
    return SQL("SELECT {} AS step, {} AS kind, t.tableoid AS part, t.ctid AS place FROM {} AS t WHERE {}").format(
        Literal(number),
        Literal(-1 if step.effect.moves else number),
        today.read(q.name(step.table), early=_is_early(step)),
        today.read(step.expects or SQL("false"), early=_is_early(step)),
    )


def _is_early(step: Step) -> bool:
    """Return whether a step sees its tables as they are before the plan converts or adds a column."""
    return step.phase < Phase.CONVERT


class _Today:
    """Reads the rows of today in place of each table that the plan renames or changes, for early and later steps.

    An early step sees the new names, but neither new columns nor new types.
    """

    def __init__(self, future: Schema) -> None:
        self._rows = {early: _rows_of(future, early=early) for early in (False, True)}
        self._known: dict[tuple[int, bool], tuple[Composable, Composable]] = {}  # what is read as what, by identity

    def read(self, statement: Composable, *, early: bool) -> Composable:
        """Return a statement that reads the rows of today; what conditions share, they go on to share."""
        early = early or isinstance(statement, Before)
        if not isinstance(statement, q.Composed):
            return self._rows[early].get(repr(statement), statement)
        place = id(statement), early
        if place not in self._known:
            parts = [self.read(part, early=early) for part in statement]
            self._known[place] = statement, (Gone if isinstance(statement, Gone) else q.Composed)(parts)
        return self._known[place][1]


def _rows_of(future: Schema, *, early: bool) -> Mapping[str, Composable]:
    seen = (_early(table) if early else replace(table, leaving=()) for table in future.tables.values())
    changed = (table for table in seen if not q.is_stored(table))
    return {repr(q.name(table.name)): _shown(table) for table in changed}


def _shown(table: Table) -> Composable:
    cells = q.columns(("tableoid", "ctid", *table.columns))  # a SELECT of all columns leaves out the place of a row
    return SQL("(SELECT {} FROM {})").format(cells, q.rows_of(table))


def _early(table: Table) -> Table:
    columns = {c.name: replace(c, now=None) for c in table.columns.values() if not c.added}
    return replace(table, leaving=(), columns=columns)


def _announced(
    finding: Finding, found: Mapping[_Same, int], barred: Mapping[_Same, str], bounds: Collection[_Same]
) -> Finding:
    if why := next((barred[_same(step)] for step in finding.repair.steps if _same(step) in barred), ""):
        return finding if finding.left_out else replace(finding, repair=refuse(why))

    twins = {(step.table, step.title): _same(step) for step in finding.repair.steps}  # online, in another phase

    def told_of(steps: tuple[Step, ...]) -> tuple[Step, ...]:
        known = ((step, _same(step)) for step in steps)
        known = ((step, same if same in found else twins.get((step.table, step.title), same)) for step, same in known)
        return tuple(
            announcing(step, found[same], at_most=same in bounds) if same in found else step for step, same in known
        )

    repair = finding.repair
    return replace(finding, repair=replace(repair, steps=told_of(repair.steps), online=told_of(repair.online)))
