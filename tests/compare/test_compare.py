"""What a plain check reads although the catalogue vouches for it: little, measured today."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial

import pytest

from fixer.compare.compare import compare
from fixer.compare.reading import CHEAP_BYTES, CHEAP_PROBES, Reading
from fixer.defects import orphan_rows
from fixer.model.finding import Count, Finding, Guaranteed, Probe
from fixer.model.schema import Schema
from fixer.model.subject import OfTable
from fixer.model.table import QName, Table
from lab.laboratory import Laboratory

NAMES = [QName("public", f"t{number:03}") for number in range(CHEAP_PROBES + 10)]


def read(sizes: Mapping[QName, int], known: Mapping[QName, int] | None = None, *, deep: bool = False) -> list[QName]:
    tables = {name: Table(name, bytes=(known or {}).get(name, 0)) for name in sizes}
    findings = [Finding("orphan-rows", 2, OfTable(name), "", vouched=True) for name in sizes]

    def measure(tables: Iterable[QName]) -> dict[QName, int]:
        return {name: sizes[name] for name in tables}

    chosen = Reading(measure, deep).worth(findings, Schema(tables))
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


@pytest.mark.parametrize("deep", [False, True])
def test_what_is_let_go_at_once_would_not_have_been_read(deep: bool) -> None:
    names = [QName("public", f"t{number}") for number in range(4 * CHEAP_PROBES)]
    tables = Schema({name: Table(name, bytes=37 * place % 101) for place, name in enumerate(names)})
    classes = [
        [Finding(slug, 2, OfTable(name), "", vouched=place % 9 > 0, of_rows=place % 7 == 0) for place, name in each]
        for slug, each in (("orphan-rows", [*enumerate(names[:1:-1])]), ("null-rows", [*enumerate(names[-9:])]))
    ]
    doubts = {("null-rows", names[-3])}
    reading = Reading(lambda names: dict.fromkeys(names, 1), deep, doubts)
    every = [finding for each in classes for finding in each]
    kept = [finding for each in classes for finding in reading.foremost(each, tables)]
    chosen = reading.worth(every, tables)

    assert [f for f in every if f in kept] == kept
    assert {id(f) for f in every if not f.vouched} <= set(map(id, kept))
    assert reading.worth(kept, tables) == chosen
    assert deep or len(kept) < len(every)


def test_what_a_person_decides_gives_way_to_what_can_be_repaired() -> None:
    tables = Schema({name: Table(name, bytes=size) for size, name in enumerate(NAMES)})
    every = [
        Guaranteed("null-rows", name, partial(Finding, "null-rows", 4, OfTable(name), "", vouched=True), place > 0)
        for place, name in enumerate(reversed(NAMES))
    ]
    reading = Reading(lambda names: dict.fromkeys(names, 1))
    kept = [finding.table for finding in reading.foremost(every, tables)]

    assert kept == [NAMES[-1], *reversed(NAMES[: CHEAP_PROBES - 1])]
    assert {name for name, number in reading.unread.items() if number} == {*NAMES[CHEAP_PROBES - 1 : -1]}


def test_no_probe_is_composed_for_rows_that_are_not_read(
    monkeypatch: pytest.MonkeyPatch, laboratory: Laboratory
) -> None:
    contract, composed = laboratory.sound(18).contract, list[object]()
    monkeypatch.setattr(orphan_rows, "_orphans", lambda key, actual: composed.append(key))

    def none(probes: Sequence[Probe]) -> list[Count]:
        return [Count()] * len(probes)

    compare(contract.schema, contract, none, lambda tables: dict.fromkeys(tables, 2 * CHEAP_BYTES))

    assert composed == []
