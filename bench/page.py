"""What the HTML page of a check costs: the check with its page against the check alone."""

from __future__ import annotations

import sys
from collections.abc import Callable

from bench import many_tables
from bench.catalog import fill
from bench.check import fresh_cache
from bench.harness import HERE, Options, Result, alternate, program, run_sql, say
from fixer import api
from fixer.connect import servers
from fixer.report import html

SMALL, FULL = (200,), (200, 2_000)
CHECK = """
import sys, fixer
from bench.many_tables import metadata
report = fixer.check({dsn!r}, metadata)
{more}
"""
PAGE = "from fixer.report import html; html.of_report(report)"
FAULTS = (
    "ALTER TABLE t{n} DROP CONSTRAINT t{n}_parent_fkey",
    "ALTER TABLE t{n} DROP CONSTRAINT t{n}_pkey CASCADE",
    "ALTER TABLE t{n} DISABLE TRIGGER ALL",
    "DROP TABLE t{n} CASCADE",
    "ALTER TABLE t{n} DROP COLUMN note",
    "ALTER TABLE t{n} ALTER name DROP NOT NULL",
    "ALTER TABLE t{n} ALTER amount TYPE text",
    "ALTER TABLE t{n} DROP CONSTRAINT t{n}_name_key",
    "ALTER TABLE t{n} ALTER id DROP DEFAULT",
    "DROP INDEX t{n}_created_at_idx",
)


def run(options: Options) -> Result:
    """Measure databases that are broken in ten places."""
    result = Result("page")
    with servers.embedded(options.version) as server, fresh_cache():
        for tables in options.pick(SMALL, FULL):
            dsn = server.database_dsn(server.create_database())
            fill(dsn, tables)
            broken = range(tables // 20, tables, tables // 10)
            run_sql(dsn, *(fault.format(n=number) for fault, number in zip(FAULTS, broken, strict=False)))
            say(f"{tables:,} tables: checking them, with a page and without")
            _measured(options, result, dsn, tables)
    return result


def _measured(options: Options, result: Result, dsn: str, tables: int) -> None:
    environment = {"PGMEND_BENCH_TABLES": str(tables)}

    def processor(more: str) -> float:
        words = (sys.executable, "-c", CHECK.format(dsn=dsn, more=more))
        ended = program(*words, env=environment, cwd=HERE.parent)
        assert ended.code == 0, ended.errors
        return ended.processor

    subjects: dict[str, Callable[[], object]] = {
        "fixer.check, its processor time": lambda: processor(""),
        "fixer.check and its page": lambda: processor(PAGE),
    }
    bounds = {"fixer.check and its page": "≤ 1.5"}
    result.compare(tables, alternate(subjects, max(options.runs, 5)), "fixer.check, its processor time", bounds)
    report = api.check(dsn, many_tables.of(tables))
    result.add("bytes of the page", tables, len(html.of_report(report).encode()), unit="")
