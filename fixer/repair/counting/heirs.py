"""Columns that count by the sequence of another table: those of heirs by that of the table above, and others."""

from __future__ import annotations

from collections.abc import Iterator

from fixer.model.contract import Contract
from fixer.model.expression import sequences_in
from fixer.model.schema import Schema
from fixer.model.step import Part, RefusalError
from fixer.model.table import Column, QName, Table
from fixer.model.values import dataclass
from fixer.repair.columns import serial_of
from fixer.repair.counting.attaching import let_count_by, wire
from fixer.repair.defaults.drawing import Draws, draws
from fixer.repair.numbers import advance
from fixer.repair.sequences import ask_for, choose, is_borrowed
from fixer.sql import compose as q
from fixer.sql.types import family


@dataclass(frozen=True)
class Elder:
    """The column like which one of another table should count, as found: for an heir, that of the table above.

    `sequence` is what numbers it once the plan is done; without one, a function does.
    """

    table: QName
    found: Column
    sequence: QName | None
    actual: Schema

    def is_followed_by(self, heir: Column) -> bool:
        """Return whether a column of an heir counts like this one, once the plan is done."""
        if not self.sequence:
            return heir.default == self.found.default
        drawn = sequences_in(heir.default) if heir.default and not heir.sequence else ()  # as texts
        return heir.sequence == self.sequence or self.sequence in drawn

    def see_that_it_moves(self, table: QName) -> None:
        """Raise RefusalError if this role may alter a table, but not the sequence by which it is to count."""
        if self.sequence and self.sequence in self.actual.sequences:
            ask_for(self.actual.sequences[self.sequence], table, self.actual)

    def ahead(self) -> Iterator[Part]:
        """Yield the step that moves the sequence past the numbers of this column, before others get some; if any."""
        self.see_that_it_moves(self.table)
        name, there = self.sequence, self.actual.tables[self.table]
        counts = not there.created and family(self.found.base or self.found.type) == "integer"
        if counts and name and name in self.actual.sequences:
            yield advance(self.table, self.found.name, name)

    def followed_by(self, table: QName, column: str) -> Iterator[Part]:
        """Yield the steps that let a column count like this one; raises RefusalError if a function numbers this."""
        name = self.sequence
        if name is None:
            change = f"ALTER TABLE {q.quoted(table)} ALTER COLUMN {q.quoted([column])} SET DEFAULT {self.found.default}"
            raise RefusalError(f"a function numbers {self.table.name}: {change}")
        self.see_that_it_moves(table)
        yield let_count_by(name, table)
        yield advance(table, column, name)
        yield wire(name, table, column, only=self.actual.tables[table].kind != "p")


def is_heirs(table: QName, column: Column, contract: Contract) -> bool:
    """Return whether the contract lets a column count by the sequence of a table above, from which its own INHERITs."""
    return _above(table, column, contract) is not None


def counts_elsewhere(table: QName, column: Column, contract: Contract) -> bool:
    """Return whether the contract lets a column count by the sequence of another table of it."""
    return _owner(table, column, contract) is not None


def leaders_of(table: Table, contract: Contract) -> set[QName]:
    """Return the other tables of the contract by whose sequences columns of a table count."""
    owners = (_owner(table.name, column, contract) for column in table.columns.values())
    return {owner[0] for owner in owners if owner}


def elder_of(table: QName, column: Column, actual: Schema, contract: Contract) -> Elder | None:
    """Return the column of a table above by whose sequence the contract lets one count; None where there is none."""
    above = _above(table, column, contract)
    return _elder(above, column.name, actual, contract) if above else None


def leader_of(table: QName, column: Column, actual: Schema, contract: Contract) -> Elder | None:
    """Return the column of any other table by whose sequence the contract lets one count; None where there is none."""
    owner = _owner(table, column, contract)
    return _elder(*owner, actual, contract) if owner else None


def _elder(table: QName, column: str, actual: Schema, contract: Contract) -> Elder | None:
    there = actual.tables.get(table)
    found = there.columns.get(column) if there else None
    if found is None:
        return None
    if not found.sequence and draws(table, found, actual) is Draws.ALWAYS:
        return Elder(table, found, None, actual)
    stays = found.sequence and not is_borrowed(table, column, actual, contract)
    to_come = found.sequence if stays else choose(table, contract.tables[table].columns[column], actual)[0]
    return Elder(table, found, to_come, actual)


def _owner(table: QName, column: Column, contract: Contract) -> tuple[QName, str] | None:
    sequence = serial_of(column, contract)
    owner = sequence.owned_by if sequence else None
    return owner if owner and owner[0] != table and owner[0] in contract.tables else None


def _above(table: QName, column: Column, contract: Contract) -> QName | None:
    owner = _owner(table, column, contract)
    known = contract.schema.above(table) if owner and owner[1] == column.name else set()
    return owner[0] if owner and owner[0] in known else None
