"""Finds the unique indexes that fail although they are valid: rows repeat under them, or they do not show every row.

That is so after rows were written while an index was not maintained, or after a library sorts texts otherwise. A table
and its index are counted each for itself: they agree if the index shows as many different keys as the table has rows.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import psycopg2

from fixer import introspect
from fixer.compare.reading import CHEAP_BYTES, Measure
from fixer.compare.sessions import TOGETHER, Answer, Session, together
from fixer.connect.failures import told
from fixer.connect.settings import ALONG_ONE_INDEX, AS_EVER, IN_ORDER, setting
from fixer.model.contract import Contract
from fixer.model.finding import Count, Counter, Probe
from fixer.model.schema import Schema
from fixer.model.table import Failure, QName
from fixer.model.values import dataclass
from fixer.sql import unique_keys
from fixer.sql.compose import SQL, Composable, Literal

_FORCED, _STEERED, _AS_IT_IS = setting(ALONG_ONE_INDEX), setting(IN_ORDER), SQL("SELECT")

_Place = tuple[QName, str]  # a table, and the name of an index of it

log = logging.getLogger("pgmend.rows")


def _place(keys: unique_keys.Keys) -> _Place:
    return keys.table.name, keys.index.name


@dataclass(frozen=True)
class Suspect:
    """A unique index that the contract wants, to be counted beside its table."""

    keys: unique_keys.Keys
    collated: bool = False  # whether an update of libraries may put it in another order
    small: bool = True

    @property
    def place(self) -> _Place:
        """Its table and its name."""
        return _place(self.keys)

    def counts(self) -> list[Composable]:
        """Return the queries for the number of different keys, each of which is that of the rows if the index holds.

        Different keys are counted where they stand side by side. Whether the index is in order, without which equal
        ones may stand apart, is asked where a library may have changed it, and where it costs nothing.
        """
        keys = self.keys
        if not (self.collated or self.small):
            return [keys.different()]
        return [keys.rising()] if keys.plain else [keys.different(), keys.different(around=True)]


def _scans(probes: Sequence[Probe]) -> list[str]:
    """Return what the probes read in scans that others may share; one that is costly keeps each row that it finds."""
    found = {repr(each.source) for each in probes if each.costly}
    return [scan for each in probes if each.shared and (scan := repr(each.source)) not in found]


class Proofs:
    """Counts keys in the transaction of a session."""

    def __init__(self, session: Session, contract: Contract, measure: Measure, count: Counter) -> None:
        self._session, self._contract, self._measure, self._count = session, contract, measure, count
        self._rows: dict[_Place, int | None] = {}  # that each index should show; None if they cannot be read

    def beside(self, actual: Schema) -> Counter:
        """Return the counter; where it reads a table for others, it also counts the rows that indexes should show."""
        waiting = defaultdict[str, list[unique_keys.Keys]](list)
        for keys in self._claimed(actual, self._contract.tables):
            waiting[repr(keys.rows)].append(keys)

        def count(probes: Sequence[Probe]) -> Sequence[Count]:
            return self._counted(probes, [keys for scan in _scans(probes) for keys in waiting.pop(scan, ())])

        return count

    def _counted(self, probes: Sequence[Probe], keys: Sequence[unique_keys.Keys]) -> Sequence[Count]:
        """Answer the probes, and remember how many rows the index of each of these keys should show."""
        answers = self._count([*probes, *(Probe(each.rows, each.bound(), around=True) for each in keys)])
        for each, answer in zip(keys, answers[len(probes) :], strict=True):
            self._rows[_place(each)] = None if answer.error else answer.rows
        return answers[: len(probes)]

    def __call__(self, actual: Schema, names: Iterable[QName]) -> Schema:
        """Return the schema, with the failing indexes of these tables; `actual` itself if there are none."""
        suspects = list(self._suspects(actual, names))
        if not suspects:
            return actual
        failing = self._failing(suspects)
        self._leave()
        for name, failures in failing.items():
            actual = actual.with_table(replace(actual.tables[name], failing=failures))
        return actual

    def _leave(self) -> None:
        """Leave the transaction as it was found."""
        self._session.ask(AS_EVER)
        self._session.release()

    def _suspects(self, actual: Schema, names: Iterable[QName]) -> Iterator[Suspect]:
        """Yield the valid unique indexes that the contract wants on these tables."""
        claimed = list(self._claimed(actual, names))
        if not claimed:
            return
        sizes = self._measure(sorted({keys.table.name for keys in claimed}))
        collated = introspect.collated(self._session.cursor)
        for keys in claimed:
            yield Suspect(keys, _place(keys) in collated, sizes.get(keys.table.name, 0) <= CHEAP_BYTES)

    def _claimed(self, actual: Schema, names: Iterable[QName]) -> Iterator[unique_keys.Keys]:
        for name in dict.fromkeys(names):
            if (table := actual.tables.get(name)) and table.is_table and (wanted := self._contract.tables.get(name)):
                yield from (unique_keys.Keys(table, index) for index in unique_keys.claimed(table, wanted))

    def _failing(self, suspects: Sequence[Suspect]) -> dict[QName, dict[str, Failure]]:
        """Return how indexes fail, by table and name."""
        unknown = [each.keys for each in suspects if each.place not in self._rows]
        if unknown:
            self._counted((), unknown)
        known = [(each, rows) for each in suspects if (rows := self._rows[each.place]) is not None]
        failing = defaultdict[QName, dict[str, Failure]](dict)
        for (each, rows), counts in zip(known, self._shown([each for each, _ in known]), strict=True):
            if any(count != rows for count in counts):
                failing[each.keys.table.name][each.keys.index.name] = self._failure(each.keys, rows)
        return failing

    def _failure(self, keys: unique_keys.Keys, rows: int) -> Failure:
        """Return how many rows repeat, and how many the index does not show."""
        ((different,),) = self._asked([keys.different(around=True)], AS_EVER)
        ((shown,),) = self._asked([keys.shown()], _FORCED)
        return Failure(rows - different, max(rows - shown, 0))

    def _shown(self, suspects: Sequence[Suspect]) -> list[list[int]]:
        """Count the keys of each index by all its queries."""
        answers: dict[int, list[int]] = {}
        for small, settings in ((False, _STEERED), (True, _FORCED)):
            places = [place for place, each in enumerate(suspects) if each.small is small]
            asked = [(place, query) for place in places for query in suspects[place].counts()]
            found = self._asked([query for _, query in asked], settings, large=not small)
            for (place, _), counts in zip(asked, found, strict=True):
                answers.setdefault(place, []).extend(counts)
        return [answers.get(place, []) for place in range(len(suspects))]

    def _asked(
        self, questions: Sequence[Composable], settings: Composable = _AS_IT_IS, *, large: bool = False
    ) -> list[list[int]]:
        """Return the counts that each query gives, under these settings; none for what cannot be read.

        Two sessions may share the queries over large tables.
        """
        numbered = [SQL("SELECT {}, c.* FROM ({}) AS c").format(Literal(n), query) for n, query in enumerate(questions)]
        found: dict[int, list[int]] = {}
        for start in range(0, len(numbered), TOGETHER):
            some = numbered[start : start + TOGETHER]
            try:
                found |= dict(self._ask_all(some, settings) if large else self._ask(together(some), settings))
            except psycopg2.Error as error:
                self._session.recover(error)
                found |= self._one_by_one(some, settings)
        return [found.get(number, []) for number in range(len(questions))]

    def _ask_all(self, questions: Sequence[Composable], settings: Composable) -> Answer:
        self._session.ask(settings)
        return self._session.ask_all(questions)

    def _ask(self, question: Composable, settings: Composable) -> Answer:
        return self._session.ask(SQL("{};\n{}").format(settings, question))

    def _one_by_one(self, numbered: Sequence[Composable], settings: Composable) -> dict[int, list[int]]:
        found: dict[int, list[int]] = {}
        for query in numbered:
            try:
                found |= dict(self._ask(query, settings))
            except psycopg2.Error as error:
                self._session.recover(error)
                log.info("keys cannot be counted: %s", told(error))  # whoever needs the rows reports it
        return found
