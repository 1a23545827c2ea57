"""What one schema has and the other lacks, fact by fact."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from lab.evidence.facts import ColumnFacts, SequenceFacts, TableFacts


def losses(wanted: Mapping[str, TableFacts], found: Mapping[str, TableFacts], *, owners: bool = True) -> list[str]:
    """Name each fact of the wanted tables that the found ones lack; what is extra or wider is none."""
    missing = [f"{name} is missing" for name in wanted if name not in found]
    for name in set(wanted) & set(found):
        missing += [f"{name}: {loss}" for loss in _table_losses(wanted[name], found[name], owners)]
    return sorted(missing)


def _table_losses(wanted: TableFacts, found: TableFacts, owners: bool) -> Iterator[str]:
    if owners and wanted.owner != found.owner:
        yield f"owned by {found.owner}, not {wanted.owner}"
    if found.unlogged != wanted.unlogged:
        yield "unlogged" if found.unlogged else "logged"
    for column, facts in wanted.columns.items():
        if column not in found.columns:
            yield f"column {column} is missing"
            continue
        yield from (f"column {column} {loss}" for loss in _column_losses(facts, found.columns[column]))
    if wanted.primary_key != found.primary_key:
        yield f"primary key {found.primary_key}, not {wanted.primary_key}"
    have = {(frozenset(columns), how) for columns, how in found.uniques}
    yield from (f"no unique {u}" for u in sorted(wanted.uniques) if (frozenset(u[0]), u[1]) not in have)
    for columns in sorted({columns for columns, _ in wanted.foreign_keys}):
        want = sorted(rest for c, rest in wanted.foreign_keys if c == columns)
        have_keys = sorted(rest for c, rest in found.foreign_keys if c == columns)
        if want != have_keys:
            yield f"foreign keys on {columns}: {have_keys}, not {want}"
    yield from (f"no {check}" for check in sorted(wanted.checks - found.checks))
    yield from (f"no index {index}" for index in sorted(wanted.indexes - found.indexes))
    for column, sequence in wanted.sequences.items():
        yield from _sequence_losses(column, sequence, found.sequences.get(column))


def _column_losses(wanted: ColumnFacts, found: ColumnFacts) -> Iterator[str]:
    if not holds(found.type, wanted.type):
        yield f"is {found.type}, not {wanted.type}"
    if wanted.default is not None and found.default != wanted.default:
        yield f"has default {found.default}, not {wanted.default}"
    if wanted.not_null and not found.not_null:
        yield "may be NULL"
    if found.not_null and not wanted.not_null and found.default is None and not found.generator:
        yield "must not be NULL"
    kinds = {"serial": "by default"}
    if wanted.generator and kinds.get(wanted.generator, wanted.generator) != kinds.get(
        found.generator or "", found.generator
    ):
        yield f"is generated {found.generator}, not {wanted.generator}"
    if wanted.generated != found.generated:
        yield f"is generated as {found.generated}, not {wanted.generated}"


_INTEGERS = {"smallint": 1, "integer": 2, "bigint": 3}


def holds(found: str, wanted: str) -> bool:
    """Tell whether a type is the wanted one, or a wider one of its kind."""
    if found == wanted:
        return True
    if found in _INTEGERS and wanted in _INTEGERS:
        return _INTEGERS[found] >= _INTEGERS[wanted]
    (kind, *sizes), (wanted_kind, *wanted_sizes) = _sizes(found), _sizes(wanted)
    if wanted_kind == "character varying" and kind in (wanted_kind, "text"):
        return not sizes or (bool(wanted_sizes) and sizes[0] >= wanted_sizes[0])
    if wanted_kind == kind == "numeric":
        if not sizes or not wanted_sizes:
            return not sizes
        (digits, scale), (wanted_digits, wanted_scale) = sizes, wanted_sizes
        return scale >= wanted_scale and digits - scale >= wanted_digits - wanted_scale
    return False


def _sizes(spelt: str) -> tuple[str, *tuple[int, ...]]:
    match = re.fullmatch(r"([^()]*)(?:\(([\d,-]+)\))?", spelt)
    if not match:
        return (spelt,)
    return (match[1], *(int(size) for size in (match[2] or "").split(",") if size))


def _sequence_losses(column: str, wanted: SequenceFacts, found: SequenceFacts | None) -> Iterator[str]:
    if found is None:
        yield f"column {column} owns no sequence that feeds it"
        return
    if _INTEGERS[found.type] < _INTEGERS[wanted.type]:
        yield f"the sequence of {column} is {found.type}, not {wanted.type}"
    if found.cycle != wanted.cycle or found.increment != wanted.increment:
        yield f"the sequence of {column} cycles or steps otherwise: {found}"
    if found.cache < wanted.cache:
        yield f"the sequence of {column} gives {found.cache} numbers at a time"
    (begins, ends), (should_begin, should_end) = found.ends, wanted.ends
    if ends != should_end and (should_end or abs(int(ends or 2**63)) < 2**31 - 1):
        yield f"the sequence of {column} ends at {ends}"
    if should_begin and begins != should_begin:
        yield f"the sequence of {column} begins at {begins}"
