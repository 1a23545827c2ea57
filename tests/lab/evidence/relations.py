"""Whether each row still references the row that it referenced, and none that it did not."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import fixer
from fixer.model.contract import Contract
from fixer.model.table import ForeignKey
from lab.evidence.copies import Copy
from lab.evidence.passage import Cells, Images, Key, Passage, normal

Numbers = list[int | None]
Relations = dict[Key, list[set[Key]]]  # of each row that references another: the rows that it may mean


def strange_relations(
    contract: Contract, before: Copy, after: Copy, quarantine: list[Any], run: fixer.Run, images: Images
) -> Iterator[str]:
    """Name each reference that means another row after a run, and each that means one where it meant none.

    A row is known by the cells that the plan did not announce to change. Adopted orphans are left out, and columns
    that came in the run.
    """
    names = {rows.name: oid for oid, rows in after.items()}
    passages = {
        oid: Passage(rows, after[oid], quarantine, images, run.plan, run, after)
        for oid, rows in before.items()
        if oid in after
    }
    for name, table in contract.tables.items():
        for key in table.foreign_keys:
            own, its = passages.get(names.get(str(name), 0)), passages.get(names.get(str(key.target), 0))
            adopts = any(contract.hints[name].of(c).orphans == "adopt" for c in key.columns)
            others = frozenset(c for each in contract.tables[key.target].foreign_keys for c in each.columns)
            if own and its and not adopts:
                yield from (f"{name}: {breach}" for breach in _Reference(key, own, its, others).breaches())


@dataclass(frozen=True)
class _Reference:
    key: ForeignKey
    own: Passage
    its: Passage
    speaking_of_others: frozenset[str]  # columns of the referenced table that reference others

    def breaches(self) -> Iterator[str]:
        columns, targets = self._numbers(self.own, self.key.columns), self._numbers(self.its, self.key.target_columns)
        if None in (*columns, *targets):
            return  # a column came in the run
        was, has = self._meant(columns, targets, old=True, loosely=True), self._meant(columns, targets, old=False)
        born, stay = self._born(), {key for key, _ in self.its.is_now}
        moved = Counter(map(self.own.key, self.own.moved))
        for row, found in has.items():
            meant = set[Key]().union(*was.get(row, []))
            made = [each - born for each in found if not each & meant and each - born]
            yield from (f"{row} references {each}, never {sorted(meant, key=str)}" for each in made if row in was)
        for row, meant_by in self._meant(columns, targets, old=True).items():
            kept = sum(1 for each in meant_by if each & stay)
            have = sum(1 for each in has.get(row, []) if each) + moved[row]
            if kept > have:
                yield f"{row} references no row any more, {kept - have} times, and its row stays"

    def _born(self) -> set[Key]:
        """Return the referenced rows that came in the run, as the rows that a contract wants do."""
        return {key for key, _ in self.its.is_now} - {key for key, _ in self.its.was}

    def _numbers(self, table: Passage, columns: tuple[str, ...]) -> Numbers:
        """Return the numbers of columns, None for one that the table had not before the run."""
        return [n if (n := table.new.number(name)) in table.old.columns else None for name in columns]

    def _meant(self, columns: Numbers, targets: Numbers, *, old: bool, loosely: bool = False) -> Relations:
        """Return what rows reference; `loosely` also what bears a value elsewhere, as rows bear their old key."""
        bearers = defaultdict[Key, set[Key]](set)
        rekeyed = loosely and set(columns) <= self.own.announced
        for bearer, row in self.its.was if old else self.its.is_now:
            bearers[self._values(self.its, row, targets, old)].add(bearer)
            for cell in self._own_cells(row) if rekeyed else ():
                bearers[(str(cell),)].add(bearer)
        meant = Relations()
        for key, row in self.own.was if old else self.own.is_now:
            if None not in (values := self._values(self.own, row, columns, old)):
                meant.setdefault(key, []).append(bearers.get(values, set()))
        return meant

    def _own_cells(self, row: Cells) -> Iterator[Any]:
        """Yield the cells of a referenced row that speak of itself."""
        return (cell for n, cell in row.items() if self.its.old.columns[n][0] not in self.speaking_of_others)

    def _values(self, table: Passage, row: Cells, numbers: Numbers, old: bool) -> Key:
        cells = [table.value(n, row[n], old=old) for n in numbers]
        return tuple(
            None if cell is None else str(normal(cell, table.new.columns[n][1]))
            for n, cell in zip(numbers, cells, strict=True)
        )
