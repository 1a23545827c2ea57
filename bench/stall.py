"""How long a writer and a reader of the application wait while the database is repaired under them."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from contextlib import closing

import psycopg2

from bench import data
from bench.harness import HERE, Options, Result, database, fixer, own_server, psql, run_sql, say
from bench.load import Waits, load
from fixer.connect.servers import Server

SMALL, FULL = (100_000,), (5_000_000,)
QUIET = "no repair"
BUSY = "no repair, one busy session"  # what it costs that a processor is taken, without a lock or a table
BUILT = "no repair, its indexes alone"  # what it costs that an index is built beside the writes, whoever does so
QUIET_SECONDS = 8.0
INDEXES = (
    "users (id)", "users (email)", "users (username)", "paper_trades (id)", "paper_trades (symbol)",
    'paper_trades ("timestamp")', "paper_trades (user_id)", 'paper_trades (user_id, "timestamp")',
)  # fmt: skip


def run(options: Options) -> Result:
    """Measure each way of repair under load, on its own copy of one template."""
    result = Result("stall")
    ways: dict[str, Callable[[str], object]] = {
        QUIET: lambda dsn: time.sleep(QUIET_SECONDS),
        BUSY: compute,
        BUILT: build,
        "online": lambda dsn: apply("online", dsn),
        "atomic": lambda dsn: apply("atomic", dsn),
        "naive ALTERs": lambda dsn: psql(dsn, HERE / "naive_alters.sql"),
    }
    with own_server(options.settings(), options.version) as own:
        for users in options.pick(SMALL, FULL):
            say(f"{users:,} users, {2 * users:,} trades: filling the template")
            template = own.server.create_database()
            dsn = own.server.database_dsn(template)
            data.broken(dsn, users)
            # The application has its indexes, and no key: else it would be slow already.
            run_sql(dsn, "CREATE INDEX ON users (id)", "CREATE INDEX ON paper_trades (user_id)", "VACUUM (ANALYZE)")
            waited = {name: under_load(own.server, template, users, name, work) for name, work in ways.items()}
            for place, kind in enumerate(("writer", "reader")):
                compare(result, users, kind, {name: each[place] for name, each in waited.items()})
    return result


def compute(dsn: str) -> None:
    """Let one session compute and touch nothing."""
    with closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
        cursor.execute(f"SET statement_timeout = '{QUIET_SECONDS}s'")
        with contextlib.suppress(psycopg2.errors.QueryCanceled):
            cursor.execute("SELECT count(*) FROM generate_series(1, 1000000000)")


def build(dsn: str) -> None:
    """Build the indexes that a repair builds, one after the other, as PostgreSQL does it beside writes."""
    with closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        for place in INDEXES:
            cursor.execute(f"CREATE INDEX CONCURRENTLY ON {place}")


def apply(mode: str, dsn: str, *words: str) -> None:
    """Repair a database."""
    fixer("apply", "--yes", "--allow-hazards", "all", "--mode", mode, *words, dsn=dsn)


def under_load(
    server: Server, template: str, users: int, name: str, work: Callable[[str], object]
) -> tuple[Waits, Waits]:
    """Do some work on a copy of a template under load; return what the writer and the reader waited."""
    say(f"{users:,} users, a writer and a reader at work: {name}")
    with database(server, template) as dsn:
        with load(dsn, users) as (writer, reader):
            work(dsn)
        return writer, reader


def compare(result: Result, users: int, kind: str, waited: dict[str, Waits]) -> None:
    """Add the waits of a kind of client, each against those of a database that nobody repairs."""
    quiet = waited[QUIET]
    for name, waits in waited.items():
        errors = ", ".join(f"{count} × {code}" for code, count in waits.errors.items())
        for word, mine, reference, bound in (
            ("longest", waits.longest, quiet.longest, f"≤ {quiet.longest * 1000 + 50:.0f} ms"),
            ("p99", waits.p99, quiet.p99, "≤ 2"),
        ):
            result.add(
                f"{kind}, {word}: {name}", users, mine * 1000, unit="ms",
                reference="" if name == QUIET else QUIET, ratio=None if name == QUIET else mine / reference,
                bound=bound if name == "online" and kind == "writer" else "",
                note=f"{len(waits.taken):,} transactions{'; ' + errors if errors else ''}",
            )  # fmt: skip
        if name == "online":
            for other in (BUSY, BUILT):
                if other in waited:
                    result.add(
                        f"{kind}, p99: {name}", users, waits.p99 * 1000, unit="ms",
                        reference=other, ratio=waits.p99 / waited[other].p99,
                    )  # fmt: skip
