"""Kills at random moments: the fixer, its backend, the server; then it is repaired on, and every row is looked for."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import psycopg2
from psycopg2 import sql

from bench import data
from bench.convert import WIDE
from bench.harness import Options, OwnServer, Result, ask, own_server, program, run_sql, say, seconds

SMALL, FULL = (20_000,), (100_000,)
VICTIMS = ("fixer", "backend terminated", "backend killed", "server killed")
TRIES = 20
APPLY = ("apply", "--yes", "--allow-hazards", "all")

# Of each row, wherever it is now, the cells that no repair rewrites: their number and the sum of their hashes.
USERS = "username, email, password_hash, created_at"
TRADES = 'user_id, symbol, action, quantity, price, "timestamp", created_at'
DIGEST = sql.SQL("SELECT concat_ws(' ', count(*), sum(hashtextextended(ROW({cells})::text, 0)::numeric)) FROM {rows}")


@dataclass(frozen=True)
class Repair:
    """What is interrupted: a mode, the database that it meets, and the contract that it has to reach."""

    name: str
    mode: str
    make: Callable[[str, int], None]
    contract: tuple[str, ...] = ()


REPAIRS = (
    Repair("atomic", "atomic", data.broken),
    Repair("online", "online", data.broken),
    Repair("online, to wider keys", "online", data.healthy, WIDE),
)


@dataclass
class Tally:
    """What came of the kills of one repair."""

    at_work: int = 0
    resumed: int = 0
    lost: int = 0
    tries: int = 0


def run(options: Options) -> Result:
    """Kill each repair so often, and count what is lost."""
    result = Result("kills")
    chance = random.Random(20_26)
    # The server is as PostgreSQL ships it: fsync is on, else a killed one may lose what it had promised.
    with own_server(options.settings(), options.version) as own:
        for users in options.pick(SMALL, FULL):
            for repair in REPAIRS:
                _kill_often(own, repair, users, chance, options, result)
    return result


def _kill_often(
    own: OwnServer, repair: Repair, users: int, chance: random.Random, options: Options, result: Result
) -> None:
    template = own.server.create_database()
    repair.make(own.server.database_dsn(template), users)
    wanted = digests(own.server.database_dsn(template), quarantined=False)
    name = own.server.create_database(template)
    process = start(own, name, repair)
    whole = seconds(process.wait)
    own.server.drop_database(name)
    tally, hit = Tally(), Counter[str]()
    for number in range(options.kills):
        victim = VICTIMS[number % len(VICTIMS)]
        moment = chance.random() * whole
        name = own.server.create_database(template)
        dsn = own.server.database_dsn(name)
        at_work = kill(own, name, repair, victim, moment)
        tally.at_work += at_work
        hit[victim] += at_work
        tries = resume(dsn, repair)
        tally.tries = max(tally.tries, tries)
        check = (sys.executable, "-m", "fixer", "check", "--deep", "--dsn", dsn, *repair.contract)
        holds = tries <= TRIES and program(*check).code == 0
        tally.resumed += holds
        found = digests(dsn, quarantined=True)
        tally.lost += found != wanted
        say(
            f"{repair.name} {number + 1}/{options.kills}: {victim} at {moment:.2f} s"
            f"{'' if at_work else ' (it was done already)'}; {tries} tries; {'holds' if holds else 'DOES NOT HOLD'};"
            f" {'every row is there' if found == wanted else f'ROWS DIFFER: {wanted} → {found}'}"
        )
        own.server.drop_database(name)
    struck = ", ".join(f"{count} × {victim}" for victim, count in hit.items() if count)
    result.add(f"{repair.name}: kills that struck at work", users, tally.at_work, unit="", note=struck)
    result.add(
        f"{repair.name}: resumed to a holding contract", users, tally.resumed, unit="", reference="kills",
        ratio=tally.resumed / options.kills, bound="1", note=f"{tally.tries} tries at most",
    )  # fmt: skip
    result.add(f"{repair.name}: kills after which rows were lost", users, tally.lost, unit="", bound="0")


def kill(own: OwnServer, name: str, repair: Repair, victim: str, moment: float) -> bool:
    """Start a repair, kill the victim at the moment, and tell whether the repair was still at work."""
    process = start(own, name, repair)
    with suppress(subprocess.TimeoutExpired):
        process.wait(moment)
    at_work = process.poll() is None
    backend = _backend(own, name)
    if victim == "fixer":
        process.kill()
    elif victim == "server killed":
        own.kill()
        own.start()
    elif backend and victim == "backend terminated":
        run_sql(own.server.dsn, sql.SQL("SELECT pg_terminate_backend({})").format(sql.Literal(backend)))
    elif backend:
        os.kill(backend, signal.SIGKILL)
    process.wait()
    _await(own)
    return at_work


def start(own: OwnServer, name: str, repair: Repair) -> subprocess.Popen[bytes]:
    """Start a repair, and return when it is connected."""
    command = _command(own.server.database_dsn(name), repair)
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and not _backend(own, name):
        time.sleep(0.005)
    return process


def _command(dsn: str, repair: Repair) -> list[str]:
    return [sys.executable, "-m", "fixer", *APPLY, "--mode", repair.mode, "--dsn", dsn, *repair.contract]


def _backend(own: OwnServer, name: str) -> int | None:
    """Return the process of the server that works for the fixer, if it is connected already."""
    question = "SELECT min(pid) FROM pg_stat_activity WHERE datname = {} AND backend_type = 'client backend'"
    found = ask(own.server.dsn, sql.SQL(question).format(sql.Literal(name)))
    return int(found) if found else None


def _await(own: OwnServer) -> None:
    """Wait until the server answers again."""
    while True:
        with suppress(psycopg2.OperationalError):
            return run_sql(own.server.dsn, "SELECT 1")
        time.sleep(0.05)


def resume(dsn: str, repair: Repair) -> int:
    """Repair until the contract holds, and return how many tries that took."""
    for number in range(1, TRIES + 1):
        if program(*_command(dsn, repair)).code == 0:
            return number
        time.sleep(0.2)  # the backend of a fixer that was killed works on for a while
    return TRIES + 1


def digests(dsn: str, *, quarantined: bool) -> list[str]:
    """Return the digest of each table's rows, those in quarantine included, without the contract's default row."""
    parts = []
    for table, cells, which in (
        ("users", USERS, sql.SQL("WHERE username <> 'PAPER_TRADER_001'")),
        ("paper_trades", TRADES, sql.SQL("")),
    ):
        names = sql.SQL(cells)
        rows = sql.SQL("SELECT {} FROM {} {}").format(names, sql.Identifier(table), which)
        moved = ask(dsn, sql.SQL("SELECT to_regclass({})::text").format(sql.Literal(f"fixer_quarantine.{table}")))
        if quarantined and moved:
            rows += sql.SQL(
                ' UNION ALL SELECT {} FROM (SELECT (jsonb_populate_record(NULL::{}, "row")).* FROM {}) q'
            ).format(names, sql.Identifier(table), sql.Identifier("fixer_quarantine", table))
        parts.append(str(ask(dsn, DIGEST.format(cells=names, rows=sql.SQL("({}) AS r").format(rows)))))
    return parts
