"""`fixer prove` against a dump and a restore alone, both into the same server.

Once of a database without any constraint, whose repair builds every key and moves rows, and once of one with one fault.
Beside it stands the floor: a dump, a restore, and `fixer apply` at what was restored, as a person would try it out.
"""

from __future__ import annotations

import resource
import subprocess
import time
from collections.abc import Callable
from functools import partial

from bench import data
from bench.harness import Options, OwnServer, Result, alternate, ask, database, fixer, own_server, run_sql, say, seconds
from fixer.connect.servers import Server

SMALL, FULL = (50_000,), (333_333,)  # users, with two trades each: a million rows
ALONE = "pg_dump and psql alone"
FLOOR = "pg_dump, psql and fixer apply alone"
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
                _measure(own, own.server.database_dsn(name), users, kind, result, options)
                own.server.drop_database(name)
    return result


def _one_fault(dsn: str, users: int) -> None:
    """Fill a database that lacks one foreign key, under which one row is an orphan."""
    data.healthy(dsn, users)
    run_sql(dsn, "ALTER TABLE paper_trades DROP CONSTRAINT paper_trades_user_id_fkey",
            "UPDATE paper_trades SET user_id = 2000000000 WHERE id = 5", "VACUUM (ANALYZE)")  # fmt: skip


def _measure(own: OwnServer, dsn: str, users: int, kind: str, result: Result, options: Options) -> None:
    server = own.server
    words = ("prove", "--allow-hazards", "all", "-q", "--scratch", server.dsn)
    ways: dict[str, Callable[[], float]] = {
        ALONE: partial(_alone, server, dsn),
        FLOOR: partial(_alone, server, dsn, partial(fixer, "apply", "--yes", "-q", "--allow-hazards", "all")),
        "fixer prove --no-suite": partial(seconds, partial(fixer, *words, "--no-suite", dsn=dsn)),
        "fixer prove": partial(seconds, partial(fixer, *words, dsn=dsn)),
    }
    worked = {f"{name}, {kind}": _Worked(own, way) for name, way in ways.items()}
    bounds = {name: "≤ 3 of 1,000,000 rows" for name in worked if name.startswith("fixer prove")}
    alone = f"{ALONE}, {kind}"
    result.compare(users, alternate(worked, options.runs), alone, bounds)
    took = {f"{name}, processor": each.processor / options.runs for name, each in worked.items()}
    result.compare(users, took, f"{alone}, processor")
    result.note(f"The target of {kind} has {ask(dsn, COUNT):,} rows before and after.")


class _Worked:
    """A way that is measured: it returns the seconds it took, and sums up those of processors, the server's too."""

    def __init__(self, own: OwnServer, way: Callable[[], float]) -> None:
        self._own, self._way, self.processor = own, way, 0.0

    def __call__(self) -> float:
        before = self._now()
        taken = self._way()
        self.processor += self._now() - before
        return taken

    def _now(self) -> float:
        time.sleep(0.3)  # sessions of the server that have ended are counted
        mine = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return self._own.processor() + sum(each.ru_utime + each.ru_stime for each in mine)


def _alone(server: Server, dsn: str, then: Callable[..., object] | None = None) -> float:
    """Dump the target, restore it into an empty database, and then do something there."""
    if not server.bindir:
        raise RuntimeError("the server has no programs")
    with database(server) as copy:
        piped = partial(_piped, str(server.bindir / "pg_dump"), dsn, str(server.bindir / "psql"), copy)
        return seconds(piped) + (seconds(partial(then, dsn=copy)) if then else 0.0)


def _piped(dump: str, dsn: str, psql: str, copy: str) -> None:
    with subprocess.Popen([dump, dsn], stdout=subprocess.PIPE) as source:
        words = [psql, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-o", "/dev/null", copy]
        subprocess.run(words, stdin=source.stdout, check=True)
    if source.returncode:
        raise RuntimeError("the dump failed")
