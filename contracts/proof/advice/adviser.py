"""Chooses rows that are good by laws which only the target can judge.

The server judges guessed rows by these laws. Rows that are in the target already serve as patterns too, and as parents
where none can be made.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from random import Random

from sqlalchemy import Table

from contracts.proof.advice.facts import Facts, facts_of
from contracts.proof.advice.known import holds, known_parents, known_rows
from contracts.proof.databases.place import Place
from contracts.rows.checks.checks import conditions_of
from contracts.rows.conditions import Conditions
from contracts.rows.insertions import Ref, Row
from contracts.rows.laws.apart import apart_of
from contracts.rows.laws.groups import Group, Hopeless
from contracts.rows.laws.references import attainable, is_apart, references
from contracts.rows.making.guesses import guesses
from contracts.rows.making.variations import variations
from contracts.rows.tables import columns_of

PATTERNS = 48  # of each group
_VARIATIONS = 48  # of a pattern that are judged, to find one with new values


@functools.cache
def advice_for(place: Place, table: Table) -> Advice | None:
    """Return the adviser of a place, None where the table and its parents need no advice."""
    advice = _advice_of(place)
    return advice if any(advice.is_needed(each) for each in _with_parents(table)) else None


@functools.cache
def _advice_of(place: Place) -> Advice:
    """Return the one adviser of a place; it searches the patterns of each group once."""
    return Advice(facts_of(place))


def _with_parents(table: Table) -> set[Table]:
    found, waiting = {table}, [table]
    while waiting:
        more = {key.referred_table for key in references(waiting.pop())} - found
        found |= more
        waiting += more
    return found


class Advice:
    """Chooses rows for one target. It is the `Adviser` of contracts.rows."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self._patterns: dict[Group, list[Row]] = {}

    def is_needed(self, table: Table) -> bool:
        """Return whether a law of the table is hard, or its first row needs an existing row."""
        if is_apart(table):
            return False
        return self.facts.partitions(table) is not None or bool(self.facts.groups(table)) or not attainable(table, ())

    def groups(self, table: Table) -> tuple[Group, ...]:
        """Return the groups of a table."""
        return self.facts.groups(table)

    def patterns(self, group: Group, pins: Row, more: Conditions) -> Sequence[Row]:
        """Return values of a group that fit together and fit `pins` and `more`; raise Hopeless where none ever do."""
        settled = {n: v for n, v in pins.items() if n in group.columns and n not in group.shadows}
        if group not in self._patterns:
            self._patterns[group] = self._search(group, {})
        known = self._patterns[group]
        found = [row for row in known if _goes_with(row, settled, more)] if settled or more else known
        if not found and settled and not any(isinstance(value, Ref) for value in settled.values()):
            found = [row for row in self._search(group, settled) if _goes_with(row, settled, more)]
        if found:
            return found
        table = group.table.name
        if known:
            return []
        raise Hopeless(f"no row of {table} was found that obeys {group.words}")

    def _search(self, group: Group, settled: Row) -> list[Row]:
        """Search several rows of values of a group that obey its laws."""
        judge = self.facts.judge(group.table)
        candidates = guesses(group, settled, Random(0))  # the same guesses each time
        with self.facts.cursor() as cursor:
            found = judge.fitting(cursor, group.laws, candidates, PATTERNS)
            if not found:  # existing rows come last: a refusal would show what people wrote
                known = ({**row, **settled} for row in known_rows(self.facts, group))
                found = judge.fitting(cursor, group.laws, known, PATTERNS)
            return found

    def fresh(self, group: Group, pattern: Row, tokens: Iterable[str], pins: Row, number: int) -> Row | None:
        """Return a pattern with new values in the columns `tokens`; None where no such row obeys the laws."""
        names = [name for name in tokens if name in group.columns and name not in pins]
        conditions = {name: conditions_of(columns_of(group.table)[name]) for name in names}
        made = variations(group, pattern, conditions, Random(number), _VARIATIONS)
        rows = (row for row in made if all(row[name] == value for name, value in pins.items() if name in row))
        apart = [
            law
            for each, law in zip(apart_of(group.table), self.facts.apart(group.table), strict=True)
            if set(each.columns) <= set(group.columns) - group.shadows
        ]
        with self.facts.cursor() as cursor:
            found = self.facts.judge(group.table).fitting(cursor, [*group.laws, *apart], rows, 1)
        return found[0] if found else None

    def parents(
        self,
        table: Table,
        names: Sequence[str],
        settled: Row,
        more: Conditions,
        apart: tuple[Table, Sequence[str]] | None,
    ) -> list[Row]:
        """Return the values of some columns in existing rows of a table."""
        return known_parents(self.facts, table, names, settled, more, apart)


def _goes_with(row: Row, settled: Row, more: Conditions) -> bool:
    if any(row[name] != value for name, value in settled.items()):
        return False
    return all(holds(each, row[each.column]) for each in more if each.column in row)
