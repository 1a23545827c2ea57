"""What a plain check reads although the catalogue vouches for it: little, measured today."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import pytest
from laws import Laboratory

from fixer.compare.compare import CHEAP_BYTES, CHEAP_PROBES, compare, worth_reading
from fixer.defects import orphan_rows
from fixer.model.finding import Count, Finding, Probe
from fixer.model.schema import QName, Schema, Table

NAMES = [QName("public", f"t{number:03}") for number in range(CHEAP_PROBES + 10)]


def read(sizes: Mapping[QName, int], known: Mapping[QName, int] | None = None, *, deep: bool = False) -> list[QName]:
    tables = {name: Table(name, bytes=(known or {}).get(name, 0)) for name in sizes}
    findings = [Finding("orphan-rows", 2, str(name), "", name, vouched=True) for name in sizes]

    def measure(tables: Iterable[QName]) -> dict[QName, int]:
        return {name: sizes[name] for name in tables}

    chosen = worth_reading(findings, Schema(tables), measure=measure, deep=deep)
    return sorted(finding.table for finding in findings if id(finding) in chosen)


def test_small_tables_are_read() -> None:
    assert NAMES[:2] == read({NAMES[0]: 10, NAMES[1]: 20})


def test_a_table_that_has_grown_since_it_was_last_measured_is_not_read() -> None:
    assert [NAMES[1]] == read({NAMES[0]: CHEAP_BYTES + 1, NAMES[1]: 20})


def test_small_tables_are_read_before_large_ones() -> None:
    assert [NAMES[1]] == read({NAMES[0]: CHEAP_BYTES, NAMES[1]: 20})


def test_those_that_were_small_when_last_measured_are_chosen() -> None:
    known = {name: len(NAMES) - place for place, name in enumerate(NAMES)}

    assert NAMES[-CHEAP_PROBES:] == read(dict.fromkeys(NAMES, 1), known)


def test_deep_reads_all() -> None:
    assert read(dict.fromkeys(NAMES, CHEAP_BYTES), deep=True) == NAMES


def test_no_probe_is_composed_for_rows_that_are_not_read(
    monkeypatch: pytest.MonkeyPatch, laboratory: Laboratory
) -> None:
    contract, composed = laboratory.sound(18).contract, list[object]()
    monkeypatch.setattr(orphan_rows, "_orphans", lambda key, actual: composed.append(key))

    def none(probes: Sequence[Probe]) -> list[Count]:
        return [Count()] * len(probes)

    compare(contract.schema, contract, none, lambda tables: dict.fromkeys(tables, 2 * CHEAP_BYTES))

    assert composed == []
