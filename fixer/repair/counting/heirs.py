"""How rows of a table that INHERITs are numbered: by the sequence of the table above, where the contract lets it."""

from __future__ import annotations

from collections.abc import Iterator

from fixer.model.contract import Contract
from fixer.model.expression import sequences_in
from fixer.model.schema import Schema
from fixer.model.step import Part, RefusalError
from fixer.model.table import Column, QName
from fixer.model.values import dataclass
from fixer.repair.counting.attaching import let_count_by, wire
from fixer.repair.defaults.drawing import Draws, draws
from fixer.repair.numbers import advance
from fixer.repair.sequences import ask_for, choose, is_borrowed
from fixer.sql import compose as q


@dataclass(frozen=True)
class Elder:
    """The column by which one of an heir should count, as found; `sequence` is what numbers it once the plan is done.

    Without one, a function numbers it.
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

    def followed_by(self, heir: QName) -> Iterator[Part]:
        """Yield the steps that let an heir count like this one; raises RefusalError if a function numbers it."""
        column, name = self.found.name, self.sequence
        if name is None:
            change = f"ALTER TABLE {q.quoted(heir)} ALTER COLUMN {q.quoted([column])} SET DEFAULT {self.found.default}"
            raise RefusalError(f"a function numbers {self.table.name}: {change}")
        if name in self.actual.sequences:
            ask_for(self.actual.sequences[name], heir, self.actual)
        yield let_count_by(name, heir)
        yield advance(heir, column, name)
        yield wire(name, heir, column, only=True)


def is_heirs(table: QName, column: Column, contract: Contract) -> bool:
    """Return whether the contract lets a column count by the sequence of a table above, from which its own INHERITs."""
    return _above(table, column, contract) is not None


def is_wired_later(table: QName, column: Column, actual: Schema, contract: Contract) -> bool:
    """Return whether a column to come counts by the sequence of a table above that stands: once that counts itself."""
    above = _above(table, column, contract)
    there = actual.tables.get(above) if above else None
    return there is not None and not there.created


def elder_of(table: QName, column: Column, actual: Schema, contract: Contract) -> Elder | None:
    """Return the column of a table above by whose sequence the contract lets one count; None where there is none."""
    above = _above(table, column, contract)
    there = actual.tables.get(above) if above else None
    found = there.columns.get(column.name) if there else None
    if above is None or found is None:
        return None
    if not found.sequence and draws(above, found, actual) is Draws.ALWAYS:
        return Elder(above, found, None, actual)
    stays = found.sequence and not is_borrowed(above, column.name, actual, contract)
    to_come = found.sequence if stays else choose(above, contract.tables[above].columns[column.name], actual)[0]
    return Elder(above, found, to_come, actual)


def _above(table: QName, column: Column, contract: Contract) -> QName | None:
    sequence = contract.schema.sequences.get(column.sequence) if column.sequence and not column.identity else None
    owner = sequence.owned_by if sequence else None
    known = contract.schema.above(table) if owner and owner[1] == column.name else set()
    return owner[0] if owner and owner[0] in known and owner[0] in contract.tables else None
