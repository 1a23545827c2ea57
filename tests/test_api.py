"""The library: what applications call when they start, many workers at once."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import ClassVar

import psycopg2
import pytest
from sqlalchemy import Engine, create_engine, text

import fixer
from contracts.trading import metadata
from fixer import api, errors
from fixer.errors import ApplyFailed, NeedsPermission, PgmendError, PlanRefused, UsageError
from fixer.model.plan import PlannedStep, from_json
from fixer.report import json as as_json
from lab.database import Database, lent
from lab.laboratory import Laboratory
from lab.process import CLEAN, HOUSE

NOTHING_OF_OURS = "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'fixer%'"
WORKERS = """
import os, sys
from sqlalchemy import create_engine
import fixer
from contracts.trading import metadata
children = []
for _ in range(6):
    if not (child := os.fork()):
        try:
            engine = create_engine(sys.argv[1])
            result = fixer.ensure(engine, metadata, allow_hazards="all")
            os._exit(10 + bool(getattr(result, "run", None)) if result.ok else 1)
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(2)
    children.append(child)
print(sorted(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children))
"""


@contextmanager
def engine_of(database: Database, **options: object) -> Iterator[Engine]:
    engine = create_engine(database.dsn.replace("postgresql:", "postgresql+psycopg2:"), **options)
    yield engine
    engine.dispose()


# ---- what is empty


@pytest.mark.parametrize("act", [fixer.check, fixer.plan, fixer.apply, fixer.ensure])
@pytest.mark.parametrize("empty", ["", " "])
def test_an_empty_contract_or_schema_is_refused(broken: Database, act: Callable[..., object], empty: str) -> None:
    said = "is empty: see whether the shell variable behind it is set, or leave it out."
    with engine_of(broken) as engine:
        with pytest.raises(UsageError) as contract:
            act(engine, empty)
        with pytest.raises(UsageError) as schema:
            act(engine, metadata, schema=empty)

    assert [f"The contract {said}", f"The schema {said}"] == [str(contract.value), str(schema.value)]


# ---- ensure


def test_ensure_does_nothing_where_the_contract_holds(healthy: Database) -> None:
    before = healthy.dump()
    with engine_of(healthy) as engine:
        report = fixer.ensure(engine, metadata)

    assert isinstance(report, fixer.Report)
    assert report.ok
    assert before == healthy.dump()


def test_ensure_takes_no_time_where_the_contract_holds(healthy: Database) -> None:
    with engine_of(healthy) as engine:
        fixer.ensure(engine, metadata)
        began = time.monotonic()
        fixer.ensure(engine, metadata)

        assert time.monotonic() - began < 0.5


def test_ensure_repairs_with_the_hazards_that_were_allowed(broken: Database) -> None:
    with engine_of(broken) as engine:
        run = fixer.ensure(engine, metadata, allow_hazards=["moves-rows"])

        assert run.ok
        assert fixer.check(engine, metadata, deep=True).ok


@pytest.mark.parametrize(
    "allowed", [(), "rewrites-values", ["rewrites-values", "rewrites-table", "replaces-constraint"], [""]]
)
def test_ensure_never_repairs_with_a_hazard_that_was_not_allowed(broken: Database, allowed: str) -> None:
    before = broken.dump()
    with engine_of(broken) as engine, pytest.raises(NeedsPermission):
        fixer.ensure(engine, metadata, allow_hazards=allowed)

    assert before == broken.dump()


def test_a_refusal_speaks_of_python_where_python_asks(broken: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errors._speech, "flags", False)
    with engine_of(broken) as engine:
        with pytest.raises(NeedsPermission, match=r'^The plan needs allow_hazards=\["moves-rows"\]\.'):
            fixer.ensure(engine, metadata, allow_hazards=["rewrites-values"])
        with pytest.raises(NeedsPermission, match="to quarantine, max_moved allows 1"):
            fixer.ensure(engine, metadata, allow_hazards="all", max_moved=1)
        with pytest.raises(UsageError, match=r'^skip="nothing" names no finding'):
            fixer.plan(engine, metadata, skip=["nothing"])
        with pytest.raises(UsageError, match=r'^only="nothing" names no finding'):
            fixer.apply(engine, metadata, only="nothing")


def test_ensure_does_not_decide_for_a_person(laboratory: Laboratory) -> None:
    with lent(laboratory.server(18), "must-be-refused") as database:
        before = database.dump()
        with engine_of(database) as engine, pytest.raises(NeedsPermission):
            fixer.ensure(engine, metadata, allow_hazards="all")

        assert before == database.dump()


def test_of_eight_threads_that_ensure_one_repairs_and_all_return(broken: Database) -> None:
    with engine_of(broken, pool_size=8) as engine, ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: fixer.ensure(engine, metadata, allow_hazards="all"), range(8)))

    assert all(result.ok for result in results)
    assert broken.ask("SELECT count(*) FROM fixer_journal.run") == 1


def test_of_six_processes_that_ensure_one_repairs_and_all_return(broken: Database) -> None:
    words = [sys.executable, "-c", WORKERS, broken.dsn.replace("postgresql:", "postgresql+psycopg2:")]
    env = {**CLEAN, "PYTHONPATH": str(HOUSE)}
    ended = subprocess.run(words, capture_output=True, text=True, timeout=100, env=env, cwd=HOUSE)

    assert (ended.stdout.strip(), ended.stderr) == ("[10, 10, 10, 10, 10, 11]", "")


def test_a_pool_of_one_connection_is_enough(broken: Database) -> None:
    with engine_of(broken, pool_size=1, max_overflow=0, pool_timeout=3) as engine:
        assert fixer.ensure(engine, metadata, allow_hazards="all").ok


# ---- what callers hand in, they get back as it was


@pytest.mark.parametrize("call", [fixer.check, fixer.plan, fixer.ensure])
def test_the_engine_is_given_back_as_it_was(healthy: Database, call: object) -> None:
    with engine_of(healthy, pool_size=1, max_overflow=0, pool_timeout=3) as engine:
        settings = text(
            "SELECT current_setting('search_path'), current_setting('transaction_read_only'),"
            " current_setting('row_security')"
        )
        with engine.connect() as connection:
            before = connection.execute(settings).all()
        call(engine, metadata)  # type: ignore[operator]
        with engine.connect() as connection:
            assert before == connection.execute(settings).all()


def test_a_connection_is_given_back_open_and_in_its_mode(healthy: Database) -> None:
    with closing(psycopg2.connect(healthy.dsn)) as connection:
        fixer.check(connection, metadata)

        assert not connection.autocommit
        assert connection.closed == 0


def test_the_callers_open_transaction_is_not_thrown_away(healthy: Database) -> None:
    with closing(psycopg2.connect(healthy.dsn)) as connection:
        connection.cursor().execute("CREATE TABLE unfinished ()")
        with suppress(PgmendError):
            fixer.check(connection, metadata)
        connection.commit()

    assert healthy.ask("SELECT to_regclass('unfinished') IS NOT NULL")


# ---- check, plan, apply


def test_a_contract_may_be_a_name_a_metadata_or_a_callable(healthy: Database) -> None:
    with engine_of(healthy) as engine:
        assert [fixer.check(engine, c).ok for c in ("contracts.trading:metadata", metadata, lambda: metadata)] == [
            True
        ] * 3


def test_a_contract_may_be_the_path_of_a_file_or_a_directory(healthy: Database, tmp_path: Path) -> None:
    (tmp_path / "wanted.sql").write_text("CREATE TABLE notes (id integer PRIMARY KEY);")
    with engine_of(healthy) as engine:
        found = [fixer.check(engine, place).findings for place in (tmp_path / "wanted.sql", tmp_path)]

    assert [[each.slug for each in findings] for findings in found] == [["missing-table"]] * 2


def test_a_plan_survives_the_way_to_disk_and_back(broken: Database) -> None:
    with engine_of(broken) as engine:
        plan = fixer.plan(engine, metadata)
        kept = from_json(json.loads(as_json.of_plan(plan)))

    assert (plan.identity, plan.steps) == (kept.identity, kept.steps)


def test_a_plan_of_another_contract_is_refused(broken: Database) -> None:
    other = type(metadata)()
    metadata.tables["users"].to_metadata(other)
    with engine_of(broken) as engine:
        plan = fixer.plan(engine, other)
        with pytest.raises((PlanRefused, ApplyFailed)):
            fixer.apply(engine, metadata, plan=plan, allow_hazards="all")

    assert broken.ask(NOTHING_OF_OURS) == 0


def test_the_same_database_is_planned_the_same_way_twice(broken: Database) -> None:
    with engine_of(broken) as engine:
        assert fixer.plan(engine, metadata).identity == fixer.plan(engine, metadata).identity


def test_an_unknown_hazard_is_a_mistake_of_the_caller(broken: Database) -> None:
    with engine_of(broken) as engine, pytest.raises(PgmendError):
        fixer.apply(engine, metadata, allow_hazards=["moves_rows"])

    assert broken.ask(NOTHING_OF_OURS) == 0


def test_an_engine_of_another_database_is_refused() -> None:
    with pytest.raises(PgmendError):
        fixer.check(create_engine("sqlite://"), metadata)


def test_progress_is_told_step_by_step(broken: Database) -> None:
    class Listener(fixer.Progress):
        heard: ClassVar[list[object]] = []

        def step(self, step: PlannedStep, count: int) -> None:
            self.heard.append(step)

    with engine_of(broken) as engine:
        run = api.apply(engine, metadata, allow_hazards="all", progress=Listener())

    assert list(run.steps) == Listener.heard


def test_a_progress_that_raises_leaves_nothing_half_done(broken: Database) -> None:
    class Stopper(fixer.Progress):
        def step(self, step: PlannedStep, count: int) -> None:
            if step.number == 6:
                raise ZeroDivisionError

    before = broken.dump()
    with engine_of(broken) as engine, pytest.raises(ZeroDivisionError):
        fixer.apply(engine, metadata, allow_hazards="all", progress=Stopper())

    assert before == broken.dump()


def test_a_pace_has_units_as_the_timeouts_have() -> None:
    assert [fixer.Pace(each).seconds for each in ("1.5min", "250ms", "0", None)] == [90, 0.25, None, None]
    for bare in ("5", "5.5"):
        with pytest.raises(PgmendError, match="has no unit"):
            fixer.Pace(bare)


def test_a_role_that_is_empty_is_none(healthy: Database) -> None:
    with pytest.raises(PgmendError, match="The role is empty"):
        fixer.check(healthy.dsn, role="")
    with pytest.raises(PgmendError, match="--scratch is empty"):
        fixer.check(healthy.dsn, scratch="")


def test_what_is_returned_is_short_where_it_is_printed(broken: Database) -> None:
    report, plan = fixer.check(broken.dsn, metadata), fixer.plan(broken.dsn, metadata)
    run = fixer.apply(broken.dsn, metadata, allow_hazards="all")

    assert all(len(repr(each)) < 250 for each in (report, plan, run))
    assert (repr(report).partition("(")[0], "ok=False" in repr(report)) == ("Report", True)
    assert (repr(run).partition("(")[0], "run=1, ok=True" in repr(run)) == ("Run", True)
