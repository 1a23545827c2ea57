"""What the contract suite costs: on a healthy database, for each snapshot, for each generated row."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from psycopg2 import sql
from psycopg2.extensions import connection as Connection  # noqa: N812
from psycopg2.extras import execute_values

from bench import data
from bench.harness import Ended, Options, Result, alternate, program, say, session
from contracts import rows, trading
from fixer.connect import servers, snapshot

SMALL, FULL = (1_000,), (1_000, 100_000)
NOTHING = "pytest collecting nothing"
EXAMPLES = 200


def run(options: Options) -> Result:
    """Measure the three of them."""
    result = Result("suite")
    with servers.embedded(options.version) as server, tempfile.TemporaryDirectory() as empty:
        for users in options.pick(SMALL, FULL):
            dsn = server.database_dsn(server.create_database())
            data.healthy(dsn, users)
            say(f"{users:,} users: proving the contract")
            _healthy(dsn, users, Path(empty), options, result)
        _rows(dsn, options, result)
        _snapshots(Path(empty), options, result)
    return result


def _pytest(*words: str, cwd: Path, codes: tuple[int, ...] = (0,)) -> Ended:
    ended = program(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *words, cwd=cwd)
    if ended.code not in codes:
        raise RuntimeError(f"pytest {' '.join(words)} ended with {ended.code}: {ended.output[-2000:]}")
    return ended


def _healthy(dsn: str, users: int, empty: Path, options: Options, result: Result) -> None:
    subjects: dict[str, Callable[[], object]] = {
        NOTHING: lambda: _pytest(cwd=empty, codes=(5,)),
        "pytest --pyargs contracts --dsn=…": lambda: _pytest("--pyargs", "contracts", f"--dsn={dsn}", cwd=empty),
    }
    medians = alternate(subjects, options.runs)
    result.compare(users, medians, NOTHING, {"pytest --pyargs contracts --dsn=…": "≤ 3 s"})


def _snapshots(empty: Path, options: Options, result: Result) -> None:
    count = len(snapshot.find())
    for workers in (1, 2):
        say(f"{count} snapshots: repairing and proving them, -n {workers}")
        words = ("--pyargs", "contracts", "-n", str(workers))
        medians = alternate(
            {NOTHING: lambda: _pytest(*words[2:], cwd=empty, codes=(5,)), "all": lambda: _pytest(*words, cwd=empty)},  # noqa: B023
            options.runs,
        )
        start, whole = medians.values()
        result.add(
            f"snapshots, -n {workers}", count, count / (whole - start), unit="each second", reference=NOTHING,
            ratio=whole / start, bound=f"≥ {2 * workers} each second", note=f"beyond it; {whole:.1f} s in all",
        )  # fmt: skip


def _rows(dsn: str, options: Options, result: Result) -> None:
    """Measure rows that are made and inserted as point 5 does it, against the same rows in one bare statement."""
    table = trading.metadata.tables["users"]
    made: list[dict[str, object]] = []

    with session(dsn) as connection:
        connection.autocommit = False
        way = rows.Way(sql.SQL("ROLLBACK TO SAVEPOINT one; "), together=True)  # as in contracts.proof

        def ours() -> None:
            made.clear()
            with connection.cursor() as cursor:
                cursor.execute("SAVEPOINT one")
                for family in rows.quickly(rows.example_for(table), EXAMPLES):
                    made.extend(rows.insert(cursor, family, "public", way=way))
            connection.rollback()

        ours()
        say(f"{len(made):,} rows: generating and inserting them")
        subjects: dict[str, Callable[[], object]] = {
            "bare execute_values": lambda: _bare(connection, list(made)),
            "contracts.rows": ours,
        }
        medians = alternate(subjects, options.runs)
    result.compare(len(made), medians, "bare execute_values", {"contracts.rows": "≤ 10"})
    for name, taken in medians.items():
        result.add(f"{name}, rows each second", len(made), len(made) / taken, unit="/s")


def _bare(connection: Connection, made: list[dict[str, object]]) -> None:
    """Insert the same rows, but their key, in one statement, into a table without any constraint."""
    names = [name for name in made[0] if name != "id"]
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE same (LIKE users)")
        cursor.execute("ALTER TABLE same ALTER id DROP NOT NULL")
        statement = sql.SQL("INSERT INTO same ({}) VALUES %s").format(sql.SQL(", ").join(map(sql.Identifier, names)))
        execute_values(cursor, statement, [tuple(row[name] for name in names) for row in made])
    connection.rollback()
