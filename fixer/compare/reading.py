"""Which rows are read although a valid constraint guarantees them: those asked for, and those of small tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import field, replace
from heapq import nsmallest
from operator import itemgetter

from fixer.model.finding import Finding, Guaranteed, made
from fixer.model.schema import Schema
from fixer.model.table import QName
from fixer.model.values import dataclass

# Limits of what a check without --deep reads although valid constraints guarantee it: that costs next to nothing.
CHEAP_BYTES = 32 * 1024 * 1024
CHEAP_PROBES = 64
WARY_PROBES = 4096  # where rows were found that a valid constraint should have refused: triggers were off at some time

Measure = Callable[[Iterable[QName]], Mapping[QName, int]]  # the bytes that tables occupy today
Doubts = Set[tuple[str, QName]]  # defect classes and tables


@dataclass(frozen=True)
class Reading:
    """The choice of guaranteed rows to read: all if `deep`, else those in `doubts` and those of small tables."""

    measure: Measure
    deep: bool = False
    doubts: Doubts = frozenset()
    probes: int = CHEAP_PROBES  # of a stage, at most
    unread: Counter[QName] = field(default_factory=Counter, compare=False)  # valid constraints, taken at their word

    def is_asked_for(self, finding: Finding | Guaranteed) -> bool:
        """Return whether the caller wants these rows read although a valid constraint guarantees them."""
        return self.deep or (bool(self.doubts) and (finding.slug, finding.table) in self.doubts)

    def foremost(self, findings: Iterable[Finding | Guaranteed], future: Schema) -> list[Finding]:
        """Return the findings of a class, without vouched ones that are not `worth` it whatever else is found.

        They are let go one after the other: a large schema has hundreds of thousands of them.
        """
        kept = list[tuple[int, Finding | Guaranteed]]()

        def doubtful() -> Iterator[tuple[tuple[bool, int], int, Finding | Guaranteed]]:
            let_go, none_asked_for = self.unread, not (self.deep or self.doubts)
            for number, finding in enumerate(findings):
                if isinstance(finding, Guaranteed) and none_asked_for:  # as mostly
                    let_go[finding.table] += 1
                    yield _rank(finding, future), number, finding
                elif _is_sure(finding) or self.is_asked_for(finding):
                    kept.append((number, finding))
                else:
                    let_go[finding.table] += finding.of_constraint
                    yield _rank(finding, future), number, finding

        first = nsmallest(self.probes, doubtful())
        self.unread.subtract(finding.table for _, _, finding in first if finding.of_constraint)
        kept += [(number, finding) for _, number, finding in first]
        ordered = (finding for _, finding in sorted(kept, key=itemgetter(0)))
        return [*map(made, ordered)]

    def worth(self, candidates: Sequence[Finding], future: Schema) -> set[int]:
        """Return the id() of each vouched candidate whose rows are to be read all the same."""
        vouched = [finding for finding in candidates if finding.vouched]
        if self.deep or not vouched:
            return set(map(id, vouched))
        doubted = {id(finding) for finding in vouched if self.is_asked_for(finding)} if self.doubts else set[int]()
        chosen = doubted | self._cheap(vouched, future)
        self.unread.update(f.table for f in vouched if f.of_constraint and id(f) not in chosen)
        return chosen

    def passed_over(self, future: Schema) -> tuple[tuple[QName, int], ...]:
        """Return how many valid constraints of each table that has rows were taken at their word."""
        today = {name: future.tables[name].stored_as or name for name, number in self.unread.items() if number > 0}
        sizes = self.measure(sorted(today.values())) if today else {}
        return tuple((name, self.unread[name]) for name in sorted(today) if sizes.get(today[name]))

    def anew(self) -> Reading:
        """Return the same choice, before anything is passed over."""
        return replace(self, unread=Counter())

    def _cheap(self, vouched: Sequence[Finding], future: Schema) -> set[int]:
        # The catalogue's sizes may be old: they choose which tables to measure, and the measured sizes decide.
        chosen = sorted(vouched, key=lambda finding: _rank(finding, future))[: self.probes]
        today = {finding.table: future.tables[finding.table].stored_as or finding.table for finding in chosen}
        sizes = self.measure(sorted(set(today.values())))
        cheap, budget = set[int](), CHEAP_BYTES
        for finding in sorted(chosen, key=lambda f: (bool(f.repair.refusal), sizes.get(today[f.table], 0))):
            size = sizes.get(today[finding.table], 0)
            if size <= budget:  # else a smaller table may still have room
                budget -= size
                cheap.add(id(finding))
        return cheap

    def empty(self, findings: Sequence[Finding], future: Schema) -> Set[QName]:
        """Return the tables of size zero; measure only for many findings, where that is faster than to read."""
        if len(findings) <= CHEAP_PROBES:
            return frozenset()
        today = {future.tables[finding.table].stored_as or finding.table: finding.table for finding in findings}
        return {today[name] for name, size in self.measure(today).items() if size == 0}


def _is_sure(finding: Finding | Guaranteed) -> bool:
    """Return whether a finding is kept whatever else is found."""
    return not isinstance(finding, Guaranteed) and bool(finding.of_rows or finding.briefly or not finding.vouched)


def _rank(finding: Finding | Guaranteed, future: Schema) -> tuple[bool, int]:
    """Return what sorts findings: what only a damaged catalogue brings about, and a person decides, comes last."""
    refused = finding.refused if isinstance(finding, Guaranteed) else bool(finding.repair.refusal)
    return refused, future.tables[finding.table].bytes


def remembered(measure: Measure) -> Measure:
    """Return a measure that asks the given one for each table only once."""
    known: dict[QName, int | None] = {}

    def ask(tables: Iterable[QName]) -> Mapping[QName, int]:
        asked = list(tables)
        if new := [table for table in asked if table not in known]:
            known.update({**dict.fromkeys(new), **measure(new)})
        return {table: size for table in asked if (size := known[table]) is not None}

    return ask
