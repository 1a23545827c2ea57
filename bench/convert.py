"""What it costs to make integer keys bigints, and how long a writer and a reader of the application wait meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable

from bench import data
from bench.harness import Options, Result, database, fixer, own_server, run_sql, say
from bench.load import load
from bench.stall import QUIET, QUIET_SECONDS, compare

SMALL, FULL = (100_000,), (5_000_000,)
NAIVE = (
    "ALTER TABLE users ALTER COLUMN id TYPE bigint",
    "ALTER TABLE paper_trades ALTER COLUMN id TYPE bigint",
    "ALTER TABLE paper_trades ALTER COLUMN user_id TYPE bigint",
    "ALTER SEQUENCE users_id_seq AS bigint",
    "ALTER SEQUENCE paper_trades_id_seq AS bigint",
)


def run(options: Options) -> Result:
    """Convert the same keys in each way, on its own copy of one template, under load."""
    result = Result("convert")
    ways: dict[str, Callable[[str], object]] = {
        QUIET: lambda dsn: time.sleep(QUIET_SECONDS),
        "online": lambda dsn: _apply("online", dsn),
        "atomic": lambda dsn: _apply("atomic", dsn),
        "naive ALTERs": lambda dsn: run_sql(dsn, *NAIVE),
    }
    with own_server(options.settings(), options.version) as own:
        for users in options.pick(SMALL, FULL):
            say(f"{users:,} users, {2 * users:,} trades: filling the template")
            template = own.server.create_database()
            data.healthy(own.server.database_dsn(template), users)
            waited, taken = {}, {}
            for name, work in ways.items():
                say(f"{users:,} users, a writer and a reader at work: {name}")
                with database(own.server, template) as dsn, load(dsn, users) as waits:
                    started = time.perf_counter()
                    work(dsn)
                    taken[name] = time.perf_counter() - started
                    waited[name] = waits
            for place, kind in enumerate(("writer", "reader")):
                compare(result, users, kind, {name: each[place] for name, each in waited.items()})
            del taken[QUIET]
            result.compare(users, taken, "naive ALTERs")
    return result


def _apply(mode: str, dsn: str) -> None:
    words = ("apply", "--yes", "--allow-hazards", "all", "--mode", mode, "--contract", "bench.wide:metadata")
    fixer(*words, dsn=dsn)
