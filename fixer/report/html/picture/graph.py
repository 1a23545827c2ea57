"""What the picture shows: tables as boxes, foreign keys as lines, each with its state."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import field
from enum import StrEnum

from fixer.model.finding import Finding
from fixer.model.report import Comparison
from fixer.model.subject import FoundForeignKey, Misdirected, OtherTable, StrayForeignKey
from fixer.model.table import Check, ForeignKey, Index, QName, Table
from fixer.model.values import dataclass

COLUMNS = 14  # of a box; the others are counted


class State(StrEnum):
    """What is true of a table, a column or a foreign key."""

    SOUND = "sound"
    NOTED = "noted"  # something is known of it that breaks nothing
    BROKEN = "broken"
    MISSING = "missing"
    EXTRA = "extra"  # not wanted by the contract, and not in its way


@dataclass(frozen=True)
class Row:
    """A column in a box: its name, whether it is of the primary key or a foreign key, its state."""

    name: str
    key: bool = False
    reference: bool = False
    state: State = State.SOUND


@dataclass(frozen=True)
class Box:
    """A table: its columns that are keys or broken, and the findings about it."""

    name: QName
    state: State
    rows: tuple[Row, ...] = ()
    more: int = 0  # columns of that kind for which the box has no room
    findings: tuple[Finding, ...] = ()
    today: str = ""  # its name today, if that is another one
    quarantined: int = 0

    @property
    def breaking(self) -> int:
        """How many findings about it break the contract."""
        return sum(finding.breaks for finding in self.findings)


@dataclass(frozen=True)
class Line:
    """A foreign key, from the columns of one table to those of another."""

    child: QName
    parent: QName
    columns: tuple[str, ...]
    targets: tuple[str, ...]
    state: State = State.SOUND

    @property
    def words(self) -> str:
        """What it says."""
        return f"{self.child}({', '.join(self.columns)}) → {self.parent}({', '.join(self.targets)})"


@dataclass(frozen=True)
class Graph:
    """Boxes by name, and the lines between them."""

    boxes: Mapping[QName, Box] = field(default_factory=dict)
    lines: tuple[Line, ...] = ()


def of(comparison: Comparison, quarantined: Mapping[QName, int]) -> Graph:
    """Return the tables of a comparison; `quarantined` counts rows that went, or will go, to quarantine."""
    findings = defaultdict[QName, list[Finding]](list)
    for finding in comparison.findings:
        findings[finding.table].append(finding)
    today = dict(_today(comparison))
    found = {key: _found(key, comparison, today) for key in comparison.contract.foreign_keys()}
    lines = [_wanted(key, there, findings[key.table]) for key, there in found.items()]
    matched = {(there.table, there.name) for there in found.values() if there}
    lines += _extra(comparison, today, matched)
    references = defaultdict[QName, dict[str, None]](dict)
    for line in lines:
        references[line.child].update(dict.fromkeys(line.columns))
    names = {*comparison.contract.tables, *(name for name, each in findings.items() if name.name and each)}
    names |= {end for line in lines for end in (line.child, line.parent)}
    tables = _Tables(comparison, today, references, quarantined)
    return Graph({name: tables.box(name, findings[name]) for name in sorted(names)}, tuple(lines))


def _today(comparison: Comparison) -> Iterator[tuple[QName, QName]]:
    """Yield each wanted table that exists, with the name that it has today."""
    for name in comparison.contract.tables:
        if name in comparison.actual.tables:
            yield name, name
        elif (future := comparison.future.tables.get(name)) and not future.created:
            yield name, future.stored_as or name
    for finding in comparison.findings:
        if isinstance(finding.about, OtherTable):
            yield finding.table, finding.about.found.name


# ---- foreign keys


def _found(key: ForeignKey, comparison: Comparison, today: Mapping[QName, QName]) -> ForeignKey | None:
    """Return the foreign key that stands where one is wanted, under the names that tables and columns have today."""
    child, target = today.get(key.table, key.table), today.get(key.target, key.target)
    pairs = set(
        zip(_named(key.table, key.columns, comparison), _named(key.target, key.target_columns, comparison), strict=True)
    )
    table = comparison.actual.tables.get(child)
    there = [each for each in (table.foreign_keys if table else ()) if each.target in (target, key.target)]
    return next((each for each in there if each.pairs in (pairs, key.pairs)), None)


def _named(table: QName, columns: tuple[str, ...], comparison: Comparison) -> list[str]:
    """Return the names that columns have today."""
    future = comparison.future.tables.get(table)
    known = future.columns if future else {}
    return [(known[each].stored_as if each in known else None) or each for each in columns]


def _wanted(key: ForeignKey, found: ForeignKey | None, findings: Iterable[Finding]) -> Line:
    """Return the line of a foreign key that the contract wants."""
    about = [each.breaks for each in findings if _is_about(each, key)]
    state = State.MISSING if found is None else State.BROKEN if any(about) else State.SOUND
    accepted = state is State.MISSING and about and not any(about)
    return Line(key.table, key.target, key.columns, key.target_columns, State.NOTED if accepted else state)


def _is_about(finding: Finding, key: ForeignKey) -> bool:
    part = finding.part
    return isinstance(part, ForeignKey) and part.columns == key.columns and part.target == key.target


def _extra(comparison: Comparison, today: Mapping[QName, QName], matched: Set[tuple[QName, str]]) -> Iterator[Line]:
    """Yield the foreign keys from or to tables of the contract that it does not want."""
    later = {name: wanted for wanted, name in today.items()}
    wrong = {(key.table, key.name) for key in _wrong(comparison.findings)}
    for key in comparison.actual.foreign_keys():
        child, parent = later.get(key.table, key.table), later.get(key.target, key.target)
        known = {child, parent} & comparison.contract.tables.keys() and not comparison.contract.excludes(child)
        if known and (key.table, key.name) not in matched:
            state = State.BROKEN if (key.table, key.name) in wrong else State.EXTRA
            yield Line(child, parent, key.columns, key.target_columns, state)


def _wrong(findings: Iterable[Finding]) -> Iterator[ForeignKey]:
    """Yield the found foreign keys that break the contract."""
    for about in (finding.about for finding in findings if finding.breaks):
        if isinstance(about, Misdirected):
            yield from about.found
        elif isinstance(about, FoundForeignKey | StrayForeignKey) and isinstance(about.found, ForeignKey):
            yield about.found


# ---- tables


@dataclass(frozen=True)
class _Tables:
    """What is known of all tables."""

    comparison: Comparison
    today: Mapping[QName, QName]
    references: Mapping[QName, Mapping[str, None]]  # the columns of each table's foreign keys
    quarantined: Mapping[QName, int]

    def box(self, name: QName, findings: Sequence[Finding]) -> Box:
        """Return the box of a table."""
        wanted, was = self.comparison.contract.tables.get(name), self.today.get(name, name)
        found = self.comparison.actual.tables.get(was)
        rows = [*_rows(wanted or found, found, findings, self.references.get(name, {}))]
        first = sorted(rows, key=lambda row: row.state is State.SOUND)[: COLUMNS - (len(rows) > COLUMNS)]
        return Box(
            name,
            _state(wanted, found, findings),
            tuple(row for row in rows if row in first),
            more=len(rows) - len(first),
            findings=tuple(findings),
            today=str(was) if was != name else "",
            quarantined=self.quarantined.get(name, 0),
        )


def _state(wanted: Table | None, found: Table | None, findings: Sequence[Finding]) -> State:
    if found is None:
        return State.MISSING
    if any(finding.breaks for finding in findings):
        return State.BROKEN
    if findings:
        return State.NOTED
    return State.SOUND if wanted else State.EXTRA


def _rows(
    table: Table | None, found: Table | None, findings: Sequence[Finding], references: Mapping[str, None]
) -> Iterator[Row]:
    """Yield the columns that are keys or broken: those of the primary key first."""
    key = table.primary_key.columns if table and table.primary_key else ()
    broken = {column for each in findings if each.breaks for column in _columns_of(each)}
    noted = {column for each in findings if not each.breaks for column in _columns_of(each)}
    known = {**(table.columns if table else {}), **(found.columns if found else {})}
    named = [column for column in known if column in references or column in broken or column in noted]
    for name in dict.fromkeys([*key, *named, *references]):
        if name in broken:
            lacks = found is not None and name not in found.columns
            state = State.MISSING if lacks else State.BROKEN
        else:
            state = State.NOTED if name in noted else State.SOUND
        yield Row(name, name in key, name in references, state)


def _columns_of(finding: Finding) -> Iterator[str]:
    """Yield the columns that a finding is about."""
    part = finding.part
    if isinstance(part, ForeignKey | Index | Check):
        yield from filter(None, part.columns)
    elif finding.column:
        yield finding.column
