"""Leaves out what a person chose to skip, and what depends on it: what shares a column, or a whole table, with it.

What stays in the database because its finding is left out also holds what needs it gone: a key holds its columns, and
a foreign key holds the key that it references.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from fixer.compare.feasibility import columns_of
from fixer.defects.missing_grant import OfGrants
from fixer.defects.refused_definition import OfRefused
from fixer.errors import ContractError
from fixer.model.choice import EVERYTHING, Choice
from fixer.model.contract import Contract, Refused
from fixer.model.expression import names_column
from fixer.model.finding import Accepted, Finding
from fixer.model.schema import Schema
from fixer.model.schema.code import Kind, OfCode
from fixer.model.subject import (
    FoundForeignKey,
    FoundPrimaryKey,
    Misdirected,
    StrayCheck,
    StrayForeignKey,
    StrayIndex,
    WantedColumn,
)
from fixer.model.table import Check, ForeignKey, Index, QName
from fixer.repair.counting.heirs import leader_of

_Place = tuple[QName, str | None]  # a column, or a whole table
_COPIES = (
    "\0copies"  # no column: whole rows, because an identical copy repeats what any unique of its table demands once
)
_OLD_KEY = "\0key"  # no column: the primary key that a table has and the contract replaces
_RIGHTS = "\0rights"  # no column: those on a table as such, which need nothing but the table
# What no repair depends on: a trigger is switched off while one writes rows; the application's rights are not ours.
_ASIDE = ("swallowing-trigger", "lost-grants")
# What is wrong with a row by its own cells, and by what these reference.
_OF_ROWS = ("null-rows", "broken-check", "orphan-rows", "missing-foreign-key")
# What counts by a sequence, or gives rows its numbers.
_NUMBERING = ("missing-generator", "shared-sequence", "missing-key-column", "null-key", "duplicate-key", "null-rows")
_Held = Mapping[QName, Mapping[str | None, Finding]]


def left_out(
    found: Sequence[Finding], before: Sequence[Finding], choice: Choice, future: Schema, contract: Contract
) -> list[Finding]:
    """Return the findings, those of `found` with the reason that are left out; `before` were found earlier."""
    if choice == EVERYTHING and not contract.accepted:
        return list(found)
    chosen = [replace(f, left_out="it is left out by choice") if choice.leaves_out(f) else f for f in found]
    chosen = [_accepted(finding, contract.accepted) for finding in chosen]
    leaders = [frozenset(_leaders(finding, future, contract)) for finding in chosen]
    grown = True
    while grown:
        left = (finding for finding in (*before, *chosen) if finding.left_out and finding.severity == "error")
        held = _held(left, future)
        now = [_left_with(finding, like, held) for finding, like in zip(chosen, leaders, strict=True)]
        grown, chosen = now != chosen, now
    return chosen


def keeping(future: Schema, found: Iterable[Finding], choice: Choice, accepted: Sequence[Accepted] = ()) -> Schema:
    """Return the schema that knows of which faults rows stay, because a person chose so: no other repair sees them."""
    for finding in found:
        if finding.slug in _OF_ROWS and (choice.leaves_out(finding) or _accepted(finding, accepted).left_out):
            table, key = future.tables[finding.table], finding.part
            name = finding.object.removeprefix(f"{finding.table}.")
            kept = key.columns if isinstance(key, ForeignKey) else name
            future = future.with_table(replace(table, kept_faults=table.kept_faults | {kept}))
    return future


def _accepted(finding: Finding, accepted: Sequence[Accepted]) -> Finding:
    """Return the finding, left out if the project lives with it."""
    fitting = next((each for each in accepted if each.holds and each.fits(finding)), None)
    return replace(finding, accepted=fitting, left_out=f"it is accepted: {fitting.reason}") if fitting else finding


def see_that_they_exist(accepted: Iterable[Accepted], slugs: Collection[str]) -> None:
    """Raise ContractError if what a project accepts names no class of defects."""
    for each in accepted:
        if not any(fnmatchcase(slug, each.slug) for slug in slugs):
            from difflib import get_close_matches

            near = get_close_matches(each.slug, slugs, 1, 0)
            raise ContractError(f"{each.said_in}: accept in [tool.pgmend] names no class {each.slug}: is it {near[0]}?")


def judged(found: Iterable[Finding], contract: Contract, future: Schema) -> Iterator[Finding]:
    """Yield the findings, but for those that what PostgreSQL refuses of the contract may explain."""
    for finding in found:
        near = future.wholes(finding.table)
        if isinstance(finding.about, OfRefused) or not any(_explains(e, finding, near) for e in contract.refused):
            yield finding


def _explains(refused: Refused, finding: Finding, near: Collection[QName]) -> bool:
    """Return whether the contract may lack only by a refusal what a finding is about.

    A foreign key that is refused wants a key of the table that it references.
    """
    about, kind = finding.about, refused.what.partition(" ")[0].upper()
    named = {column for table, column in refused.beside if table in near} if kind == "FOREIGN" else set[str]()
    if named:
        return (isinstance(about, StrayIndex) and _is_over(about.found, named)) or _demands(finding, named)
    if refused.table not in near:
        return False
    columns = set(refused.columns)
    if isinstance(about, StrayIndex):
        return kind not in ("CHECK", "FOREIGN", "DEFAULT") and _is_over(about.found, columns)
    if isinstance(about, StrayCheck):
        return kind in ("CHECK", "THE", "ALTER") and _is_over(about.found, columns)
    if isinstance(about, StrayForeignKey):
        return kind in ("FOREIGN", "THE", "ALTER") and _is_over(about.found, columns)
    if isinstance(about, FoundForeignKey | Misdirected):
        return kind == "FOREIGN" and set(about.wanted.columns) <= columns
    return finding.column == refused.name if kind == "THE" else kind == "PRIMARY" and _demands(finding, columns)


def _is_over(stray: Index | Check | ForeignKey, columns: Collection[str]) -> bool:
    """Return whether something that was found is over one of these columns, or nobody knows which these are."""
    text = " ".join([stray.tail, stray.exclusion]) if isinstance(stray, Index) else ""
    text = stray.expression if isinstance(stray, Check) else text
    return not columns or any(each in stray.columns or names_column(text, each) for each in columns)


def _demands(finding: Finding, columns: Collection[str]) -> bool:
    """Return whether a finding says that a column demands a value, as a key lets it."""
    return finding.slug == "rogue-not-null" and finding.column in columns


def _held(findings: Iterable[Finding], future: Schema) -> _Held:
    """Return, by table, the columns that findings left out are about, each with the first of these findings."""
    held = defaultdict[QName, dict[str | None, Finding]](dict)
    for finding in findings:
        for table, column in (*_kept(finding), *(() if isinstance(finding.about, OfCode) else _places(finding))):
            shown = future.above(table) if finding.slug in _OF_ROWS else ()  # what binds those, binds its rows
            for each in (table, *shown):
                held[each].setdefault(column, finding)
    return held


def _left_with(finding: Finding, leaders: Iterable[_Place], held: _Held) -> Finding:
    """Return the finding, left out if its repair may need that of one that is held."""
    if finding.left_out:
        return finding
    places = (*_places(finding), *leaders)
    cause = next((each for place in places if (each := _cause(place, held))), _named(finding, held))
    return replace(finding, left_out=f"it depends on {cause.slug}:{cause.object}") if cause else finding


def _cause(place: _Place, held: _Held) -> Finding | None:
    """Return what holds a place: a finding on its column or on the whole table; for a whole table, any on it."""
    table, column = place
    there = held.get(table, {})
    return next(iter(there.values()), None) if column is None else there.get(column) or there.get(None)


def _leaders(finding: Finding, future: Schema, contract: Contract) -> Iterator[_Place]:
    """Yield the columns of other tables by whose sequences, which are to come, those of a finding will count."""
    wanted = contract.tables.get(finding.table)
    if wanted is None or finding.slug not in _NUMBERING:
        return
    for column in (wanted.columns[name] for name in columns_of(finding) & wanted.columns.keys()):
        like = leader_of(finding.table, column, future, contract)
        if like is None or not like.sequence or like.sequence in future.sequences:
            continue
        if not (future.tables[like.table].created or like.found.added):  # else it comes with these
            yield like.table, like.found.name


def _named(finding: Finding, held: _Held) -> Finding | None:
    """Return what holds a column that the expression of a generated column names, or the definition of an index."""
    part, about = finding.part, finding.about
    texts = [part.tail, part.exclusion] if isinstance(part, Index) else []
    texts += [about.wanted.default or ""] if isinstance(about, WantedColumn) and about.wanted.generated else []
    there = held.get(finding.table, {}).items()
    return next((each for column, each in there for text in texts if column and names_column(text, column)), None)


def _places(finding: Finding) -> Iterator[_Place]:
    """Yield what a finding is about: columns, or its table if it names none; for a foreign key also what it points at.

    The rows that it moves may lie elsewhere, which the end of a run proves.
    """
    if finding.slug in _ASIDE:
        return
    part = finding.part
    if isinstance(finding.about, OfGrants):
        yield finding.table, _RIGHTS
        yield from finding.about.columns
    if isinstance(finding.about, OfCode) and finding.about.wanted.key.kind == Kind.SECURITY:
        yield finding.table, None  # without its policies, it would close the table
    if isinstance(finding.about, OfCode):
        yield from ((need, None) for need in finding.about.wanted.needs)
        return
    columns = set(part) if isinstance(part, Mapping) else {each for c in columns_of(finding) for each in c.split(",")}
    if isinstance(finding.about, StrayIndex) and all(finding.about.found.columns):  # an expression may read any
        columns = set(finding.about.found.columns)
    yield from ((finding.table, column) for column in columns or (None,))
    if finding.slug == "duplicate-row" or (isinstance(part, Index) and part.unique):
        yield finding.table, _COPIES
    if isinstance(finding.about, FoundPrimaryKey):
        yield finding.table, _OLD_KEY
    if isinstance(part, ForeignKey):
        yield from ((part.target, column) for column in part.target_columns)


def _kept(finding: Finding) -> Iterator[_Place]:
    """Yield what stays as it is with a finding that is left out, beyond what it is about."""
    about = finding.about
    if isinstance(about, OfCode) and about.wanted.key.kind in (Kind.FUNCTION, Kind.VIEW):
        yield finding.table, None
    if isinstance(about, FoundPrimaryKey):
        yield from ((finding.table, column) for column in about.found.columns)
    if isinstance(about, OfRefused):
        yield from ((table, column or None) for table, column in about.refused.beside)
    if isinstance(about, Misdirected):
        yield from ((key.target, _OLD_KEY) for key in about.found)
