"""What of a finding's rows may be shown: cells of keys, unless all values are asked for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from psycopg2.sql import Composable, Composed, Identifier

from fixer.model.expression.patterns import pattern
from fixer.model.finding import UNREADABLE, Finding
from fixer.model.report import Comparison
from fixer.model.table import QName, Table
from fixer.model.values import dataclass
from fixer.repair.probe import shown
from fixer.sql.types import family

HIDDEN = "…"
_PAIRED = pattern(r"pgmend_[ko](\d+)")  # cells of the key of a row, and of one that it conflicts with
_NUMBERS = ("integer", "uuid")  # families whose values name a row and say nothing of it
_QUOTED = pattern(r'"[^"]*"')
_ERROR = "could not be read: "


@dataclass(frozen=True)
class Rows:
    """The rows behind a finding that a page shows: the names of the columns, then a line for each row."""

    columns: tuple[str, ...] = ()
    lines: tuple[tuple[str | None, ...], ...] = ()
    hidden: int = 0  # how many cells of each row are not shown


@dataclass(frozen=True)
class Values:
    """Decides which values of rows a page shows: those of keys, or `every` one."""

    comparison: Comparison | None
    every: bool = False

    def rows(self, finding: Finding) -> Rows:
        """Return the rows behind a finding, as far as they are shown."""
        width = max(map(len, finding.sample), default=0)
        names = self._names(finding, width)
        kept = [place for place, name in enumerate(names) if self.every or self._is_key(finding.table, name)]
        lines = (tuple(row[place] if place < len(row) else None for place in kept) for row in finding.sample)
        columns = tuple(names[place] or f"value {place + 1}" for place in kept)
        return Rows(columns, tuple(lines) if kept else (), width - len(kept))

    def words(self, text: str, *findings: Finding) -> str:
        """Return a reason, without the values of these findings' rows that are not shown."""
        if self.every:
            return text
        for finding in findings:
            for cell in sorted(set(self._unshown(finding)), key=len, reverse=True):
                text = re.sub(rf"(?<!\w){re.escape(cell)}(?!\w)", HIDDEN, text)
            if finding.slug == UNREADABLE:
                text = self._without_quoted(text)
        return text

    def message(self, finding: Finding) -> str:
        """Return the message of a finding."""
        return self.told(finding.slug, finding.message)

    def told(self, slug: str, message: str) -> str:
        """Return the message of a finding of a class; what PostgreSQL said of rows may quote a value of them."""
        return message if self.every or slug != UNREADABLE else self._without_quoted(message)

    def _unshown(self, finding: Finding) -> Iterator[str]:
        width = max(map(len, finding.sample), default=0)
        names = self._names(finding, width)
        for row in finding.sample:
            yield from (c for name, c in zip(names, row, strict=False) if c and not self._is_key(finding.table, name))

    def _names(self, finding: Finding, width: int) -> list[str]:
        """Return the column of each cell of a sample; empty if it cannot be told."""
        asked = finding.asks().show if finding.sample and finding.asks else ()
        names = [name for each in asked for name in _columns_of(each)]
        if len(names) != width:
            return [""] * width
        return [self._paired(finding.table, name) if _PAIRED.fullmatch(name) else name for name in names]

    def _paired(self, table: QName, name: str) -> str:
        """Return the column of a cell that stands for one of the key of its table."""
        found, place = self._found(table), int(_PAIRED.sub(r"\1", name))
        keys = [column for each in shown(found) for column in _columns_of(each)] if found else []
        return keys[place] if place < len(keys) else ""

    def _found(self, table: QName) -> Table | None:
        return (self.comparison.future.tables.get(table) or self._today(table)) if self.comparison else None

    def _today(self, table: QName) -> Table | None:
        return self.comparison.actual.tables.get(table) if self.comparison else None

    def _is_key(self, table: QName, column: str) -> bool:
        """Return whether a column holds the key of its row, or the number of another one."""
        wanted = self.comparison.contract.tables.get(table) if self.comparison else None
        sides = [each for each in (wanted, self._today(table)) if each]
        if any(key and column in key.columns for key in (side.primary_key for side in sides)):
            return True
        referring = {name for side in sides for key in side.foreign_keys for name in key.columns}
        types = [side.columns[column].type for side in sides if column in side.columns]
        return column in referring and {*map(family, types)} <= {*_NUMBERS} and len(types) > 0

    def _without_quoted(self, text: str) -> str:
        """Return what PostgreSQL said without what it quotes, but for names of tables and columns."""
        before, error, said = text.partition(_ERROR)
        known = set(self._known())
        return before + error + _QUOTED.sub(lambda each: each[0] if each[0][1:-1] in known else f'"{HIDDEN}"', said)

    def _known(self) -> Iterable[str]:
        """Yield the names of tables and of their columns."""
        if self.comparison:
            for side in (self.comparison.contract.schema, self.comparison.actual):
                for name, table in side.tables.items():
                    yield from (name.name, *table.columns)


def _columns_of(shown: Composable) -> Iterator[str]:
    """Yield the column that each shown cell holds; empty for one that is computed."""
    parts = list(shown) if isinstance(shown, Composed) else [shown]
    names = [part.strings[-1] for part in parts if isinstance(part, Identifier)]
    nested = [name for part in parts if isinstance(part, Composed) for name in _columns_of(part)]
    yield from names[-1:] or nested or [""]  # of a row and its column, the column
