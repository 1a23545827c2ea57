"""One table on its way through a repair: what becomes of each row and each cell of it."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import cached_property
from typing import Any

import fixer
from fixer.model.plan import Plan
from fixer.model.step import Phase
from fixer.repair.shadow import KEPT
from lab.evidence.copies import Copy, Rows

Key = tuple[Any, ...]  # the cells of a row that no step announced to change
Cells = Mapping[int, Any]  # one row by attribute numbers, as JSON has it
Images = Sequence[tuple[str, Mapping[str, Any]]]  # source and row, as it was before cells of it were rewritten


class Passage:
    """One table on its way through a repair."""

    def __init__(
        self, old: Rows, new: Rows, quarantine: list[Any], images: Images, plan: Plan, run: fixer.Run, after: Copy
    ) -> None:
        self.old, self.new, self.run, self.after = old, new, run, after
        self.names = {old.name, new.name}
        self.steps = [step for step in plan.steps if str(step.table) in self.names | old.above | new.above]
        self.moved = [self._kept(row) for _, source, row in quarantine if source in self.names]
        self.images = [self._kept(row) for source, row in images if source in self.names]
        announced = {column for step in self.steps for column in step.effect.changes}
        self.announced = {n for n, (name, _) in old.columns.items() if {name, new.columns.get(n, ("",))[0]} & announced}
        self.still = sorted(set(old.columns) & set(new.columns) - self.announced)

    def _kept(self, row: Mapping[str, Any]) -> dict[int, Any]:
        """Return a row from quarantine by attribute numbers, whichever names it was moved under."""
        kept = {}
        for number, (name, _) in self.old.columns.items():
            new = self.new.columns.get(number, (name,))[0]
            first, second = (new, name) if name in self._taken() else (name, new)
            kept[number] = row.get(first, row.get(second, "not kept"))
        return kept

    def _taken(self) -> set[str]:
        """Return the names that another column bears now."""
        return {name for n, (name, _) in self.old.columns.items() if self.new.number(name) not in (n, None)}

    def breaches(self, whole: bool) -> Iterator[str]:
        yield from self._columns()
        yield from self._rows()
        if whole:
            yield from self._as_it_was()
        yield from self._mapped()
        for column in sorted(self.announced):
            if column in self.new.columns:
                yield from self._cells(column)
        yield from ledger(self.new, len(self.old.cells), len(self.moved), self.run)

    def _mapped(self) -> Iterator[str]:
        """Demand that a column which took the name of another holds what points at the rows it named."""
        for number, (name, _) in self.old.columns.items():
            heir = self.new.number(name)
            if heir in (None, number) or number not in self.new.columns:
                continue
            pairs = ((row[number][1], row[heir][1]) for row in self.new.cells)
            means = self._converts(heir) if self.new.columns[number][0].startswith(KEPT) else self._maps
            lost = [pair for pair in pairs if pair[0] is not None and not means(*pair)]
            emptied = f"set to NULL {self.new.columns[heir][0]} of "
            orphans = sum(step.effect.rows for step in self.steps if step.title.startswith(emptied))
            told = (re.search(r", set it to NULL in (one|\d+) rows? for which none does$", s.title) for s in self.steps)
            orphans += sum(1 if each[1] == "one" else int(each[1]) for each in told if each)
            lost = [pair for pair in lost if pair[1] is not None or not orphans]
            yield from (f"{name} became {new} from {old}" for old, new in lost[:3])

    def _columns(self) -> Iterator[str]:
        yield from (f"column {self.old.columns[n][0]} is gone" for n in self.old.columns if n not in self.new.columns)
        announced = {tuple(pair) for step in self.steps for pair in step.shape.renames}
        announced |= {(a, d) for a, b in announced for c, d in announced if b == c}  # renamed, and then kept aside
        pairs = [(name, self.new.columns[n][0]) for n, (name, _) in self.old.columns.items() if n in self.new.columns]
        yield from (f"renamed {a} to {b} unannounced" for a, b in pairs if a != b and (a, b) not in announced)

    def value(self, number: int, cell: Any, *, old: bool = True) -> Any:
        """Return a cell as JSON gave it, normalised where its column has another type now; `old` before it had it."""
        new_type = self.new.columns.get(number, self.old.columns[number])[1]
        was = self.old.columns[number][1]
        if new_type == was:
            return _canonical(cell)
        if isinstance(cell, str) and (padded := re.match(r"character\((\d+)\)", new_type)):
            return cell.rstrip(" ").ljust(int(padded[1]))  # blanks at the end mean nothing in it (manual, 8.3)
        if isinstance(cell, str) and was.startswith("character(") and re.match("text|character varying", new_type):
            return cell.rstrip(" ") if old else cell
        return normal(cell, new_type)

    def key(self, cells: Cells, *, old: bool = True) -> Key:
        return tuple(self.value(number, cells[number], old=old) for number in self.still)

    @cached_property
    def was(self) -> list[tuple[Key, Cells]]:
        """The rows before the repair, each with its key."""
        return [(self.key(row), row) for row in _cells(self.old)]

    @cached_property
    def is_now(self) -> list[tuple[Key, Cells]]:
        """The rows after the repair, each with its key."""
        return [(self.key(row, old=False), row) for row in _cells(self.new)]

    def _rows(self) -> Iterator[str]:
        before = Counter(key for key, _ in self.was)
        found = Counter(key for key, _ in self.is_now) + Counter(map(self.key, self.moved))
        yield from (f"lost {count} × {row}" for row, count in (before - found).items())
        appeared = sum((found - before).values())
        entry = next((entry for entry in self.run.ledger if str(entry.table) == self.new.name), None)
        inserted = entry.inserted if entry else 0
        if appeared != inserted:
            yield f"{appeared} rows appeared, the ledger says {inserted}: {list(found - before)[:3]}"
        if inserted and not any(step.effect.inserts for step in self.steps):
            yield f"{inserted} rows were inserted unannounced"
        same = [n for n in self.still if self.old.columns[n][1] == self.new.columns[n][1]]
        texts = Counter(tuple(row[n][0] for n in same) for row in self.new.cells)
        strange = texts - Counter(tuple(row[n][0] for n in same) for row in self.old.cells)
        if sum(strange.values()) > inserted:
            yield f"respelt {list(strange)[:3]}"

    def _as_it_was(self) -> Iterator[str]:
        """Demand of rows in quarantine that they are whole."""
        numbers = sorted(self.old.columns)

        def whole(row: Mapping[int, Any]) -> tuple[Any, ...]:
            return tuple(self.value(n, row[n]) for n in numbers)

        before = Counter(whole(row) for _, row in self.was)
        strange = Counter(map(whole, self.moved)) - before
        yield from (f"{row} lies in quarantine, and was never there so" for row in list(strange)[:3])

    def _cells(self, column: int) -> Iterator[str]:
        """Demand of an announced column that no more cells differ than announced, and no value by conversion."""
        name, type_ = self.new.columns[column]
        converted = type_ != self.old.columns[column][1]
        pairs = list(self._pairs(column))
        different = [(old, new) for _, old, new in pairs if self._differ(column, old, new)]
        names = {name, self.old.columns[column][0]}
        told = [step.effect.rows for step in self.steps if names & set(step.effect.changes)]
        if converted:
            lost = [(old, new) for old, new in different if old is not None and not self._maps(old, new)]
            if any(names & set(step.shape.restores) for step in self.steps):
                lost = self._unkept(column, pairs)  # a step of its own may set cells to NULL if it keeps what they were
            others = [
                step
                for step in self.steps
                if names & set(step.effect.changes) - set(step.shape.restores) and step.phase is not Phase.CONVERT
            ]
            if len(lost) > sum(step.effect.rows for step in others):  # what other steps of its own announced
                yield from (f"{name} became {new} from {old}" for old, new in lost[:3])
            different = [(old, new) for old, new in different if old is None]
        if len(different) > sum(told) and all(told):  # who settles what other steps leave behind cannot tell how many
            yield f"{len(different)} cells of {name} differ, {sum(told)} were announced: {different[:3]}"

    def _as_text(self, column: int, cell: Any) -> Any:
        """Return a cell of a row that was moved before or after its column was converted, as a new text has it."""
        value = self.value(column, cell) if isinstance(cell, str) else None
        return value if isinstance(value, str) else cell

    def _differ(self, column: int, old: Any, new: Any) -> bool:
        return bool(self.value(column, old) != self.value(column, new, old=False))

    def _unkept(self, column: int, pairs: list[tuple[Key, Any, Any]]) -> list[tuple[Any, Any]]:
        """Return the cells that are lost, except those set to NULL of which the journal has the row with the cell.

        A number of a column that becomes wider may also have got another number.
        """
        types = (columns[column][1] for columns in (self.old.columns, self.new.columns))
        numbers = all(re.fullmatch("smallint|integer|bigint", type_) for type_ in types)
        kept = Counter((self.key(image), self.value(column, image[column])) for image in self.images)
        lost = []
        for key, old, new in pairs:
            if old is None or not self._differ(column, old, new) or self._maps(old, new):
                continue
            if (new is None or numbers) and kept[key, self.value(column, old)]:
                kept[key, self.value(column, old)] -= 1
            else:
                lost.append((old, new))
        changed = [(old, new) for _, old, new in pairs if old is not None and self._differ(column, old, new)]
        emptied = [(old, new) for old, new in changed if new is None or numbers]
        names = {self.new.columns[column][0], self.old.columns[column][0]}
        announced = sum(step.effect.rows for step in self.steps if names & set(step.shape.restores))
        return lost or (emptied if len(emptied) > announced else [])

    def _pairs(self, column: int) -> Iterator[tuple[Key, Any, Any]]:
        """Pair the cells of one column, before and after, over rows that are alike otherwise."""
        groups: dict[Key, tuple[list[Any], list[Any]]] = {}
        for key, cells in self.was:
            groups.setdefault(key, ([], []))[0].append(cells[column])
        for key, cells in self.is_now:
            groups.setdefault(key, ([], []))[1].append(cells[column])
        for kept in self.moved:
            groups.setdefault(self.key(kept), ([], []))[1].append(self._as_text(column, kept[column]))
        for key, (olds, news) in groups.items():
            matched = _matched(olds, news, lambda old, new: not self._differ(column, old, new))
            yield from ((key, old, new) for old, new in matched)

    def _converts(self, heir: int) -> Callable[[Any, Any], bool]:
        """Return whether a new cell is the old one, by the type of the column that took the place of the old."""
        type_ = self.new.columns[heir][1]
        return lambda old, new: bool(normal(old, type_) == normal(new, type_))

    def _maps(self, old: Any, new: Any) -> bool:
        """Tell whether a new reference points at the one row of a table that bears the old text."""
        bearers = Counter(
            rows.name for rows in self.after.values() for row in rows.cells
            if (n := rows.number("id")) is not None and row[n][1] == new and old in _own(rows, row)
        )  # fmt: skip
        return old is not None and new is not None and 1 in bearers.values()


def ledger(rows: Rows, before: int, moved: int, run: fixer.Run) -> Iterator[str]:
    """Compare what the ledger says of one table with what is there."""
    after = len(rows.cells)
    entry = next((entry for entry in run.ledger if str(entry.table) == rows.name), None)
    if entry is None:
        if (before, 0) != (after, moved):
            yield f"had {before} rows, has {after}, {moved} in quarantine; the ledger is silent"
        return
    if (entry.before, entry.after, entry.quarantined) != (before, after, moved):
        yield f"had {before} rows, has {after}, {moved} in quarantine; the ledger says {entry}"


def _own(rows: Rows, row: Mapping[int, Any]) -> list[Any]:
    """Return the cells of a row that speak of itself, not of the row that it references."""
    aside = {number for number, (name, _) in rows.columns.items() if name.startswith("legacy_") and name != "legacy_id"}
    return [cell[1] for number, cell in row.items() if number not in aside]


def _cells(rows: Rows) -> Iterator[Cells]:
    return ({n: cell[1] for n, cell in row.items()} for row in rows.cells)


def _matched(olds: list[Any], news: list[Any], same: Callable[[Any, Any], bool]) -> Iterator[tuple[Any, Any]]:
    """Pair what is equal first, then the rest as it comes; what has no partner was inserted or lost."""
    rest = list(news)
    left = []
    for old in olds:
        match = next((new for new in rest if same(old, new)), rest)
        if match is rest:
            left.append(old)
        else:
            rest.remove(match)
            yield old, match
    yield from zip(left, rest, strict=False)


def _canonical(cell: Any) -> Any:
    return json.dumps(cell, sort_keys=True) if isinstance(cell, dict | list) else cell


_TRUE, _FALSE = {"true", "t", "yes", "y", "on", "1"}, {"false", "f", "no", "n", "off", "0"}


def normal(cell: Any, type_: str) -> Any:
    """Return the value of a cell as a type understands it, or the cell itself where that makes no sense of it."""
    if cell is None:
        return None
    text = str(cell).strip().lower()
    try:
        if type_ == "boolean":
            return True if text in _TRUE else False if text in _FALSE else cell
        if re.match(r"numeric|integer|bigint|smallint|double|real", type_):
            return Decimal(text).normalize() if text != "nan" else "nan"
        if type_.startswith(("timestamp", "date")):
            moment = datetime.fromisoformat(text)
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (InvalidOperation, ValueError):
        return _canonical(cell)
    return str(cell)
