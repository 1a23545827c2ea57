"""What `fixer check` costs: beyond Python, beyond the catalogue, beyond the bare questions about rows."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from psycopg2.extensions import cursor as Cursor  # noqa: N812
from psycopg2.sql import Composable

from bench import data, many_tables
from bench.catalog import fill
from bench.harness import (
    HERE,
    Options,
    OwnServer,
    Result,
    alternate,
    database,
    fixer,
    own_server,
    program,
    run_sql,
    say,
    session,
)
from bench.harness import seconds as timed
from fixer import api, introspect
from fixer.connect import servers
from fixer.model.report import Report

SMALL, FULL = (50_000,), (500_000, 5_000_000)
SMALL_TABLES, FULL_TABLES = 300, 2_000
IMPORTS = "import fixer.cli.commands, bench.many_tables"

# The same proofs by the shortest queries: one for all that one scan answers, one for each key and reference.
BARE = (
    "SELECT count(*), count(*) FILTER (WHERE id IS NULL OR username IS NULL OR email IS NULL OR password_hash IS NULL"
    " OR is_active IS NULL OR trading_enabled IS NULL OR role IS NULL OR status IS NULL OR initial_capital IS NULL"
    " OR current_balance IS NULL OR risk_tolerance IS NULL OR max_daily_trades IS NULL OR max_position_size IS NULL"
    " OR created_at IS NULL OR updated_at IS NULL), max(id) FROM users",
    "SELECT count(*), count(*) FILTER (WHERE id IS NULL OR user_id IS NULL OR symbol IS NULL OR action IS NULL"
    ' OR quantity IS NULL OR price IS NULL OR "timestamp" IS NULL OR status IS NULL OR created_at IS NULL),'
    " count(*) FILTER (WHERE NOT (action IN ('BUY', 'SELL')) OR NOT quantity > 0 OR NOT price > 0), max(id)"
    " FROM paper_trades",
    "SELECT count(*) FROM paper_trades t WHERE user_id IS NOT NULL"
    " AND NOT EXISTS (SELECT FROM users u WHERE u.id = t.user_id)",
)


def run(options: Options) -> Result:
    """Measure the three of them."""
    result = Result("check")
    with fresh_cache():
        _trading(options, result)
        _many_tables(options, result)
        _deep(options, result)
    return result


@contextmanager
def fresh_cache() -> Iterator[Path]:
    """Let prepared contracts be kept in a place of their own."""
    before = os.environ.get("XDG_CACHE_HOME")
    with tempfile.TemporaryDirectory(prefix="pgmend-bench-cache-") as place:
        os.environ["XDG_CACHE_HOME"] = place
        try:
            yield Path(place) / "pgmend"
        finally:
            if before is None:
                del os.environ["XDG_CACHE_HOME"]
            else:
                os.environ["XDG_CACHE_HOME"] = before


# ---- the healthy database of trading


def _trading(options: Options, result: Result) -> None:
    """Measure the command on a healthy database, beyond starting Python and importing the fixer."""
    with own_server({"log_min_duration_statement": "0"}, options.version) as own:
        counts = []
        for users in (1_000, 10_000):
            dsn = own.server.database_dsn(own.server.create_database())
            data.healthy(dsn, users)
            fixer("check", dsn=dsn)
            counts.append(_statements(own, dsn))
        say("a healthy database: checking it")
        subjects: dict[str, Callable[[], object]] = {
            "python -c 'import fixer.cli.commands'": lambda: program(sys.executable, "-c", "import fixer.cli.commands"),
            "fixer check, healthy": lambda: fixer("check", dsn=dsn),
        }
        medians = alternate(subjects, max(options.runs, 5))
        start, whole = medians.values()
        result.compare(10_000, medians, "python -c 'import fixer.cli.commands'")
        result.add("fixer check beyond it", 10_000, whole - start, bound="≤ 0.5 s")
        result.add(
            "statements of fixer check", 10_000, counts[1], unit="", reference="of 1,000 users",
            ratio=counts[1] / counts[0], bound="constant; ≤ 16",
        )  # fmt: skip
        itself = _statements(own, dsn, "--contract", "self")
        result.add("statements of fixer check, self", 10_000, itself, unit="")
        if options.against:
            _beside(options, result, dsn, options.against.resolve())


def _statements(own: OwnServer, dsn: str, *words: str) -> int:
    """Return how many statements the server notes during a check."""
    before = len(own.log())
    fixer("check", *words, dsn=dsn)
    return own.log()[before:].count(" ms  statement: ")


def _beside(options: Options, result: Result, dsn: str, against: Path) -> None:
    """Measure the processor time of the whole command, in turns with another source tree's; the least counts."""
    ours, other = "processor time of fixer check, healthy", "processor time of fixer check, healthy, the other tree"
    taken: dict[str, list[float]] = {other: [], ours: []}
    for _ in range(max(options.runs, 5) + 1):
        for name, tree in ((other, against), (ours, HERE.parent)):
            command = ("-m", "fixer", "check", "--dsn", dsn)
            ended = program(sys.executable, *command, env={"PYTHONPATH": str(tree)}, cwd=tree)
            if ended.code:
                raise RuntimeError(f"fixer check of {tree} ended with {ended.code}: {ended.errors[-2000:]}")
            taken[name].append(ended.processor)
    least = {name: min(each) for name, each in taken.items()}
    result.compare(10_000, least, other, {ours: "≤ 1.05"})


# ---- a contract of many tables


def _many_tables(options: Options, result: Result) -> None:
    """Measure a contract of many tables the first time and later, against the reading of the catalogue."""
    tables = FULL_TABLES if options.full else SMALL_TABLES
    with servers.embedded(options.version) as server, fresh_cache() as kept:
        dsn = server.database_dsn(server.create_database())
        fill(dsn, tables)
        metadata = many_tables.of(tables)
        environment = {"PGMEND_BENCH_TABLES": str(tables)}
        say(f"a contract of {tables:,} tables: checking it")

        def read() -> None:
            with session(dsn) as connection, connection.cursor() as cursor:
                introspect.read(cursor, ["public"], "BEGIN;")

        def check() -> float:
            with session(dsn) as connection:
                return timed(lambda: _sound(api.check(connection, metadata)))

        def cold() -> float:
            shutil.rmtree(kept, ignore_errors=True)
            with session(dsn) as connection:
                return timed(lambda: _sound(api.check(connection, metadata)))

        def command() -> float:
            words = ("-m", "fixer", "check", "--dsn", dsn, "--contract", "bench.many_tables:metadata")
            ended = program(sys.executable, *words, env=environment, cwd=HERE.parent)
            assert ended.code == 0, ended.output
            return ended.seconds

        def start() -> float:
            return program(sys.executable, "-c", IMPORTS, env=environment, cwd=HERE.parent).seconds

        subjects: dict[str, Callable[[], object]] = {
            "fixer.introspect.read": read,
            "fixer.check, the first time": cold,
            "fixer.check, after that": check,
            f"python -c '{IMPORTS}'": start,
            "fixer check, the command, after that": command,
        }
        bounds = {"fixer.check, after that": "≤ 2", "fixer.check, the first time": "≤ 10 s"}
        result.compare(tables, alternate(subjects, options.runs), "fixer.introspect.read", bounds)
        with session(dsn) as connection:
            connection.cursor_factory = _Counting
            _sound(api.check(connection, metadata))
        result.add("statements of fixer.check", tables, _Counting.asked, unit="", bound="≤ 16")
        _processor(options, result, dsn, tables)


class _Counting(Cursor):
    """A cursor that counts what all of its kind send."""

    asked = 0

    def execute(self, query: str | bytes | Composable, vars: Sequence[object] | None = None) -> None:
        """Send a statement, and count it."""
        _Counting.asked += 1
        super().execute(query, vars)


PROCESSOR = """
import time, psycopg2, fixer
from bench.many_tables import metadata
connection, taken = psycopg2.connect({dsn!r}), []
for _ in range(6):
    started = time.process_time()
    if not fixer.check(connection, metadata).ok:
        raise SystemExit("the contract does not hold")
    taken.append(time.process_time() - started)
print(min(taken))
"""


def _processor(options: Options, result: Result, dsn: str, tables: int) -> None:
    """Measure the least processor time of a later check in one process, by table, in each source tree."""

    def least(tree: Path) -> float:
        environment = {"PGMEND_BENCH_TABLES": str(tables), "PYTHONPATH": str(tree)}
        ended = program(sys.executable, "-c", PROCESSOR.format(dsn=dsn), env=environment, cwd=tree)
        if ended.code:
            raise RuntimeError(f"fixer.check of {tree} failed: {ended.errors[-2000:]}")
        return float(ended.output) / tables * 1000

    ours, other = "processor time of fixer.check, a table", "processor time of fixer.check, a table, the other tree"
    subjects: dict[str, Callable[[], object]] = {ours: lambda: least(HERE.parent)}
    if options.against:
        against = options.against.resolve()
        subjects[other] = lambda: least(against)
    medians = alternate(subjects, options.runs)
    if other in medians:
        result.add(other, tables, medians[other], unit="ms")
    beside = (
        {"reference": other, "ratio": medians[ours] / medians[other], "bound": "≤ 1.05"} if other in medians else {}
    )
    result.add(ours, tables, medians[ours], unit="ms", **beside)


def _sound(report: Report) -> None:
    """See that a contract of this many tables holds indeed."""
    assert report.ok, report.findings[0].message


# ---- every row


def _deep(options: Options, result: Result) -> None:
    """Measure `--deep` against the bare questions about the same rows."""
    with own_server(options.settings(), options.version) as own:
        for users in options.pick(SMALL, FULL):
            say(f"{users:,} users, {2 * users:,} trades: filling a healthy database")
            with database(own.server) as dsn:
                data.healthy(dsn, users)
                subjects: dict[str, Callable[[], object]] = {
                    "bare anti-join and counts": lambda: run_sql(dsn, *BARE),
                    "fixer check --deep": lambda: fixer("check", "--deep", dsn=dsn),
                }
                result.compare(users, alternate(subjects, options.runs), "bare anti-join and counts")
