"""Counts the rows of every step that moves or rewrites rows after others, in one statement, before anything moves."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace

import psycopg2
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer.compare.moved.bounds import bounded
from fixer.compare.moved.named import Namer
from fixer.compare.moved.today import Today
from fixer.compare.sessions import ROOM, Session, together
from fixer.connect.failures import told
from fixer.model.choice import ATOMIC, MODES, ONLINE
from fixer.model.finding import Finding
from fixer.model.report import Comparison
from fixer.model.step import Alike, Phase, Step, refuse
from fixer.model.subject import DefaultRow, OfDefaultRow
from fixer.model.table import QName, Table
from fixer.model.values import dataclass
from fixer.repair.default_rows import described
from fixer.repair.quarantine import identity_of
from fixer.repair.rows import announcing
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Composed, Literal

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
    atomic, online = (_once(_expecting(comparison, mode)) for mode in MODES)
    other = online if set(map(_same, online)) - set(map(_same, atomic)) else []  # counted as they are online
    untold = any(step.follows or not step.effect.rows for step in atomic) or _overlap(atomic)
    come = [*_coming(comparison)] if any(step.phase > Phase.DEFAULT_ROWS for step in atomic) else []
    if not (untold or other or come or any(_needs(atomic, comparison))):
        return comparison
    session, today = Session(cursor), Today(comparison.future, [*atomic, *online], come)
    try:
        found = _rows(session, atomic, today)
        lightly = _rows(session, other, today) if other else found
        barred = {**_circles(session, atomic, today), **_needed(session, atomic, comparison, today)}
        barred |= _refused(session, atomic, {atomic[number].table for number, rows in found.items() if rows}, today)
    except psycopg2.Error as error:
        session.recover(error)
        log.info("the rows that follow others cannot be counted: %s", told(error))
        return replace(comparison, uncounted=told(error))
    tell = _Telling(
        _Told.of(atomic, found, comparison, ATOMIC), _Told.of(other or atomic, lightly, comparison, ONLINE), barred
    )
    return comparison.with_each(tell.announced)


def _once(steps: Iterable[Step]) -> list[Step]:
    """Return the steps by phase, the last of those that expect the same rows."""
    last = {_same(step): step for step in steps}
    return [last[same] for same in sorted(last, key=lambda same: same[0])]


@dataclass(frozen=True)
class _Told:
    """The rows of the steps of one mode, and which of them have a bound instead of a number."""

    rows: Mapping[_Same, int]
    bounds: Collection[_Same]

    @classmethod
    def of(cls, steps: list[Step], found: Mapping[int, int], comparison: Comparison, mode: str) -> _Told:
        known = {number: found.get(number, 0) for number in range(len(steps))}
        others = [step for step in _steps(comparison, mode) if step.repeats and step.expects is None]
        bounds = {_same(steps[place]) for place in bounded([*steps, *others], known) if place < len(steps)}
        return cls({_same(step): known[number] for number, step in enumerate(steps)}, bounds)

    def announced(self, step: Step) -> Step:
        """Return the step with its number of rows, if they were counted."""
        same = _same(step)
        return announcing(step, self.rows[same], at_most=same in self.bounds) if same in self.rows else step


@dataclass(frozen=True)
class _Telling:
    """What was counted for the steps of each mode, and the steps that are barred, each with the reason."""

    atomic: _Told
    online: _Told
    barred: Mapping[_Same, str]

    def announced(self, finding: Finding) -> Finding:
        """Return the finding whose steps announce the rows that they themselves will write; or refused."""
        repair = finding.repair
        if why := next((self.barred[same] for same in map(_same, repair.steps) if same in self.barred), ""):
            return finding if finding.left_out else replace(finding, repair=refuse(why))
        steps = tuple(map(self.atomic.announced, repair.steps))
        return replace(
            finding, repair=replace(repair, steps=steps, online=tuple(map(self.online.announced, repair.online)))
        )


def _circles(session: Session, steps: list[Step], today: Today) -> Mapping[_Same, str]:
    """Return the steps whose rows reference each other in a circle, with rows of other tables that go as well.

    Each is given with the reason to refuse it.
    """
    asked = [step for step in steps if step.closed is not None]
    if not asked:
        return {}
    closed = [asked[n] for n in _true(session, (today.read(s.closed or SQL("false"), s) for s in asked))]
    return {_same(step): _CIRCLE.format(tables=_names((step.table, *step.touches))) for step in closed}


def _names(tables: Iterable[QName]) -> str:
    return ", ".join(map(str, sorted(tables)))


def _needed(session: Session, steps: list[Step], comparison: Comparison, today: Today) -> Mapping[_Same, str]:
    """Return the steps that would move a default row of the contract, each with the reason to refuse it."""
    asked, each = [*_needs(steps, comparison)], []
    for step, row, identity in asked:
        table = comparison.future.tables[step.table]
        same = q.all_of(_has(table, comparison.contract.tables[step.table], column, row[column]) for column in identity)
        goes = SQL("{} AND ({})").format(same, step.expects or SQL("false"))
        those = SQL("SELECT FROM {} AS t WHERE {}").format(q.name(step.table), goes)
        each.append(SQL("EXISTS ({})").format(today.read(those, step)))
    going = [asked[number] for number in _true(session, each)]
    return {
        _same(step): _NEEDED.format(row=described(step.table, row, comparison.contract), table=step.table)
        for step, row, _ in going
    }


def _refused(session: Session, steps: list[Step], written: Collection[QName], today: Today) -> Mapping[_Same, str]:
    """Return the steps whose new cells something would refuse in tables that are `written`, each with the reason."""
    asked = [(step, *each) for step in steps if step.table in written for each in step.refusing]
    refused = _true(session, (today.read(asks(), step) for step, _, asks in asked))
    return {_same(asked[number][0]): asked[number][1] for number in reversed(refused)}


def _true(session: Session, conditions: Iterable[Composable]) -> list[int]:
    """Return which of these conditions are true, by their place."""
    each = [SQL("SELECT {}, ({})").format(Literal(number), condition) for number, condition in enumerate(conditions)]
    namer = Namer(session)
    return [number for number, true in namer.ask([*map(namer.read, each)]) if true]


def _needs(steps: Iterable[Step], comparison: Comparison) -> Iterator[tuple[Step, DefaultRow, tuple[str, ...]]]:
    """Yield the steps that move rows, with each default row of their tables, and what identifies it by now."""
    contract, future = comparison.contract, comparison.future
    for step in steps:
        table = future.tables.get(step.table) if step.effect.moves and step.table in contract.hints else None
        for row in contract.hints[step.table].default_rows if table else ():
            identity = identity_of(contract, step.table, row)
            if table and all(_is_told(table, contract.tables[step.table], column) for column in identity):
                yield step, row, identity


def _has(table: Table, wanted: Table, column: str, value: Composable) -> Composed:
    """Return the condition that a column has a value; where it stays of another type, that its text is that one's."""
    if _is_settled(table, wanted, column):
        return q.is_value(table, column, value)
    return SQL("{}::text = ({})::{}::text").format(q.column(column), value, SQL(wanted.columns[column].full_type))


def _coming(comparison: Comparison) -> Iterator[tuple[QName, DefaultRow]]:
    """Yield the default rows that the plan inserts, by the cells that foreign keys of the contract reference."""
    for finding in comparison.every:
        about, inserts = finding.about, any(step.effect.inserts for step in finding.repair.steps)
        if isinstance(about, OfDefaultRow) and inserts and not finding.left_out:
            keys = {
                c for key in comparison.contract.foreign_keys() if key.target == about.table for c in key.target_columns
            }
            yield about.table, {name: value for name, value in about.row.items() if name in keys}


def _is_told(table: Table, wanted: Table, column: str) -> bool:
    """Return whether a column can be compared with values of the contract: it has their type, or keeps its own."""
    found, meant = table.columns.get(column), wanted.columns[column]
    stays = found and not found.added and found.now is None
    return bool(stays) and (_is_settled(table, wanted, column) or not (meant.home or meant.enum or meant.labels))


def _is_settled(table: Table, wanted: Table, column: str) -> bool:
    """Return whether a column has the type of the contract today, so that it can be compared with its values."""
    found = table.columns.get(column)
    return bool(found and not found.added and found.now is None and found.full_type == wanted.columns[column].full_type)


def _expecting(comparison: Comparison, mode: str) -> Iterator[Step]:
    return (step for step in _steps(comparison, mode) if step.expects is not None)


def _steps(comparison: Comparison, mode: str) -> Iterator[Step]:
    for finding in comparison.every:
        repair = finding.repair
        yield from () if finding.left_out else repair.online if mode == ONLINE else repair.steps


def _overlap(steps: Iterable[Step]) -> bool:
    """Return whether several steps move rows out of one table, so that a row may be counted for each of them."""
    moving = [step.table for step in steps if step.effect.moves]
    return len(moving) > len(set(moving))


def _same(step: Step) -> _Same:
    return step.phase, repr((step.table, step.effect.moves, step.effect.changes, step.expects))


def _rows(session: Session, steps: list[Step], today: Today) -> Mapping[int, int]:
    """Return the rows of each step, by its place; a row that several steps would move counts for the first."""
    kinds = dict[Alike, int]()  # rows that leave are of one kind; what is one step of the plan writes a row once
    kind = [-1 if step.effect.moves else kinds.setdefault(step.alike, number) for number, step in enumerate(steps)]
    each = [_found(number, kind[number], step, today) for number, step in enumerate(steps)]
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


def _found(number: int, kind: int, step: Step, today: Today) -> Composable:
    """Return the SELECT for the number of a step, its kind, and the table and place of each of its rows."""
    return SQL(
        "SELECT {} AS step, {} AS kind, t.tableoid AS part, t.ctid AS place FROM {} AS t"
        " WHERE t.ctid IS NOT NULL AND ({})"
    ).format(
        Literal(number),
        Literal(kind),
        today.read(q.name(step.table), step),
        today.read(step.stands or step.expects or SQL("false"), step),
    )
