"""The comparison with peers: its clinic is sound, its faults can be planted, and its page shows what was measured."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from bench import clinic, detection, detectors
from bench.detection import Detection, Fault
from bench.detectors import Detector, Failed
from fixer.connect import servers
from fixer.connect.servers import Server
from lab.process import HOUSE

FAULTS = {fault.what: fault for fault in detection.faults()}
THERE = ("pgmend, models", "pgmend, database", "Alembic", "pg_dump -s")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with servers.embedded(detection.VERSION) as lent:
        yield lent


@pytest.fixture(scope="module")
def pattern(server: Server) -> str:
    return detection.built(server)


def docs() -> ModuleType:
    """Return what writes the page."""
    spec = importlib.util.spec_from_file_location("peers_page", HOUSE / "docs/peers.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def verdicts(server: Server, pattern: str, fault: Fault, *ways: Detector) -> dict[str, str]:
    """Return what each way says of a fault, as the bench does."""
    sound = server.create_database(pattern)
    usual = {way.name: way.look(sound) for way in ways}
    seen = detection._seen(server, pattern, fault, ways, usual)
    assert seen
    found: dict[str, str] = seen["found"]
    return found


def test_the_clinic_is_sound_and_each_fault_can_be_planted(server: Server, pattern: str) -> None:
    wanted, sound = server.create_database(pattern), server.create_database(pattern)
    ours = [*detectors.ours(server, wanted, clinic.metadata)]
    planted = [detection._seen(server, pattern, fault, [], {}) for fault in FAULTS.values()]

    assert {way.look(sound) for way in ours} == {frozenset()}
    assert None not in planted
    assert detection._seen(server, pattern, Fault("", "", "DROP TABLE nowhere"), [], {}) is None


def test_each_way_that_is_always_there_finds_what_it_can_and_only_that(server: Server, pattern: str) -> None:
    wanted = server.create_database(pattern)
    ways = [*detectors.always(server, wanted, clinic.metadata)]
    plain = verdicts(server, pattern, FAULTS["one is missing, and values repeat"], *ways)
    behind = verdicts(server, pattern, FAULTS["the sequence is behind its rows"], *ways)
    nothing = verdicts(server, pattern, Fault("", "", "SELECT 1"), *ways)

    assert tuple(plain) == THERE
    assert {*plain.values()} == {"found"}
    assert [*behind.values()] == ["found", "found", "missed", "missed"]
    assert {*nothing.values()} == {"missed"}


def test_what_is_said_of_the_sound_database_too_counts_for_nothing(server: Server, pattern: str) -> None:
    def fails(database: str) -> frozenset[str]:
        raise Failed("it cannot")

    talks = Detector("talks", "", lambda database: frozenset({"as ever"}))
    sounds = {pattern: frozenset({"as ever"})}
    notes = Detector("notes", "", lambda database: frozenset({database}), lambda found: True)
    later = Detector("later", "", lambda database: sounds.get(database) or fails(database))
    usual = detection._usual(result := Detection("x"), [talks, later, Detector("never", "", fails)], pattern)
    seen = detection._seen(
        server, pattern, Fault("", "", "SELECT 1"), [talks, notes, later], {**usual, "notes": frozenset()}
    )

    assert usual == {"talks": {"as ever"}, "later": {"as ever"}}
    assert result.notes == ["never cannot look at the sound database: it cannot"]
    assert seen
    assert seen["found"] == {"talks": "missed", "notes": "note", "later": "failed"}


def test_the_figures_count_what_was_found_and_name_what_we_miss() -> None:
    ours = {"pgmend, models": "missed", "pgmend, database": "missed"}
    result = Detection("x")
    for more in ({"other": "found"}, {"other": "note", "pgmend, models": "found"}):
        result.faults.append({"area": "a", "what": "b", "found": ours | more})
    detection._sum(result, [Detector("other", "", lambda database: frozenset())], {"other": frozenset({"x"})})

    assert [(each.value, each.ratio) for each in result.figures] == [(1, 0.5)]
    assert [each.note for each in result.figures] == ["says 1 things of the sound database"]
    assert result.notes == ["Missed by us, whatever the contract (1): a: b."]


def test_the_page_shows_what_was_measured() -> None:
    kept = json.loads((HOUSE / "bench/results/detection.json").read_text("utf-8"))
    page = (HOUSE / "docs/peers.md").read_text("utf-8")

    assert len(FAULTS) >= 60
    assert {each["what"] for each in kept["faults"]} == {*FAULTS}
    assert docs().page(kept) == page


def test_the_page_says_of_each_fault_who_found_it_and_what_we_miss() -> None:
    said = {"pgmend, models": "", "a": "says 1 things"}
    kept: dict[str, Any] = {"postgresql": 16, "notes": ["b cannot look at the sound database: why"], "faults": []}
    kept["detectors"] = {"pgmend, models": "how", "a": "how else"}
    kept["figures"] = [{"subject": name, "note": note} for name, note in said.items()]
    for mine, other in (("found", "missed"), ("missed", "found"), ("note", "failed")):
        found = {"pgmend, models": mine, "a": other}
        kept["faults"].append({"area": "keys", "what": f"{mine}, {other}", "found": found})
    lines = docs().page(kept).splitlines()

    assert "| pgmend, models | how | 1 | silent |" in lines
    assert "| a | how else | 1 | says one thing |" in lines
    assert "b cannot look at the sound database." in lines
    assert "| keys: found, missed | ✓ |  |" in lines
    assert "| keys: note, failed | note | fails |" in lines
    assert [line for line in lines if line.startswith("- ")] == [
        "- keys: missed, found (found by a)", "- keys: note, failed (only a note)",
    ]  # fmt: skip
