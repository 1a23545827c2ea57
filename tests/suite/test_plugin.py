"""The plugin: what a user of pytest sees, on real databases."""

from __future__ import annotations

import atexit
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg2
import pytest

from fixer.connect import servers, snapshot
from fixer.connect.servers import Server
from lab.process import Nursery

HOUSE = Path(__file__).resolve().parents[2]
SECRET = "hunter2-is-a-secret"
HEALTHY, BROKEN = "healthy", "users-without-primary-key"

SWALLOW = """
    CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
    CREATE TRIGGER swallow BEFORE INSERT ON paper_trades FOR EACH ROW EXECUTE FUNCTION swallow()"""
ALTER_CELLS = """
    CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN NEW.symbol := NEW.symbol || ''!''; RETURN NEW; END';
    CREATE TRIGGER shout BEFORE INSERT ON paper_trades FOR EACH ROW EXECUTE FUNCTION shout()"""
CONTENT = """
    SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM paper_trades),
           (SELECT count(*) FROM pg_class WHERE relnamespace <> 'pg_catalog'::regnamespace),
           (SELECT count(*) FROM pg_namespace WHERE nspname NOT LIKE 'pg_temp%' AND nspname NOT LIKE 'pg_toast%')"""
WITHOUT_PARTITION = """
from sqlalchemy import Column, Integer, MetaData, Table

metadata = MetaData()
Table("events", metadata, Column("id", Integer, primary_key=True), postgresql_partition_by="RANGE (id)")
"""
FOREIGN_CONFTEST = """
def pytest_addoption(parser):
    for name in ("--dsn", "--server", "--schema", "--role", "--deep"):
        parser.addoption(name)
"""
FOREIGN_TEST = """
import sys

def test_is_theirs(request):
    assert request.config.pluginmanager.has_plugin("pgmend")
    assert request.config.getoption("--dsn") == "theirs"
    assert not {"sqlalchemy", "psycopg2", "fixer.api", "contracts"} & set(sys.modules)
"""
THEIR_CONTRACTS = """
from contracts.prices import price

def test_is_theirs(pytestconfig):
    assert price() == 3
    assert not pytestconfig.pluginmanager.has_plugin("contracts.plugin")
"""

Database = Callable[..., str]


@dataclass(frozen=True)
class Shown:
    """What a run of pytest showed, and how it ended."""

    text: str
    code: int

    def outcome(self, item: str) -> str:
        """Return how an item ended, in the spelling of `pytest -rA`."""
        found = re.search(rf"^(PASSED|FAILED|SKIPPED|ERROR) .*{re.escape(item)}", self.text, re.M)
        return found[1] if found else "absent"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with servers.embedded() as running:
        with closing(psycopg2.connect(running.dsn)) as connection, connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE ROLE trader LOGIN SUPERUSER PASSWORD '{SECRET}'; CREATE ROLE app")
        yield running


@pytest.fixture(scope="module")
def templates(server: Server) -> dict[str, str]:
    found = snapshot.find(HOUSE / "fixtures")
    names = {}
    for name in (HEALTHY, BROKEN):
        names[name] = server.create_database()
        with closing(psycopg2.connect(server.database_dsn(names[name]))) as connection:
            snapshot.load(found[name], connection)
    return names


@pytest.fixture
def database(server: Server, templates: dict[str, str]) -> Iterator[Database]:
    """Makes a copy of a snapshot, after some statements, and gives its DSN with a password in it."""
    made = []

    def make(name: str = HEALTHY, statements: str = "") -> str:
        made.append(server.create_database(templates[name]))
        dsn = server.database_dsn(made[-1]).replace("//postgres@", f"//trader:{SECRET}@")
        ask(dsn, f"{statements}; SELECT 1")
        return dsn

    yield make
    for each in made:
        server.drop_database(each)


def ask(dsn: str, query: str) -> Any:
    with closing(psycopg2.connect(dsn)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchone()


KEPT = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "DATABASE", "PG"))}
WORDS = ("-p", "no:cacheprovider", "-rA", "--color=no")


class Pytests(Nursery):
    """A process that has imported all that pytest and the suite stand on, and forks for every run of pytest."""

    IMPORTS = """
import psycopg2, pytest, sqlalchemy
from fixer import api, defects
defects.all_classes()
"""
    COMMAND = "sys.path[0] = os.getcwd(); sys.exit(pytest.main(sys.argv[1:]))"


@cache
def pytests() -> Pytests:
    made = Pytests()
    atexit.register(made.close)
    return made


def run(*words: str) -> Shown:
    """Run pytest to its end, in a process of its own."""
    with TemporaryDirectory() as place:
        streams = {name: f"{place}/{name}" for name in ("out", "err")}
        code = pytests().bear({"words": [*WORDS, *words], "cwd": str(HOUSE), "env": KEPT, **streams})
        return Shown("".join(Path(each).read_text() for each in streams.values()), code)


def run_elsewhere(cwd: Path, environment: Mapping[str, str], *words: str) -> Shown:
    """Run pytest in another directory and environment, with all that it takes to start there."""
    command = [sys.executable, "-m", "pytest", *WORDS, *words]
    ended = subprocess.run(command, cwd=cwd, env={**KEPT, **environment}, capture_output=True, text=True, timeout=120)
    return Shown(ended.stdout + ended.stderr, ended.returncode)


def prove(dsn: str, *words: str) -> Shown:
    return run(f"--dsn={dsn}", *words)


@pytest.fixture(scope="module")
def broken(server: Server, templates: dict[str, str]) -> Shown:
    """All five points on a broken database, seen once; with the locals of every frame, to look for the password."""
    name = server.create_database(templates[BROKEN])
    return prove(server.database_dsn(name).replace("//postgres@", f"//trader:{SECRET}@"), "-l")


@pytest.fixture
def installed(tmp_path: Path) -> dict[str, str]:
    """The environment in which pgmend is installed, its entry point included."""
    note = tmp_path / "site" / "pgmend-0.dist-info"
    note.mkdir(parents=True)
    (note / "METADATA").write_text("Metadata-Version: 2.1\nName: pgmend\nVersion: 0\n")
    (note / "entry_points.txt").write_text("[pytest11]\npgmend = fixer.cli.pytest_entry\n")
    return {"PYTHONPATH": f"{note.parent}{os.pathsep}{HOUSE}"}


# --- items and outcomes -----------------------------------------------------------------------------


def test_a_healthy_database_passes_and_is_left_as_it_was(database: Database) -> None:
    dsn = database()
    before = ask(dsn, CONTENT)
    shown = prove(dsn)

    assert (shown.code, ask(dsn, CONTENT)) == (0, before)
    assert "FAILED" not in shown.text
    assert "tests/" not in shown.text


def test_a_healthy_database_passes_where_the_server_quotes_all_names(database: Database) -> None:
    quoting = "EXECUTE format('ALTER DATABASE %I SET quote_all_identifiers = on', current_database())"
    shown = prove(database(HEALTHY, f"DO $$ BEGIN {quoting}; END $$"))

    assert (shown.code, "FAILED" in shown.text) == (0, False)


@pytest.mark.parametrize(
    "item",
    [
        "test_1_primary_keys.py::test_primary_key_holds[users]",
        "test_1_primary_keys.py::test_generator_is_ahead[users.id]",
        "test_2_foreign_keys.py::test_foreign_key_holds[paper_trades.user_id]",
        "test_3_default_users.py::test_default_row_is_created_once[users]",
        "test_4_structure.py::test_unique_holds[users.username]",
        "test_5_operation.py::test_good_rows_go_in_change_and_go_out[users]",
    ],
)
def test_what_is_broken_fails_under_its_name(broken: Shown, item: str) -> None:
    assert broken.outcome(f"contracts/{item}") == "FAILED"


@pytest.mark.parametrize(
    "item",
    [
        "test_1_primary_keys.py::test_primary_key_holds[paper_trades]",
        "test_3_default_users.py::test_default_row_exists[users-PAPER_TRADER_001]",
        "test_4_structure.py::test_structure_holds[users.username]",
        "test_4_structure.py::test_nothing_else_is_wrong[users]",
        "test_5_operation.py::test_nothing_unknown_is_demanded[users]",
    ],
)
def test_what_is_whole_passes_under_its_name(broken: Shown, item: str) -> None:
    assert broken.outcome(f"contracts/{item}") == "PASSED"


def test_a_failure_shows_finding_evidence_and_command(broken: Shown) -> None:
    shown = broken.text.partition("_ test_foreign_key_holds[paper_trades.user_id] _")[2]

    assert "paper_trades.user_id should reference users(id), references nothing" in shown
    assert "7 rows (55/17" in shown
    assert re.search(r"repair: fixer apply --dsn 'postgresql://trader@.*' --allow-hazards moves-rows", shown)


def test_a_failure_shows_no_traceback_and_no_password(broken: Shown) -> None:
    assert broken.code == 1
    assert "Traceback" not in broken.text
    assert "contracts/claims.py" not in broken.text
    assert SECRET not in broken.text


def test_the_summary_is_a_table_of_the_five_points(broken: Shown) -> None:
    assert re.search(r"1  primary keys   BROKEN   2 failed, 2 passed", broken.text)
    assert re.search(r"2  foreign keys   BROKEN   1 failed\n", broken.text)


def test_a_missing_table_breaks_all_that_should_be_on_it(database: Database) -> None:
    shown = prove(database(statements="DROP TABLE paper_trades"), "-k", "paper_trades and not users")

    assert shown.code == 1
    assert "PASSED" not in shown.text


# --- choosing ---------------------------------------------------------------------------------------


@pytest.fixture
def plain(database: Database, tmp_path: Path) -> tuple[str, str]:
    """Give a database and its contract, which has neither foreign keys nor default rows."""
    statement = "CREATE TABLE plain (id int PRIMARY KEY)"
    (tmp_path / "plain.sql").write_text(statement)
    return f"--dsn={database(statements=statement)}", f"--contract={tmp_path / 'plain.sql'}"


DEFAULTS = "3  default users  nothing to prove: the contract has no default rows"
NOTHING = "Nothing was proved: the options choose no item of the suite."
CHOICES = {
    ("-m", "point3"): (0, DEFAULTS),
    ("-m", "point3", "-q"): (0, DEFAULTS),
    ("-m", "point3", "-n", "1"): (0, DEFAULTS),
    ("-m", "point2 or point3"): (0, "2  foreign keys   nothing to prove: the contract has no foreign keys"),
    ("-m", "point3 or point4"): (0, DEFAULTS),
    ("-m", "point3", "-k", "nonsense"): (5, NOTHING),
    ("-m", "point2 and point3"): (5, NOTHING),
    ("-k", "unique_holds"): (5, NOTHING),
    ("-k", "nonsense", "-n", "1"): (5, NOTHING),
}


@pytest.mark.parametrize("words", CHOICES, ids=" ".join)
def test_a_choice_of_nothing_says_why(plain: tuple[str, str], words: tuple[str, ...]) -> None:
    shown = run("--pyargs", "contracts", *plain, *words)

    assert (shown.code, CHOICES[words][1] in shown.text) == (CHOICES[words][0], True)


def test_a_claim_without_a_case_is_none_of_a_point_without_one(plain: tuple[str, str]) -> None:
    shown = run("contracts/test_4_structure.py::test_unique_holds", *plain)

    assert (shown.code, NOTHING in shown.text) == (5, True)


def test_a_marker_chooses_a_point(database: Database) -> None:
    shown = prove(database(), "-m", "point2")

    assert re.search(r" 1 passed, \d+ deselected", shown.text)
    assert shown.outcome("test_foreign_key_holds[paper_trades.user_id]") == "PASSED"


def test_items_are_chosen_by_name_and_split_among_workers(database: Database) -> None:
    shown = prove(database(BROKEN), "-n", "2", "-k", "primary_key_holds or foreign_key_holds")

    assert shown.outcome("test_primary_key_holds[users]") == "FAILED"
    assert shown.outcome("test_primary_key_holds[paper_trades]") == "PASSED"
    assert "BROKEN   1 failed, 1 passed" in shown.text
    assert SECRET not in shown.text


def test_each_of_two_targets_has_its_own_items(database: Database) -> None:
    healthy, ill = database(), database(BROKEN)
    names = [re.search(r"/(pgmend_\w+)", dsn)[1] for dsn in (healthy, ill)]  # type: ignore[index]
    shown = prove(healthy, f"--dsn={ill}", "-k", "primary_key_holds")

    assert shown.outcome(f"test_primary_key_holds[local/{names[0]}-users]") == "PASSED"
    assert shown.outcome(f"test_primary_key_holds[local/{names[1]}-users]") == "FAILED"


def test_a_file_names_targets_too(database: Database, tmp_path: Path) -> None:
    (tmp_path / "targets").write_text(f"# staging\n\n{database()}\n")
    shown = run(f"--dsn-file={tmp_path / 'targets'}", "-m", "point2")

    assert shown.outcome("test_foreign_key_holds[paper_trades.user_id]") == "PASSED"


def test_without_writes_what_writes_is_skipped(database: Database) -> None:
    shown = prove(database(), "--writes=none", "-m", "point3 or point5", "-k", "not bad_row and not oversized")

    assert shown.code == 0
    assert "--writes none: nothing is written" in shown.text
    assert re.search(r"5  operation      ok       2 passed, 6 skipped", shown.text)


READ_ONLY = """
    CREATE ROLE reader LOGIN PASSWORD 'x'; GRANT pg_read_all_data TO reader;
    ALTER ROLE reader SET default_transaction_read_only = on"""
WRITES = """
    SELECT sum(n_tup_ins), sum(n_tup_upd), sum(n_tup_del), (SELECT sum(last_value) FROM pg_sequences),
           (SELECT max(age(xmin)::text || ctid::text) FROM users)
      FROM pg_stat_user_tables"""


def test_in_a_shadow_a_role_that_only_reads_suffices_and_nothing_is_written(database: Database) -> None:
    dsn = database(statements=READ_ONLY)
    try:
        before = ask(dsn, WRITES)
        shown = prove(dsn.replace(f"//trader:{SECRET}@", "//reader@"), "--writes=shadow", "-n", "2")

        assert re.findall(r"^(?:FAILED|ERROR) .*", shown.text, re.M) == []
        assert shown.outcome("test_good_rows_go_in_change_and_go_out[users]") == "PASSED"
        assert shown.outcome("test_default_row_is_created_once") == "PASSED"
        assert ask(dsn, WRITES) == before
    finally:
        ask(dsn, "DROP ROLE reader; SELECT 1")


def test_in_a_shadow_faults_are_those_of_the_target(database: Database) -> None:
    dsn = database(statements=SWALLOW)
    shown = prove(dsn, "--writes=shadow", "-k", "good_rows or primary_key")

    assert shown.outcome("test_good_rows_go_in_change_and_go_out[paper_trades]") == "FAILED"
    assert shown.outcome("test_good_rows_go_in_change_and_go_out[users]") == "PASSED"


def test_in_a_shadow_the_role_of_the_application_has_its_rights_and_no_others(database: Database) -> None:
    grants = "GRANT SELECT, INSERT, UPDATE, DELETE ON users TO app; GRANT USAGE ON SEQUENCE users_id_seq TO app"
    shown = prove(database(statements=grants), "--writes=shadow", "--role=app", "-k", "good_rows")

    assert shown.outcome("test_good_rows_go_in_change_and_go_out[users]") == "PASSED"
    assert shown.outcome("test_good_rows_go_in_change_and_go_out[paper_trades]") != "PASSED"


# --- behaviour --------------------------------------------------------------------------------------


def test_a_trigger_that_swallows_inserts_breaks_operation(database: Database) -> None:
    shown = prove(database(statements=SWALLOW), "-k", "good_rows and paper_trades")

    assert "neither inserted nor refused" in shown.text
    assert "paper_trades should keep what is written, the trigger swallow keeps every row out ON INSERT" in shown.text
    assert shown.outcome("test_good_rows_go_in_change_and_go_out[paper_trades]") == "FAILED"


def test_a_trigger_that_changes_cells_breaks_operation(database: Database) -> None:
    shown = prove(database(statements=ALTER_CELLS), "-k", "good_rows and paper_trades")

    assert "paper_trades.symbol is not read back as it was written" in shown.text
    assert "no finding explains it" in shown.text
    assert "the trigger shout of paper_trades" in shown.text


def test_what_the_check_only_warns_of_explains_a_failure(database: Database) -> None:
    rule = "CREATE RULE r AS ON INSERT TO paper_trades WHERE new.quantity > 0 DO INSTEAD NOTHING"
    shown = prove(database(statements=rule), "-k", "good_rows and paper_trades")

    assert shown.outcome("test_good_rows_go_in_change_and_go_out[paper_trades]") == "FAILED"
    assert re.search("warning: .*the rule r", shown.text)
    assert "no finding explains it" not in shown.text


def test_rows_that_a_trigger_keeps_out_under_a_condition_are_listed_as_not_tried(database: Database) -> None:
    some = SWALLOW.replace("RETURN NULL", "IF new.quantity > 0 THEN RETURN NULL; END IF; RETURN new")
    shown = prove(database(statements=some), "-k", "good_rows and paper_trades")

    assert re.search("not tried, 1 item: .*info: .*swallow may", shown.text)


def test_what_the_owner_keeps_from_going_is_listed_as_not_tried(database: Database) -> None:
    kept = SWALLOW.replace("RETURN NULL", "RETURN new").replace("BEFORE INSERT", "BEFORE DELETE")
    shown = prove(database(statements=kept), "-k", "good_rows and paper_trades")

    assert shown.code == 0
    assert re.search("not tried, 1 item: DELETE of paper_trades: warning: .*swallow keeps every row out", shown.text)


def test_a_missing_unique_lets_bad_rows_in(database: Database) -> None:
    dsn = database(statements="ALTER TABLE users DROP CONSTRAINT users_email_key")
    shown = prove(dsn, "-k", "duplicate and users")

    assert shown.outcome("test_bad_row_is_refused[users-duplicate-email]") == "FAILED"
    assert shown.outcome("test_bad_row_is_refused[users-duplicate-username]") == "PASSED"
    assert "a second row with the same users.email was let in" in shown.text


def test_without_a_key_many_processes_create_the_default_row(database: Database) -> None:
    uniques = "ALTER TABLE users DROP CONSTRAINT users_email_key, DROP CONSTRAINT users_username_key"
    dsn = database(statements=uniques)
    before = ask(dsn, CONTENT)
    shown = prove(dsn, "-k", "default_row_is_created_once")

    assert "8 of 8 processes created the default row of users at the same time" in shown.text
    assert ask(dsn, CONTENT) == before


def test_what_one_target_takes_another_may_refuse(database: Database) -> None:
    shown = run(f"--dsn={database()}", f"--dsn={database(statements=SWALLOW)}", "-k", "operation and paper_trades")
    outcomes = re.findall(r"^(PASSED|FAILED) .*good_rows_go_in_change_and_go_out", shown.text, re.M)

    assert sorted(outcomes) == ["FAILED", "PASSED"]


def test_a_wider_column_keeps_a_long_value_whole(database: Database) -> None:
    dsn = database(statements="ALTER TABLE paper_trades ALTER symbol TYPE varchar(50)")
    shown = prove(dsn, "-k", "too-long-symbol")

    assert shown.outcome("too-long-symbol") == "PASSED"


def test_a_trigger_that_cuts_a_long_value_is_found(database: Database) -> None:
    cut = SWALLOW.replace("RETURN NULL", "NEW.symbol := left(NEW.symbol, 20); RETURN NEW")
    dsn = database(statements=f"ALTER TABLE paper_trades ALTER symbol TYPE varchar(50);{cut}")
    shown = prove(dsn, "-k", "too-long-symbol")

    assert shown.outcome("too-long-symbol") == "FAILED"


def test_rows_are_written_as_the_role_that_was_named(database: Database) -> None:
    shown = prove(database(statements="GRANT SELECT ON users TO app"), "--role=app", "-k", "good_rows and users")

    assert "permission denied" in shown.text
    assert 'GRANT INSERT, UPDATE, DELETE ON TABLE "public"."users" TO "app"' in shown.text
    assert shown.outcome("test_good_rows_go_in_change_and_go_out[users]") == "FAILED"


COLUMN_BY_COLUMN = """
DO $$ DECLARE t text; cells text; BEGIN
  FOREACH t IN ARRAY ARRAY['users', 'paper_trades'] LOOP
    SELECT string_agg(quote_ident(attname), ', ') INTO cells FROM pg_attribute
     WHERE attrelid = t::regclass AND attnum > 0 AND NOT attisdropped;
    EXECUTE format('ALTER TABLE %I ADD "of others" text; GRANT DELETE ON %1$I TO app;'
                   'GRANT SELECT (%2$s), INSERT (%2$s), UPDATE (%2$s) ON %1$I TO app', t, cells);
  END LOOP;
END $$; GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO app; GRANT USAGE ON SCHEMA public TO app
"""


def test_a_role_needs_no_right_on_columns_that_the_contract_does_not_know(database: Database) -> None:
    shown = prove(database(statements=COLUMN_BY_COLUMN), "--role=app")

    assert re.findall(r"^FAILED .*", shown.text, re.M) == []
    assert shown.outcome("test_good_rows_go_in_change_and_go_out[users]") == "PASSED"


# --- what is in the way -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--dsn=postgresql://u:%SECRET@127.0.0.1:1/nowhere"], "ERROR: cannot use postgresql://u@127.0.0.1:1/nowhere"),
        (["--dsn=postgresql://u:%SECRET@no.such.host.invalid/x"], "ERROR: cannot use postgresql://u@no.such.host"),
        (["--dsn=mysql://u:%SECRET@localhost/x"], "ERROR: --dsn starts with mysql://, which is not PostgreSQL"),
        (["--dsn=%DSN", "--contract=nowhere:metadata"], "ERROR: The contract 'nowhere:metadata' cannot be imported"),
        (["--dsn=%DSN", "--schema=nowhere"], "ERROR: The target has no schema nowhere: run CREATE SCHEMA nowhere;"),
        (["--dsn=%DSN", "--role=nobody_at_all"], "ERROR: There is no role nobody_at_all: correct --role."),
        (["--dsn=%DSN", "--writes=twice"], "ERROR: --writes 'twice' should be one of rollback, shadow, none."),
        (["--dsn-file=/nowhere"], "ERROR: --dsn-file /nowhere cannot be read"),
        (["--dsn="], "ERROR: --dsn is empty: see whether the shell variable behind it is set"),
        (["--dsn=%DSN", "--dsn= "], "ERROR: --dsn is empty"),
        (["--contract="], "ERROR: --contract is empty"),
        (["--scratch="], "ERROR: --scratch is empty"),
        (["--dsn=%DSN", "--scratch=mysql://u:%SECRET@h/x"], "ERROR: --scratch starts with mysql://, which is not"),
        (["--dsn=%DSN", "--schema= "], "ERROR: --schema is empty"),
        (["--dsn-file="], "ERROR: --dsn-file is empty"),
        (["--role="], "ERROR: --role is empty"),
        (["--pg-version=7"], "ERROR: no PostgreSQL 7 binaries found"),
        (["--snapshots=/nowhere"], "ERROR: /nowhere holds no snapshot"),
    ],
)
def test_what_is_in_the_way_is_one_sentence(database: Database, words: list[str], sentence: str) -> None:
    dsn = database() if any("%DSN" in word for word in words) else ""
    shown = run("contracts", *(word.replace("%DSN", dsn).replace("%SECRET", SECRET) for word in words), "-l")

    assert shown.code == pytest.ExitCode.USAGE_ERROR
    assert sentence in shown.text
    assert "Traceback" not in shown.text
    assert SECRET not in shown.text


def test_a_file_of_blank_lines_names_no_database(tmp_path: Path) -> None:
    (tmp_path / "targets").write_text("\n  \n# none\n")
    shown = run("contracts", f"--dsn-file={tmp_path / 'targets'}")

    assert shown.code == pytest.ExitCode.USAGE_ERROR
    assert f"ERROR: --dsn-file {tmp_path / 'targets'} names no database." in shown.text


# --- elsewhere --------------------------------------------------------------------------------------


def test_a_foreign_suite_is_left_alone(installed: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(FOREIGN_CONFTEST)
    (tmp_path / "test_theirs.py").write_text(FOREIGN_TEST)
    shown = run_elsewhere(tmp_path, installed, "--dsn=theirs", "-W", "error", "--strict-markers")

    assert shown.code == 0
    assert "1 passed" in shown.text
    assert "five points" not in shown.text


@pytest.mark.parametrize("words", [(), ("contracts", "tests"), ("--pyargs", "contracts"), ("-n", "2")], ids=" ".join)
def test_a_project_may_have_contracts_of_its_own(
    installed: dict[str, str], tmp_path: Path, words: tuple[str, ...]
) -> None:
    for name, text in (("__init__", ""), ("prices", "def price(): return 3"), ("test_theirs", THEIR_CONTRACTS)):
        (tmp_path / "contracts").mkdir(exist_ok=True)
        (tmp_path / "contracts" / f"{name}.py").write_text(text)
    (tmp_path / "tests").mkdir()
    shown = run_elsewhere(tmp_path, installed, *words)

    assert shown.code == 0
    assert "1 passed" in shown.text
    assert "five points" not in shown.text


def test_installed_it_proves_a_target_from_anywhere(
    installed: dict[str, str], database: Database, tmp_path: Path
) -> None:
    shown = run_elsewhere(tmp_path, installed, "--pyargs", "contracts", f"--dsn={database(BROKEN)}", "-m", "point2",
                          "--contract=contracts.trading:metadata")  # fmt: skip

    assert shown.outcome("test_foreign_key_holds[paper_trades.user_id]") == "FAILED"
    assert "2  foreign keys   BROKEN   1 failed" in shown.text


def test_what_cannot_be_tried_stands_in_the_summary(
    installed: dict[str, str], database: Database, tmp_path: Path
) -> None:
    (tmp_path / "models.py").write_text(WITHOUT_PARTITION)
    dsn = database(statements="CREATE TABLE events (id serial PRIMARY KEY) PARTITION BY RANGE (id)")
    words = ("--pyargs", "contracts", f"--dsn={dsn}", "--contract=models:metadata")
    shown = run_elsewhere(tmp_path, installed, *words)

    assert shown.code == 0
    assert "not tried, 4 items: events has no partition, so no row has a place in it" in shown.text


def test_a_user_s_own_tests_may_use_the_target(installed: dict[str, str], database: Database, tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text("def test_mine(pgmend_target):\n    pgmend_target.connect().close()\n")
    shown = run_elsewhere(tmp_path, installed, "-p", "pgmend", f"--dsn={database()}")

    assert "1 passed" in shown.text


@pytest.mark.parametrize("variable", ["DATABASE_URL", "DATABASE_NAME"])
def test_what_a_variable_names_is_not_said_to_be_proved(
    installed: dict[str, str], tmp_path: Path, variable: str
) -> None:
    shown = run_elsewhere(
        tmp_path, {**installed, variable: "db"}, "--pyargs", "contracts", "-q", "-k", "point3 and healthy"
    )

    assert f"the snapshots are proved, not the database that {variable} names" in shown.text


def test_snapshots_are_proved_without_a_target(tmp_path: Path) -> None:
    (tmp_path / BROKEN).symlink_to(HOUSE / "fixtures" / BROKEN)
    shown = run("contracts", f"--snapshots={tmp_path}", "-n", "2", "-k", "snapshot_is or key_holds")

    assert shown.code == 0
    assert "\npgmend: without --dsn, the snapshots are proved" in shown.text
    assert "\nWithout --dsn, the snapshots are proved" in shown.text
    for item in ("test_snapshot_is_broken_as_declared", "test_snapshot_is_repaired"):
        assert shown.outcome(f"{item}[{BROKEN}]") == "PASSED"
    assert shown.outcome(f"test_foreign_key_holds[{BROKEN}-paper_trades.user_id]") == "PASSED"


def test_on_a_server_that_stays_no_database_stays(server: Server, tmp_path: Path) -> None:
    (tmp_path / BROKEN).symlink_to(HOUSE / "fixtures" / BROKEN)
    before = ask(server.dsn, "SELECT array_agg(datname ORDER BY datname) FROM pg_database")
    shown = run("contracts", f"--snapshots={tmp_path}", f"--server={server.dsn}", "-k", "snapshot_is or key_holds")

    assert shown.code == 0
    assert ask(server.dsn, "SELECT array_agg(datname ORDER BY datname) FROM pg_database") == before


def test_a_snapshot_that_lies_about_itself_fails(tmp_path: Path) -> None:
    origin = HOUSE / "fixtures" / BROKEN
    liar = tmp_path / "liar"
    liar.mkdir()
    for file in origin.iterdir():
        (liar / file.name).write_bytes(file.read_bytes())
    note = (origin / "snapshot.toml").read_text().replace('"public.paper_trades" = 7', '"public.paper_trades" = 8')
    (liar / "snapshot.toml").write_text(note.replace('  "missing-generator",', '  "missing-index",'))
    shown = run("contracts", f"--snapshots={tmp_path}", "-k", "snapshot_is")

    assert shown.outcome("test_snapshot_is_broken_as_declared[liar]") == "FAILED"
    assert shown.outcome("test_snapshot_is_repaired[liar]") == "FAILED"
