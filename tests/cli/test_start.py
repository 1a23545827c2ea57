"""How the command starts: it imports what it needs, and no more."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from fixer.cli.group import WORDS, cli
from lab.database import Database

HEAVY = (
    "alembic",
    "fixer.model.plan",
    "hashlib",
    "html",
    "hypothesis",
    "psycopg2",
    "pytest",
    "rich",
    "rich.progress",
    "rich.table",
    "sqlalchemy",
)
ROOT = Path(__file__).parents[2]
# A process whose coverage is measured imports hashlib and others before ours do.
UNMEASURED = {name: value for name, value in os.environ.items() if not name.startswith("COV")}


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Return what a Python process of these arguments said: one in which nothing but ours imports."""
    words = [sys.executable, *arguments]
    return subprocess.run(words, cwd=ROOT, env=UNMEASURED, capture_output=True, text=True)


def imported(words: str) -> list[str]:
    """Return which of the heavy packages a process imports by these words."""
    tail = f"import sys; print(*[name for name in {HEAVY} if name in sys.modules], file=sys.stderr)"
    return python("-c", f"{words}\n{tail}").stderr.split()


HELP = """
import sys
from fixer.cli.group import main
sys.argv = ["fixer", "--help"]
try:
    main()
except SystemExit:
    pass
"""


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (HELP, []),
        ("import fixer", []),
        (
            "import fixer.cli.commands, fixer.cli.gate.checking, fixer.report.progress;"
            "from fixer import defects; defects.all_classes()",
            ["psycopg2"],
        ),
        (
            "import fixer.cli.commands, fixer.cli.plans, fixer.runner.session, fixer.report.tables;"
            "from fixer.report import text; text.teller_of(text.console())",
            ["fixer.model.plan", "hashlib", "psycopg2", "rich"],
        ),
        ("import fixer.contract; fixer.contract.load('self'); fixer.contract.load('schema.sql')", ["psycopg2"]),
        ("from fixer.report.explain import told; told.every(); told.seen('orphan-rows')", []),
    ],
    ids=[
        "help",
        "the package",
        "a check",
        "a repair in a pipe",
        "a contract that is no models",
        "what the defect classes say",
    ],
)
def test_a_start_imports_only_what_it_needs(words: str, expected: list[str]) -> None:
    assert imported(words) == expected


def test_a_command_leaves_tls_to_libpq(tmp_path: Path) -> None:
    words = ("check", "--dsn", f"host={tmp_path}", "--contract", "self")
    done = python("-X", "importtime", "-m", "fixer", *words)
    names = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}

    assert done.returncode == 2, done.stderr
    assert {"psycopg2", "_ssl"} & names == {"psycopg2"}


def test_a_healthy_check_imports_neither_openssl_nor_what_only_findings_need(empty: Database) -> None:
    empty.run("CREATE TABLE t (id serial PRIMARY KEY, size integer CHECK (size > 0))")
    words = (empty.dsn, "--contract", "self")
    done = python("-X", "importtime", "-m", "fixer", "check", *words)
    names = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    openssl, of_findings = {"hashlib", "_hashlib", "_ssl"}, {"fixer.compare.moved", "fixer.compare.trying"}

    assert done.returncode == 0, done.stdout
    assert ({"fixer.compare.examine", "pkgutil"} | openssl | of_findings) & names == {"fixer.compare.examine"}


USES = """
from fixer import defects
from fixer.model.values import _Maker
uses, use = [], _Maker.use
def counted(maker):
    uses.append(maker.public.__name__)
    use(maker)
_Maker.use = counted
made = [each for defect in defects.all_classes() for each in (*defect.SPECIMENS, *defect.NEAR_MISSES)]
print(len(made) > 800, len(uses) < 50)
"""


def test_specimens_are_not_filled_as_dataclasses_are() -> None:
    """A check makes all of them and asks none: by what fills a frozen dataclass, they would be a twentieth of it."""
    assert python("-c", USES).stdout == "True True\n"


UNASKED = """
from fixer.connect import redact
said = ["self", "postgresql://app@h:5432/d", "users.email: a@b.example"]
patterns = [redact.URL_PASSWORD, redact.KEYWORD_PASSWORD, redact.ENTRY_PASSWORD]
print([redact.redact(each) for each in said] == said, any("sub" in vars(each) for each in patterns))
"""


def test_a_text_that_cannot_hold_a_password_is_asked_by_no_pattern() -> None:
    assert python("-c", UNASKED).stdout == "True False\n"


def test_python_s_tls_is_there_for_who_wants_it_later() -> None:
    words = "import sys; sys.argv = ['fixer']; from fixer.connect.startup import import_driver as it; it(); import ssl"
    done = python("-c", f"{words}; print(ssl.create_default_context().verify_mode)")

    assert (done.stdout, done.stderr) == ("2\n", "")


def test_nothing_that_takes_time_comes_before_ctrl_c_is_caught() -> None:
    words = "import os, sys; before = {*sys.modules}; import fixer.connect.startup; print(*{*sys.modules} - before)"
    done = python("-S", "-c", words)

    assert {*done.stdout.split()} - {"__future__"} == {"fixer", "fixer.connect", "fixer.connect.startup"}


def test_the_help_of_all_commands_is_that_of_each() -> None:
    context = click.Context(cli)
    found = {name: cli.resolve_command(context, [name])[1] for name in WORDS}

    assert dict(WORDS) == {name: command and command.help for name, command in found.items()}
    assert [*WORDS] == sorted(WORDS)
