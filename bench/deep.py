"""What `fixer check --deep` costs beside the same questions by hand, and beside the one of another source tree.

Seconds depend on what else runs on the machine; the processor time of the server's sessions depends on it less.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from psycopg2 import sql

from bench import data
from bench.check import fresh_cache
from bench.harness import HERE, Options, OwnServer, Result, alternate, database, own_server, program, run_sql, say
from bench.harness import seconds as timed

SMALL, FULL = (100_000,), (3_333_334,)  # users: with their trades three times as many rows
BY_HAND, OURS, OTHER = "by hand", "fixer check --deep", "fixer check --deep, the other tree"
NO_INDEXES = "by hand, but no index"  # what is asked of rows alone: what it costs beside is what the indexes cost

# Each table read once, for its checks and its number of rows; the orphans; each unique index read once, in its order.
ALONG_INDEXES = "SET enable_hashagg = off; SET enable_bitmapscan = off"
TRADING = (
    "SELECT count(*), max(id), count(*) FILTER (WHERE NOT action IN ('BUY', 'SELL')),"
    " count(*) FILTER (WHERE NOT quantity > 0), count(*) FILTER (WHERE NOT price > 0) FROM paper_trades",
    "SELECT count(*), max(id) FROM users WHERE (SELECT true) OR ctid IS NULL",  # which no index can answer
    "SET enable_hashjoin = off",  # to hash the keys takes several times as long as to read both indexes
    "SELECT count(*) FROM paper_trades t WHERE user_id IS NOT NULL"
    " AND NOT EXISTS (SELECT FROM users u WHERE u.id = t.user_id)",
    ALONG_INDEXES,
    "SELECT count(DISTINCT id) FROM paper_trades",
    "SELECT count(DISTINCT id) FROM users",
    "SELECT count(DISTINCT username) FROM users",
    "SELECT count(DISTINCT email) FROM users",
)
# Ranges that are sorted by their beginnings overlap if any overlaps the next one.
BOOKINGS = (
    "SELECT count(ctid), max(id), count(*) FILTER (WHERE NOT guests > 0) FROM bookings",
    "SELECT EXISTS (SELECT FROM (SELECT during, lead(during) OVER (ORDER BY lower(during) NULLS FIRST,"
    " NOT lower_inc(during)) AS next FROM bookings WHERE NOT isempty(during)) AS b WHERE during && next)",
    ALONG_INDEXES,
    "SELECT count(DISTINCT id) FROM bookings",
)
BOOKED = sql.SQL("""
CREATE TABLE bookings (id serial PRIMARY KEY, guests integer NOT NULL, during tstzrange NOT NULL,
    CONSTRAINT bookings_guests_check CHECK (guests > 0));
INSERT INTO bookings (guests, during)
SELECT g % 5 + 1, tstzrange(start, start + interval '1 minute')
  FROM (SELECT g, timestamptz '2025-01-01' + (g::bigint * 7919 % {rows}) * interval '1 minute' AS start
          FROM generate_series(1, {rows}) AS g) AS s;
ALTER TABLE bookings ADD CONSTRAINT bookings_during_excl EXCLUDE USING gist (during WITH &&);
""")


def run(options: Options) -> Result:
    """Measure all in turns, on healthy databases."""
    result, trees = Result("deep"), {OURS: HERE.parent}
    if options.against:
        trees[OTHER] = options.against.resolve()
    with own_server(options.settings(), options.version) as own, fresh_cache():
        for users in options.pick(SMALL, FULL):
            say(f"{users:,} users, {2 * users:,} trades: filling a healthy database")
            with database(own.server) as dsn:
                data.healthy(dsn, users)
                bounds = {OURS: "≤ 1.3"} if options.against else {}
                subjects = _subjects(dsn, TRADING, trees)
                subjects[NO_INDEXES] = lambda dsn=dsn: timed(
                    lambda: run_sql(dsn, *TRADING[: TRADING.index(ALONG_INDEXES)])
                )
                _compare(result, own, 3 * users, subjects, options.runs, bounds)
            say(f"{users:,} bookings that exclude each other: filling a healthy database")
            with database(own.server) as dsn:
                run_sql(dsn, BOOKED.format(rows=sql.Literal(users)), "VACUUM (ANALYZE)", "CHECKPOINT")
                words = ("--contract", "bench.bookings:metadata")
                _compare(
                    result,
                    own,
                    users,
                    _subjects(dsn, BOOKINGS, {f"{OURS}, bookings": HERE.parent}, words),
                    options.runs,
                )
    return result


def _subjects(
    dsn: str, by_hand: Sequence[str], trees: Mapping[str, Path], words: Sequence[str] = ()
) -> dict[str, Callable[[], float]]:
    """Return what is measured; each tree has read the contract once, so that its cache is warm."""
    subjects: dict[str, Callable[[], float]] = {BY_HAND: lambda: timed(lambda: run_sql(dsn, *by_hand))}
    for name, tree in trees.items():
        _check(tree, dsn, words)
        subjects[name] = lambda tree=tree: _check(tree, dsn, words)
    return subjects


def _compare(
    result: Result,
    own: OwnServer,
    size: int,
    subjects: Mapping[str, Callable[[], float]],
    runs: int,
    bounds: Mapping[str, str] | None = None,
) -> None:
    """Add the seconds of each subject, and the processor time of the server, as ratios to the last reference."""
    spent = defaultdict[str, list[float]](list)

    def weighed(name: str, work: Callable[[], float]) -> float:
        before = own.processor()
        lasted = work()
        time.sleep(0.3)  # until its sessions have ended
        spent[name].append(own.processor() - before)
        return lasted

    medians = alternate(
        {name: lambda name=name, work=work: weighed(name, work) for name, work in subjects.items()}, runs
    )
    processor = {f"{name}: processor of the server": statistics.median(each) for name, each in spent.items()}
    for taken, end in ((medians, ""), (processor, ": processor of the server")):
        ours = {name: taken[name] for name in taken if not name.startswith(OTHER)}
        result.compare(size, ours, BY_HAND + end)
        if OTHER + end in taken:
            both = {name + end: taken[name + end] for name in (OTHER, OURS)}
            result.compare(size, both, OTHER + end, {name + end: bound for name, bound in (bounds or {}).items()})


def _check(tree: Path, dsn: str, words: Sequence[str] = ()) -> float:
    """Check all rows with the fixer of a tree; return the seconds."""
    command = ("-m", "fixer", "check", "--deep", "--dsn", dsn, *words)
    ended = program(sys.executable, *command, env={"PYTHONPATH": str(tree)}, cwd=tree)
    if ended.code:
        raise RuntimeError(
            f"fixer check of {tree} ended with {ended.code}: {ended.output[-2000:]}{ended.errors[-2000:]}"
        )
    return ended.seconds
