"""The script of `plan --sql`: it runs under psql alone, all of it or nothing, and once."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import psycopg2
import pytest

from contracts.trading import metadata as trading
from fixer import api
from fixer.connect import snapshot
from fixer.model.plan import Published
from fixer.runner.script import of_plan
from lab.commands import apply, psql, script, undo
from lab.database import STORY, Database, lent, written
from lab.laboratory import Laboratory
from lab.process import fixer

REPAIRABLE = {name: each for name, each in snapshot.find().items() if each.repairable and each.findings}
APPLIED = "This plan was applied already"


def quarantined(database: Database) -> dict[str, int]:
    tables = database.run("SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace('fixer_quarantine')")
    counts = [
        database.run(f'SELECT source, count(*) FROM fixer_quarantine."{name}" GROUP BY source') for (name,) in tables
    ]
    return dict(row for rows in counts for row in rows)


@pytest.mark.parametrize("version", [16, 18])
@pytest.mark.parametrize("name", REPAIRABLE)
def test_the_script_repairs_each_snapshot(laboratory: Laboratory, tmp_path: Path, name: str, version: int) -> None:
    with lent(laboratory.server(version), name) as database:
        ended = psql(database, script(database, tmp_path))
        with closing(psycopg2.connect(database.dsn)) as connection:
            report = api.check(connection, REPAIRABLE[name].contract, deep=True)

        assert (ended.stderr, ended.returncode) == ("", 0)
        assert [f.message for f in report.findings if f.breaks] == []
        assert quarantined(database) == REPAIRABLE[name].quarantined


@pytest.mark.parametrize("name", [STORY, "text-user-ids", "sqlite-port"])
def test_a_second_run_says_so_and_changes_nothing(laboratory: Laboratory, tmp_path: Path, name: str) -> None:
    with lent(laboratory.server(18), name) as database:
        file = script(database, tmp_path)
        psql(database, file)
        before = database.dump()
        ended = psql(database, file)

        assert APPLIED in ended.stdout
        assert (0, before) == (ended.returncode, database.dump())


def test_the_script_of_a_plan_that_a_person_decides_fails(empty: Database, tmp_path: Path) -> None:
    empty.run("CREATE TABLE t (a text, b text); INSERT INTO t VALUES ('1', 'x')")
    (tmp_path / "wanted.sql").write_text("CREATE TABLE t (a integer, b bytea)")
    words = ("plan", "--sql", tmp_path / "plan.sql", "--contract", tmp_path / "wanted.sql", "--dsn", empty.dsn)
    planned, before = fixer(*words), written(empty)
    ended, script = psql(empty, tmp_path / "plan.sql"), (tmp_path / "plan.sql").read_text()

    assert "This plan cannot be applied" in planned.stdout
    assert "-- Left to a person: t.b should be bytea" in script
    assert (ended.returncode, ended.stdout, written(empty)) == (3, "", before)
    assert "This needs a human decision: t.b should be bytea" in ended.stderr
    fixer(*words, "--skip", "wrong-type:public.t.b")
    ended, script = psql(empty, tmp_path / "plan.sql"), (tmp_path / "plan.sql").read_text()
    assert "-- Left out: wrong-type:public.t.b, " in script
    assert (ended.returncode, "Done: 2 steps; what is left out" in ended.stdout) == (0, True), ended


def test_a_script_for_a_fault_that_came_back_does_its_work(healthy: Database, tmp_path: Path) -> None:
    for _ in range(2):
        healthy.run("ALTER TABLE paper_trades DROP CONSTRAINT paper_trades_user_id_fkey")
        file = script(healthy, tmp_path)
        ended = psql(healthy, file)
        again = psql(healthy, file)

        assert (ended.returncode, APPLIED in ended.stdout, APPLIED in again.stdout) == (0, False, True)
        assert fixer("check", "-q", "--dsn", healthy.dsn).returncode == 0


def test_a_script_does_its_work_once_its_run_was_taken_back(broken: Database, tmp_path: Path) -> None:
    file = script(broken, tmp_path)
    apply(broken, "--deep")
    assert undo(broken).returncode == 0
    ended = psql(broken, file)

    assert (ended.returncode, APPLIED in ended.stdout) == (0, False)
    assert fixer("check", "-q", "--dsn", broken.dsn).returncode == 0


GONE = {
    "a key of another name": (
        "ALTER TABLE paper_trades DROP CONSTRAINT paper_trades_user_id_fkey",
        "ALTER TABLE paper_trades ADD CONSTRAINT other FOREIGN KEY (user_id) REFERENCES users ON DELETE CASCADE",
    ),
    "a column that is wider still": (
        "ALTER TABLE users ALTER full_name TYPE varchar(20) USING left(full_name, 20)",
        "ALTER TABLE users ALTER full_name TYPE varchar(900)",
    ),
    "an index of another name": ("DROP INDEX ix_paper_trades_symbol", "CREATE INDEX other ON paper_trades (symbol)"),
}


@pytest.mark.parametrize("fault", GONE.values(), ids=GONE.keys())
def test_a_script_for_a_fault_that_is_gone_changes_nothing(
    healthy: Database, tmp_path: Path, fault: tuple[str, str]
) -> None:
    broken, mended = fault
    healthy.run(broken)
    file = script(healthy, tmp_path)
    healthy.run(mended)
    before = healthy.dump()
    ended = psql(healthy, file)

    assert "The tables have changed since this script was made" in ended.stderr
    assert (ended.returncode, before) == (3, healthy.dump())


def test_after_the_script_the_fixer_has_nothing_to_do(broken: Database, tmp_path: Path) -> None:
    psql(broken, script(broken, tmp_path))

    assert fixer("plan", "--deep", "--dsn", broken.dsn).returncode == 0


def test_the_run_of_a_script_stands_in_history(broken: Database, tmp_path: Path) -> None:
    psql(broken, script(broken, tmp_path))

    assert " script " in fixer("history", "--dsn", broken.dsn).stdout


CONFLICTS = {
    "a name that is taken": "INSERT INTO users (id, user_id, username, email, password_hash)"
    " SELECT id + 500000, 'x', username, 'new', '!' FROM users LIMIT 1",
    "a key that came to be": "ALTER TABLE users ADD PRIMARY KEY (id)",
    "a column that is gone": "ALTER TABLE users DROP COLUMN user_id",
    "a table that is gone": "ALTER TABLE paper_trades RENAME TO trades",
    "the default user": "INSERT INTO users (id, user_id, username, email, password_hash)"
    " VALUES (700000, 'x', 'PAPER_TRADER_001', 'paper_trader_001@example.invalid', '!')",
    "a sequence of that name": "CREATE SEQUENCE users_id_seq",
}  # fmt: skip


@pytest.mark.parametrize("conflict", CONFLICTS.values(), ids=CONFLICTS.keys())
def test_a_step_that_fails_undoes_all(broken: Database, tmp_path: Path, conflict: str) -> None:
    file = script(broken, tmp_path)
    broken.run(conflict)
    before = broken.dump()
    ended = psql(broken, file)

    assert (3, before) == (ended.returncode, broken.dump())


def test_a_row_that_became_an_orphan_meanwhile_is_moved_too(broken: Database, tmp_path: Path) -> None:
    file = script(broken, tmp_path)
    broken.run(
        "UPDATE paper_trades SET user_id = 999999"
        " WHERE id = (SELECT min(t.id) FROM paper_trades t JOIN users u ON u.id = t.user_id)"
    )
    psql(broken, file)

    assert quarantined(broken) == {"public.paper_trades": 8}


def test_a_script_waits_for_no_other_fixer(broken: Database, tmp_path: Path) -> None:
    file, before = script(broken, tmp_path), broken.dump()
    with closing(psycopg2.connect(broken.dsn)) as other, other.cursor() as cursor:
        cursor.execute(f"SELECT pg_advisory_xact_lock({0x70676D656E64})")
        ended = psql(broken, file)

    assert "Another fixer" in ended.stderr
    assert (3, before) == (ended.returncode, broken.dump())


def test_psql_runs_nothing_of_a_name_that_has_two_lines(broken: Database, tmp_path: Path) -> None:
    name, file = f"p\n\\! touch {tmp_path}/mark\r\\! touch {tmp_path}/mark", tmp_path / "plan.sql"
    with closing(psycopg2.connect(broken.dsn)) as connection:
        made = api.plan(connection, trading)
        steps = tuple(replace(step, title=name) for step in made.steps)
        published = Published((name,), True, (f'CREATE TABLE "{name}" ()',), (1,))
        whole = replace(made, contract=name, steps=steps, published=published)
        file.write_text(of_plan(whole, lambda each: str(each.as_string(connection))), newline="")
    ended = psql(broken, file)

    assert (ended.returncode, ended.stderr) == (0, "")
    assert not (tmp_path / "mark").exists()


ODD = """
from sqlalchemy import *
metadata = MetaData()
NOTE = "naïve \\"q\\" :'y'"
Table("Order %s :x", metadata,
      Column("select", Integer, primary_key=True, autoincrement=False),
      Column(NOTE, Text, server_default="50% :off 'x' \\\\ $$"),
      Column("par:ent", Integer, ForeignKey("Order %s :x.select")), CheckConstraint("\\"select\\" > 0"),
      info={"default_rows": [{"select": 1, NOTE: ":v %s \\\\ ' $do$"}]})
"""  # fmt: skip


def test_odd_names_and_values_survive_psql(laboratory: Laboratory, tmp_path: Path) -> None:
    (tmp_path / "odd.py").write_text(ODD)
    with lent(laboratory.server(18), None) as database:
        ended = psql(database, script(database, tmp_path, "odd:metadata"))
        exit_code = fixer(
            "check", "--deep", "--contract", "odd:metadata", "--dsn", database.dsn, cwd=tmp_path
        ).returncode
        value = database.ask('SELECT "naïve ""q"" :\'y\'" FROM "Order %s :x"')

        assert (ended.stderr, ended.returncode) == ("", 0)
        assert exit_code == 0
        assert value == ":v %s \\ ' $do$"
