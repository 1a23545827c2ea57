"""The contract as a value: the wanted schema, and hints that no schema can express; see docs/contracts.md."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from psycopg2.sql import SQL, Composable

from fixer.model.expression import as_needed, unquoted
from fixer.model.expression.patterns import pattern
from fixer.model.finding import Accepted
from fixer.model.schema import Schema
from fixer.model.table import Column, ForeignKey, QName, Table
from fixer.model.values import dataclass

if TYPE_CHECKING:
    from sqlalchemy import MetaData

ORPHAN_POLICIES = ("quarantine", "adopt", "null")
_SCHEMA = pattern(r'("(?:[^"]|"")+"|[^".]+)\.')  # at the beginning of a name


def covers(pattern: str, table: QName) -> bool:
    """Return whether a glob over SCHEMA.TABLE covers a table; one of the schema public may go without it."""
    called = {str(table), ".".join(map(as_needed, table))} | ({table.name} if table.schema == "public" else set())
    return any(each == pattern or fnmatchcase(each, pattern) for each in called)


@dataclass(frozen=True, slots=True)
class ColumnHints:
    """Hints about a column that its schema cannot express; see docs/contracts.md."""

    legacy_names: tuple[str, ...] = ()
    legacy_keys: tuple[str, ...] = ()
    backfill: Composable | None = None
    orphans: str = ""  # quarantine, adopt or null; empty: what the foreign key does ON DELETE decides
    timezone: str | None = None
    counter: str = ""  # the sequence that its server_default names, as the models spell it
    client: QName | None = None  # the sequence from which the application itself takes its numbers
    filled: bool = False  # server_default=FetchedValue(): the database fills it, and how is not said
    alone: bool = False  # info={"legacy_names": []}: a column with a similar name is another column
    volatile: bool | None = None  # whether its backfill may give each row another value; None if that is not known


@dataclass(frozen=True, slots=True)
class TableHints:
    """Hints about a table that its schema cannot express; see docs/contracts.md."""

    legacy_names: tuple[str, ...] = ()
    default_rows: tuple[Mapping[str, Composable], ...] = ()
    columns: Mapping[str, ColumnHints] = field(default_factory=dict)
    alone: bool = False  # info={"legacy_names": []}: a table with a similar name is another table
    oldest_by: str = ""  # the column by which the oldest of rows that repeat each other is told

    def of(self, column: str) -> ColumnHints:
        """Return the hints of one column."""
        return self.columns.get(column, _NOTHING)


_NOTHING, _NONE = ColumnHints(), TableHints()  # what nobody said, of a column and of a table


class Hints(dict[QName, TableHints]):
    """The hints of each table; none of one that the contract does not name."""

    def __missing__(self, table: QName) -> TableHints:
        return _NONE


@dataclass(frozen=True, slots=True)
class Refused:
    """A part of a contract that PostgreSQL refuses to make: of a table, or the table itself if it has no name."""

    table: QName
    what: str  # in words: the index odd, a table
    name: str
    said: str  # PostgreSQL's words
    statement: str
    place: str = ""  # the file and the line
    columns: tuple[str, ...] = ()  # those of its table that it names
    beside: tuple[tuple[QName, str], ...] = ()  # columns of other tables that it names; without a name: all


@dataclass(frozen=True, slots=True)
class Contract:
    """The wanted schema, with its hints."""

    name: str
    schema: Schema
    hints: Mapping[QName, TableHints]
    metadata: MetaData | None = field(default=None, repr=False)  # where it comes from models
    itself: bool = False  # whether it is what the target itself declares, so that nothing is there against it
    seen: Schema | None = field(default=None, repr=False, compare=False)  # the target from which it was derived then
    alike: frozenset[QName] = frozenset()  # tables whose shape is already as wanted, and which no repair changes
    in_project: bool = False  # whether hints stand in the project's file, because there are no models
    excluded: tuple[str, ...] = ()  # globs of tables that are neither checked nor touched
    accepted: tuple[Accepted, ...] = ()  # findings that the project lives with
    notes: tuple[str, ...] = ()  # sentences about what the project says in vain
    refused: tuple[Refused, ...] = ()  # what it should have besides, and PostgreSQL refuses to make

    @property
    def tables(self) -> Mapping[QName, Table]:
        """The wanted tables."""
        return self.schema.tables

    @property
    def schemas(self) -> tuple[str, ...]:
        """The schemas of the wanted tables, partitions, sequences and types, and of what tables reference, sorted."""
        parts = (part.name for part in self.schema.partitions)
        targets = (key.target for key in self.foreign_keys())
        made = (*self.schema.sequences, *self.schema.types)
        return tuple(sorted({name.schema for name in (*self.tables, *parts, *made, *targets)}))

    @property
    def homes(self) -> tuple[str, ...]:
        """The schemas of the wanted tables, sequences and code, and of the enums that they need, sorted."""
        types = (column.full_type for table in self.tables.values() for column in table.columns.values() if column.enum)
        told = (_SCHEMA.match(type_) for type_ in types)
        code = self.schema.code.schemas if self.schema.code else ()
        return tuple(sorted({*self.schemas, *code, *(unquoted(each.group(1)) for each in told if each)}))

    def excludes(self, table: QName) -> bool:
        """Return whether a table is neither checked nor touched."""
        return any(covers(pattern, table) for pattern in self.excluded)

    def foreign_keys(self) -> Iterator[ForeignKey]:
        """Yield every wanted foreign key."""
        for table in self.tables.values():
            yield from table.foreign_keys

    def differing(self) -> Iterator[tuple[QName, Table]]:
        """Yield the wanted tables whose shape may differ from the actual one."""
        if len(self.alike) == len(self.tables):  # as mostly: then nobody need look through them
            return iter(())
        return (item for item in self.tables.items() if item[0] not in self.alike)

    def differing_foreign_keys(self) -> Iterator[ForeignKey]:
        """Yield the wanted foreign keys of the tables that `differing` yields."""
        for _, table in self.differing():
            yield from table.foreign_keys

    def demands(self, column: str, table: Table) -> bool:
        """Return whether a column of a table that was found is to be NOT NULL."""
        wanted = self.tables.get(table.name)
        return bool(wanted and column in wanted.columns and wanted.columns[column].not_null)

    def value_for(self, table: QName, column: Column) -> Composable | None:
        """Return what rows without a value get in a wanted column: its backfill, else its default.

        A nullable column gets no backfill. A default that calls a sequence gives None, because each row needs its
        own number.
        """
        backfill = self.hints[table].of(column.name).backfill
        if backfill is not None and column.not_null:
            return backfill
        return SQL(column.default) if column.default is not None and not column.sequence else None
