"""What a finding is about: a table, a column, a key, an index, a check, a sequence or a default row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from psycopg2.sql import Composable

from fixer.model.table import Check, Column, ForeignKey, Index, QName, Sequence, Table
from fixer.model.values import dataclass

DefaultRow = Mapping[str, Composable]
Part = ForeignKey | Index | Check | DefaultRow  # what the contract wants besides tables and columns


class Subject(Protocol):
    """What a finding is about."""

    @property
    def table(self) -> QName:
        """The table of the contract."""

    @property
    def object(self) -> str:
        """Its name in a report."""

    @property
    def column(self) -> str | None:
        """The column that it concerns; for a foreign key all of them, separated by commas."""

    @property
    def part(self) -> Part | None:
        """The key, index, check or default row of the contract, if it is about one."""


@dataclass(frozen=True, slots=True)
class OfTable:
    """A table of the contract."""

    table: QName

    @property
    def object(self) -> str:
        """The name of the table, with the column if it is about one."""
        return f"{self.table}.{self.column}" if self.column else str(self.table)

    @property
    def column(self) -> str | None:
        """None: it is about the whole table."""
        return None

    @property
    def part(self) -> Part | None:
        """None: it is about the table itself, or a column of it."""
        return None


@dataclass(frozen=True)
class OtherTable(OfTable):
    """A table of the contract, with the relation found in its place."""

    found: Table


@dataclass(frozen=True, slots=True)
class OfColumn(OfTable):
    """A column of a table."""

    name: str

    @property
    def column(self) -> str:
        """Its name."""
        return self.name


@dataclass(frozen=True)
class WantedColumn(OfTable):
    """A column, as the contract wants it."""

    wanted: Column

    @property
    def column(self) -> str:
        """Its name."""
        return self.wanted.name


@dataclass(frozen=True)
class FoundColumn(OfColumn):
    """A column of the contract, with the column found in its place."""

    found: Column


@dataclass(frozen=True)
class ColumnUnderIndex(OfColumn):
    """A column, with the unique index under which its new values would collide."""

    index: Index

    @property
    def part(self) -> Index:
        """The index."""
        return self.index


@dataclass(frozen=True)
class OfSequence(OfColumn):
    """A column, with the sequence that numbers it."""

    found: Sequence


@dataclass(frozen=True)
class OfPrimaryKey(OfTable):
    """The primary key that the contract wants."""

    wanted: Index

    @property
    def part(self) -> Index:
        """The key."""
        return self.wanted


@dataclass(frozen=True)
class FoundPrimaryKey(OfPrimaryKey):
    """The primary key that the contract wants, with the one found in its place."""

    found: Index


@dataclass(frozen=True)
class OfIndex(OfTable):
    """An index or a unique constraint that the contract wants."""

    wanted: Index

    @property
    def object(self) -> str:
        """Its name, after that of its table."""
        return f"{self.table}.{self.wanted.name}"

    @property
    def column(self) -> str | None:
        """The first of its columns; None if that is an expression."""
        return self.wanted.columns[0] or None

    @property
    def part(self) -> Index:
        """The index."""
        return self.wanted


@dataclass(frozen=True)
class FoundIndex(OfIndex):
    """An index that the contract wants, with the index found in its place."""

    found: Index


@dataclass(frozen=True)
class _Stray(OfTable):
    """A part of a table that the contract does not want."""

    found: Index | Check | ForeignKey

    @property
    def object(self) -> str:
        """Its name, after that of its table."""
        return f"{self.table}.{self.found.name}"


@dataclass(frozen=True)
class StrayIndex(_Stray):
    """An index that the contract does not want."""

    found: Index


@dataclass(frozen=True)
class OfCheck(OfTable):
    """A check that the contract wants."""

    wanted: Check

    @property
    def object(self) -> str:
        """Its name, after that of its table."""
        return f"{self.table}.{self.wanted.name}"

    @property
    def part(self) -> Check:
        """The check."""
        return self.wanted


@dataclass(frozen=True)
class FoundCheck(OfCheck):
    """A check that the contract wants, with the check found in its place."""

    found: Check


@dataclass(frozen=True)
class StrayCheck(_Stray):
    """A check that the contract does not want."""

    found: Check


@dataclass(frozen=True)
class StrayForeignKey(_Stray):
    """A foreign key that the contract does not want."""

    found: ForeignKey


@dataclass(frozen=True)
class OfForeignKey:
    """A foreign key that the contract wants."""

    wanted: ForeignKey

    @property
    def table(self) -> QName:
        """The table that references."""
        return self.wanted.table

    @property
    def object(self) -> str:
        """Its columns, after the name of its table."""
        return f"{self.table}.{self.column}"

    @property
    def column(self) -> str:
        """Its columns, separated by commas."""
        return ",".join(self.wanted.columns)

    @property
    def part(self) -> Part | None:
        """The foreign key."""
        return self.wanted


@dataclass(frozen=True)
class FoundForeignKey(OfForeignKey):
    """A foreign key that the contract wants, with the one found in its place."""

    found: ForeignKey


@dataclass(frozen=True)
class Misdirected(OfForeignKey):
    """A foreign key that the contract wants, with the found ones on its columns, which reference something else."""

    found: tuple[ForeignKey, ...]


@dataclass(frozen=True)
class StrandedColumn(OfForeignKey):
    """A column that references a key which is gone."""

    name: str

    @property
    def column(self) -> str:
        """Its name."""
        return self.name


@dataclass(frozen=True)
class OfDefaultRow(OfTable):
    """A row that the contract declares."""

    row: DefaultRow

    @property
    def part(self) -> DefaultRow:
        """The row."""
        return self.row


@dataclass(frozen=True)
class Unreadable(OfTable):
    """A table whose rows could not be read, with the subject that they were needed for."""

    sought: Subject

    @property
    def part(self) -> Part | None:
        """The part of the contract that its rows were needed for."""
        return self.sought.part
