"""Finds the unique indexes that fail although they are valid: rows repeat under them, or they do not show every row.

That is so after rows were written while an index was not maintained, or after a library sorts texts otherwise. A table
and its index are counted each for itself: they agree if the index shows as many different keys as the table has rows.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import psycopg2
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer import introspect
from fixer.compare.reading import CHEAP_BYTES, Measure
from fixer.compare.sessions import TOGETHER, Answer, Session, together
from fixer.connect.failures import told
from fixer.connect.settings import ALONG_ONE_INDEX, AS_EVER, IN_ORDER, setting
from fixer.model.contract import Contract
from fixer.model.schema import Schema
from fixer.model.table import Failure, Index, QName, Table
from fixer.sql import unique_keys
from fixer.sql.compose import SQL, Composable, Literal

_FORCED, _STEERED, _AS_IT_IS = setting(ALONG_ONE_INDEX), setting(IN_ORDER), SQL("SELECT")

log = logging.getLogger("pgmend.rows")


@dataclass(frozen=True)
class Suspect:
    """A unique index that the contract wants, to be counted beside its table."""

    table: Table
    index: Index
    collated: bool = False  # whether an update of libraries may put it in another order
    small: bool = True

    def counts(self) -> list[Composable]:
        """Return the queries for the number of different keys, each of which is that of the rows if the index holds.

        Different keys are counted where they stand side by side. Whether the index is in order, without which equal
        ones may stand apart, is asked where a library may have changed it, and where it costs nothing.
        """
        keys = unique_keys.Keys(self.table, self.index)
        if not (self.collated or self.small):
            return [keys.different()]
        return [keys.rising()] if keys.plain else [keys.different(), keys.different(around=True)]


class Proofs:
    """Counts keys in the transaction of a session."""

    def __init__(self, cursor: Cursor, contract: Contract, measure: Measure) -> None:
        self._session, self._contract, self._measure = Session(cursor), contract, measure

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
        pairs = [
            (table, index)
            for name in dict.fromkeys(names)
            if (table := actual.tables.get(name)) and table.is_table and (wanted := self._contract.tables.get(name))
            for index in unique_keys.claimed(table, wanted)
        ]
        if not pairs:
            return
        sizes = self._measure(sorted({table.name for table, _ in pairs}))
        collated = introspect.collated(self._session.cursor)
        for table, index in pairs:
            small = sizes.get(table.name, 0) <= CHEAP_BYTES
            yield Suspect(table, index, (table.name, index.name) in collated, small)

    def _failing(self, suspects: Sequence[Suspect]) -> dict[QName, dict[str, Failure]]:
        """Return how indexes fail, by table and name."""
        rows = self._rows(suspects)
        counted = [each for each in suspects if (each.table.name, each.index.name) in rows]
        doubtful = [
            each
            for each, counts in zip(counted, self._shown(counted), strict=True)
            if any(count != rows[each.table.name, each.index.name] for count in counts)
        ]
        failing = defaultdict[QName, dict[str, Failure]](dict)
        for each in doubtful:
            keys, there = unique_keys.Keys(each.table, each.index), rows[each.table.name, each.index.name]
            ((different,),) = self._asked([keys.different(around=True)], AS_EVER)
            ((shown,),) = self._asked([keys.shown()], _FORCED)
            failing[each.table.name][each.index.name] = Failure(there - different, max(there - shown, 0))
        return failing

    def _rows(self, suspects: Iterable[Suspect]) -> Mapping[tuple[QName, str], int]:
        """Count the rows that each index should show, in one scan of each table; leave out what cannot be read."""
        tables = defaultdict[QName, list[Suspect]](list)
        for each in suspects:
            tables[each.table.name].append(each)
        questions = [unique_keys.rows_under(of[0].table, [each.index for each in of]) for of in tables.values()]
        answers = self._asked(questions, large=not all(each.small for each in suspects))
        return {
            (name, each.index.name): count
            for (name, of), answer in zip(tables.items(), answers, strict=True)
            for each, count in zip(of, answer, strict=False)
        }

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
