"""Of rows that repeat each other, which one stays: the one that others reference, else the oldest.

"Oldest" goes by the column that the hint `oldest_by` names, else by the one whose name and type say when the row was
made. If there is none, the lowest key stays, which is the oldest only if a sequence numbers it.
"""

from __future__ import annotations

from collections.abc import Iterable

from fixer.model.contract import Contract
from fixer.model.expression.patterns import pattern
from fixer.model.schema import Schema
from fixer.model.schema.renaming import old_key_of
from fixer.model.table import Column, ForeignKey, Index, QName, Table
from fixer.model.values import dataclass
from fixer.repair.constraints.foreign_keys import is_comparable
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable
from fixer.sql.types import family

_MOMENTS = ("date", "timestamp", "timestamptz")
_MADE = frozenset(("created", "creation", "inserted", "registered", "added"))
_WORDS = pattern(r"[A-Z]?[a-z]+|[A-Z]+")


@dataclass(frozen=True)
class Keeper:
    """What sorts the row `t` that stays before the others, and the same in words, in the order in which it counts."""

    holders: tuple[tuple[Composable, Composable], ...]  # FROM items `c`, and that the row `c` references the row `t`
    order: tuple[Composable, ...]
    words: tuple[str, ...]
    identity: tuple[str, ...]  # the columns of its wanted primary key that are there
    unknown: str  # that the last way does not tell the oldest, if so

    def told(self, columns: tuple[str, ...], *, sound: bool) -> str:
        """Return why a row that shares these columns with another goes; `sound`: those with other faults come last."""
        return _why(columns, self.words, sound=sound) + (self.unknown and f", {self.unknown}")


def keeper(actual: Schema, contract: Contract, name: QName, *, probing: bool = False) -> Keeper:
    """Return which of the rows of a table stays; if `probing`, over the rows of today as the plan so far leaves them.

    A row is referenced if one of any other table, or another of its own, points at it by a foreign key that is there
    or wanted.
    """
    table, wanted = actual.tables[name], contract.tables[name]
    order, words = list[Composable](), list[str]()
    if holders := [_holder(key, actual, probing=probing) for key in _pointing(actual, contract, table)]:
        words.append("the one that others reference")
    told = Age(aged_by(table, contract))
    order += told.order
    words += told.words
    primary = wanted.primary_key.columns if wanted.primary_key else ()
    identity = tuple(column for column in primary if column in table.columns)
    known = [old_key_of(table.columns[column], table) or column for column in identity]  # what is there today
    order += [q.column(column) for column in known]
    words.append(f"the one with the lowest {', '.join(known)}" if known else "the one that is stored first")
    counted = any(column in wanted.columns and wanted.columns[column].generates for column in known)
    unknown = "" if told.column or counted else "as nothing tells which is older"
    return Keeper(tuple(holders), (*order, SQL("t.pgmend_part, t.pgmend_place")), tuple(words), identity, unknown)


def aged_by(table: Table, contract: Contract) -> str:
    """Return the column that says when a row was made: the declared one, or else the evident one; empty if none is."""
    declared = contract.hints[table.name].oldest_by
    if declared:
        return declared if _is_there(table.columns.get(declared)) else ""
    evident = [column for column in table.columns.values() if _is_there(column) and _says_when_made(column)]
    return evident[0].name if len(evident) == 1 else ""


@dataclass(frozen=True)
class Age:
    """What tells the oldest row: a column, or nothing."""

    column: str = ""

    @property
    def order(self) -> list[Composable]:
        """What sorts rows so that the oldest comes first."""
        return [SQL("{} NULLS LAST").format(q.column(self.column))] if self.column else []

    @property
    def words(self) -> list[str]:
        """The same in words."""
        return [f"the oldest by {self.column}"] if self.column else []

    def told(self, key: Index, *, sound: bool) -> str:
        """Return why a row that shares a key with another goes; `sound` where rows with other faults come last."""
        return _why(key.columns, [*self.words, "the one stored first"], sound=sound)


def _why(columns: Iterable[str], ways: Iterable[str], *, sound: bool) -> str:
    """Return why a row that shares these columns with another goes, by the ways to tell the one that stays."""
    first, *others = [*(["the one without another fault"] if sound else []), *ways]
    return ", else ".join([f"of the rows that share its ({', '.join(columns)}), {first} stays", *others])


def age(table: Table, contract: Contract) -> Age:
    """Return what tells the oldest of the rows under one key, before the plan converts anything."""
    told = aged_by(table, contract)
    return Age(told if told and table.columns[told].now is None else "")


def _is_there(column: Column | None) -> bool:
    return bool(column and not (column.added or column.mapped or column.numbered))


def _says_when_made(column: Column) -> bool:
    words = {word.lower() for word in _WORDS.findall(column.name)}
    return family(column.base or column.type) in _MOMENTS and bool(words & _MADE)


def _pointing(actual: Schema, contract: Contract, table: Table) -> list[ForeignKey]:
    """Return the foreign keys that point at a table or should, and whose ends can be compared by now."""
    there = actual.incoming(table.name)
    known = {(key.table, key.pairs) for key in there}
    wanted = (key for key in contract.foreign_keys() if key.target == table.name)
    keys = (*there, *(key for key in wanted if (key.table, key.pairs) not in known))
    usual = (key for key in keys if not key.period and is_comparable(key, actual))
    return [key for key in usual if actual.tables[key.table].readable and _are_final(key, actual)]


def _are_final(key: ForeignKey, actual: Schema) -> bool:
    """Return whether no end of a foreign key gets other values by the plan."""
    ends = ((key.table, key.columns), (key.target, key.target_columns))
    return all(_is_there(actual.tables[table].columns[column]) for table, columns in ends for column in columns)


def _holder(key: ForeignKey, actual: Schema, *, probing: bool) -> tuple[Composable, Composable]:
    """Return the rows `c` of a foreign key's table, and the condition that one references another row `t` by it."""
    child = actual.tables[key.table]
    rows: Composable = SQL("{} AS c").format(q.name(key.table))
    if probing and not q.is_stored(child):
        cells = q.columns(("tableoid", "ctid", *child.columns))  # all columns would leave out the place
        rows = SQL("(SELECT {} FROM {}) AS c").format(cells, q.rows_of(child))
    other = [SQL("(c.tableoid, c.ctid) <> (t.pgmend_part, t.pgmend_place)")] if key.table == key.target else []
    return rows, q.all_of([q.referencing(key, "c", "t"), *other])
