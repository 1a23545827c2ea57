"""Counts the rows of every step that moves or rewrites rows after others, in one statement, before anything moves."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace

import psycopg2
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer.compare.sessions import Session, together
from fixer.connect.failures import told
from fixer.model.finding import Finding
from fixer.model.report import Comparison
from fixer.model.schema import Schema
from fixer.model.step import Phase, Step
from fixer.model.table import Table
from fixer.repair.rows import announcing
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Literal

_Same = tuple[Phase, str]  # steps of several repairs that expect the same rows

log = logging.getLogger("pgmend.rows")


def counted(cursor: Cursor, comparison: Comparison) -> Comparison:
    """Return the comparison with the rows that each step will write; a row that moves counts for the first step.

    Asks nothing if the findings have told all rows.
    """
    steps = {_same(step): step for step in _expecting(comparison)}
    if not any(step.follows or not step.effect.rows for step in steps.values()):
        return comparison
    ordered = [steps[same] for same in sorted(steps, key=lambda same: same[0])]
    session = Session(cursor)
    try:
        rows: dict[int, int] = dict(session.ask(_question(ordered, comparison.future)))
    except psycopg2.Error as error:
        session.recover(error)
        log.info("the rows that follow others cannot be counted: %s", told(error))
        return comparison
    found = {_same(step): rows.get(number, 0) for number, step in enumerate(ordered)}
    return replace(
        comparison,
        findings=tuple(_announced(finding, found) for finding in comparison.findings),
        consequences=tuple(_announced(finding, found) for finding in comparison.consequences),
    )


def _expecting(comparison: Comparison) -> Iterator[Step]:
    for finding in (*comparison.findings, *comparison.consequences):
        yield from (step for step in finding.repair.steps if step.expects is not None)


def _same(step: Step) -> _Same:
    return step.phase, repr((step.table, step.effect.moves, step.effect.changes, step.expects))


def _question(steps: list[Step], future: Schema) -> Composable:
    """Return the SELECT for the number of each step and its rows."""
    each = [
        SQL("SELECT {} AS step, {} AS kind, t.tableoid AS part, t.ctid AS place FROM {} AS t WHERE {}").format(
            Literal(number),
            Literal(-1 if step.effect.moves else number),
            _as_today(q.name(step.table), step, future),
            _as_today(step.expects or SQL("false"), step, future),
        )
        for number, step in enumerate(steps)
    ]
    return SQL(
        "SELECT w.step, pg_catalog.count(*) FROM (SELECT DISTINCT ON (w.kind, w.part, w.place) w.step FROM ({}) AS w"
        " ORDER BY w.kind, w.part, w.place, w.step) AS w GROUP BY w.step"
    ).format(together(each))


def _as_today(statement: Composable, step: Step, future: Schema) -> Composable:
    """Return a condition with today's rows in place of each table that the plan renames or converts before the step."""
    if step.phase < Phase.CONVERT:
        return statement
    shown = {repr(q.name(name)): _shown(table) for name, table in future.tables.items() if not q.is_stored(table)}
    return _with(statement, shown)


def _shown(table: Table) -> Composable:
    cells = q.columns(("tableoid", "ctid", *table.columns))  # a SELECT of all columns leaves out the place of a row
    return SQL("(SELECT {} FROM {})").format(cells, q.rows_of(replace(table, leaving=())))


def _with(statement: Composable, shown: Mapping[str, Composable]) -> Composable:
    if isinstance(statement, q.Composed):
        return q.Composed([_with(part, shown) for part in statement])
    return shown.get(repr(statement), statement)


def _announced(finding: Finding, found: Mapping[_Same, int]) -> Finding:
    def told_of(steps: tuple[Step, ...]) -> tuple[Step, ...]:
        return tuple(announcing(step, found[_same(step)]) if _same(step) in found else step for step in steps)

    repair = finding.repair
    return replace(finding, repair=replace(repair, steps=told_of(repair.steps), online=told_of(repair.online)))
