"""Kills at random moments: the fixer, its backend, the server; then it is repaired on, and every row is looked for."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass

import psycopg2
from psycopg2 import sql

from bench import data
from bench.harness import Options, OwnServer, Result, ask, offers, own_server, program, run_sql, say, seconds

SMALL, FULL = (20_000,), (100_000,)
VICTIMS = ("fixer", "backend terminated", "backend killed", "server killed")
TRIES = 20
APPLY = ("apply", "--yes", "--allow-hazards", "all")

# Of each row, wherever it is now, the cells that no repair rewrites: their number and the sum of their hashes.
USERS = "username, email, password_hash, created_at"
TRADES = 'user_id, symbol, action, quantity, price, "timestamp", created_at'
DIGEST = sql.SQL("SELECT concat_ws(' ', count(*), sum(hashtextextended(ROW({cells})::text, 0)::numeric)) FROM {rows}")


@dataclass
class Tally:
    """What came of the kills of one mode."""

    at_work: int = 0
    resumed: int = 0
    lost: int = 0
    tries: int = 0


def run(options: Options) -> Result:
    """Kill so often in each mode, and count what is lost."""
    result = Result("kills")
    modes = ["atomic", *(["online"] if offers("apply", "online") else [])]
    chance = random.Random(20_26)
    # The server is as PostgreSQL ships it: fsync is on, else a killed one may lose what it had promised.
    with own_server(options.settings(), options.version) as own:
        for users in options.pick(SMALL, FULL):
            template = own.server.create_database()
            data.broken(own.server.database_dsn(template), users)
            wanted = digests(own.server.database_dsn(template), quarantined=False)
            for mode in modes:
                _mode(own, template, users, mode, wanted, chance, options, result)
    return result


def _mode(
    own: OwnServer, template: str, users: int, mode: str, wanted: list[str], chance: random.Random, options: Options,
    result: Result,
) -> None:  # fmt: skip
    name = own.server.create_database(template)
    process = start(own, name, mode)
    whole = seconds(process.wait)
    own.server.drop_database(name)
    tally, hit = Tally(), Counter[str]()
    for number in range(options.kills):
        victim = VICTIMS[number % len(VICTIMS)]
        moment = chance.random() * whole
        name = own.server.create_database(template)
        dsn = own.server.database_dsn(name)
        at_work = kill(own, name, mode, victim, moment)
        tally.at_work += at_work
        hit[victim] += at_work
        tries = resume(dsn, mode)
        tally.tries = max(tally.tries, tries)
        holds = tries <= TRIES and program(sys.executable, "-m", "fixer", "check", "--deep", "--dsn", dsn).code == 0
        tally.resumed += holds
        found = digests(dsn, quarantined=True)
        tally.lost += found != wanted
        say(
            f"{mode} {number + 1}/{options.kills}: {victim} at {moment:.2f} s"
            f"{'' if at_work else ' (it was done already)'}; {tries} tries; {'holds' if holds else 'DOES NOT HOLD'};"
            f" {'every row is there' if found == wanted else f'ROWS DIFFER: {wanted} → {found}'}"
        )
        own.server.drop_database(name)
    struck = ", ".join(f"{count} × {victim}" for victim, count in hit.items() if count)
    result.add(f"{mode}: kills that struck at work", users, tally.at_work, unit="", note=struck)
    result.add(
        f"{mode}: resumed to a holding contract", users, tally.resumed, unit="", reference="kills",
        ratio=tally.resumed / options.kills, bound="1", note=f"{tally.tries} tries at most",
    )  # fmt: skip
    result.add(f"{mode}: kills after which rows were lost", users, tally.lost, unit="", bound="0")


def kill(own: OwnServer, name: str, mode: str, victim: str, moment: float) -> bool:
    """Start a repair, kill the victim at the moment, and tell whether the repair was still at work."""
    process = start(own, name, mode)
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


def start(own: OwnServer, name: str, mode: str) -> subprocess.Popen[bytes]:
    """Start a repair, and return when it is connected."""
    command = [sys.executable, "-m", "fixer", *APPLY, "--mode", mode, "--dsn", own.server.database_dsn(name)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and not _backend(own, name):
        time.sleep(0.005)
    return process


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


def resume(dsn: str, mode: str) -> int:
    """Repair until the contract holds, and return how many tries that took."""
    for number in range(1, TRIES + 1):
        if program(sys.executable, "-m", "fixer", *APPLY, "--mode", mode, "--dsn", dsn).code == 0:
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
