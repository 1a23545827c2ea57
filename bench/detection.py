"""Which faults who finds: planted one at a time in a sound clinic, and looked for by us and by every peer there is.

A fault counts as found if a detector says something that it does not say of the sound database.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg2
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from bench import clinic, detectors, harness
from bench.detectors import Detector, Failed
from bench.harness import Options, Result
from fixer.connect import servers
from fixer.connect.servers import Server

VERSION = 16  # peers that nobody maintains know no newer one
WORKERS = 6
MARKS = {"found": "✓", "note": "·", "missed": "–", "failed": "!"}


@dataclass(frozen=True)
class Fault:
    """What is planted."""

    area: str
    what: str
    sql: str


@dataclass
class Detection(Result):
    """Which faults who found, beside the figures."""

    faults: list[dict[str, Any]] = field(default_factory=list)
    detectors: dict[str, str] = field(default_factory=dict)
    postgresql: int = VERSION

    def extra(self) -> dict[str, Any]:
        """Return what is kept beside the figures."""
        return {"postgresql": self.postgresql, "detectors": self.detectors, "faults": self.faults}


def faults() -> Iterator[Fault]:
    """Yield the faults of faults.sql."""
    text = Path(__file__).with_name("faults.sql").read_text(encoding="utf-8")
    for area, what, statements in re.findall(r"^-- ([a-z ]+): (.+)\n((?:(?!--).*\n?)+)", text, re.M):
        yield Fault(area, what, statements.strip())


def built(server: Server) -> str:
    """Return a sound clinic with rows."""
    name = server.create_database()
    dsn = server.database_dsn(name)
    detectors.settle(dsn, "CREATE ROLE clinic_app")
    clinic.metadata.create_all(
        create_engine("postgresql+psycopg2://", creator=lambda: psycopg2.connect(dsn), poolclass=NullPool)
    )
    detectors.settle(dsn, clinic.CODE)
    detectors.settle(dsn, clinic.ROWS)
    return name


def run(options: Options) -> Detection:
    """Plant each fault in a copy of the clinic, and ask every detector."""
    result = Detection("detection")
    with servers.embedded(options.version or VERSION) as server:
        result.postgresql = server.version
        pattern = built(server)
        wanted, sound = server.create_database(pattern), server.create_database(pattern)
        ways = [*detectors.all_of(server, wanted, clinic.metadata)]
        usual = _usual(result, ways, sound)
        ways = [way for way in ways if way.name in usual]
        result.detectors = {way.name: way.what for way in ways}
        with ThreadPoolExecutor(WORKERS) as pool:
            seen = pool.map(lambda fault: _seen(server, pattern, fault, ways, usual), faults())
            result.faults = [each for each in seen if each]
    _sum(result, ways, usual)
    return result


def _usual(result: Detection, ways: Iterable[Detector], sound: str) -> dict[str, frozenset[str]]:
    """Return what each detector says of the sound database, without those that cannot look at it."""
    usual = {}
    for way in ways:
        try:
            usual[way.name] = way.look(sound)
        except Failed as error:
            result.note(f"{way.name} cannot look at the sound database: {' '.join(str(error).split())[-200:]}")
    return usual


def _seen(
    server: Server, pattern: str, fault: Fault, ways: Iterable[Detector], usual: dict[str, frozenset[str]]
) -> dict[str, Any] | None:
    """Plant one fault, and return who found it; None if it cannot be planted."""
    name = server.create_database(pattern)
    try:
        try:
            detectors.settle(server.database_dsn(name), fault.sql)
        except psycopg2.Error as error:
            harness.say(f"not planted: {fault.what}: {str(error).splitlines()[0]}")
            return None
        found = {way.name: _verdict(way, name, usual[way.name]) for way in ways}
        harness.say(f"{fault.area}: {fault.what}: {' '.join(MARKS[each] for each in found.values())}")
        return {"area": fault.area, "what": fault.what, "found": found}
    finally:
        server.drop_database(name)


def _verdict(way: Detector, database: str, usual: frozenset[str]) -> str:
    try:
        more = way.look(database) - usual
    except Exception as error:  # of a peer, whatever it raises
        harness.say(f"{way.name}: {' '.join(str(error).split())[:200]}")
        return "failed"
    if not more:
        return "missed"
    return "note" if way.only_notes(more) else "found"


def _sum(result: Detection, ways: Iterable[Detector], usual: dict[str, frozenset[str]]) -> None:
    """Add the figures: for each detector the faults that it found, and what it says of the sound database."""
    count = len(result.faults)
    for way in ways:
        found = sum(each["found"][way.name] == "found" for each in result.faults)
        note = f"says {len(usual[way.name])} things of the sound database" if usual[way.name] else ""
        result.add(way.name, count, found, unit="found", ratio=found / count, note=note)
    missed = [
        f"{each['area']}: {each['what']}"
        for each in result.faults
        if "found" not in (each["found"]["pgmend, models"], each["found"]["pgmend, database"])
    ]
    result.note(f"Missed by us, whatever the contract ({len(missed)}): {'; '.join(missed) or 'none'}.")
