"""What a service pays at its start: `fixer.ensure` on a healthy database, and what a gate pays: `fixer check`.

A small database of ten tables, its contract kept. Times are those that a person waits, the server's included, in turns.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from textwrap import dedent

from sqlalchemy import create_engine

import fixer
from bench import many_tables
from bench.catalog import fill
from bench.check import fresh_cache
from bench.harness import HERE, Options, Result, alternate, program, say
from fixer.connect import servers

TABLES = 10
PSQL, ALEMBIC = "psql -c 'select 1'", "alembic check"
CONNECT = "import sqlalchemy, models; engine.connect()"
ENSURE = "the same; import fixer; fixer.ensure(engine, metadata)"
WARM, WARM_ENSURE = "engine.connect(), a new engine", "fixer.ensure, a new engine"
START = "import sys, sqlalchemy, bench.many_tables as models; engine = sqlalchemy.create_engine(sys.argv[1]); "
MIGRATIONS = """
    from alembic import context
    from sqlalchemy import create_engine
    from bench.many_tables import metadata
    with create_engine(context.config.get_main_option("url")).connect() as connection:
        context.configure(connection, target_metadata=metadata)
        with context.begin_transaction():
            context.run_migrations()
"""


def run(options: Options) -> Result:
    """Measure the commands, the start of a program, and a warm program."""
    result = Result("service")
    runs = max(options.runs, 9)
    with servers.embedded(options.version) as server, fresh_cache(), tempfile.TemporaryDirectory() as place:
        dsn = server.database_dsn(server.create_database())
        fill(dsn, TABLES)
        url = _url(dsn)
        project = _alembic_project(Path(place), url)
        psql = next(each / "psql" for each in servers.binaries().values() if (each / "psql").exists())
        models = ("-m", "fixer", "check", dsn, "--contract", "bench.many_tables:metadata")
        say("commands: starting")
        commands = {
            PSQL: lambda: _lasted(str(psql), "-X", "-c", "select 1", dsn),
            ALEMBIC: lambda: _lasted(sys.executable, "-m", "alembic", "-c", str(project), "check"),
            "fixer check, the same models": lambda: _lasted(sys.executable, *models),
            "fixer check, self": lambda: _lasted(sys.executable, "-m", "fixer", "check", dsn, "--contract", "self"),
        }
        for work in commands.values():
            work()
        result.compare(TABLES, alternate(commands, runs), ALEMBIC)
        say("a program that starts")
        ensured = START + "import fixer; fixer.ensure(engine, models.metadata); engine.connect()"
        programs = {
            CONNECT: lambda: _lasted(sys.executable, "-c", START + "engine.connect()", url),
            ENSURE: lambda: _lasted(sys.executable, "-c", ensured, url),
        }
        result.compare(TABLES, alternate(programs, runs), CONNECT, {ENSURE: "≤ 3"})
        say("a warm program")
        metadata = many_tables.of(TABLES)
        warm = {
            WARM: lambda: create_engine(url).connect().close(),
            WARM_ENSURE: lambda: fixer.ensure(create_engine(url), metadata) and None,
        }
        alternate(warm, 2)
        result.compare(TABLES, alternate(warm, 5 * runs), WARM, {WARM_ENSURE: "≤ 3"})
    return result


def _url(dsn: str) -> str:
    """Return a DSN of libpq as a URL of SQLAlchemy."""
    from psycopg2.extensions import parse_dsn

    parts = parse_dsn(dsn)
    return f"postgresql+psycopg2://{parts['user']}@/{parts['dbname']}?host={parts['host']}&port={parts['port']}"


def _alembic_project(place: Path, url: str) -> Path:
    """Write a project without revisions, whose models are those of the database; return its alembic.ini."""
    (place / "migrations" / "versions").mkdir(parents=True)
    (place / "migrations" / "env.py").write_text(dedent(MIGRATIONS))
    ini = place / "alembic.ini"
    ini.write_text(f"[alembic]\nscript_location = {place}/migrations\nurl = {url}\n")
    return ini


def _lasted(*words: str) -> float:
    """Run a program to its end; return the seconds that it took. Raises RuntimeError if it fails."""
    ended = program(*words, env={"PGMEND_BENCH_TABLES": str(TABLES), "PYTHONPATH": str(HERE.parent)}, cwd=HERE.parent)
    if ended.code:
        raise RuntimeError(f"{words} ended with {ended.code}: {ended.output[-1000:]}{ended.errors[-1000:]}")
    return ended.seconds
