"""How much memory `fixer apply` takes at most, by the number of rows."""

from __future__ import annotations

import sys

from bench import data
from bench.harness import Options, Result, database, fixer, own_server, program, say

SMALL, FULL = (10_000, 100_000), (100_000, 1_000_000, 10_000_000)
START = "python -c 'import fixer.cli.commands'"
MEGABYTE = 2**20


def run(options: Options) -> Result:
    """Measure the peak of the process that repairs."""
    result = Result("memory")
    start = program(sys.executable, "-c", "import fixer.cli.commands", weigh=True).peak
    result.add(START, 0, start / MEGABYTE, unit="MB")
    with own_server(options.settings(), options.version) as own:
        for rows in options.pick(SMALL, FULL):
            for mode in ("atomic", "online"):
                say(f"{rows:,} rows: repairing them, {mode}")
                with database(own.server) as dsn:
                    data.broken(dsn, rows // 3)
                    ended = fixer("apply", "--yes", "--allow-hazards", "all", "--mode", mode, dsn=dsn, weigh=True)
                    result.add(
                        f"fixer apply, {mode}", rows, ended.peak / MEGABYTE, unit="MB", reference=START,
                        ratio=ended.peak / start, bound="≤ 150 MB, flat",
                    )  # fmt: skip
    return result
