"""Exit 1 means findings and nothing else: whatever goes wrong exits 2, and says what is true of the database."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from laws import Laboratory
from test_cli import CLEAN, HEALTHY, HOUSE, SECRETS, STORY, Database, fixer, lent, role, started

APPLY = ("apply", "--yes", "--allow-hazards", "all")
CONTRACT = ("--contract", "models:metadata")


@pytest.fixture
def broken(laboratory: Laboratory) -> Iterator[Database]:
    with lent(laboratory.server(18), STORY) as database:
        yield database


@pytest.fixture
def healthy(laboratory: Laboratory) -> Iterator[Database]:
    with lent(laboratory.server(18), HEALTHY) as database:
        yield database


def models(place: Path, text: str = "") -> Path:
    """Write the contract that ships as one of the user's, which then does something to the fixer; return its place."""
    (place / "models.py").write_text(f"from contracts.trading import *\n{text}\n")
    return place


def bug(where: str, error: str) -> str:
    """Return code that puts a bug in the place of a function: one that does its work, and then fails."""
    module, _, name = where.rpartition(".")
    return f"""
import importlib, sqlalchemy
there = importlib.import_module("{module}")
was = there.{name}
def wrong(*words, **more):
    was(*words, **more)
    {error}
there.{name} = wrong
"""


def called(*words: object, how: str = "", cwd: Path = HOUSE, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the fixer by a shell, which opens and closes files for it as told."""
    return subprocess.run(
        ["sh", "-c", f'exec "$@" {how}', "sh", sys.executable, "-m", "fixer", *map(str, words)],
        cwd=cwd,
        env={**CLEAN, "PYTHONPATH": str(HOUSE), **env},
        capture_output=True,
        stdin=subprocess.DEVNULL,
        text=True,
    )


# ---- what nobody foresaw


UNFORESEEN = {
    "KeyError": "raise KeyError('v')",
    "AttributeError": "None.nothing",
    "RecursionError": "def deeper(): deeper()\n    deeper()",
    "MemoryError": "raise MemoryError",
    "UnicodeDecodeError": "b'\\xff'.decode()",
    "FileNotFoundError": "open('/nowhere/file')",
    "BrokenPipeError": "raise BrokenPipeError",
    "EOFError": "raise EOFError",
    "SystemExit": "raise SystemExit(0)",
    "GeneratorExit": "raise GeneratorExit",
    "UnboundExecutionError": "raise sqlalchemy.exc.UnboundExecutionError('no\\nengine')",
    "AssertionError": "assert not words",
}


@pytest.mark.parametrize("name", UNFORESEEN)
def test_what_nobody_foresaw_exits_2_in_one_sentence(healthy: Database, tmp_path: Path, name: str) -> None:
    models(tmp_path, bug("fixer.compare.examine.compare", UNFORESEEN[name]))
    env = {"XDG_STATE_HOME": str(tmp_path / "state")}
    ended = fixer("check", *CONTRACT, "--dsn", healthy.dsn, cwd=tmp_path, env=env)
    (kept,) = (tmp_path / "state").rglob("*.log")

    pattern = rf"fixer: unexpected {name} in fixer\.examine.*\. Nothing was changed\. The traceback is in {kept}; .*\n"
    assert (ended.returncode, ended.stdout, bool(re.fullmatch(pattern, ended.stderr))) == (2, "", True)
    assert (name in kept.read_text(), kept.stat().st_mode & 0o777) == (True, 0o600)


@pytest.mark.parametrize("words", [["check"], ["plan"], ["plan", "--mode", "online"], APPLY], ids=" ".join)
def test_no_command_takes_a_bug_for_findings(broken: Database, tmp_path: Path, words: list[str]) -> None:
    models(tmp_path, bug("fixer.compare.examine.compare", "raise KeyError('v')"))
    before = broken.dump()
    ended = fixer(*words, *CONTRACT, "--log-file", "log", "--dsn", broken.dsn, cwd=tmp_path)

    assert (ended.returncode, ended.stderr.count("\n"), broken.dump()) == (2, 1, before)
    assert "The traceback is in log; " in ended.stderr
    assert "KeyError: 'v'" in (tmp_path / "log").read_text()


def test_a_traceback_that_cannot_be_kept_is_no_further_failure(healthy: Database, tmp_path: Path) -> None:
    models(tmp_path, bug("fixer.compare.examine.compare", "raise KeyError('v')"))
    nowhere = {"XDG_STATE_HOME": "/proc/nowhere", "TMPDIR": "/proc/nowhere", "HOME": "/proc"}
    words = ("check", *CONTRACT, "--log-file", "/dev/full", "--dsn", healthy.dsn)
    ended = fixer(*words, cwd=tmp_path, env=nowhere)

    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)


def test_a_traceback_holds_no_password(healthy: Database, tmp_path: Path) -> None:
    secret = "".join(SECRETS)
    models(tmp_path, bug("fixer.compare.examine.compare", f"raise KeyError('secret is {secret}, password={secret}')"))
    dsn = healthy.dsn.replace("//postgres@", f"//postgres:{secret}@")
    ended = fixer("check", *CONTRACT, "--log-file", "log", "--dsn", dsn, cwd=tmp_path)
    texts = [ended.stdout, ended.stderr, (tmp_path / "log").read_text()]

    assert (ended.returncode, [text for text in texts if secret in text]) == (2, [])


def test_an_atomic_run_that_meets_a_bug_is_rolled_back(broken: Database, tmp_path: Path) -> None:
    models(tmp_path, bug("fixer.runner.journal.ledger.entries", "raise KeyError('v')"))
    before = broken.dump()
    ended = fixer(*APPLY, *CONTRACT, "-q", "--log-file", "log", "--dsn", broken.dsn, cwd=tmp_path)

    assert (ended.returncode, "Nothing was changed." in ended.stderr, broken.dump()) == (2, True, before)


def test_an_online_run_that_meets_a_bug_says_how_to_go_on(broken: Database, tmp_path: Path) -> None:
    models(tmp_path, bug("fixer.runner.journal.close_run", "raise KeyError('v')"))
    words = (*APPLY, *CONTRACT, "--mode", "online", "-q", "--dsn", broken.dsn)
    ended = fixer(*words, "--log-file", "log", cwd=tmp_path)
    models(tmp_path)

    assert (ended.returncode, "What was committed stands: `fixer apply --mode online`" in ended.stderr) == (2, True)
    assert (fixer(*words, cwd=tmp_path).returncode, broken.ask("SELECT count(*) FROM fixer_journal.run")) == (0, 1)


@pytest.mark.parametrize("mode", ["atomic", "online"])
def test_a_bug_after_the_commit_says_that_it_was_committed(broken: Database, tmp_path: Path, mode: str) -> None:
    models(tmp_path, bug("fixer.report.text.of_run", "raise KeyError('v')"))
    words = (*APPLY, *CONTRACT, "--mode", mode, "--log-file", "log", "--dsn", broken.dsn)
    ended = fixer(*words, cwd=tmp_path)

    assert (ended.returncode, "Run 1 was committed, and the contract holds." in ended.stderr) == (2, True)
    assert fixer("check", "-q", "--dsn", broken.dsn).returncode == 0


# ---- where it reads from and writes to


CLOSED = ["<&-", ">&-", "2>&-", "<&- >&-", "<&- >&- 2>&-", "2>/dev/full", "</dev/full", "2</dev/null"]


@pytest.mark.parametrize("how", CLOSED)
def test_what_is_closed_changes_no_verdict(broken: Database, healthy: Database, how: str) -> None:
    codes = [called("check", "--dsn", each.dsn, how=how).returncode for each in (healthy, broken)]
    asked = called("apply", "--allow-hazards", "all", "--dsn", broken.dsn, how=how).returncode

    assert (codes, asked, called(*APPLY, "--dsn", broken.dsn, how=how).returncode) == ([0, 1], 2, 0)


TONGUES = {
    "ascii": {"PYTHONIOENCODING": "ascii"},
    "latin-1": {"PYTHONIOENCODING": "latin-1"},
    "the C locale": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "warnings are errors": {"PYTHONWARNINGS": "error"},
}
WARNS = "import warnings; warnings.warn('the models grow old', DeprecationWarning)"


@pytest.mark.parametrize("env", TONGUES.values(), ids=TONGUES.keys())
def test_neither_do_encodings_nor_warnings(broken: Database, tmp_path: Path, env: dict[str, str]) -> None:
    models(tmp_path, WARNS)
    for command, code in ((("check",), 1), (("plan",), 1), (APPLY, 0), (("check",), 0)):
        ended = called(*command, *CONTRACT, "--dsn", broken.dsn, cwd=tmp_path, **env)

        assert (ended.returncode, "Traceback" in ended.stderr) == (code, False)


@pytest.mark.parametrize("env", TONGUES.values(), ids=TONGUES.keys())
def test_what_machines_read_is_utf_8_always(healthy: Database, tmp_path: Path, env: dict[str, str]) -> None:
    healthy.run("ALTER TABLE users ALTER email DROP NOT NULL; ALTER TABLE users ADD CONSTRAINT größe CHECK (true)")
    words = (sys.executable, "-m", "fixer", "plan", "--dsn", healthy.dsn)
    env = {**CLEAN, "PYTHONPATH": str(HOUSE), **env}
    outputs = [
        subprocess.run([*words, *more], env=env, capture_output=True).stdout.decode("utf-8")
        for more in (["--format", "json"], ["-o", "-"], ["--sql", "-"])
    ]

    assert [json.loads(text)["ok"] for text in outputs[:2]] == [False, False]
    assert "NOT NULL" in outputs[2]


COMMANDS = (("check",), ("check", "--format", "json"), ("plan",), ("plan", "-o", "-"), ("plan", "--sql", "-"))


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_reader_that_goes_away_changes_no_verdict(broken: Database, healthy: Database, words: list[str]) -> None:
    codes = []
    for database in (healthy, broken):
        with started(*words, "--dsn", database.dsn) as process:
            assert process.stdout
            assert process.stderr
            process.stdout.close()
            said = process.stderr.read()
        codes.append((process.returncode, said))

    assert codes == [(0, ""), (1, "")]


@pytest.mark.parametrize("mode", ["atomic", "online"])
@pytest.mark.parametrize("form", ["text", "json"])
def test_apply_goes_on_where_nobody_reads_it(broken: Database, mode: str, form: str) -> None:
    with started(*APPLY, "--mode", mode, "--format", form, "--dsn", broken.dsn) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        process.stderr.close()

    assert (process.returncode, fixer("check", "-q", "--dsn", broken.dsn).returncode) == (0, 0)


@pytest.mark.parametrize("words", [*COMMANDS, ("history",)], ids=" ".join)
def test_output_that_cannot_be_written_exits_2(broken: Database, words: list[str]) -> None:
    ended = called(*words, "--dsn", broken.dsn, how=">/dev/full")

    assert (ended.returncode, ended.stderr) == (2, "fixer: The output cannot be written: No space left on device.\n")


def test_apply_changes_nothing_where_the_plan_cannot_be_shown(broken: Database) -> None:
    before = broken.dump()
    ended = called(*APPLY, "--dsn", broken.dsn, how=">/dev/full")

    assert (ended.returncode, ended.stderr.count("\n"), broken.dump()) == (2, 1, before)


@pytest.mark.parametrize("form", ["text", "json"])
def test_apply_changes_nothing_where_it_is_known_that_it_cannot_report(broken: Database, form: str) -> None:
    before = broken.dump()
    ended = called(*APPLY, "--format", form, "--dsn", broken.dsn, how="1</dev/null")

    assert (ended.returncode, ended.stderr.count("\n"), broken.dump()) == (2, 1, before)


def test_what_was_committed_is_the_verdict_though_it_cannot_be_written(broken: Database) -> None:
    ended = called(*APPLY, "--format", "json", "--dsn", broken.dsn, how=">/dev/full")
    undone = called("undo", 1, "--yes", "--dsn", broken.dsn, how=">/dev/full")

    assert (ended.returncode, undone.returncode) == (0, 0)
    assert "No space left on device. Run 1 was committed, and the contract holds." in ended.stderr
    assert "No space left on device. Run 1 is taken back, by run 2." in undone.stderr


def test_a_log_on_a_full_disk_changes_no_verdict(broken: Database, healthy: Database) -> None:
    log = ("--log-file", "/dev/full")
    ended = [called("check", "-vv", *log, "--dsn", each.dsn) for each in (healthy, broken)]
    repaired = called(*APPLY, "-vv", *log, "--dsn", broken.dsn)

    assert [each.returncode for each in (*ended, repaired)] == [0, 1, 0]
    assert "Traceback" not in repaired.stderr


# ---- JSON where it could not work


HEAD = {"version", "target", "contract", "ok", "points", "findings", "error"}
NOWHERE = "postgresql://u@127.0.0.1:1/d"
FAILURES = {
    "no target": ("check",),
    "nobody listens": ("plan", "--dsn", NOWHERE),
    "of history": ("history", "--dsn", NOWHERE),
    "of undo": ("undo", "1", "--dsn", NOWHERE),
    "of apply": ("apply", "--yes", "--dsn", NOWHERE),
    "no such contract": ("check", "--dsn", NOWHERE, "--contract", "nowhere:metadata"),
    "no such option": ("check", "--nonsense"),
    "no such command": ("dance",),
    "no such plan": ("apply", "nowhere.json", "--dsn", NOWHERE),
}


@pytest.mark.parametrize("words", FAILURES.values(), ids=FAILURES.keys())
@pytest.mark.parametrize("how", [("--format", "json"), ("--format=json",)], ids=" ".join)
def test_json_says_why_it_could_not_work(words: tuple[str, ...], how: tuple[str, ...]) -> None:
    command = words[:1] if words[0] != "dance" else ()
    ended = fixer(*command, *how, *words[len(command) :])
    answer = json.loads(ended.stdout)

    assert (ended.returncode, set(answer), answer["ok"], answer["findings"]) == (2, HEAD, False, [])
    assert answer["error"]["message"].split()[0] in ended.stderr
    assert not any(point["ok"] for point in answer["points"])


def test_json_has_the_sqlstate_of_what_failed(broken: Database) -> None:
    words = ("check", "--format", "json", "--statement-timeout", "1ms", "--dsn", broken.dsn)
    broken.run("INSERT INTO users (id, username, email, password_hash, user_id) SELECT n, n, n, '', n FROM"
               " generate_series(1000, 60000) n")  # fmt: skip
    answer = json.loads(fixer(*words).stdout)

    assert (answer["target"].startswith("postgresql://"), answer["error"]["sqlstate"]) == (True, "57014")


def test_json_is_one_document_where_rows_cannot_be_read(broken: Database) -> None:
    with role(broken, "GRANT USAGE ON SCHEMA public TO {}") as stranger:
        ended = fixer("check", "--format", "json", "--dsn", broken.seen_by(stranger))
    answer = json.loads(ended.stdout)

    assert (ended.returncode, set(answer), answer["ok"]) == (2, HEAD, False)
    assert "unreadable-rows" in {finding["slug"] for finding in answer["findings"]}


def kept_plan(database: Database, place: Path, *words: str) -> Path:
    fixer("plan", "-q", "-o", place / "plan.json", *words, "--dsn", database.dsn)
    return place / "plan.json"


EDITS: dict[str, Any] = {
    "the schema changed": None,
    "another contract": {"contract": "contracts.other:metadata"},
    "another version": {"version": 99},
    "edited": {"steps": []},
    "no plan": {"steps": 5},
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS.keys())
def test_json_of_a_plan_that_is_refused_is_not_ok(broken: Database, tmp_path: Path, edit: dict[str, Any]) -> None:
    file = kept_plan(broken, tmp_path)
    file.write_text(json.dumps({**json.loads(file.read_text()), **(edit or {})}))
    if edit is None:
        broken.run("ALTER TABLE users ADD nickname text")
    ended = fixer(*APPLY, file, "--format", "json", "--dsn", broken.dsn)
    answer = json.loads(ended.stdout)

    assert (ended.returncode, answer["ok"], set(answer) >= HEAD) == (2, False, True)


@pytest.mark.parametrize("name", [STORY, "must-be-refused"])
def test_json_of_a_plan_that_needs_more_is_not_ok(laboratory: Laboratory, tmp_path: Path, name: str) -> None:
    with lent(laboratory.server(18), name) as database:
        file = kept_plan(database, tmp_path)
        ended = fixer("apply", "--yes", file, "--format", "json", "--dsn", database.dsn)
        answer = json.loads(ended.stdout)

    assert (ended.returncode, answer["ok"], any(point["ok"] for point in answer["points"])) == (1, False, False)


# ---- where it failed


def test_a_right_that_is_missing_is_not_a_connection_that_fails(broken: Database) -> None:
    assert fixer(*APPLY, "-q", "--dsn", broken.dsn).returncode == 0
    said = []
    for grant in ("", "GRANT USAGE ON SCHEMA fixer_journal TO {}", "GRANT SELECT ON fixer_journal.run TO {}"):
        with role(broken, *filter(None, [grant, grant and "GRANT USAGE ON SCHEMA fixer_journal TO {}"])) as auditor:
            ended = fixer("history", "--dsn", broken.seen_by(auditor))
        said.append((ended.returncode, ended.stderr.partition(" could not be read: ")[2].strip()))

    assert said[:2] == [
        (2, "permission denied for schema fixer_journal (42501): have USAGE on schema fixer_journal granted."),
        (2, "permission denied for table run (42501): have SELECT on fixer_journal.run granted."),
    ]


def test_what_a_listener_says_never_reaches_the_connection_to_the_target(healthy: Database, tmp_path: Path) -> None:
    suicide = 'DDL("SELECT pg_terminate_backend(pg_backend_pid())")'
    models(tmp_path, f"from sqlalchemy import DDL, event\nevent.listen(metadata, 'after_create', {suicide})")
    ended = fixer("check", *CONTRACT, "--dsn", healthy.dsn, cwd=tmp_path)

    assert (ended.returncode, ended.stderr) == (0, "")


# ---- models that do more than declare


ODD = {
    "prepared": "@event.listens_for(metadata, 'before_create')\n"
    "def prepared(target, connection, **_): connection.scalar(text('select 1'))",
    "<lambda>": "event.listen(metadata, 'after_create', DDL('SELECT 1').execute_if(callable_="
    "lambda ddl, target, bind, **_: bind.dialect.server_version_info >= (9,)))",
    "leaves": "@event.listens_for(metadata, 'before_create')\ndef leaves(*_, **__): raise SystemExit(0)",
    "get_col_spec": "class Odd(types.UserDefinedType):\n    def get_col_spec(self): raise KeyError('v')\n"
    "Table('odd', metadata, Column('id', Odd, primary_key=True))",
    "hints for odd": "Table('odd', metadata, Column('id', Integer, primary_key=True), info={'legacy_names': 5})",
    "row for odd": "Table('odd', metadata, Column('id', Integer), info={'default_rows': [5]})",
    "for odd that cannot be read: can't adapt": "Table('odd', metadata, Column('id', Integer, primary_key=True),"
    " Column('v', Text, info={'backfill': object()}))",
    "does not make its table users": "event.listen(metadata, 'after_create', DDL('ALTER TABLE users RENAME TO u'))",
    "surrogates": "Table('odd', metadata, Column('id', Text, server_default='\\udc80', primary_key=True))",
}  # fmt: skip


@pytest.mark.parametrize("named", ODD)
def test_what_the_models_do_beside_is_named(healthy: Database, tmp_path: Path, named: str) -> None:
    models(tmp_path, f"from sqlalchemy import *\n{ODD[named]}")
    ended = fixer("check", *CONTRACT, "--dsn", healthy.dsn, cwd=tmp_path)

    words = named.replace("row for", "hints for")
    assert (ended.returncode, ended.stderr.count("\n"), words in ended.stderr) == (2, 1, True)
    assert ended.stderr.startswith("fixer: The contract models:metadata ")


def test_a_view_that_a_listener_makes_is_none_of_the_tables(healthy: Database, tmp_path: Path) -> None:
    view = "DDL('CREATE VIEW v AS SELECT id FROM users')"
    models(tmp_path, f"from sqlalchemy import DDL, event\nevent.listen(metadata, 'after_create', {view})")
    ended = fixer("check", *CONTRACT, "--dsn", healthy.dsn, cwd=tmp_path)

    assert (ended.returncode, ended.stderr) == (0, "")
