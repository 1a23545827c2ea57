"""The ways to look at a database that `bench detection` compares: ours, Alembic's, a diff of dumps, and peers."""

from __future__ import annotations

import difflib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Lock

import psycopg2
from sqlalchemy import MetaData, create_engine
from sqlalchemy.pool import NullPool

import fixer
from fixer.connect.servers import Server

HOUSE = Path(__file__).resolve().parents[1]
PEERS = HOUSE / "build" / "peers"
PATIENCE = 120  # seconds for one look
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "DATABASE_"))}
PYTHON = {
    "migra": "`Migration.add_all_changes`, with privileges",
    "migradiff": "the same, in a fork",
    "pg-schema-diff": "`pg-schema-diff diff`",
    "sqlalchemy-diff": "`Comparer.compare`",
}


class Failed(Exception):
    """A detector could not look."""


@dataclass(frozen=True)
class Detector:
    """One way to look: `look(database)` returns what it says, nothing if it finds nothing; `notes` break nothing."""

    name: str
    what: str
    look: Callable[[str], frozenset[str]]
    only_notes: Callable[[frozenset[str]], bool] = field(default=lambda found: False)


def ran(*words: str, allowed: tuple[int, ...] = (0, 1, 2)) -> str:
    """Run a program and return what it prints; raise Failed if it fails."""
    try:
        done = subprocess.run(words, cwd=HOUSE, env=CLEAN, capture_output=True, text=True, timeout=PATIENCE)
    except subprocess.TimeoutExpired as error:
        raise Failed(f"no answer in {PATIENCE} s") from error
    if done.returncode not in allowed or "Traceback" in done.stderr or "Exception" in done.stderr:
        raise Failed((done.stderr.strip() or done.stdout.strip())[-300:])
    return done.stdout


def ours(server: Server, wanted: str, metadata: MetaData) -> Iterator[Detector]:
    """Yield our own two: with the models as the contract, and with a sound database."""
    of = server.database_dsn
    yield Detector("pgmend, models", "`check --deep`, models are the contract", _ours(of, metadata), _notes)
    yield Detector("pgmend, database", "`check --deep`, a sound database is it", _ours(of, of(wanted)), _notes)


def always(server: Server, wanted: str, metadata: MetaData) -> Iterator[Detector]:
    """Yield the detectors that need no peer installed; `wanted` is a sound database."""
    yield from ours(server, wanted, metadata)
    yield Detector("Alembic", "`compare_metadata`, with types and defaults", _alembic(server.database_dsn, metadata))
    yield Detector("pg_dump -s", "two dumps, line by line", _dumps(server, wanted))


def all_of(server: Server, wanted: str, metadata: MetaData) -> Iterator[Detector]:
    """Yield the detectors that are there; `wanted` is a sound database."""
    of = server.database_dsn
    yield from always(server, wanted, metadata)
    for name in ("migra", "migradiff", "pg-schema-diff", "sqlalchemy-diff"):
        if (python := PEERS / name / "bin" / "python").exists():
            yield Detector(name, PYTHON[name], _lines(Asked(python, name, of, wanted)))
    if (program := PEERS / "npm/node_modules/.bin/migra").exists():
        yield Detector("@pgkit/migra", "`migra --unsafe`", _lines(partial(_pgkit, str(program), of, wanted)))
    if apgdiff := shutil.which("apgdiff"):
        yield Detector("apgdiff", "`apgdiff DUMP DUMP`", _lines(_apgdiff(server, apgdiff, wanted)))


class Asked:
    """A peer in Python, in a process of its own, which is asked about one database after another."""

    def __init__(self, python: Path, name: str, of: Callable[[str], str], wanted: str) -> None:
        self.of, self.wanted, self.turn = of, wanted, Lock()
        words, pipes = [str(python), "-W", "ignore", str(HOUSE / "bench/asked.py"), name], subprocess.PIPE
        self.process = subprocess.Popen(
            words, stdin=pipes, stdout=pipes, stderr=subprocess.DEVNULL, text=True, cwd=PEERS, env=CLEAN
        )

    def __call__(self, database: str) -> str:
        """Return what it says of a database; raise Failed if it fails."""
        assert self.process.stdin
        assert self.process.stdout
        with self.turn:
            try:
                print(_old(self.of(database)), _old(self.of(self.wanted)), file=self.process.stdin, flush=True)
            except BrokenPipeError as error:
                raise Failed("it does not start") from error
            line = self.process.stdout.readline()
        answer = json.loads(line or '{"failed": "it ended"}')
        if "failed" in answer:
            raise Failed(answer["failed"])
        return str(answer["said"])


def _pgkit(program: str, of: Callable[[str], str], wanted: str, database: str) -> str:
    return ran(program, of(database), of(wanted), "--unsafe", allowed=(0, 2, 3))


def _lines(say: Callable[[str], str]) -> Callable[[str], frozenset[str]]:
    return lambda database: frozenset(line.strip() for line in say(database).splitlines() if line.strip())


def _old(dsn: str) -> str:
    return dsn.replace("postgresql://", "postgresql+psycopg2://", 1)


def _ours(of: Callable[[str], str], contract: MetaData | str) -> Callable[[str], frozenset[str]]:
    turn = Lock()

    def look(database: str) -> frozenset[str]:
        with turn:
            findings = fixer.check(of(database), contract, deep=True).findings
        return frozenset(f"{each.severity} {each.slug} {each.object}" for each in findings)

    return look


def _notes(found: frozenset[str]) -> bool:
    return all(each.startswith("info ") for each in found)


def _alembic(of: Callable[[str], str], metadata: MetaData) -> Callable[[str], frozenset[str]]:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    def look(database: str) -> frozenset[str]:
        engine = create_engine(
            "postgresql+psycopg2://", creator=lambda: psycopg2.connect(of(database)), poolclass=NullPool
        )
        with engine.connect() as connection:
            context = MigrationContext.configure(
                connection, opts={"compare_type": True, "compare_server_default": True}
            )
            return frozenset(str(each) for each in compare_metadata(context, metadata))

    return look


def _dump(server: Server, database: str) -> str:
    text = ran(f"{server.bindir}/pg_dump", "-s", server.database_dsn(database), allowed=(0,))
    return "\n".join(line for line in text.splitlines() if not line.startswith(("\\restrict", "\\unrestrict")))


def _dumps(server: Server, wanted: str) -> Callable[[str], frozenset[str]]:
    right = _dump(server, wanted).splitlines()

    def look(database: str) -> frozenset[str]:
        lines = difflib.ndiff(right, _dump(server, database).splitlines())
        return frozenset(line for line in lines if line[:1] in "+-")

    return look


def _apgdiff(server: Server, program: str, wanted: str) -> Callable[[str], str]:
    room = tempfile.TemporaryDirectory()  # as long as anybody looks
    (right := Path(room.name) / "wanted.sql").write_text(_dump(server, wanted), encoding="utf-8")

    def look(database: str) -> str:
        (left := Path(room.name) / f"{database}.sql").write_text(_dump(server, database), encoding="utf-8")
        return ran(program, str(left), str(right))

    return look


def settle(dsn: str, statements: str) -> None:
    """Run statements on a database, each in its own transaction."""
    with closing(psycopg2.connect(dsn)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statements)
