"""The parts of an example: rows to insert, their references, and the way in which the last one is bad."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis.vendor.pretty import RepresentationPrinter
from sqlalchemy import Table

from contracts.rows.cells import Cell
from fixer.errors import PgmendError

Row = dict[str, Cell]


@dataclass(frozen=True)
class Ref:
    """The value of a column that an earlier insertion of the same example returned."""

    index: int
    column: str


@dataclass(frozen=True)
class Insertion:
    """One row to insert; its foreign keys refer to earlier insertions."""

    table: Table
    row: Row

    def __repr__(self) -> str:
        return f"Insertion({self.table.name}, {self.row!r})"

    def _repr_pretty_(self, printer: RepresentationPrinter, cycle: bool) -> None:
        printer.text(repr(self))  # hypothesis would print the whole table


@dataclass(frozen=True)
class Bad:
    """One way in which a row must be refused, and the SQLSTATE that says so."""

    table: Table
    kind: str
    columns: tuple[str, ...]
    name: str
    sqlstate: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"

    def __repr__(self) -> str:
        return f"Bad({self.kind}, {self.table.name}({', '.join(self.columns)}), {self.name}, {self.sqlstate})"

    def _repr_pretty_(self, printer: RepresentationPrinter, cycle: bool) -> None:
        printer.text(repr(self))


class Swallowed(PgmendError):
    """An insert returned neither an error nor a row: a trigger dropped it."""

    def __init__(self, table: Table) -> None:
        super().__init__(f"a row for {table.name} was neither inserted nor refused: does a trigger swallow it?")
        self.table = table
