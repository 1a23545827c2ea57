"""The ways to bring a broken trading database under its contract that `bench ways` compares: ours, by hand, peers.

A way works on a `Case` and raises `Stopped` with the sentence that it ended with.
"""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen

from sqlalchemy import MetaData, String

from bench.detectors import HOUSE, PEERS, _old
from bench.harness import HERE, program, psql_program
from contracts import trading

NPM = PEERS / "npm"
TURNS = 900  # seconds at most for what a person would answer
DIFFS = "writes the DDL between two databases; it looks at no row"
CONTRACT = ("--contract", "contracts.trading:metadata")
ENV = """\
import os
from alembic import context
from sqlalchemy import create_engine, pool
from bench.rivals import models
engine = create_engine(os.environ["BENCH_DSN"], poolclass=pool.NullPool)
with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=models(bool(os.environ["BENCH_WIDE"])),
                      compare_type=True, compare_server_default=True)
    with context.begin_transaction():
        context.run_migrations()
"""
DRIZZLE = 'module.exports = {{dialect: "postgresql", {more}, dbCredentials: {{url: {dsn!r}}}}};\n'


class Stopped(Exception):
    """A way did not get through; the message is what it said."""


@dataclass(frozen=True)
class Case:
    """One database to repair: the wanted one beside it, one as it was before, and a folder to write to."""

    dsn: str
    wanted: str
    before: str
    room: Path
    wide: bool  # the models have the longer symbols, too


@dataclass(frozen=True)
class Way:
    """One way: what it is made for, how it is run here, and how it is taken back, if it offers that."""

    name: str
    made_for: str
    how: str
    repair: Callable[[Case], None]
    undo: Callable[[Case], None] | None = None
    undo_how: str = ""


def models(wide: bool) -> MetaData:
    """Return the models of the trading contract; `wide` gives symbols the width that they have in the database."""
    metadata = MetaData(naming_convention=trading.metadata.naming_convention)
    for table in trading.metadata.sorted_tables:
        table.to_metadata(metadata)
    if wide:
        metadata.tables["paper_trades"].c.symbol.type = String(50)
    return metadata


def ours() -> Iterator[Way]:
    """Yield pgmend in both modes."""
    for mode in ("online", "atomic"):

        def repair(case: Case, mode: str = mode) -> None:
            words = ("apply", "--yes", "--allow-hazards", "all", "--mode", mode, *CONTRACT)
            _done(sys.executable, "-m", "fixer", *words, "--dsn", case.dsn)

        made_for, how = "repairs rows and definitions", f"`fixer apply --mode {mode} --allow-hazards all`"
        yield Way(f"pgmend, {mode}", made_for, how, repair, _take_back, "`fixer undo`")


def _take_back(case: Case) -> None:
    _done(sys.executable, "-m", "fixer", "undo", "1", "--yes", *CONTRACT, "--dsn", case.dsn)


def by_hand() -> Iterator[Way]:
    """Yield scripts that people write."""
    made_for = "this database alone, whose faults its author knows"
    for name, file in (
        ("careful script, short locks", "lock_light.sql"),
        ("careful script, one transaction", "handwritten.sql"),
        ("naive ALTERs", "naive_alters.sql"),
        ("drop and recreate", "drop_and_recreate.sql"),
    ):

        def repair(case: Case, file: str = file) -> None:
            run(case.dsn, HERE / file)

        yield Way(name, made_for, f"`psql -f bench/{file}`", repair)


def peers() -> Iterator[Way]:
    """Yield the peers that are installed and write DDL."""
    upgrade = "`alembic revision --autogenerate`, `alembic upgrade head`"
    alembic = "migrates from one version of the models to the next"
    yield Way("Alembic", alembic, upgrade, _alembic, _downgrade, "`alembic downgrade base`")
    diffs = {name: PEERS / name / "bin/migra" for name in ("migra", "migradiff")}
    for name, tool in (diffs | {"@pgkit/migra": NPM / "node_modules/.bin/migra"}).items():
        if tool.exists():
            spelt = _old if "npm" not in tool.parts else str
            repair, undo = _diffs(str(tool), spelt)
            how = "`migra --unsafe --schema public`, `psql -1 -f`"
            yield Way(name, DIFFS, how, repair, undo, "the diff back, `psql -1 -f`")
    if (tool := PEERS / "pg-schema-diff/bin/pg-schema-diff").exists():
        repair, undo = _schema_diff(str(tool))
        how = "`pg-schema-diff diff`, `psql -f`"
        yield Way("pg-schema-diff", DIFFS, how, repair, undo, "its `--direction down`, `psql -f`")
    if (tool := NPM / "node_modules/.bin/drizzle-kit").exists():
        made_for = "pushes models to a database while one develops; for production it has migrations"
        how = "`drizzle-kit pull` of the wanted one, `push --force`; every question is answered by its default"
        yield Way("drizzle-kit", made_for, how, lambda case: _drizzle(str(tool), case))
    if apgdiff := shutil.which("apgdiff"):
        yield Way("apgdiff", DIFFS, "`apgdiff DUMP DUMP`, `psql -1 -f`", lambda case: _apgdiff(apgdiff, case))


def run(dsn: str, script: Path, *words: str) -> None:
    """Run a script with psql; raise Stopped with the sentence of the first error."""
    _done(psql_program(), "-X", "-q", "-v", "ON_ERROR_STOP=1", *words, "-f", str(script), dsn)


def _done(*words: str, env: dict[str, str] | None = None, cwd: Path | None = None) -> None:
    ended = program(*words, env=env, cwd=cwd or HOUSE)
    if ended.code:
        raise Stopped(sentence(ended.errors + "\n" + ended.output))


def sentence(text: str) -> str:
    """Return what PostgreSQL said, with its detail, or else the last line."""
    if said := re.search(r"(?:ERROR:|error:|\.[A-Z]\w+\)|\w+Exception:) +(.+)", text):
        detail = re.search(r"(?:DETAIL: +|detail: ')(.+?)(?:',)?$", text[said.end() :], re.M)
        return "; ".join(each[1].strip() for each in (said, detail) if each)
    return ([line.strip() for line in text.splitlines() if line.strip()] or ["it said nothing"])[-1]


def _script(case: Case, text: str) -> Path:
    if not text.strip():
        raise Stopped("it wrote nothing")
    place = case.room / "script.sql"
    place.write_text(text, encoding="utf-8")
    return place


def _said(*words: str) -> str:
    ended = program(*words, cwd=HOUSE)
    if ended.code not in (0, 1, 2, 3) or "Exception" in ended.errors or "Traceback" in ended.errors:
        raise Stopped(sentence(ended.errors))
    return ended.output


def _diffs(tool: str, spelt: Callable[[str], str]) -> tuple[Callable[[Case], None], Callable[[Case], None]]:
    def toward(case: Case, wanted: str) -> None:
        words = (spelt(case.dsn), spelt(wanted), "--unsafe", "--schema", "public")
        run(case.dsn, _script(case, _said(tool, *words)), "-1")

    return lambda case: toward(case, case.wanted), lambda case: toward(case, case.before)


def _schema_diff(tool: str) -> tuple[Callable[[Case], None], Callable[[Case], None]]:
    def write(case: Case, way: str) -> None:
        words = ("diff", "--source", case.before, "--target", case.wanted, "--format", "sql", "--direction", way)
        run(case.dsn, _script(case, _said(tool, *words)))

    return lambda case: write(case, "up"), lambda case: write(case, "down")


def _alembic(case: Case) -> None:
    import alembic

    (case.room / "versions").mkdir()
    (case.room / "env.py").write_text(ENV, encoding="utf-8")
    shutil.copy(Path(alembic.__file__).with_name("templates") / "generic/script.py.mako", case.room)
    (case.room / "alembic.ini").write_text(f"[alembic]\nscript_location = {case.room}\n", encoding="utf-8")
    _alembic_does(case, "revision", "--autogenerate", "-m", "contract")
    _alembic_does(case, "upgrade", "head")


def _downgrade(case: Case) -> None:
    _alembic_does(case, "downgrade", "base")


def _alembic_does(case: Case, *words: str) -> None:
    path = os.pathsep.join(filter(None, (str(HOUSE), os.environ.get("PYTHONPATH", ""))))
    env = {"BENCH_DSN": _old(case.dsn), "BENCH_WIDE": "1" if case.wide else "", "PYTHONPATH": path}
    _done(sys.executable, "-m", "alembic", "-c", str(case.room / "alembic.ini"), *words, env=env)


def _drizzle(tool: str, case: Case) -> None:
    out, config = NPM / "pulled", NPM / "drizzle.config.cjs"
    shutil.rmtree(out, ignore_errors=True)
    config.write_text(DRIZZLE.format(more=f'out: "{out}"', dsn=case.wanted), encoding="utf-8")
    _done(tool, "pull", "--config", str(config), cwd=NPM)
    config.write_text(DRIZZLE.format(more=f'schema: "{out}/schema.ts"', dsn=case.dsn), encoding="utf-8")
    said = _typed(tool, "push", "--force", "--config", str(config))
    if "Changes applied" not in said:
        raise Stopped(sentence(said))


def _typed(*words: str) -> str:
    """Run a program on a terminal, press Enter whenever it waits, and return what it showed."""
    ours, theirs = pty.openpty()
    shown, until = b"", time.monotonic() + TURNS
    with Popen(words, stdin=theirs, stdout=theirs, stderr=theirs, cwd=NPM) as process:
        os.close(theirs)
        while time.monotonic() < until:
            if not select.select([ours], [], [], 1.0)[0]:
                os.write(ours, b"\r")
                continue
            try:
                piece = os.read(ours, 65536)
            except OSError:  # how Linux says that the other end is closed
                break
            shown += piece
        process.kill()
    os.close(ours)
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode("utf-8", "replace")).replace("\r", "")


def _apgdiff(tool: str, case: Case) -> None:
    dumps = []
    for name, dsn in (("old", case.before), ("new", case.wanted)):
        place = case.room / f"{name}.sql"
        dump = _said(str(Path(psql_program()).with_name("pg_dump")), "-s", "-O", "-N", "rescued", dsn)
        place.write_text(re.sub(r"^\\.*$", "", dump, flags=re.M), encoding="utf-8")  # apgdiff knows no \restrict
        dumps.append(str(place))
    run(case.dsn, _script(case, _said(tool, *dumps)), "-1")
