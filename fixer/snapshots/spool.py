"""Rows of a target kept in files for a while, as COPY spells them: masked if asked for, and turned into INSERTs."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

from fixer.connect.interrupt import at_one_go
from fixer.model.expression import literal, quoted
from fixer.model.expression.patterns import pattern
from fixer.model.values import dataclass
from fixer.snapshots.moving import TEXT, Rows, Source
from fixer.sql import compose as q

Cell = str | None
Change = Callable[[str], str]

_ESCAPED = pattern(r"\\(.)", re.DOTALL)
_MEANT = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_PLAIN = ("smallint", "integer", "bigint", "numeric", "double precision", "real", "oid")
_NUMBER = pattern(r"-?\d+(\.\d+)?(e[+-]?\d+)?")
_TOGETHER = 500  # rows in one INSERT


@dataclass(frozen=True)
class Spool:
    """A directory with a file of rows for each table."""

    directory: Path

    def keep(self, tables: Iterable[Rows], source: Source) -> None:
        """Keep the rows of tables, in the files of this directory."""
        for table in tables:
            with self._file(table).open("wb") as file, at_one_go():
                source.send(table, file)

    def form(self, _: Rows) -> str:
        """Return how the rows of a table are written."""
        return TEXT

    def send(self, table: Rows, into: IO[bytes]) -> None:
        """Write the rows of a table, as COPY spells them."""
        with self._file(table).open("rb") as file:
            shutil.copyfileobj(file, into, 1 << 18)

    def rows(self, table: Rows) -> Iterator[list[Cell]]:
        """Yield the rows of a table, cell by cell; an empty table without columns has none."""
        with self._file(table).open(encoding="utf-8", newline="\n") as file:
            for line in file:
                yield [_cell(each) for each in line.removesuffix("\n").split("\t")]

    def change(self, table: Rows, changes: Mapping[int, Change]) -> None:
        """Change cells of a table, by the place of their columns; NULL stays."""
        changed = self._file(table).with_suffix(".changed")
        with changed.open("w", encoding="utf-8", newline="\n") as file:
            for row in self.rows(table):
                for place, change in changes.items():
                    value = row[place]
                    row[place] = None if value is None else change(value)
                file.write("\t".join(map(_spelt, row)) + "\n")
        changed.replace(self._file(table))

    def inserts(self, table: Rows) -> Iterator[str]:
        """Yield the INSERTs that make the rows of a table."""
        names = ", ".join(map(quoted, table.columns))
        system = " OVERRIDING SYSTEM VALUE" if table.always else ""
        head = f"INSERT INTO {q.quoted(table.name)} ({names}){system} VALUES\n"
        some: list[str] = []
        for row in self.rows(table) if table.columns else ():
            some.append(f"\t({', '.join(_literal(*each) for each in zip(row, table.bases, strict=True))})")
            if len(some) == _TOGETHER:
                yield head + ",\n".join(some) + ";\n"
                some = []
        if some:
            yield head + ",\n".join(some) + ";\n"

    def _file(self, table: Rows) -> Path:
        return self.directory / f"{table.oid}.rows"


def _cell(text: str) -> Cell:
    if text == "\\N":
        return None
    return _ESCAPED.sub(lambda found: _MEANT.get(found[1], found[1]), text) if "\\" in text else text


def _spelt(cell: Cell) -> str:
    if cell is None:
        return "\\N"
    for meant, said in (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r")):
        cell = cell.replace(meant, said)
    return cell


def _literal(cell: Cell, kind: str) -> str:
    if cell is None:
        return "NULL"
    if kind == "boolean":
        return "true" if cell == "t" else "false"
    if kind in _PLAIN and _NUMBER.fullmatch(cell):
        return cell
    return literal(cell)


def members(text: str) -> Sequence[Cell] | None:
    """Return the members of an array of one dimension, as its text spells them; None for other texts."""
    if not text.startswith("{") or text.startswith("{{"):
        return None
    found: list[Cell] = []
    for marked, plain in re.findall(r'"((?:[^"\\]|\\.)*)"|([^{},"]+)', text, re.DOTALL):
        found.append(None if plain == "NULL" else plain or _ESCAPED.sub(r"\1", marked))
    return found


def array(cells: Iterable[Cell]) -> str:
    """Return the text of an array."""
    return "{" + ",".join("NULL" if cell is None else _member(cell) for cell in cells) + "}"


def _member(cell: str) -> str:
    return '"' + cell.replace("\\", "\\\\").replace('"', '\\"') + '"'
