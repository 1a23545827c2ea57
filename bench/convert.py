"""What it costs to make integer keys bigints, and how long a writer and a reader of the application wait meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from bench import data
from bench.harness import Options, Result, own_server, run_sql, say, seconds
from bench.stall import BUSY, QUIET, QUIET_SECONDS, apply, compare, compute, under_load

SMALL, FULL = (100_000,), (5_000_000,)
WIDE = ("--contract", "bench.wide:metadata")
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
        BUSY: compute,
        "online": lambda dsn: apply("online", dsn, *WIDE),
        "atomic": lambda dsn: apply("atomic", dsn, *WIDE),
        "naive ALTERs": lambda dsn: run_sql(dsn, *NAIVE),
    }
    with own_server(options.settings(), options.version) as own:
        for users in options.pick(SMALL, FULL):
            say(f"{users:,} users, {2 * users:,} trades: filling the template")
            template = own.server.create_database()
            data.healthy(own.server.database_dsn(template), users)
            taken = dict[str, float]()
            waited = {
                name: under_load(own.server, template, users, name, partial(_timed, taken, name, work))
                for name, work in ways.items()
            }
            for place, kind in enumerate(("writer", "reader")):
                compare(result, users, kind, {name: each[place] for name, each in waited.items()})
            del taken[QUIET], taken[BUSY]
            result.compare(users, taken, "naive ALTERs")
    return result


def _timed(taken: dict[str, float], name: str, work: Callable[[str], object], dsn: str) -> None:
    taken[name] = seconds(partial(work, dsn))
