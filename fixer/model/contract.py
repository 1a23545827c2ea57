"""The wanted schema as a value, with what a schema cannot say; see docs/contracts.md."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from psycopg2.sql import SQL, Composable
from sqlalchemy import MetaData

from fixer.model.schema import Schema
from fixer.model.table import Column, ForeignKey, QName, Table


@dataclass(frozen=True, slots=True)
class ColumnHints:
    """What the schema of a column cannot say; see docs/contracts.md."""

    legacy_names: tuple[str, ...] = ()
    legacy_keys: tuple[str, ...] = ()
    backfill: Composable | None = None
    orphans: str = "quarantine"
    timezone: str | None = None
    alone: bool = False  # whether the contract declares that it has no legacy names: similar names mean others


@dataclass(frozen=True, slots=True)
class TableHints:
    """What the schema of a table cannot say; see docs/contracts.md."""

    legacy_names: tuple[str, ...] = ()
    default_rows: tuple[Mapping[str, Composable], ...] = ()
    columns: Mapping[str, ColumnHints] = field(default_factory=dict)
    alone: bool = False  # as that of a column

    def of(self, column: str) -> ColumnHints:
        """Return the hints of one column."""
        return self.columns.get(column, ColumnHints())


@dataclass(frozen=True, slots=True)
class Contract:
    """The wanted schema, with its hints."""

    name: str
    schema: Schema
    hints: Mapping[QName, TableHints]
    metadata: MetaData = field(repr=False)
    alike: frozenset[QName] = frozenset()  # the tables that stand in the actual schema just as they are wanted

    @property
    def tables(self) -> Mapping[QName, Table]:
        """The wanted tables."""
        return self.schema.tables

    @property
    def schemas(self) -> tuple[str, ...]:
        """The schemas in which the wanted tables stand."""
        return tuple(sorted({name.schema for name in self.tables}))

    def foreign_keys(self) -> Iterator[ForeignKey]:
        """Yield every wanted foreign key."""
        for table in self.tables.values():
            yield from table.foreign_keys

    def differing(self) -> Iterator[tuple[QName, Table]]:
        """Yield the wanted tables in which a comparison of shapes can find anything."""
        return (item for item in self.tables.items() if item[0] not in self.alike)

    def differing_foreign_keys(self) -> Iterator[ForeignKey]:
        """Yield the wanted foreign keys of these tables."""
        for _, table in self.differing():
            yield from table.foreign_keys

    def value_for(self, table: QName, column: Column) -> Composable | None:
        """Return what rows without a value get in a wanted column: its backfill, else its default.

        A column that may hold NULL gets no backfill, and a sequence gives each row a number of its own.
        """
        backfill = self.hints[table].of(column.name).backfill
        if backfill is not None and column.not_null:
            return backfill
        return SQL(column.default) if column.default is not None and not column.sequence else None
