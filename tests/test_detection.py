"""The comparison with peers: its clinic is sound, its faults can be planted, and its page shows what was measured."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from bench import clinic, detection, detectors
from fixer.connect import servers
from fixer.connect.servers import Server
from lab.process import HOUSE

FAULTS = {fault.what: fault for fault in detection.faults()}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with servers.embedded(detection.VERSION) as lent:
        yield lent


def test_the_clinic_is_sound_and_each_fault_can_be_planted(server: Server) -> None:
    pattern = detection.built(server)
    wanted, sound = server.create_database(pattern), server.create_database(pattern)
    ours = [*detectors.ours(server, wanted, clinic.metadata)]
    usual = {way.name: way.look(sound) for way in ours}
    behind = detection._seen(server, pattern, FAULTS["the sequence is behind its rows"], ours, usual)
    quiet = detection._seen(server, pattern, detection.Fault("", "", "SELECT 1"), ours, usual)
    planted = [detection._seen(server, pattern, fault, [], {}) for fault in FAULTS.values()]

    assert set(usual.values()) == {frozenset()}
    assert behind
    assert set(behind["found"].values()) == {"found"}
    assert quiet
    assert set(quiet["found"].values()) == {"missed"}
    assert None not in planted


def test_the_page_has_a_line_for_each_fault() -> None:
    kept = json.loads((HOUSE / "bench/results/detection.json").read_text("utf-8"))
    page = (HOUSE / "docs/peers.md").read_text("utf-8")

    assert len(FAULTS) >= 60
    assert {each["what"] for each in kept["faults"]} == {*FAULTS}
    assert all(f"| {each['area']}: {each['what']} |" in page for each in kept["faults"])
