"""`fixer prove` against a dump and a restore alone, both into the same server.

Once of a database without any constraint, whose repair builds every key and moves rows, and once of one with one fault.
"""

from __future__ import annotations

import subprocess
from functools import partial

from bench import data
from bench.harness import Options, Result, alternate, ask, database, fixer, own_server, run_sql, say, seconds
from fixer.connect.servers import Server

SMALL, FULL = (50_000,), (333_333,)  # users, with two trades each: a million rows
ALONE = "pg_dump and psql alone"
COUNT = "SELECT (SELECT count(*) FROM users) + (SELECT count(*) FROM paper_trades)"


def run(options: Options) -> Result:
    """Measure both in turns, on a database whose repair moves rows and builds every key."""
    result = Result("prove")
    with own_server(options.settings(), options.version) as own:
        for users in options.pick(SMALL, FULL):
            for kind, fill in (("every fault", data.broken), ("one fault", _one_fault)):
                say(f"{users:,} users, {2 * users:,} trades, {kind}: filling the target")
                name = own.server.create_database()
                fill(own.server.database_dsn(name), users)
                _measure(own.server, own.server.database_dsn(name), users, kind, result, options)
                own.server.drop_database(name)
    return result


def _one_fault(dsn: str, users: int) -> None:
    """Fill a database that lacks one foreign key, under which one row is an orphan."""
    data.healthy(dsn, users)
    run_sql(dsn, "ALTER TABLE paper_trades DROP CONSTRAINT paper_trades_user_id_fkey",
            "UPDATE paper_trades SET user_id = 2000000000 WHERE id = 5", "VACUUM (ANALYZE)")  # fmt: skip


def _measure(server: Server, dsn: str, users: int, kind: str, result: Result, options: Options) -> None:
    words = ("prove", "--allow-hazards", "all", "-q", "--scratch", server.dsn)
    ways = {
        f"{ALONE}, {kind}": partial(_alone, server, dsn),
        f"fixer prove --no-suite, {kind}": partial(seconds, partial(fixer, *words, "--no-suite", dsn=dsn)),
        f"fixer prove, {kind}": partial(seconds, partial(fixer, *words, dsn=dsn)),
    }
    bounds = {name: "≤ 3 of 1,000,000 rows" for name in ways if name.startswith("fixer prove")}
    result.compare(users, alternate(ways, options.runs), f"{ALONE}, {kind}", bounds)
    result.note(f"The target of {kind} has {ask(dsn, COUNT):,} rows before and after.")


def _alone(server: Server, dsn: str) -> float:
    """Dump the target, and restore it into an empty database."""
    if not server.bindir:
        raise RuntimeError("the server has no programs")
    with database(server) as copy:
        return seconds(partial(_piped, str(server.bindir / "pg_dump"), dsn, str(server.bindir / "psql"), copy))


def _piped(dump: str, dsn: str, psql: str, copy: str) -> None:
    with subprocess.Popen([dump, dsn], stdout=subprocess.PIPE) as source:
        words = [psql, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-o", "/dev/null", copy]
        subprocess.run(words, stdin=source.stdout, check=True)
    if source.returncode:
        raise RuntimeError("the dump failed")
