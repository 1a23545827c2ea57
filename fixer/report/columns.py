"""A table whose long texts fold in one column: it looks as rich draws its own, in a fraction of the time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.segment import Segment
from rich.text import Text

from fixer.model.values import dataclass

Row = Sequence[str | Sequence[Text]]  # the cells of a column that folds are texts, each of which begins a line
_BETWEEN = "   "  # columns


@dataclass(frozen=True)
class Column:
    """A column: its name and style; its numbers end in line if they are `right`; its texts may fold."""

    name: str
    style: str = ""
    right: bool = False
    folds: bool = False
    least: int = 1  # characters of a line of a column that folds, for people to read it


@dataclass(frozen=True)
class Columns:
    """A table under the names of its columns, and a title; blanks stand before and after each of its lines."""

    columns: Sequence[Column]
    rows: Sequence[Row]
    title: str = ""
    edge: str = " "

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        """Return the fewest characters in which it can be read, and all there are."""
        least = self._beside_cells() + sum(map(self._least, range(len(self.columns))))
        return Measurement(least, max(least, options.max_width))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield its lines."""
        widths = self._widths(options.max_width)
        rule = "─" * (sum(widths) + self._beside_cells() - 2)
        styled = [console.get_style(column.style) if column.style else None for column in self.columns]
        title = [Segment(self.title, console.get_style("table.title")), Segment.line()] if self.title else []
        yield from (*title, Segment.line())
        head = console.get_style("table.header")
        yield from self._line([(column.name, [Segment(column.name, head)]) for column in self.columns], widths)
        yield from (Segment(f" {rule}"), Segment.line())
        for row in self.rows:
            cells = [
                [(cell, [Segment(cell, style)])] if isinstance(cell, str) else list(_folded(console, cell, width))
                for cell, style, width in zip(row, styled, widths, strict=True)
            ]
            for place in range(max(map(len, cells))):
                yield from self._line([each[place] if place < len(each) else ("", []) for each in cells], widths)
        yield Segment.line()

    def _widths(self, most: int) -> list[int]:
        """Return the characters of each column; the one that folds has at most what is left of `most`."""
        widths = self._fixed()
        for place in self._folding():
            rest = max(1, most - self._beside_cells() - sum(widths))
            texts = (text for row in self.rows for text in row[place] if isinstance(text, Text))
            longest = max([cell_len(self.columns[place].name), *(text.cell_len for text in texts)])
            widths[place] = min(longest, rest)
        return widths

    def _folding(self) -> Iterator[int]:
        return (place for place, column in enumerate(self.columns) if column.folds)

    def _fixed(self) -> list[int]:
        """Return the characters of each column; 0 for one that folds."""
        widths = [0] * len(self.columns)
        for place, column in enumerate(self.columns):
            if not column.folds:
                texts = (row[place] for row in self.rows)
                widths[place] = max([cell_len(column.name), *(cell_len(t) for t in texts if isinstance(t, str))])
        return widths

    def _least(self, place: int) -> int:
        """Return the characters that a column needs at least: those of its longest word, or more."""
        cells = (row[place] for row in self.rows)
        texts = (text for cell in cells for text in ([cell] if isinstance(cell, str) else [t.plain for t in cell]))
        words = (cell_len(word) for text in texts for word in text.split())
        return max([cell_len(self.columns[place].name), self.columns[place].least, *words])

    def _beside_cells(self) -> int:
        return len(_BETWEEN) * (len(self.columns) - 1) + 2 * len(self.edge)

    def _line(self, cells: Sequence[tuple[str, Sequence[Segment]]], widths: Sequence[int]) -> Iterator[Segment]:
        """Yield one line: its cells, each with blanks before or after it."""
        before = self.edge
        for (text, segments), width, column in zip(cells, widths, self.columns, strict=True):
            blanks = " " * (width - cell_len(text))
            yield Segment(before + blanks * column.right)
            yield from segments
            before = blanks * (not column.right) + _BETWEEN
        yield Segment.line()


def _folded(console: Console, texts: Sequence[Text], width: int) -> Iterator[tuple[str, Sequence[Segment]]]:
    """Yield the lines of texts, folded where they are longer, each with what shows it."""
    for text in texts:
        if text.cell_len <= width and not text.spans and text.plain.isprintable():
            yield text.plain, [Segment(text.plain, console.get_style(text.style) if text.style else None)]
            continue
        for line in text.wrap(console, width, overflow="fold"):
            yield line.plain, list(Segment.apply_style(line.render(console), console.get_style(text.style)))
