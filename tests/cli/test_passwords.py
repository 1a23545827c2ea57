"""The password is never seen, whatever is printed, logged or written."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import psycopg2
import pytest
from psycopg2 import sql
from psycopg2.extensions import parse_dsn

from fixer.connect import servers
from lab.database import STORY, Database, lent
from lab.passwords import PASSWORD, SECRETS
from lab.process import fixer


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """Give a broken database on a server that asks everyone but its superuser for a password."""
    with servers.embedded(18) as server, lent(server, STORY) as database:
        statement = sql.SQL("CREATE ROLE guarded LOGIN SUPERUSER PASSWORD {}").format(sql.Literal(PASSWORD))
        with closing(psycopg2.connect(database.dsn)) as connection, connection, connection.cursor() as cursor:
            cursor.execute(statement)
        rules = Path(parse_dsn(server.dsn)["host"], "data", "pg_hba.conf")
        rules.write_text("local all guarded scram-sha-256\nlocal all all trust\n")
        database.run("SELECT pg_reload_conf()")
        yield database


def dsn_with(database: Database, password: str) -> str:
    return database.seen_by("guarded").replace("//guarded@", f"//guarded:{quote(password, safe='')}@")


LEAKS = {
    "check": ["check"],
    "a plan, kept": ["plan", "-o", "plan.json", "--sql", "plan.sql"],
    "no permission": ["apply", "--yes"],
    "no consent": ["apply", "--allow-hazards", "all"],
    "JSON": ["check", "--format", "json"],
    "history": ["history"],
    "a contract that is none": ["check", "--contract", "nowhere:metadata"],
    "no such schema": ["check", "--schema", "nowhere"],
    "a lock timeout": ["apply", "--yes", "--allow-hazards", "all", "--lock-timeout", "soon"],
}

# Words before an address that stands where none belongs.
MISPLACED = [
    [], ["history"], ["undo"], ["undo", "3"], ["apply"], ["apply", "plan.json"], ["plan", "--mode"],
    ["check", "--format", "json", "elsewhere"], ["prove", "--sample"], ["apply", "--allow-hazards"],
]  # fmt: skip


@pytest.mark.parametrize("words", LEAKS.values(), ids=LEAKS.keys())
def test_the_password_is_seen_nowhere(guarded: Database, tmp_path: Path, words: list[str]) -> None:
    ended = fixer(*words, "-vv", "--log-file", "log", "--dsn", dsn_with(guarded, PASSWORD), cwd=tmp_path)

    assert leaks(ended, tmp_path) == []


@pytest.mark.parametrize("words", [["check"], ["apply", "--yes"], ["history"]], ids=" ".join)
def test_a_wrong_password_is_not_quoted(guarded: Database, tmp_path: Path, words: list[str]) -> None:
    wrong = f"{PASSWORD}!"
    ended = fixer(*words, "-vv", "--log-file", "log", "--dsn", dsn_with(guarded, wrong), cwd=tmp_path)

    assert (ended.returncode, leaks(ended, tmp_path)) == (2, [])
    assert "password of role" in ended.stderr


@pytest.mark.parametrize("words", MISPLACED, ids=" ".join)
def test_the_password_of_a_misplaced_address_is_seen_nowhere(tmp_path: Path, words: list[str]) -> None:
    ended = fixer(*words, f"postgresql://guarded:{quote(PASSWORD, safe='')}@localhost/db", cwd=tmp_path)

    assert (ended.returncode, leaks(ended, tmp_path)) == (2, [])
    assert "A database is named by --dsn" in ended.stderr or "file of `fixer plan -o`" in ended.stderr


def test_the_password_in_variables_is_seen_nowhere(guarded: Database, tmp_path: Path) -> None:
    place = {"DATABASE_HOST": parse_dsn(guarded.dsn)["host"], "DATABASE_NAME": guarded.name, "DATABASE_USER": "guarded"}
    env = {**place, "DATABASE_PASSWORD": PASSWORD}
    ended = fixer("check", "-vv", "--log-file", "log", cwd=tmp_path, env=env)

    assert (ended.returncode, leaks(ended, tmp_path)) == (1, [])


def test_the_password_is_not_kept_in_the_journal(guarded: Database, tmp_path: Path) -> None:
    with lent(guarded.server, STORY) as database:
        database.run("ALTER TABLE users OWNER TO guarded; ALTER TABLE paper_trades OWNER TO guarded")
        words = (
            "apply",
            "--yes",
            "--allow-hazards",
            "all",
            "-vv",
            "--log-file",
            "log",
            "--dsn",
            dsn_with(database, PASSWORD),
        )
        ended = fixer(*words, cwd=tmp_path)
        kept = database.dump()

        assert (ended.returncode, leaks(ended, tmp_path), [secret for secret in SECRETS if secret in kept]) == (
            0,
            [],
            [],
        )


def leaks(ended: subprocess.CompletedProcess[str], place: Path) -> list[str]:
    texts = [ended.stdout, ended.stderr, *(path.read_text() for path in place.iterdir() if path.is_file())]
    return [text for text in texts if any(secret in text for secret in SECRETS)]
