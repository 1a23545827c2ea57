"""Ctrl-C is heard at any moment, and a server that says nothing is not waited for longer than was asked."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
from psycopg2.extensions import parse_dsn

from fixer.connect import servers
from lab.commands import APPLY
from lab.database import STORY, Database, lent
from lab.process import CLEAN, HOUSE, fixer, started, wait_for, without_waits

COMMANDS = [["check"], ["plan"], ["apply", "--yes"], ["undo", "1", "--yes"], ["history"]]
SLEEPY = """
import sys, time
print("imports", flush=True)
time.sleep(60)
"""

EARLY = """
import os, signal, sys
import psycopg2
from fixer.connect import interrupt
interrupt.listen()
connection = interrupt.connect(dsn=sys.argv[1])
connection.autocommit = True
cursor = connection.cursor()
try:
    with interrupt.held():
        os.kill(os.getpid(), signal.SIGINT)
        cursor.execute("SELECT pg_sleep(60)")
except psycopg2.errors.QueryCanceled:
    print("cancelled")
cursor.execute("SELECT 1")
print("goes on")
"""


@contextmanager
def mute() -> Iterator[int]:
    """Lend the port of a server that takes connections and says nothing."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        yield listener.getsockname()[1]


def interrupted(process: subprocess.Popen[str], *, times: int = 1) -> tuple[int, float, str]:
    """Press Ctrl-C; return the exit code, the seconds that it took, and what was said."""
    began = time.monotonic()
    for _ in range(times):
        process.send_signal(signal.SIGINT)
        time.sleep(0.3)
    _, said = process.communicate(timeout=60)
    return process.returncode, time.monotonic() - began, without_waits(said)


# ---- while the command connects


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_server_that_says_nothing_is_given_up_in_time(words: list[str]) -> None:
    with mute() as port:
        began = time.monotonic()
        ended = fixer(*words, "--dsn", f"postgresql://u@127.0.0.1:{port}/d?connect_timeout=2")
        seconds = time.monotonic() - began

    assert "nothing answered in time" in ended.stderr
    assert ended.returncode == 2
    assert 1.5 < seconds < 15


def test_the_environment_says_for_how_long() -> None:
    with mute() as port:
        ended = fixer("check", "--dsn", f"postgresql://u@127.0.0.1:{port}/d", env={"PGCONNECT_TIMEOUT": "2"})

    assert "nothing answered in time" in ended.stderr
    assert ended.returncode == 2


def test_each_of_several_hosts_has_its_time(healthy: Database) -> None:
    words = parse_dsn(healthy.dsn)
    with mute() as port:
        hosts = f"host=127.0.0.1,127.0.0.1,{words['host']} port={port},{port},{words['port']} connect_timeout=2"
        ended = fixer("check", "-q", "--dsn", f"{hosts} user={words['user']} dbname={words['dbname']}")

    assert (ended.returncode, ended.stderr) == (0, "")


def test_what_a_server_says_in_an_encoding_of_its_own_is_read() -> None:
    said = "FATAL:  zu viele Clients, schöne Grüße".encode("latin-1")
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]
        words = ("check", "--dsn", f"postgresql://u@127.0.0.1:{port}/d?sslmode=disable&gssencmode=disable")
        with started(*words) as process:
            client, _ = listener.accept()
            client.recv(1024)
            body = b"SFATAL\0C53300\0M" + said + b"\0\0"
            client.sendall(b"E" + (len(body) + 4).to_bytes(4, "big") + body)
            client.close()
            _, err = process.communicate(timeout=30)

    assert "Clients" in err or "in words whose encoding the driver cannot read" in err  # which of them, the driver says
    assert (process.returncode, len(err.splitlines())) == (2, 1)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_an_interrupt_while_it_connects_is_heard_at_once(words: list[str]) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        dsn = f"postgresql://u@127.0.0.1:{listener.getsockname()[1]}/d?connect_timeout=0"
        with started(*words, "--dsn", dsn) as process:
            client, _ = listener.accept()
            code, seconds, said = interrupted(process)
            client.close()

    assert seconds < 10
    assert (code, said) == (130, "fixer: Interrupted. Nothing was changed.\n")


def test_an_interrupt_between_two_tries_is_heard_at_once(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with started("check", "--dsn", "postgresql://u@127.0.0.1:1/d", "--log-file", log) as process:
        wait_for(lambda: log.exists() and "try 2 of 5" in log.read_text())
        code, seconds, said = interrupted(process)

    assert seconds < 10
    assert (code, said) == (130, "fixer: Interrupted. Nothing was changed.\n")


# ---- while the command is imported


def scripts(place: Path) -> dict[str, list[str]]:
    """Return the ways to call the command: its scripts are written as pip writes them."""
    for name in ("fixer", "pgmend"):
        (place / name).write_text("import sys\nfrom fixer.__main__ import main\nsys.exit(main())\n")
    return {"module": ["-m", "fixer"], "fixer": [str(place / "fixer")], "pgmend": [str(place / "pgmend")]}


def called(place: Path, how: str, library: str, text: str, *more: str) -> subprocess.Popen[str]:
    """Call the command where a library that it imports has this text."""
    (place / "lib").mkdir()
    (place / "lib" / f"{library}.py").write_text(text)
    env: Mapping[str, str] = {**CLEAN, "PYTHONPATH": f"{place / 'lib'}{os.pathsep}{HOUSE}"}
    words = [sys.executable, *scripts(place)[how], "check", *more]
    return subprocess.Popen(words, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("library", ["click", "psycopg2"])
@pytest.mark.parametrize("how", ["module", "fixer", "pgmend"])
def test_an_interrupt_while_it_is_imported_shows_no_traceback(tmp_path: Path, how: str, library: str) -> None:
    with called(tmp_path, how, library, SLEEPY) as process:
        assert process.stdout
        process.stdout.readline()
        code, seconds, said = interrupted(process)

    assert seconds < 10
    assert (code, said) == (130, "fixer: Interrupted. Nothing was changed.\n")


@pytest.mark.parametrize(("how", "library"), [("module", "click"), ("fixer", "psycopg2")])
def test_an_installation_that_is_broken_exits_2_in_one_sentence(tmp_path: Path, how: str, library: str) -> None:
    with called(tmp_path, how, library, "raise ImportError('no such\\nlibrary')") as process:
        out, said = process.communicate(timeout=60)

    assert (process.returncode, out) == (2, "")
    assert re.fullmatch("fixer: cannot start: ImportError: no such library. .*\n", said)


@pytest.mark.parametrize("library", ["click", "psycopg2", "rich"])
def test_an_installation_that_is_broken_writes_the_document_that_was_asked_for(tmp_path: Path, library: str) -> None:
    with called(tmp_path, "fixer", library, "raise ImportError('no such library')", "--format", "json") as process:
        out, said = process.communicate(timeout=60)
    document = json.loads(out)

    assert (process.returncode, document["ok"], len(document["points"])) == (2, False, 5)
    assert said == f"fixer: {document['error']['message']}\n"


def test_other_programs_are_interrupted_as_ever(tmp_path: Path) -> None:
    (tmp_path / "psycopg2.py").write_text(SLEEPY)
    env = {**CLEAN, "PYTHONPATH": f"{tmp_path}{os.pathsep}{HOUSE}"}
    words = [sys.executable, "-c", "import fixer; fixer.check"]
    with subprocess.Popen(words, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        process.stdout.readline()
        _, _, said = interrupted(process)

    assert "KeyboardInterrupt" in said


# ---- while the server works


@pytest.fixture
def own() -> Iterator[Database]:
    """Give a broken database on a server that nobody else uses."""
    with servers.embedded(18) as server, lent(server, STORY) as database:
        yield database


@contextmanager
def stopped(database: Database) -> Iterator[None]:
    """Let all processes of a server stand still, as behind a network that drops what is sent."""
    data = Path(parse_dsn(database.dsn)["host"], "data")
    head = int((data / "postmaster.pid").read_text().splitlines()[0])
    children = Path(f"/proc/{head}/task/{head}/children").read_text().split()
    every = [head, *map(int, children)]
    for process in every:
        os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in every:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGCONT)


def slow_commit(database: Database, *, stubborn: bool = False) -> None:
    """Let the COMMIT of a run sleep; a stubborn one is done although it is cancelled."""
    heard, seconds = ("EXCEPTION WHEN query_canceled THEN NULL;", 1) if stubborn else ("", 60)
    database.run(
        "CREATE FUNCTION doze() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN BEGIN PERFORM pg_sleep({seconds}); {heard} END; RETURN NULL; END $$;"
        "CREATE FUNCTION at_commit() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN IF current_setting("
        "'application_name') = 'pgmend' AND to_regclass('fixer_journal.run') IS NOT NULL AND NOT EXISTS (SELECT FROM"
        " pg_trigger WHERE tgname = 'late') THEN CREATE CONSTRAINT TRIGGER late AFTER UPDATE ON fixer_journal.run"
        " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.doze();"
        " SET CONSTRAINTS fixer_journal.late DEFERRED; END IF; END $$;"
        "CREATE EVENT TRIGGER at_commit ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION at_commit()"
    )


def is_at(database: Database, event: str) -> bool:
    query = (
        "SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name = 'pgmend' AND wait_event = '{}'"
        " AND datname = current_database()"
    )
    return bool(database.ask(query.format(event)))


@pytest.mark.parametrize("mode", ["atomic", "online"])
@pytest.mark.parametrize(("times", "patience"), [(1, 12), (2, 4)])
def test_a_server_that_falls_silent_keeps_nobody(own: Database, mode: str, times: int, patience: int) -> None:
    at = "online" if mode == "online" else "atomic"
    own.run(
        "CREATE FUNCTION doze() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN IF current_setting("
        "'application_name') = 'pgmend' AND tg_tag = 'ALTER TABLE' THEN PERFORM pg_sleep(60); END IF; END $$;"
        "CREATE EVENT TRIGGER doze ON ddl_command_end EXECUTE FUNCTION doze()"
    )
    with started(*APPLY, "--mode", at, "--dsn", own.dsn) as process:
        wait_for(lambda: is_at(own, "PgSleep"))
        with stopped(own):
            code, seconds, said = interrupted(process, times=times)

    assert "Traceback" not in said
    assert "Interrupted" in said
    assert code == 130
    assert seconds < patience


def test_an_interrupt_that_comes_too_late_for_the_commit_is_none(broken: Database) -> None:
    slow_commit(broken, stubborn=True)
    with started(*APPLY, "--dsn", broken.dsn) as process:
        wait_for(lambda: is_at(broken, "PgSleep"))
        process.send_signal(signal.SIGINT)
        out, said = process.communicate(timeout=60)

    assert "Traceback" not in said
    assert "Run 1: " in out
    assert process.returncode == 0
    assert broken.ask("SELECT finished_at IS NOT NULL FROM fixer_journal.run")


def test_an_interrupt_just_before_the_server_is_waited_for_cancels_the_commit(broken: Database) -> None:
    words = [sys.executable, "-c", EARLY, broken.dsn]
    ended = subprocess.run(words, env={**CLEAN, "PYTHONPATH": str(HOUSE)}, capture_output=True, text=True, timeout=60)

    assert (ended.stdout.split("\n"), ended.stderr) == (["cancelled", "goes on", ""], "")


def test_a_commit_that_is_not_answered_is_said_to_be_unknown(own: Database) -> None:
    slow_commit(own)
    with started(*APPLY, "--dsn", own.dsn) as process:
        wait_for(lambda: is_at(own, "PgSleep"))
        with stopped(own):
            code, _, said = interrupted(process, times=2)

    assert "Traceback" not in said
    assert code == 130
    assert "done whole or not at all, and `fixer history` tells" in said


def test_what_was_cancelled_as_it_was_committed_is_not_there(broken: Database) -> None:
    before = broken.dump()
    slow_commit(broken)
    with started(*APPLY, "--dsn", broken.dsn) as process:
        wait_for(lambda: is_at(broken, "PgSleep"))
        code, _, said = interrupted(process)
    broken.run("DROP EVENT TRIGGER at_commit; DROP FUNCTION at_commit; DROP FUNCTION doze")

    assert (code, said.splitlines()[-1], broken.dump()) == (130, "fixer: Interrupted. Nothing was changed.", before)
