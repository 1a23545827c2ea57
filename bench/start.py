"""What a start of the command costs: its processor time and its memory, beyond Python and the models.

Processor time is that of the processes themselves, without the server's, and the least of several runs: what else runs
on the machine moves it least.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bench.catalog import QUERIES, fill
from bench.check import fresh_cache
from bench.harness import HERE, Ended, Options, Result, program, say
from fixer.connect import servers

MEGABYTE = 2**20
SMALL, FULL = 300, 2_000  # tables of a contract; five times as many where memory is weighed
MODELS = "bench.many_tables:metadata"
PLAINLY = "import gc; gc.disable(); import bench.many_tables; gc.freeze()"
# Models that say whether the collector is at work while they are imported.
SAYING = """
import gc, sys
print("collector", gc.isenabled(), file=sys.__stderr__)
from bench.many_tables import metadata
"""
BARE = """
import psycopg2, sys
connection = psycopg2.connect(sys.argv[1])
cursor = connection.cursor()
for query in sys.argv[2:]:
    cursor.execute(query)
    cursor.fetchall()
"""


def run(options: Options) -> Result:
    """Measure help and a small check, then a contract of many tables, kept, and what it weighs."""
    result = Result("start")
    tables = options.sizes[0] if options.sizes else FULL if options.full else SMALL
    with servers.embedded(options.version) as server, fresh_cache():
        small, large = (server.database_dsn(server.create_database()) for _ in range(2))
        fill(small, 10)
        fill(large, tables)
        _small(options, result, small)
        _large(options, result, large, tables)
        heavy = server.database_dsn(server.create_database())
        fill(heavy, 5 * tables)
        _memory(result, heavy, 5 * tables)
    return result


def _ran(
    *words: str, tree: Path = HERE.parent, tables: int = 10, weigh: bool = False, beside: Sequence[str] = ()
) -> Ended:
    """Run a program of Python to its end, in a source tree and folders beside; raise RuntimeError if it fails."""
    environment = {"PGMEND_BENCH_TABLES": str(tables), "PYTHONPATH": os.pathsep.join((str(tree), *beside))}
    ended = program(sys.executable, *words, env=environment, cwd=tree, weigh=weigh)
    if ended.code:
        raise RuntimeError(f"{words} ended with {ended.code}: {ended.output[-1000:]}{ended.errors[-1000:]}")
    return ended


def _least(subjects: Mapping[str, Callable[[], Ended]], runs: int) -> dict[str, float]:
    """Return the least processor time of each subject, in turns, after one run that is not counted."""
    return {name: min(each.processor for each in ended) for name, ended in _in_turns(subjects, runs).items()}


def _in_turns(subjects: Mapping[str, Callable[[], Ended]], runs: int) -> dict[str, list[Ended]]:
    """Run the subjects in turns; return how each ended, but for one run that is not counted."""
    turns = [{name: work() for name, work in subjects.items()} for _ in range(runs + 1)]
    return {name: [turn[name] for turn in turns[1:]] for name in subjects}


def _small(options: Options, result: Result, dsn: str) -> None:
    say("help, and a small database: starting")
    subjects: dict[str, Callable[[], Ended]] = {
        "python -c pass": lambda: _ran("-c", "pass"),
        "fixer --help": lambda: _ran("-m", "fixer", "--help"),
        "fixer check, ten tables, self": lambda: _ran("-m", "fixer", "check", dsn, "--contract", "self"),
    }
    bounds = {"fixer --help": "≤ 6", "fixer check, ten tables, self": "≤ 12"}
    result.compare(10, _least(subjects, max(options.runs, 5)), "python -c pass", bounds)


def _large(options: Options, result: Result, dsn: str, tables: int) -> None:
    """Measure a kept contract of models beyond their import, also in another tree, and self by the bare queries.

    What is beyond is the command without the same import in a process of its own, with the collector or without it as
    the command of that tree imports models: early trees leave it at work, which takes longer.
    """
    say(f"a contract of {tables:,} tables: checking it")
    check = ("-m", "fixer", "check", "--dsn", dsn, "--contract", MODELS)
    collecting, plainly = "import of the models", "import of the models, without the collector"
    itself, bare, beyond = "fixer check, self", "bare queries", "fixer check, kept, beyond the models"
    trees = {"": HERE.parent} | ({", the other tree": options.against.resolve()} if options.against else {})
    imported = {end: collecting if _collects(dsn, tree, tables) else plainly for end, tree in trees.items()}
    firsts = {}
    subjects: dict[str, Callable[[], Ended]] = {
        collecting: lambda: _ran("-c", "import bench.many_tables", tables=tables),
        plainly: lambda: _ran("-c", PLAINLY, tables=tables),
        bare: lambda: _ran("-c", BARE, dsn, *QUERIES),
        itself: lambda: _ran("-m", "fixer", "check", dsn, "--contract", "self"),
    }
    for end, tree in trees.items():
        with fresh_cache():
            firsts[end] = _ran(*check, tree=tree, tables=tables).processor
        subjects[f"fixer check, kept{end}"] = lambda tree=tree: _ran(*check, tree=tree, tables=tables)
    ended = _in_turns(subjects, options.runs)
    least = {name: min(each.processor for each in some) for name, some in ended.items()}
    for name in (collecting, plainly, *(f"fixer check, kept{end}" for end in trees)):
        result.add(name, tables, least[name])
    kept = {f"{beyond}{end}": least[f"fixer check, kept{end}"] - least[imported[end]] for end in trees}
    first = {f"the first time{end}": firsts[end] for end in trees}
    for taken, bound in ((kept, "≤ 0.37"), (first, "≤ 2")):
        ours, *others = taken
        result.compare(tables, taken, *(others or [ours]), {ours: bound} if others else {})
    result.compare(tables, {name: least[name] for name in (bare, itself)}, bare, {itself: "≤ 1.5 s"})
    waited = {f"{name}, elapsed": min(each.seconds for each in ended[name]) for name in (bare, itself)}
    result.compare(tables, waited, f"{bare}, elapsed", {f"{itself}, elapsed": "≤ 2"})


def _collects(dsn: str, tree: Path, tables: int) -> bool:
    """Return whether the command of a tree leaves the collector at work while it imports models."""
    with tempfile.TemporaryDirectory() as place:
        (Path(place) / "models_that_say.py").write_text(SAYING)
        words = ("-m", "fixer", "check", "--dsn", dsn, "--contract", "models_that_say:metadata")
        said = _ran(*words, tree=tree, tables=tables, beside=(place,)).errors
    if "collector " not in said:
        raise RuntimeError(f"the models do not say whether the collector was at work: {said[-1000:]}")
    return "collector True" in said


def _memory(result: Result, dsn: str, tables: int) -> None:
    say(f"{tables:,} tables: weighing a check")
    itself = _ran("-m", "fixer", "check", dsn, "--contract", "self", weigh=True).peak
    result.add("fixer check, self, peak", tables, itself / MEGABYTE, unit="MB", bound="≤ 200 MB")
    models = _ran("-c", "import bench.many_tables", tables=tables, weigh=True).peak
    check = ("-m", "fixer", "check", "--dsn", dsn, "--contract", MODELS)
    _ran(*check, tables=tables)
    kept = _ran(*check, tables=tables, weigh=True).peak
    result.add("import of the models, peak", tables, models / MEGABYTE, unit="MB")
    result.add("fixer check, kept, peak beyond it", tables, (kept - models) / MEGABYTE, unit="MB", bound="≤ 200 MB")
