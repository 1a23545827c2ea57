"""What each way to repair costs an application at work: its longest waits, rows a second, rows lost, the way back.

Every way meets the same broken trading database (`data.broken`, with prices kept as text) while a writer and a reader
work on it. Tools that look at no row meet it twice more: with its rows cleaned by hand, and with all mended that they
cannot do themselves.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psycopg2
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from bench import data, rivals
from bench.detectors import ran
from bench.harness import HERE, Options, Result, ask, database, fixer, own_server, psql, run_sql, say, seconds
from bench.load import RATE, load
from bench.rivals import CONTRACT, Case, Stopped, Way
from fixer.connect.servers import Server

SMALL, FULL = (20_000,), (300_000,)
VERSION = 16  # peers that nobody maintains know no newer one
QUIET = "no repair"
QUIET_SECONDS = 8.0
TRIES, DEADLOCK = (
    5,
    "deadlock detected",
)  # a person would try again what PostgreSQL cancelled for the application's sake
STAGES = ("as it is", "rows cleaned by hand", "rows, price and models mended by hand")

# Of each row, wherever it is now: what it is known by, and the cells that no repair has to change.
CELLS: dict[str, tuple[str, dict[str, str]]] = {
    "users": ("username", {"username": "text", "email": "text", "password_hash": "text", "created_at": "timestamptz"}),
    "paper_trades": (
        "created_at",
        {
            "user_id": "bigint", "symbol": "text", "action": "text", "quantity": "integer", "price": "text",
            "timestamp": "timestamptz", "created_at": "timestamptz",
        },
    ),
}  # fmt: skip
WHERE = {"users": "username <> 'PAPER_TRADER_001'", "paper_trades": "id >= 0"}  # those below zero are the writer's
ASIDE = {"fixer_quarantine.{}": "true", "rescued.rows": "source = '{}' AND reason NOT LIKE 'before %'"}
WHOLE = {
    "users": "SELECT (to_jsonb(t) - 'current_balance')::text FROM users t",
    "paper_trades": "SELECT to_jsonb(t)::text FROM paper_trades t WHERE id >= 0",
}
OURS = ("fixer_journal", "fixer_quarantine", "rescued")  # kept for people, whatever becomes of the tables


@dataclass
class Ways(Result):
    """What each way did, beside the figures."""

    ways: list[dict[str, Any]] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)

    def extra(self) -> dict[str, Any]:
        """Return what is kept beside the figures."""
        return {**self.facts, "ways": self.ways}


@dataclass(frozen=True)
class Stage:
    """A database to start from, and the wanted one for tools that compare two."""

    name: str
    template: str
    wanted: str
    wide: bool = False


def run(options: Options) -> Ways:
    """Let each way repair its own copy of the template, under load."""
    result, load_before = Ways("ways"), os.getloadavg()[0]
    with own_server(options.settings(), options.version or VERSION) as own:
        for users in options.pick(SMALL, FULL):
            stages = _stages(own.server, users)
            measure = Measure(own.server, users, result)
            result.facts = {"postgresql": own.server.version, "users": users, "rows": measure.count(stages[0])}
            result.facts |= {"rate": RATE, "load": load_before}
            measure.quiet(stages[0])
            for way in (*rivals.ours(), *rivals.by_hand()):
                measure.way(way, stages[0])
            for way in rivals.peers():
                for stage in stages:
                    if measure.way(way, stage):
                        break
            for stage in stages:
                own.server.drop_database(stage.template)
    return result


def _stages(server: Server, users: int) -> list[Stage]:
    say(f"{users:,} users, {2 * users:,} trades: filling the templates")
    broken = server.create_database()
    dsn = server.database_dsn(broken)
    data.broken(dsn, users)
    # The application has its indexes, and no key: else it would be slow already.
    run_sql(dsn, "ALTER TABLE paper_trades ALTER price TYPE text", "CREATE INDEX ON users (id)")
    run_sql(dsn, "CREATE INDEX ON paper_trades (user_id)", "VACUUM (FULL, ANALYZE)")
    cleaned = server.create_database(broken)
    psql(server.database_dsn(cleaned), HERE / "clean_rows.sql")
    run_sql(server.database_dsn(cleaned), "VACUUM (FULL, ANALYZE)")
    mended = server.create_database(cleaned)
    change = "ALTER TABLE paper_trades ALTER price TYPE numeric(15,2) USING price::numeric(15,2)"
    run_sql(server.database_dsn(mended), change, "VACUUM (ANALYZE)")
    wanted, wide = _wanted(server, wide=False), _wanted(server, wide=True)
    return [
        Stage(STAGES[0], broken, wanted), Stage(STAGES[1], cleaned, wanted), Stage(STAGES[2], mended, wide, wide=True)
    ]  # fmt: skip


def _wanted(server: Server, wide: bool) -> str:
    dsn = server.database_dsn(server.create_database())
    engine = create_engine("postgresql+psycopg2://", creator=lambda: psycopg2.connect(dsn), poolclass=NullPool)
    rivals.models(wide).create_all(engine)
    return dsn


class Measure:
    """One size: each way on its own copy of a template, and what that did to the application and the rows."""

    def __init__(self, server: Server, users: int, result: Ways) -> None:
        self.server, self.users, self.result = server, users, result

    def count(self, stage: Stage) -> int:
        """Return the rows of the tables."""
        dsn = self.server.database_dsn(stage.template)
        return int(ask(dsn, "SELECT (SELECT count(*) FROM users) + (SELECT count(*) FROM paper_trades)"))

    def quiet(self, stage: Stage) -> None:
        """Measure the application while nobody repairs."""
        nothing = Way(QUIET, "", "", lambda case: time.sleep(QUIET_SECONDS))
        self.way(nothing, stage)

    def way(self, way: Way, stage: Stage) -> bool:
        """Measure one way on a copy of one stage; say whether it got through and left every row as it was."""
        say(f"{self.users:,} users, {stage.name}: {way.name}")
        with (
            database(self.server, stage.template) as dsn,
            database(self.server, stage.template) as before,
            tempfile.TemporaryDirectory() as room,
        ):
            case = Case(dsn, stage.wanted, before, Path(room), stage.wide)
            said = {"way": way.name, "made_for": way.made_for, "how": way.how, "stage": stage.name}
            said |= self._under_load(way, case)
            if way.name != QUIET:
                said |= _contract(dsn) | _lost(before, dsn) | self._back(way, case, said)
        self.result.ways.append(said)
        self._figures(said)
        return not said["stopped"] and not said.get("lost") and not said.get("changed")

    def _under_load(self, way: Way, case: Case) -> dict[str, Any]:
        before = _definitions(self.server, case.before)
        with load(case.dsn, self.users) as (writer, reader):
            started = time.perf_counter()
            for tries in range(1, TRIES + 1):
                (room := case.room / str(tries)).mkdir()
                stopped = _tried(way, replace(case, room=room))
                if not stopped or DEADLOCK not in stopped or _definitions(self.server, case.dsn) != before:
                    break
            lasted = time.perf_counter() - started
        entered = writer.done - ask(case.dsn, "SELECT count(*) FROM paper_trades WHERE id < 0")
        said = {"stopped": stopped, "tries": tries, "seconds": lasted, "entered_lost": entered}
        for name, waits in (("writer", writer), ("reader", reader)):
            said |= {f"{name}_longest_ms": waits.longest * 1000, f"{name}_errors": dict(waits.errors)}
        return said

    def _back(self, way: Way, case: Case, said: dict[str, Any]) -> dict[str, Any]:
        """Take a way back, if it offers that; say whether definitions and rows are as before."""
        stopped, tries = said["stopped"], said["tries"]
        failed, taken = None, 0.0
        if way.undo and not stopped:
            try:
                undo, room = way.undo, case.room / str(tries)
                taken = seconds(lambda: undo(replace(case, room=room)))
            except Stopped as error:
                failed = str(error)
        return {
            "undo": way.undo_how if not stopped else "",
            "undo_failed": failed,
            "undo_seconds": taken,
            "definitions_as_before": _definitions(self.server, case.dsn) == _definitions(self.server, case.before),
            "rows_as_before": _whole(case.dsn) == _whole(case.before),
        }

    def _figures(self, said: dict[str, Any]) -> None:
        name = f"{said['way']}, {said['stage']}"
        if said["stopped"]:
            self.result.add(f"{name}: stopped", self.users, said["seconds"], note=said["stopped"])
            return
        note = f"reader {said['reader_longest_ms']:,.0f} ms"
        self.result.add(f"{name}: longest wait", self.users, said["writer_longest_ms"], unit="ms", note=note)
        if "lost" in said:
            note = f"{said['lost']} lost, {said['changed']} changed, {len(said['left'])} kinds of findings are left"
            rows = self.result.facts["rows"] / said["seconds"]
            self.result.add(f"{name}: rows a second", self.users, rows, unit="", note=note)


def _tried(way: Way, case: Case) -> str | None:
    """Repair; return the sentence that it stopped with, None if it got through."""
    try:
        way.repair(case)
    except Stopped as error:
        return str(error)
    return None


def _contract(dsn: str) -> dict[str, Any]:
    """Return which kinds of errors a check finds afterwards."""
    ended = fixer("check", "--deep", "--format", "json", *CONTRACT, dsn=dsn, expect=None)
    findings = json.loads(ended.output)["findings"]
    return {"left": sorted({each["slug"] for each in findings if each["severity"] == "error"})}


def _lost(before: str, now: str) -> dict[str, Any]:
    """Count the rows that are in no table and in no quarantine any more, and those whose cells are not the same."""
    was, has = _rows(before), _rows(now)
    keys, found = Counter[int](), Counter[int]()
    for (key, _), count in was.items():
        keys[key] += count
    for (key, _), count in has.items():
        found[key] += count
    gone = keys - found
    return {
        "lost": gone.total(),
        "copies_lost": sum(count for key, count in gone.items() if found[key]),
        "changed": max(0, (was - has).total() - gone.total()),
    }


def _rows(dsn: str) -> Counter[tuple[int, int]]:
    """Return key and cells of each row that is kept anywhere, as hashes."""
    return Counter(row for question in _questions(dsn) for row in _asked(dsn, question))


def _questions(dsn: str) -> Iterator[str]:
    for table, (key, cells) in CELLS.items():
        listed = ", ".join(f'"{name}"::{type_}' for name, type_ in cells.items())
        hashes = f"hashtextextended({key}::text, 0), hashtextextended(ROW({listed})::text, 0)"
        yield f"SELECT {hashes} FROM {table} WHERE {WHERE[table]}"
        typed = ", ".join(f'"{name}" {type_}' for name, type_ in cells.items())
        for place, which in ASIDE.items():
            name = place.format(table)
            if ask(dsn, f"SELECT to_regclass('{name}') IS NOT NULL"):
                yield f'SELECT {hashes} FROM {name}, jsonb_to_record("row") AS r ({typed}) WHERE {which.format(table)}'


def _asked(dsn: str, question: str) -> list[Any]:
    with closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
        cursor.execute(question)
        return cursor.fetchall()


def _whole(dsn: str) -> Counter[Any]:
    """Return every row as a hash, without the balance, which the writer changes, and without its own trades."""
    hashed = "SELECT hashtextextended(row, 0) FROM ({}) AS r (row)"
    return Counter(row for each in WHOLE.values() for row in _asked(dsn, hashed.format(each)))


def _definitions(server: Server, dsn: str) -> str:
    words = [word for name in OURS for word in ("-N", name)]
    text = ran(f"{server.bindir}/pg_dump", "-s", *words, "-T", "alembic_version", dsn, allowed=(0,))
    return re.sub(r"^\\(?:un)?restrict .*$", "", text, flags=re.M)
