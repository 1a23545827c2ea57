"""Puts a schema together from what the catalogue queries answered."""

from __future__ import annotations

import json
import re
import sys
from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable, Mapping
from dataclasses import replace
from enum import Flag, auto
from functools import cache
from operator import attrgetter
from typing import Any, TypeVar  # Any: the cells of an answer, which psycopg2 gives without their types

from fixer.introspect import spelling
from fixer.introspect.obstacles import SAID_TO_PERSONS, obstacle
from fixer.introspect.questions import Ask, Rows
from fixer.introspect.spelling import Columns, Definitions, WantedCheck, WantedIndex
from fixer.model import schema as s
from fixer.model.expression import as_needed
from fixer.model.expression.patterns import pattern
from fixer.model.obstacle import Obstacle
from fixer.model.schema import Spellings
from fixer.model.table import QName

_Below = dict[str, dict[int, list[tuple[QName, str]]]]  # partitions and heirs, by what they lack, and by their root
Facts = dict[int, dict[int, tuple[Any, ...]]]
Part = TypeVar("Part", s.Index, s.Check, s.ForeignKey)
# A default that numbers rows; one that makes something else of a number is a default like any other.
_A_NUMBER = pattern(r"(?:smallint|integer|bigint|numeric|real|double precision)\b")
_NUMBERS = pattern(r"\(?nextval\('(?:[^']|'')*'::regclass\)\)?(?:::[\w ]+)?")
HOLDING = "rpvmf"  # the kinds of relations that hold rows, or stand where one should
_INHERITS = 8  # where a relation says whether it has partitions or heirs, or is one
_HINDERED = -1  # where it says whether the database has anything that may be an obstacle
_LACKING = ("unlogged", "open")  # what partitions and heirs lack is no obstacle
_IDENTITY = 5  # where it stands among the facts of a column
_SYSTEM = {-1: "ctid", -2: "xmin", -3: "cmin", -4: "xmax", -5: "cmax", -6: "tableoid"}
_BY_NAME = attrgetter("name")
_NO_DEFAULTS: Mapping[int, tuple[str, QName | None, bool]] = {}


class Sides(Flag):
    """The sides of a comparison that a reading is for: a contract has no rows, and nothing stands in its way."""

    ACTUAL = auto()
    CONTRACT = auto()


class Assembly:
    """The parts of a schema, by the numbers of their tables.

    It asks all its questions ahead, and puts together what is there while the server answers the next.
    """

    def __init__(self, ask: Ask, short: Collection[str], known: Spellings, before: str, sides: Sides) -> None:
        actual = Sides.ACTUAL in sides
        relations, columns, sequences = ask("relations", before), ask("columns"), ask("sequences")
        self._relations, rows, self._counters = relations(), columns(), sequences()
        spelt = spelling.ask_types(ask, {(row[2], -1, 0) for row in self._counters} | {row[3:6] for row in rows})
        # What takes the server long is asked when there is most to be done here meanwhile.
        indexes, self._defaults, volatile = (
            ask("indexes"),
            ask("defaults"),
            ask("volatile") if Sides.CONTRACT in sides else list,
        )
        constraints = ask("constraints")
        obstacles = ask("obstacles") if actual and any(row[_HINDERED] for row in self._relations) else list
        heirs = ask("heirs") if any(row[_INHERITS] for row in self._relations) else list
        self._names = {row[0]: QName(sys.intern(row[1]), row[2]) for row in self._relations}
        self._columns = _by_place(rows)
        self._same_names: dict[Columns, Columns] = {}  # most keys and indexes have their like in other tables
        del rows  # of which there are the most
        self._types = spelling.types(spelt(), short, ask)
        self._prefix = prefix(short)
        self._sequences = self._read_sequences()
        self._indexes = indexes()
        self._wanted = self._wanted_indexes()
        self._volatile = set(volatile())
        self._cells = self._read_columns()
        self._sequences |= self._elsewhere(ask) if actual else {}
        self._constraints, self._hindering, self._heirs = constraints(), obstacles(), heirs()
        self._disabled = self._read_disabled()
        checks = [WantedCheck(row[0], self._checked(row[3], row[4]), row[-4]) for row in self._of_type("c")]
        self.definitions = Definitions(ask, self._wanted, checks, known)

    def schema(self) -> s.Schema:
        """Return the schema."""
        keys, obstacles, names = self._read_foreign_keys(), self._read_obstacles(), frozenset(self._every_name())
        self.definitions.read()
        groups = (self._read_indexes(), self._read_checks(), keys, obstacles)
        tables, below = {}, self._read_below()
        for oid, _, _, kind, *facts, part_of, parted_by, bound, rest, parents, populated, _ in self._relations:
            if kind in HOLDING:
                name = self._names[oid]
                parts = [tuple(group.pop(oid, ())) for group in groups]
                whole: list[Any] = [name, kind, *facts, self._cells.get(oid, {}), *parts]
                table = s.Table(*whole)
                if table.inherits:
                    table = self._with_below(table, oid, part_of, below)
                    above = tuple(self._names[each] for each in parents or () if each in self._names)
                    table = replace(table, parted_by=parted_by, bound=bound, rest=QName(*rest) if rest else None)
                    table = replace(table, parents=above)
                tables[name] = table if populated else replace(table, populated=False)
        elsewhere = (key for oid, mine in keys.items() if oid not in self._names for key in mine)
        outside = sorted(elsewhere, key=lambda key: (key.table, key.name))
        closed = frozenset(each.enum for each in self._types.values() if each.closed)
        return s.Schema(tables, self._sequences, tuple(outside), names, closed=closed)

    def _of_type(self, wanted: str) -> Rows:
        """Return the constraints of one type."""
        return [row for row in self._constraints if row[1] == wanted]

    def _every_name(self) -> list[QName]:
        indexes = [QName(self._names[row[0]].schema, row[2]) for row in self._indexes]
        return [*self._names.values(), *indexes, *(QName(row[0], row[1]) for row in self._counters)]

    def _named(self, relation: int, places: list[int]) -> Columns:
        """Return the names of columns; that of an expression is empty."""
        columns = self._columns[relation]
        names = tuple([columns[place][0] if place in columns else "" for place in places])
        return self._same_names.setdefault(names, names)

    def _checked(self, relation: int, places: list[int] | None) -> Columns:
        """Return the names of the columns in a check, which may be none, or PostgreSQL's own."""
        columns = self._columns[relation]
        names = tuple([columns[place][0] if place > 0 else _SYSTEM[place] for place in places or () if place])
        return self._same_names.setdefault(names, names)

    def _wanted_indexes(self) -> list[WantedIndex]:
        placed = cache(lambda places, keys: [int(place) for place in places.split()[:keys]])
        wanted = []
        for relation, oid, _, places, keys, plain, classes, collations, options, *_ in self._indexes:
            columns, numbers, shape = self._columns[relation], placed(places, keys), None
            if plain:
                shape = (classes, collations, options, *[(columns[n][1], columns[n][3]) for n in numbers])
            wanted.append(WantedIndex(oid, self._named(relation, numbers), shape))
        return wanted

    def _read_columns(self) -> dict[int, dict[str, s.Column]]:
        defaults, identities = self._read_defaults(), self._read_identities()
        same: dict[Hashable, s.Column] = {}  # most columns have their like in other tables
        tables: dict[int, dict[str, s.Column]] = {}
        for relation, columns in self._columns.items():
            mine = defaults.get(relation, _NO_DEFAULTS)
            table = tables[relation] = {}
            for number, facts in columns.items():
                default, counter, volatile = mine.get(number, (None, None, False))
                if facts[_IDENTITY]:
                    counter = counter or identities.get((relation, number))
                key = (facts, default, counter, volatile)
                column = same.get(key)
                if column is None:
                    column = same[key] = self._column(*key)
                table[facts[0]] = column
        return tables

    def _column(self, facts: tuple[Any, ...], default: str | None, counter: QName | None, volatile: bool) -> s.Column:
        name, type_, modifier, collation, not_null, identity, generated = facts
        spelt = self._types[type_, modifier, collation]
        if counter and not _A_NUMBER.match(spelt.base or spelt.name):
            counter = None  # texts that are made of numbers have no order to be ahead of
        return s.Column(
            name, spelt.name, not_null, default, identity, generated, spelt.collation, counter,
            labels=spelt.labels, items=spelt.items, home=spelt.home, equality=spelt.equality, base=spelt.base,
            guards=spelt.guards, loose=spelt.loose, supplied=spelt.supplied, aged=spelt.aged, volatile=volatile,
        )  # fmt: skip

    def _read_defaults(self) -> dict[int, dict[int, tuple[str, QName | None, bool]]]:
        tables: dict[int, dict[int, tuple[str, QName | None, bool]]] = defaultdict(dict)
        for relation, number, expression, schema, sequence in self._defaults():
            volatile = (relation, number) in self._volatile
            counter = QName(schema, sequence) if sequence and _NUMBERS.fullmatch(expression) else None
            tables[relation][number] = (expression, counter, volatile)
        return tables

    def _read_identities(self) -> dict[tuple[int, int], QName]:
        return {row[3:5]: QName(row[0], row[1]) for row in self._counters if row[5] == "i"}

    def _read_indexes(self) -> dict[int, list[s.Index]]:
        tables: dict[int, list[s.Index]] = defaultdict(list)
        tails = self.definitions.tails
        for row, (oid, columns, _) in zip(self._indexes, self._wanted, strict=True):
            whole: list[Any] = [row[2], columns, tails[oid], *row[9:-1], self._silent(row[-1])]
            tables[row[0]].append(s.Index(*whole))
        return _by_name(tables)

    def _read_checks(self) -> dict[int, list[s.Check]]:
        tables: dict[int, list[s.Check]] = defaultdict(list)
        expressions = self.definitions.expressions
        for oid, _, name, relation, places, *_, validated, enforced, _, _, own, _, _, _, _, _, _ in self._of_type("c"):
            columns = self._checked(relation, places)
            tables[relation].append(s.Check(name, expressions[oid], columns, validated, enforced, own))
        return _by_name(tables)

    def _read_foreign_keys(self) -> dict[int, list[s.ForeignKey]]:
        tables: dict[int, list[s.ForeignKey]] = defaultdict(list)
        for oid, _, name, relation, places, target, targets, *rest in self._of_type("f"):
            *facts, emptied, inherited, _, equalities, period, _, here, there, beside = rest
            ends = [*self._end(relation, places, here), *self._end(target, targets, there)]
            some = emptied and set(emptied) < set(places)
            chosen = tuple(n for n, place in zip(ends[1], places, strict=True) if some and place in emptied)
            last = (chosen, inherited, tuple(equalities or ()), period, tuple(beside or ()))
            whole: list[Any] = [name, *ends, *facts, self._silent(oid), *last]
            tables[relation].append(s.ForeignKey(*whole))
        return _by_name(tables)

    def _read_disabled(self) -> dict[int, list[tuple[QName, str]]]:
        disabled: dict[int, list[tuple[QName, str]]] = defaultdict(list)
        for kind, _, trigger, _, _, key, table in self._hindering:
            if kind == "disabled":
                disabled[key].append((QName(*table), trigger))
        return disabled

    def _with_below(self, table: s.Table, oid: int, part_of: int | None, below: _Below) -> s.Table:
        """Return the table with what its partitions and heirs lack, and with the table that it is a partition of."""
        open_: dict[str, tuple[tuple[QName, str], ...]] = {}
        for heir, column in below["open"].get(oid, ()):
            open_[column] = (*open_.get(column, ()), (heir, ""))
        lost = sorted(part for part, _ in below["unlogged"].get(oid, ()))
        whole = self._names.get(part_of) if part_of else None
        return replace(table, part_of=whole, unlogged_parts=tuple(lost), unproved_below=open_)

    def _read_below(self) -> _Below:
        """Return the partitions and heirs that lack something, each with the column that it is about, if any."""
        below: _Below = {kind: defaultdict(list) for kind in _LACKING}
        for kind, root, name, columns, home in self._heirs:
            if kind in _LACKING:
                below[kind][root].append((QName(home, name), "".join(columns)))
        return below

    def _silent(self, constraint: int | None) -> tuple[tuple[QName, str], ...]:
        """Return the triggers of a constraint that do not fire."""
        found = self._disabled.get(constraint or 0) if self._disabled else None
        return tuple(sorted(found, key=lambda pair: pair[1])) if found else ()

    def _end(self, relation: int, places: list[int], elsewhere: list[str] | None) -> tuple[QName, Columns]:
        if elsewhere:
            return QName(elsewhere[0], elsewhere[1]), tuple(elsewhere[2:])
        return self._names[relation], self._named(relation, places)

    def _read_obstacles(self) -> dict[int, list[Obstacle]]:
        tables: dict[int, list[Obstacle]] = defaultdict(list)
        for kind, relation, name, columns, enabled, *_ in (*self._hindering, *self._heirs):
            if kind not in ("disabled", *_LACKING):
                told = self._prefix.sub("", name) if kind in SAID_TO_PERSONS else name
                tables[relation].append(obstacle(kind, told, tuple(sorted(columns)), enabled))
        return tables

    def _read_sequences(self) -> dict[QName, s.Sequence]:
        sequences = {}
        for schema, name, type_, relation, number, _, *figures, readable, last, kept, owned, taken in self._counters:
            owned_by = (self._names[relation], self._columns[relation][number][0]) if relation else None
            spelt = self._types[type_, -1, 0].name
            whole: list[Any] = [QName(schema, name), spelt, *figures, owned_by, readable, last, kept, owned, taken]
            sequences[whole[0]] = s.Sequence(*whole)
        return sequences

    def _elsewhere(self, ask: Ask) -> dict[QName, s.Sequence]:
        """Return the sequences of other schemas that defaults call; ask nothing if there are none."""
        called = {column.sequence for table in self._cells.values() for column in table.values() if column.sequence}
        missing = [name._asdict() for name in sorted(called - self._sequences.keys())]
        if not missing:
            return {}
        choose = "SELECT set_config('pgmend.counters', %s, true);\n"
        sequences = {}
        for schema, name, *figures, owned_by, readable, last, kept, owned, taken in ask(
            "counters", choose, json.dumps(missing)
        )():
            owner = (QName(*owned_by[:2]), owned_by[2]) if owned_by[0] else None
            whole: list[Any] = [QName(schema, name), *figures, owner, readable, last, kept, owned, taken]
            sequences[whole[0]] = s.Sequence(*whole)
        return sequences


def prefix(short: Iterable[str]) -> re.Pattern[str]:
    """Return the pattern of the schemas that names lack where a person reads them."""
    return re.compile(rf"(?<![\w.\"])(?:{'|'.join(re.escape(as_needed(schema)) for schema in short)})\.")


def _by_place(rows: Rows) -> Facts:
    """Return what is known of columns, by table and place."""
    columns: Facts = defaultdict(dict)
    for row in sorted(rows):
        columns[row[0]][row[1]] = (sys.intern(row[2]), *row[3:])
    return columns


def _by_name(tables: dict[int, list[Part]]) -> dict[int, list[Part]]:
    """Return the parts of each table in the order of their names."""
    for parts in tables.values():
        parts.sort(key=_BY_NAME)
    return tables
