"""What `fixer check --deep` costs beside the one of another source tree, such as the commit before."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import click

from bench import data
from bench.check import fresh_cache
from bench.harness import HERE, Options, Result, alternate, database, own_server, program, say

SMALL, FULL = (100_000,), (3_333_334,)  # users: with their trades three times as many rows
BOUND = "≤ 1.3"


def run(options: Options) -> Result:
    """Measure both in turns on one healthy database."""
    if options.against is None:
        raise click.UsageError("--against names the other tree: git worktree add TREE COMMIT.")
    result, trees = Result("deep"), {"this tree": HERE.parent, "the other tree": options.against.resolve()}
    with own_server(options.settings(), options.version) as own, fresh_cache():
        for users in options.pick(SMALL, FULL):
            say(f"{users:,} users, {2 * users:,} trades: filling a healthy database")
            with database(own.server) as dsn:
                data.healthy(dsn, users)
                for tree in trees.values():
                    _check(tree, dsn)  # each reads the contract, and the cache is warm for both
                subjects: dict[str, Callable[[], object]] = {
                    f"fixer check --deep, {name}": lambda tree=tree: _check(tree, dsn) for name, tree in trees.items()
                }
                this, other = subjects
                result.compare(3 * users, alternate(subjects, options.runs), other, {this: BOUND})
    return result


def _check(tree: Path, dsn: str) -> float:
    """Check all rows with the fixer of a tree; return the seconds."""
    words = ("-m", "fixer", "check", "--deep", "--dsn", dsn)
    ended = program(sys.executable, *words, env={"PYTHONPATH": str(tree)}, cwd=tree)
    if ended.code:
        raise RuntimeError(
            f"fixer check of {tree} ended with {ended.code}: {ended.output[-2000:]}{ended.errors[-2000:]}"
        )
    return ended.seconds
