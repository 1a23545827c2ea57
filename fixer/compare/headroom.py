"""Sees whether keys have numbers left for the rows that are to get new ones, before anything is changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product

import psycopg2
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer.compare.sessions import Session
from fixer.model.expression.patterns import pattern
from fixer.model.finding import Finding
from fixer.model.report import Comparison
from fixer.model.step import refuse
from fixer.model.subject import OfDefaultRow
from fixer.model.table import Check, QName
from fixer.model.values import dataclass
from fixer.repair.columns import counter_of
from fixer.repair.constraints.checks import spelt
from fixer.repair.numbers import last_number
from fixer.repair.rows import counted
from fixer.repair.sequences import end_of, widest_number
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Identifier, Literal

_Place = tuple[QName, str]  # a column
_PLAIN = pattern(r'[\w\s"<>=()+*/%-]+')
_CALL = pattern(r'(?!\b(?:AND|OR|NOT|CHECK)\b)(?:\b\w+|")\s*\(')


@dataclass(frozen=True)
class _Counter:
    """By what a column counts once the plan is done: its last number, the distance, and the one given last, if any."""

    place: _Place
    end: int
    pace: int
    given: int | None
    asks: Composable  # the SELECT for the last number that a row has
    type: str
    checks: tuple[Check, ...]  # of its table, that bind nothing else

    def last(self, held: int | None) -> int | None:
        """Return the last number that was given, or that rows have, which hold up to `held`; None if there is none."""
        numbers = [each for each in (held, self.given) if each is not None]
        return (max if self.pace > 0 else min)(numbers) if numbers else None

    def refusing(self, rows: int, held: int | None) -> Iterator[tuple[Check, Composable]]:
        """Yield each check that may refuse the new numbers, with the SELECT whether it does, of the first or last."""
        if self.checks and (last := self.last(held)) is not None:
            first = last + self.pace
            for check, number in product(self.checks, {first, first + (rows - 1) * self.pace}):
                cell = Literal(number), SQL(self.type), Identifier(self.place[1])
                row = SQL("(SELECT {}::{} AS {}) AS t").format(*cell)
                said = SQL(check.expression.removeprefix("CHECK "))
                yield check, SQL("SELECT ({}) IS FALSE FROM {}").format(said, row)

    def short(self, rows: int, held: int | None) -> str | None:
        """Return why it has not so many numbers left, where rows hold up to `held`; None if it has.

        One has to be left for what is inserted next.
        """
        if (last := self.last(held)) is None:
            return None
        left = max(0, (self.end - last) // self.pace)
        if rows < left:
            return None
        (table, column), side = self.place, "highest" if self.pace > 0 else "lowest"
        return (
            f"{counted(rows)} should get new numbers, and {table.name}.{column} has {left} left up to {self.end}, one"
            " of them for what is inserted next: give it a wider type, here and in the contract, or its"
            f" {side} rows other numbers"
        )


def with_headroom(cursor: Cursor, comparison: Comparison) -> Comparison:
    """Return the comparison; a person decides about rows for which a key has not numbers enough.

    Asks nothing if no row gets a new number. Gaps between the numbers that rows have are not used.
    """
    needed = Counter[_Place]()
    for finding in comparison.every:
        for place, rows in _needed(finding):
            needed[place] += rows
    counters = [each for place in needed if (each := _counter(place, comparison))]
    session = Session(cursor)
    held = _answers(session, [each.asks for each in counters])
    known = [*zip(counters, held, strict=True)]
    refusals = {c.place: why for c, last in known if (why := c.short(needed[c.place], last))}
    asked = [(c, *each) for c, last in known for each in c.refusing(needed[c.place], last) if c.place not in refusals]
    for (counter, check, _), refuses in zip(asked, _answers(session, [each for *_, each in asked]), strict=True):
        if refuses:
            table, column = counter.place
            refusals[counter.place] = (
                f"{counted(needed[counter.place])} of {table.name} should get new numbers of {column}, which"
                f" {check.name}, {spelt(check)}, would refuse: drop it, or give them numbers that it takes"
            )
    session.release()
    if not refusals:
        return comparison

    def decided(finding: Finding) -> Finding:
        why = next((refusals[place] for place, _ in _needed(finding) if place in refusals), None)
        return replace(finding, repair=refuse(why)) if why else finding

    return comparison.with_each(decided)


def _needed(finding: Finding) -> Iterator[tuple[_Place, int]]:
    """Yield the columns of which the repair of a finding gives rows new numbers, each with how many.

    A default row may get its number once keys were mapped, which no row of today tells.
    """
    if finding.left_out or isinstance(finding.about, OfDefaultRow):
        return
    for step in finding.repair.steps:
        if step.room and step.room.column:
            yield (step.table, step.room.column), step.room.rows


def _counter(place: _Place, comparison: Comparison) -> _Counter | None:
    """Return by what a column counts; None where it is to come, with its rows."""
    table, column = comparison.future.tables.get(place[0]), comparison.contract.tables[place[0]].columns[place[1]]
    if table is None or table.created or place[1] not in table.columns:
        return None
    found, model = table.columns[place[1]], counter_of(column, comparison.contract)
    if found.mapped or found.now is not None:
        return None
    sequence = comparison.future.sequences.get(found.sequence) if found.sequence else None
    end, pace = end_of(column, found, model)
    if sequence:
        end, pace = last_number(sequence, model, widest_number(column.type, found.type)), sequence.increment
    given = sequence.last_value if sequence and not sequence.created else None
    last, rows = SQL("max" if pace > 0 else "min"), q.rows_of(table)
    asks = SQL("SELECT {}({}::bigint) FROM {}").format(last, q.column(place[1]), rows)
    checks = tuple(each for each in table.checks if each.enforced and each.columns == (place[1],) and _is_plain(each))
    return _Counter(place, end, pace, given, asks, found.full_type, checks)


def _is_plain(check: Check) -> bool:
    """Return whether a check compares and reckons only, so that to try it runs nobody's code."""
    return bool(_PLAIN.fullmatch(check.expression)) and not _CALL.search(check.expression)


def _answers(session: Session, questions: Sequence[Composable]) -> list[int | None]:
    """Return what each question finds, all in one statement; None if it fails, as over what is no number yet."""
    if not questions:
        return []
    try:
        (found,) = session.ask(SQL("SELECT {}").format(SQL(", ").join(SQL("({})").format(each) for each in questions)))
    except psycopg2.Error as error:
        session.recover(error)
        return [None] if len(questions) == 1 else [each for one in questions for each in _answers(session, [one])]
    return [*found]
