"""Exit 1 means findings and nothing else: whatever goes wrong exits 2, and says what is true of the database."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lab.commands import APPLY
from lab.database import Database, role
from lab.examples.models import CONTRACT, models
from lab.passwords import SECRETS
from lab.process import fixer


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

    told = rf"fixer: unexpected {name} in fixer\.compare\.examine.*\. Nothing was changed\. "
    pattern = rf"{told}The traceback is in {kept}; .*\n"
    assert re.fullmatch(pattern, ended.stderr)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert name in kept.read_text()
    assert kept.stat().st_mode & 0o777 == 0o600


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
    nowhere = dict.fromkeys(("XDG_STATE_HOME", "XDG_CACHE_HOME", "TMPDIR"), "/proc/nowhere") | {"HOME": "/proc"}
    words = ("check", *CONTRACT, "--log-file", "/dev/full", "--dsn", healthy.dsn)
    ended = fixer(*words, cwd=tmp_path, env=nowhere)

    log, failed = ended.stderr.splitlines()
    assert (ended.returncode, log) == (2, "fixer: The log file is not whole: No space left on device: /dev/full.")
    assert failed.startswith("fixer: unexpected KeyError ")


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

    assert "Nothing was changed." in ended.stderr
    assert (ended.returncode, broken.dump()) == (2, before)


def test_an_online_run_that_meets_a_bug_says_how_to_go_on(broken: Database, tmp_path: Path) -> None:
    models(tmp_path, bug("fixer.runner.journal.writing.close_run", "raise KeyError('v')"))
    words = (*APPLY, *CONTRACT, "--mode", "online", "-q", "--dsn", broken.dsn)
    ended = fixer(*words, "--log-file", "log", cwd=tmp_path)
    models(tmp_path)

    assert "Finished steps are kept: `fixer apply --mode online`" in ended.stderr
    assert ended.returncode == 2
    assert (fixer(*words, cwd=tmp_path).returncode, broken.ask("SELECT count(*) FROM fixer_journal.run")) == (0, 1)


@pytest.mark.parametrize("mode", ["atomic", "online"])
def test_a_bug_after_the_commit_says_that_it_was_committed(broken: Database, tmp_path: Path, mode: str) -> None:
    models(tmp_path, bug("fixer.report.text.of_run", "raise KeyError('v')"))
    words = (*APPLY, *CONTRACT, "--mode", mode, "--log-file", "log", "--dsn", broken.dsn)
    ended = fixer(*words, cwd=tmp_path)

    assert "Run 1 was committed, and the contract holds." in ended.stderr
    assert ended.returncode == 2
    assert fixer("check", "-q", "--dsn", broken.dsn).returncode == 0


# ---- where it failed


def test_a_right_that_is_missing_is_not_a_connection_that_fails(broken: Database) -> None:
    assert fixer(*APPLY, "-q", "--dsn", broken.dsn).returncode == 0
    said = []
    for grant in ("", "GRANT USAGE ON SCHEMA fixer_journal TO {}", "GRANT SELECT ON fixer_journal.run TO {}"):
        with role(broken, *filter(None, [grant, grant and "GRANT USAGE ON SCHEMA fixer_journal TO {}"])) as auditor:
            ended = fixer("history", "--dsn", broken.seen_by(auditor))
            ended.stderr = ended.stderr.replace(auditor, "auditor")
        said.append((ended.returncode, ended.stderr.partition(" could not be read: ")[2].strip()))

    grant = 'let its owner run GRANT USAGE ON SCHEMA "fixer_journal" TO "auditor"'
    assert said[:2] == [
        (2, f"permission denied for schema fixer_journal (42501): {grant}."),
        (2, "permission denied for table run (42501): have SELECT on fixer_journal.run granted."),
    ]


def test_what_a_listener_says_never_reaches_the_connection_to_the_target(healthy: Database, tmp_path: Path) -> None:
    suicide = 'DDL("SELECT pg_terminate_backend(pg_backend_pid())")'
    models(tmp_path, f"from sqlalchemy import DDL, event\nevent.listen(metadata, 'after_create', {suicide})")
    ended = fixer("check", *CONTRACT, "--dsn", healthy.dsn, cwd=tmp_path)

    assert (ended.returncode, ended.stderr) == (0, "")


# ---- models that do more than declare

ASKING = [
    "@event.listens_for(metadata, 'before_create')\n"
    "def prepared(target, connection, **_): assert connection.scalar(text('select 1')) == 1",
    "event.listen(metadata, 'after_create', DDL('SELECT 1').execute_if(callable_="
    "lambda ddl, target, bind, **_: bind.dialect.server_version_info >= (9,)))",
]
ODD = {
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
    assert words in ended.stderr
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert ended.stderr.startswith("fixer: The contract models:metadata ")


@pytest.mark.parametrize("listener", ASKING)
def test_listeners_that_ask_are_answered(healthy: Database, tmp_path: Path, listener: str) -> None:
    models(tmp_path, f"from sqlalchemy import *\n{listener}")
    ended = fixer("check", *CONTRACT, "--dsn", healthy.dsn, cwd=tmp_path)

    assert (ended.returncode, ended.stderr) == (0, "")


def test_a_view_that_a_listener_makes_is_none_of_the_tables(healthy: Database, tmp_path: Path) -> None:
    view = "DDL('CREATE VIEW v AS SELECT id FROM users')"
    models(tmp_path, f"from sqlalchemy import DDL, event\nevent.listen(metadata, 'after_create', {view})")
    ended = fixer("check", *CONTRACT, "--dsn", healthy.dsn, cwd=tmp_path)

    assert (ended.returncode, ended.stderr) == (0, "")
