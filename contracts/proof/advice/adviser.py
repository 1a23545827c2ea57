"""Advice: what only the target knows about good rows.

Where no condition tells which rows are good, likely ones are put before the server, and it says which of them obey
the laws. Rows that stand in the target are patterns too, and parents, where none can be made.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from random import Random
from typing import Any

from psycopg2 import errors as pg
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - it is a class
from sqlalchemy import Table

from contracts.proof.advice.judge import Judge
from contracts.proof.advice.partitions import Partitions, partitions_of
from contracts.proof.databases.place import Place
from contracts.rows.checks.checks import conditions_of
from contracts.rows.conditions import NOT_NULL, Conditions
from contracts.rows.insertions import Ref, Row
from contracts.rows.kinds.kind import Grid, Labels
from contracts.rows.kinds.literals import Array
from contracts.rows.kinds.text import Text
from contracts.rows.kinds.types import kind_or_none
from contracts.rows.laws.generated import generated
from contracts.rows.laws.groups import Group, Hopeless, groups_of
from contracts.rows.laws.law import Apart, Law, apart_of, laws_of
from contracts.rows.laws.references import attainable, foreign, references
from contracts.rows.laws.unique import ROOMY, room
from contracts.rows.making.guesses import guesses, variations
from contracts.rows.tables import columns_of
from fixer.model.schema import QName
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Identifier, Literal

PATTERNS = 48  # of each group
_VARIATIONS = 48  # of a pattern, among which one with values of its own is looked for
_KNOWN = 40  # rows of the target that are looked at


@functools.cache
def advice_for(place: Place, table: Table) -> Advice | None:
    """Return the adviser of a place, None where the table and its parents need no advice."""
    advice = advice_of(place)
    return advice if any(advice.is_needed(each) for each in _with_parents(table)) else None


@functools.cache
def advice_of(place: Place) -> Advice:
    """Return what one place knows."""
    return Advice(place)


def _with_parents(table: Table) -> set[Table]:
    found, waiting = {table}, [table]
    while waiting:
        more = {key.referred_table for key in references(waiting.pop())} - found
        found |= more
        waiting += more
    return found


class Advice:
    """What one place knows about good rows."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self._judges: dict[Table, Judge] = {}
        self._partitions: dict[Table, Partitions | None] = {}
        self._groups: dict[Table, tuple[Group, ...]] = {}
        self._patterns: dict[Group, list[Row]] = {}

    def name(self, table: Table) -> QName:
        """Return where a table stands."""
        return QName(table.schema or self.place.schema, table.name)

    def cursor(self) -> Cursor:
        """Return a cursor in the transaction of this item."""
        return self.place.connection.cursor()

    def is_needed(self, table: Table) -> bool:
        """Tell whether some laws of a table are hard, or its first row needs a row that is there."""
        return self.partitions(table) is not None or bool(self.groups(table)) or not attainable(table, ())

    def judge(self, table: Table) -> Judge:
        """Return what judges rows of a table."""
        if table not in self._judges:
            name = self.name(table)
            with self.cursor() as cursor:
                cursor.execute(
                    "SELECT attname, pg_catalog.format_type(atttypid, atttypmod) FROM pg_catalog.pg_attribute"
                    " WHERE attrelid = pg_catalog.to_regclass(pg_catalog.format('%%I.%%I', %s, %s))"
                    " AND attnum > 0 AND NOT attisdropped",
                    name,
                )
                self._judges[table] = Judge(table, dict(cursor.fetchall()))
        return self._judges[table]

    def partitions(self, table: Table) -> Partitions | None:
        """Return the partitions of a table, None where it has none."""
        if table not in self._partitions:
            with self.cursor() as cursor:
                self._partitions[table] = partitions_of(cursor, table, self.name(table))
        return self._partitions[table]

    def laws(self, table: Table) -> tuple[Law, ...]:
        """Return the laws that only the target knows: which rows have a partition, which keys are taken."""
        partitions = self.partitions(table)
        placing = [partitions.law] if partitions and partitions.law else []
        return (*placing, *(each.law(self.name(table)) for each in _scarce(table)))

    def groups(self, table: Table) -> tuple[Group, ...]:
        """Return the groups of a table."""
        partitions = self.partitions(table)
        if partitions and partitions.without:
            raise Hopeless(f"{table.name} has no partition, so no row has a place in it")
        if table not in self._groups:
            self._groups[table] = groups_of(table, self.laws(table))
        return self._groups[table]

    # --- rows.groups.Adviser

    def patterns(self, group: Group, pins: Row, more: Conditions) -> Sequence[Row]:
        """Return values of a group that go together and with what is settled; Hopeless where there are never any."""
        settled = {n: v for n, v in pins.items() if n in group.columns and n not in group.shadows}
        if group not in self._patterns:
            self._patterns[group] = self._search(group, {})
        known = self._patterns[group]
        found = [row for row in known if _goes_with(row, settled, more)]
        if not found and settled and not any(isinstance(value, Ref) for value in settled.values()):
            found = [row for row in self._search(group, settled) if _goes_with(row, settled, more)]
        if found:
            return found
        table = group.table.name
        if known:
            return []
        raise Hopeless(f"no row of {table} was found that obeys {group.words}")

    def _search(self, group: Group, settled: Row) -> list[Row]:
        """Look for values of a group that obey its laws, more of them than one."""
        judge, candidates = self.judge(group.table), guesses(group, settled, Random(0))  # the same guesses each time
        with self.cursor() as cursor:
            found = judge.fitting(cursor, group.laws, candidates, PATTERNS)
            if not found:  # what people wrote into the target would be shown where a row is refused: it comes last
                known = ({**row, **settled} for row in self._known_rows(group))
                found = judge.fitting(cursor, group.laws, known, PATTERNS)
            return found

    def _known_rows(self, group: Group) -> list[Row]:
        """Return some rows of the target, as values of a group."""
        table, kinds = group.table, {n: kind_or_none(columns_of(group.table)[n]) for n in group.columns}
        cells = [
            SQL("{}" if isinstance(kind, Grid | Labels | Text) else "{}::text").format(Identifier(n))
            for n, kind in kinds.items()
        ]
        query = SQL("SELECT DISTINCT {} FROM (SELECT {} FROM {} LIMIT {}) AS looked").format(
            SQL(", ").join(map(Identifier, group.columns)),
            SQL(", ").join(SQL("{} AS {}").format(c, Identifier(n)) for c, n in zip(cells, kinds, strict=True)),
            q.name(self.name(table)),
            Literal(_KNOWN),
        )
        found = self._asked(query)
        return [dict(zip(group.columns, map(_as_value, row), strict=True)) for row in found]

    def fresh(self, group: Group, pattern: Row, tokens: Iterable[str], pins: Row, number: int) -> Row | None:
        """Return a pattern with values of its own in some columns; None where no such row obeys the laws."""
        names = [name for name in tokens if name in group.columns and name not in pins]
        conditions = {name: conditions_of(columns_of(group.table)[name]) for name in names}
        made = variations(group, pattern, conditions, Random(number), _VARIATIONS)
        rows = (row for row in made if all(row[name] == value for name, value in pins.items() if name in row))
        apart = [
            each.law(self.name(group.table))
            for each in apart_of(group.table)
            if set(each.columns) <= set(group.columns) - group.shadows
        ]
        with self.cursor() as cursor:
            found = self.judge(group.table).fitting(cursor, [*group.laws, *apart], rows, 1)
        return found[0] if found else None

    def parents(
        self,
        table: Table,
        names: Sequence[str],
        settled: Row,
        more: Conditions,
        apart: tuple[Table, Sequence[str]] | None,
    ) -> list[Row]:
        """Return rows of a table that are there, as values of some columns.

        They hold what is settled and obey the conditions. Where they are to be `apart`, no row of that table
        refers to them by these columns yet.
        """
        if any(isinstance(value, Ref) for value in settled.values()):
            return []
        tests = [SQL("p.{} IS NOT NULL").format(Identifier(name)) for name in names]
        tests += [SQL("p.{} = {}").format(Identifier(name), Literal(value)) for name, value in settled.items()]
        if apart is not None:
            child, columns = apart
            pairs = zip(columns, names, strict=True)
            pointing = (SQL("c.{} = p.{}").format(Identifier(c), Identifier(n)) for c, n in pairs)
            tests.append(SQL("NOT EXISTS (SELECT FROM {} AS c WHERE {})").format(
                q.name(self.name(child)), SQL(" AND ").join(pointing)))  # fmt: skip
        query = SQL("SELECT {} FROM {} AS p WHERE {} LIMIT {}").format(
            SQL(", ").join(SQL("p.{}").format(Identifier(n)) for n in names),
            q.name(self.name(table)),
            SQL(" AND ").join(tests),
            Literal(_KNOWN),
        )
        held = [c for c in more if c.op != NOT_NULL and c.column in names]
        rows = [dict(zip(names, row, strict=True)) for row in self._asked(query)]
        return [row for row in rows if all(_holds(c, row[c.column]) for c in held)]

    def _asked(self, query: Composable) -> list[tuple[Any, ...]]:
        """Return the rows of a query, none where the role may not read them or what is read is not there."""
        with self.cursor() as cursor:
            cursor.execute("SAVEPOINT pgmend_asked")
            try:
                cursor.execute(query)
                return cursor.fetchall()
            except (pg.InsufficientPrivilege, pg.UndefinedTable, pg.UndefinedColumn):
                cursor.execute("ROLLBACK TO SAVEPOINT pgmend_asked")
                return []

    # --- what a refusal means

    def is_unfit(self, table: Table, row: Row) -> bool:
        """Tell whether a row, as far as it is known, breaks a law of the contract."""
        return not self._obeys(table, row, (*laws_of(table), *self.laws(table)))

    def cannot_be_computed(self, table: Table, row: Row) -> bool:
        """Tell whether a check, a generated column or an index of the contract fails for a row."""
        return not self._obeys(table, row, [replace(law, binding=False) for law in laws_of(table)])

    def is_repeated(self, table: Table, row: Row) -> bool:
        """Tell whether a row that is there excludes this row by the contract."""
        return not self._obeys(table, row, [each.law(self.name(table)) for each in apart_of(table)])

    def has_no_place(self, table: Table, row: Row) -> bool:
        """Tell whether no partition holds a row."""
        partitions = self.partitions(table)
        if partitions is None or partitions.law is None:
            return partitions is not None and partitions.without
        return not self._obeys(table, row, [partitions.law])

    def _obeys(self, table: Table, row: Row, laws: Iterable[Law]) -> bool:
        judge = self.judge(table)
        known = [law for law in laws if law.columns and judge.knows(row, law)]
        with self.cursor() as cursor:
            return bool(judge.fitting(cursor, known, [row], 1))

    def is_unsure(self, table: Table, row: Row) -> bool:
        """Tell whether some law cannot be judged for a row before it goes in."""
        judge = self.judge(table)
        with self.cursor() as cursor:
            return any(
                law.hard and not (judge.knows(row, law) and judge.understands(cursor, law)) for law in laws_of(table)
            )


def _goes_with(row: Row, settled: Row, more: Conditions) -> bool:
    if any(row[name] != value for name, value in settled.items()):
        return False
    return all(_holds(each, row[each.column]) for each in more if each.column in row)


def _holds(condition: Any, value: Any) -> bool:
    if condition.op in ("null", NOT_NULL):
        return bool(condition.holds(value))
    with suppress(TypeError):
        return value is None or bool(condition.holds(value))
    return True  # not comparable here: the server tells


def _as_value(value: Any) -> Any:
    return Array(value) if isinstance(value, list) else value


@functools.cache
def _scarce(table: Table) -> tuple[Apart, ...]:
    """Return the keys for which few values are left, or whose one NULL may be taken."""
    columns, found = columns_of(table), []
    for each in apart_of(table):
        if any(operator not in ("=", "IS NOT DISTINCT FROM") for _, operator in each.elements) or each.where:
            continue
        if any(kind_or_none(columns[n]) is None for n in each.columns):
            continue
        roomy = any(generated(columns[n]) or n in foreign(table) or room(columns[n]) >= ROOMY for n in each.columns)
        alike = any(operator != "=" for _, operator in each.elements)
        if not roomy or (alike and any(columns[n].nullable for n in each.columns)):
            found.append(each)
    return tuple(found)
