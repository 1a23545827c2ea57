"""The target: which one is taken, how it is reached, and that no password is ever printed."""

from __future__ import annotations

import logging
import re
import socket
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import psycopg2
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from psycopg2 import sql
from sqlalchemy import create_engine, text

from fixer.connect import servers, target
from fixer.errors import TargetError
from fixer.connect.failures import explain
from fixer.connect.redact import RedactingFilter, redact
from fixer.connect.target import Target, resolve

PASSWORD = "p@ss:w/rd% 'ü\"\\?#&="
MANAGED_HOST = "db-1.b.db.ondigitalocean.com"


@pytest.fixture(scope="module")
def server() -> Iterator[servers.Server]:
    """A server where `keeper` needs the password, and may connect once."""
    with servers.embedded() as server:
        (file,) = asked(server.dsn, "SHOW hba_file")
        hba = Path(file)
        hba.write_text(f"local all keeper scram-sha-256\nlocal all outcast reject\n{hba.read_text()}")
        role = sql.SQL("CREATE ROLE keeper LOGIN CONNECTION LIMIT 1 PASSWORD {}")
        asked(server.dsn, role.format(sql.Literal(PASSWORD)))
        asked(server.dsn, "SELECT pg_reload_conf()")
        yield server


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits between tries, which the tests do not sit out."""
    naps: list[float] = []
    monkeypatch.setattr(target, "sleep", naps.append)
    return naps


def asked(dsn: str, query: str | sql.Composed) -> tuple[Any, ...]:
    with closing(psycopg2.connect(dsn)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(query)
        return (cursor.fetchone() or ()) if cursor.description else ()


def answer(connection: Any, query: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchone()[0]


def as_role(server: servers.Server, role: str, password: str | None = None, **environ: str) -> Target:
    login = role if password is None else f"{role}:{quote(password, safe='')}"
    return resolve(server.dsn.replace("postgres@", f"{login}@", 1), environ)


def refusal(call: Callable[[], object]) -> str:
    with pytest.raises(TargetError) as caught:
        call()
    return str(caught.value)


def connect_arguments(target: Target) -> dict[str, Any]:
    _, arguments = target.url.get_dialect()().create_connect_args(target.url)
    return dict(arguments)


def sslmode(dsn: str | None = None, **environ: str) -> str | None:
    return connect_arguments(resolve(dsn, environ)).get("sslmode")


@contextmanager
def listener(serve: Callable[[socket.socket], object]) -> Iterator[int]:
    """Something other than PostgreSQL on a port of its own."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def run() -> None:
            while True:
                try:
                    client, _ = listening.accept()
                except OSError:
                    return
                with client:
                    serve(client)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def http(client: socket.socket) -> None:
    client.recv(1024)
    client.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")


# ---- which one is taken

EVERYTHING = {
    "DATABASE_URL": "postgresql://url.example/a",
    "DATABASE_HOST": "components.example",
    "PGSERVICE": "books",
    "PGHOST": "libpq.example",
}


@pytest.mark.parametrize(
    ("dsn", "left_out", "expected"),
    [
        ("host=dsn.example dbname=d", (), ("--dsn", "postgresql://dsn.example/d")),
        (None, (), ("DATABASE_URL", "postgresql://url.example/a")),
        (None, ("DATABASE_URL",), ("DATABASE_HOST …", "postgresql://components.example/books")),
        (None, ("DATABASE_URL", "DATABASE_HOST"), ("service file", "postgresql://service.example/books")),
        (
            None,
            ("DATABASE_URL", "DATABASE_HOST", "PGSERVICE"),
            ("PG* environment", "postgresql://libpq.example"),
        ),
    ],
)
def test_the_first_source_that_names_a_database_wins(
    dsn: str | None, left_out: tuple[str, ...], expected: tuple[str, str], tmp_path: Path
) -> None:
    services = tmp_path / "services"
    services.write_text("[other]\nhost=other.example\n[books]\n# ours\nhost=service.example\ndbname=books\n")
    environ = {name: value for name, value in EVERYTHING.items() if name not in left_out}
    found = resolve(dsn, environ | {"PGSERVICEFILE": str(services)})
    actual = (found.origin, found.redacted)

    assert expected == actual


@pytest.mark.parametrize("dsn", ["", " ", "\n"])
def test_an_empty_dsn_never_means_another_database(dsn: str) -> None:
    expected = "--dsn is empty: see whether the shell variable behind it is set, or leave it out."
    actual = refusal(lambda: resolve(dsn, EVERYTHING))

    assert expected == actual


def test_nothing_set_says_the_ways_to_name_a_database() -> None:
    expected = (
        "no database is named: give --dsn, or set DATABASE_URL, DATABASE_HOST with DATABASE_NAME "
        "and DATABASE_USER, PGHOST, or PGSERVICE"
    )
    actual = refusal(lambda: resolve(None, {"DATABASE_URL": "", "DATABASE_PASSWORD": "x", "PGUSER": "app"}))

    assert expected == actual


@pytest.mark.parametrize(
    "scheme",
    [
        "postgres",
        "postgresql",
        "postgresql+psycopg2",
        "postgresql+psycopg",
        "postgresql+asyncpg",
        "PostgreSQL+pg8000",
    ],
)
def test_every_driver_becomes_psycopg2(scheme: str) -> None:
    expected = "postgresql+psycopg2://app:***@db.example:5433/trading"
    actual = repr(resolve(f"{scheme}://app:pw@db.example:5433/trading", {}).url.difference_update_query(["options"]))

    assert expected == actual


def test_the_components_make_one_target() -> None:
    environ = {
        "DATABASE_HOST": "db.example",
        "DATABASE_PORT": "5433",
        "DATABASE_NAME": "trading",
        "DATABASE_USER": "app",
        "DATABASE_PASSWORD": PASSWORD,
        "DATABASE_SSL": "require",
    }
    url = resolve(None, environ).url
    expected = ("db.example", 5433, "trading", "app", PASSWORD, "require")
    actual = (url.host, url.port, url.database, url.username, url.password, url.query["sslmode"])

    assert expected == actual


def test_what_a_dsn_leaves_open_comes_from_the_service_then_from_the_variables(tmp_path: Path) -> None:
    services = tmp_path / "services"
    services.write_text("[books]\nport=5433\nuser=clerk\n")
    environ = {"PGSERVICEFILE": str(services), "PGUSER": "nobody", "PGPASSWORD": "pw", "PGPORT": "1"}
    url = resolve("service=books host=db.example", environ).url
    expected = ("db.example", 5433, "clerk", "pw")
    actual = (url.host, url.port, url.username, url.password)

    assert expected == actual


def test_an_unknown_service_says_where_it_was_looked_for(tmp_path: Path) -> None:
    environ = {"PGSERVICEFILE": f"{tmp_path}/a", "PGSYSCONFDIR": f"{tmp_path}"}
    expected = (
        f'the service "books" stands in neither {tmp_path}/a nor {tmp_path}/pg_service.conf: '
        "add it, or name another file in PGSERVICEFILE"
    )
    actual = refusal(lambda: resolve("service=books", environ))

    assert expected == actual


@pytest.mark.parametrize("password", ["a/b", "a:b", "a?b=c", "50%", "a%zz", "a b", "12/b", "#1", "ü", "a&b", "a%40b"])
def test_a_password_that_works_for_sqlalchemy_works_here(password: str) -> None:
    dsn = f"postgresql://app:{password}@db.example:5433/trading"
    expected = (password.replace("%40", "@"), "db.example", 5433)
    url = resolve(dsn, {}).url
    actual = (url.password, url.host, url.port)

    assert expected == actual


def test_several_hosts_pass_through() -> None:
    found = resolve("postgresql://app@one.example:5432,[::1]:5433/trading", {})
    arguments = connect_arguments(found)
    expected = ("one.example,::1", "5432,5433", "postgresql://app@one.example:5432,[::1]:5433/trading")
    actual = (arguments["host"], arguments["port"], found.redacted)

    assert expected == actual


@pytest.mark.parametrize(
    ("dsn", "environ", "expected"),
    [
        ("mysql://h/d", {}, "--dsn starts with mysql://, which is not PostgreSQL"),
        ("postgresql://h:abc/d", {}, "the port of --dsn is not a number between 1 and 65535"),
        ("host=h port=70000", {}, "the port of --dsn is not a number between 1 and 65535"),
        (None, {"DATABASE_PORT": "x1"}, "DATABASE_PORT ('x1') is not a number between 1 and 65535"),
        ("host=h", {"PGPORT": "x1"}, "PGPORT ('x1') is not a number between 1 and 65535"),
        ("host=h,i,j port=1,2", {}, "--dsn names 3 hosts and 2 ports: give each its port"),
        ("trading", {}, "--dsn is neither a URL (postgresql://user@host:port/database) nor libpq keywords"),
        ("host='h", {}, "--dsn is neither a URL (postgresql://user@host:port/database) nor libpq keywords"),
        ("postgresql://h/d?schema=x", {}, "--dsn has the parameter 'schema', which libpq does not know"),
        ("postgresql://u:p@w@h/d", {}, "--dsn has more than one @ before the host"),
        ("host=h sslmode=yes", {}, "the sslmode of --dsn is unknown: use one of disable, allow"),
        (None, {"DATABASE_HOST": "h", "DATABASE_SSL": "perhaps"}, "DATABASE_SSL is not understood"),
        (None, {"DATABASE_HOST": "postgresql://u:p@h/d"}, "the host of DATABASE_HOST … holds a whole URL"),
    ],
)
def test_a_bad_value_is_named(dsn: str | None, environ: dict[str, str], expected: str) -> None:
    actual = refusal(lambda: resolve(dsn, environ))[: len(expected)]

    assert expected == actual


# ---- TLS


@pytest.mark.parametrize(
    ("dsn", "environ", "expected"),
    [
        ("host=db.example", {}, None),
        (f"host={MANAGED_HOST}", {}, "require"),
        ("host=x.rds.amazonaws.com", {}, "require"),
        ("host=ondigitalocean.com.example", {}, None),
        ("host=notondigitalocean.com", {}, None),
        (f"host={MANAGED_HOST} sslrootcert=/ca.pem", {}, "verify-full"),
        (f"host={MANAGED_HOST}", {"PGSSLROOTCERT": "/ca.pem"}, "verify-full"),
        (f"host={MANAGED_HOST} sslmode=disable sslrootcert=/ca.pem", {}, "disable"),
        (f"host={MANAGED_HOST}", {"PGSSLMODE": "prefer"}, "prefer"),
        ("postgresql+asyncpg://db.example/d?ssl=true", {}, "require"),
        (None, {"DATABASE_HOST": "h", "DATABASE_SSL": "true"}, "require"),
        (None, {"DATABASE_HOST": "h", "DATABASE_SSL": "TRUE", "DATABASE_SSL_CA": "/ca"}, "verify-full"),
        (None, {"DATABASE_HOST": MANAGED_HOST, "DATABASE_SSL": "false"}, "disable"),
        (None, {"DATABASE_HOST": "h", "DATABASE_SSL": "verify-ca", "DATABASE_SSL_CA": "/ca"}, "verify-ca"),
        (None, {"DATABASE_URL": "postgresql://h/d", "DATABASE_SSL_CA": "/ca"}, "verify-full"),
    ],
)
def test_the_sslmode_is_the_given_one_or_what_the_host_deserves(
    dsn: str | None, environ: dict[str, str], expected: str | None
) -> None:
    actual = sslmode(dsn, **environ)

    assert expected == actual


# ---- session settings


def test_a_direct_target_carries_its_timeouts_and_the_options_of_the_dsn() -> None:
    found = resolve("host=h options='-c search_path=a\\\\ b --lock-timeout=1s -e'", {}, statement_timeout=250)
    expected = (
        "-e -c lock_timeout=1s -c statement_timeout=250 -c idle_in_transaction_session_timeout=10min "
        "-c search_path=a\\ b"
    )
    actual = found.url.query["options"]

    assert expected == actual


def test_a_given_timeout_beats_that_of_the_dsn() -> None:
    expected = "2s"
    actual = resolve("host=h options=-clock_timeout=1s", {}, lock_timeout="2s").settings["lock_timeout"]

    assert expected == actual


@pytest.mark.parametrize(
    ("dsn", "expected"),
    [
        (f"host={MANAGED_HOST} port=25061", True),
        (f"host={MANAGED_HOST} port=25060", False),
        ("host=h port=6432", True),
        ("host=h port=6543", True),
        ("host=ep-1-pooler.eu.neon.tech", True),
        ("postgresql://h/d?pgbouncer=true", True),
        ("postgresql://h/d?pgbouncer=false", False),
    ],
)
def test_a_pooler_is_known_by_its_port_its_name_or_the_url(dsn: str, expected: bool) -> None:
    actual = resolve(dsn, {}).pooled

    assert expected == actual


def test_a_pooled_target_has_its_settings_beside_the_connection() -> None:
    found = resolve("host=h port=6432 options=-csearch_path=x", {}, lock_timeout="2s")
    expected = (
        {"host": "h", "port": 6432},
        {
            "lock_timeout": "2s",
            "statement_timeout": "0",
            "idle_in_transaction_session_timeout": "10min",
            "search_path": "x",
        },
    )
    actual = (connect_arguments(found), found.settings)

    assert expected == actual


def test_a_pooled_target_refuses_a_session_that_stays_read_only() -> None:
    found = resolve("postgresql://h:6432/d", {})
    expected = (
        "postgresql://h:6432/d is behind a pooler, which keeps no read-only session: "
        "name the server's direct port instead"
    )
    actual = refusal(lambda: found.connect(read_only=True, autocommit=True))

    assert expected == actual


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("5s", "5s"),
        (" 500 ms ", "500ms"),
        (250, "250"),
        ("1.5min", "1.5min"),
        (0, "0"),
        ("", "5s"),
        (None, "5s"),
    ],
)
def test_a_timeout_is_spelled_as_postgresql_spells_it(value: str | int | None, expected: str) -> None:
    actual = resolve("host=h", {}, lock_timeout=value).settings["lock_timeout"]

    assert expected == actual


@pytest.mark.parametrize("value", ["soon", "-1", "5 parsecs", "999999999999", "1s; DROP TABLE users", "٣s"])
def test_a_bad_timeout_is_refused(value: str) -> None:
    expected = f"--statement-timeout {value!r} is no duration of PostgreSQL: write 500ms, 5s, 10min, or 0 for none"
    actual = refusal(lambda: resolve("host=h", {}, statement_timeout=value))

    assert expected == actual


# ---- production


@pytest.mark.parametrize("place", ["localhost", "LOCALHOST.", "127.0.0.2", "::1", "/tmp", "db.example,localhost"])
@pytest.mark.parametrize("variable", ["ENVIRONMENT", "FIXER_ENV"])
def test_production_refuses_this_machine(variable: str, place: str) -> None:
    says = refusal(lambda: resolve(f"host={place} sslmode=require", {variable: " Production "}))
    expected = (variable, "FIXER_ALLOW_UNSAFE_PRODUCTION=localhost")
    actual = (says.split(" says production, but ")[0], says.split()[-1])

    assert expected == actual


@pytest.mark.parametrize("mode", ["", "sslmode=disable", "sslmode=allow", "sslmode=prefer"])
def test_production_refuses_a_line_without_tls(mode: str) -> None:
    expected = (
        "ENVIRONMENT says production, but postgresql://app@db.example does not insist on TLS: "
        "add sslmode=require, or allow it with FIXER_ALLOW_UNSAFE_PRODUCTION=no-tls"
    )
    actual = refusal(lambda: resolve(f"host=db.example user=app password=pw {mode}", {"ENVIRONMENT": "prod"}))

    assert expected == actual


@pytest.mark.parametrize(
    ("allowed", "expected"),
    [
        ("localhost", "no-tls"),
        ("no-tls", "localhost"),
        ("no-tls, LOCALHOST", None),
        ("yes", "localhost no-tls"),
    ],
)
def test_each_reason_of_the_refusal_is_overridden_by_its_own_name(allowed: str, expected: str | None) -> None:
    environ = {"FIXER_ENV": "live", "FIXER_ALLOW_UNSAFE_PRODUCTION": allowed}
    try:
        resolve("host=localhost", environ)
        actual = None
    except TargetError as error:
        reasons = {"localhost": "on this machine", "no-tls": "insist on TLS"}
        actual = " ".join(name for name, words in reasons.items() if words in str(error))

    assert expected == actual


@pytest.mark.parametrize(
    ("dsn", "environ"),
    [
        (f"host={MANAGED_HOST}", {"ENVIRONMENT": "production"}),
        ("host=localhost", {"ENVIRONMENT": "staging"}),
        ("dbname=trading", {"ENVIRONMENT": "production", "FIXER_ALLOW_UNSAFE_PRODUCTION": "localhost"}),
    ],
)
def test_what_is_safe_is_not_refused(dsn: str, environ: dict[str, str]) -> None:
    expected = "--dsn"
    actual = resolve(dsn, environ).origin

    assert expected == actual


# ---- connecting


def test_a_connection_bears_the_name_and_the_timeouts(server: servers.Server) -> None:
    with closing(resolve(server.dsn, {}, lock_timeout="7s").connect()) as connection:
        names = (
            "application_name",
            "lock_timeout",
            "idle_in_transaction_session_timeout",
            "statement_timeout",
        )
        expected = ["pgmend", "7s", "10min", "0"]
        actual = [answer(connection, f"SHOW {name}") for name in names]

    assert expected == actual


@pytest.mark.parametrize("autocommit", [False, True])
def test_a_read_only_connection_refuses_to_write(server: servers.Server, autocommit: bool) -> None:
    with closing(resolve(server.dsn, {}).connect(read_only=True, autocommit=autocommit)) as connection:
        with pytest.raises(psycopg2.errors.ReadOnlySqlTransaction):
            answer(connection, "CREATE TABLE ink (id int)")
        expected = autocommit
        actual = connection.autocommit

    assert expected == actual


def test_an_odd_password_opens_the_door_in_every_spelling(server: servers.Server, tmp_path: Path) -> None:
    host = as_role(server, "keeper").url.query["host"]
    services = tmp_path / "services"
    services.write_text(f"[books]\nhost={host}\nuser=keeper\ndbname=postgres\npassword={PASSWORD}\n")
    keywords = PASSWORD.replace("\\", "\\\\").replace("'", "\\'")
    found = [
        as_role(server, "keeper", PASSWORD),
        resolve(f"host={host} dbname=postgres user=keeper password='{keywords}'", {}),
        resolve(f"host={host} dbname=postgres user=keeper", {"PGPASSWORD": PASSWORD}),
        resolve(None, {"PGSERVICE": "books", "PGSERVICEFILE": str(services)}),
        resolve(
            None,
            {
                "DATABASE_HOST": str(host),
                "DATABASE_NAME": "postgres",
                "DATABASE_USER": "keeper",
                "DATABASE_PASSWORD": PASSWORD,
            },
        ),
    ]
    expected = ["keeper"] * len(found)
    actual = []
    for one in found:
        with closing(one.connect()) as connection:
            actual.append(answer(connection, "SELECT current_user"))

    assert expected == actual


def test_the_engine_connects_as_the_connection_does_and_stays_small(server: servers.Server) -> None:
    engine = resolve(server.dsn, {}, lock_timeout="7s").engine()
    with engine.connect() as connection:
        told = connection.execute(text("SELECT current_setting('lock_timeout')")).scalar_one()
    pool: Any = engine.pool
    expected = ("7s", 2, 1)
    actual = (told, pool.size(), pool._max_overflow)
    engine.dispose()

    assert expected == actual


def test_an_engine_survives_a_connection_that_was_cut(server: servers.Server) -> None:
    engine = resolve(server.dsn, {}).engine()
    with engine.connect() as connection:
        pid = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
    asked(server.dsn, f"SELECT pg_terminate_backend({pid}, 5000)")
    with engine.connect() as connection:
        expected = 1
        actual = connection.execute(text("SELECT 1")).scalar_one()
    engine.dispose()

    assert expected == actual


def test_the_target_of_an_engine_is_shown_without_its_password() -> None:
    engine = create_engine("postgresql+psycopg2://app:secret@db.example:5433/trading?sslpassword=hush")
    expected = "Target('postgresql://app@db.example:5433/trading', origin='engine')"
    actual = repr(Target.of(engine))

    assert expected == actual


def test_the_target_of_an_engine_connects(server: servers.Server) -> None:
    engine = resolve(server.dsn, {}).engine()
    with closing(Target.of(engine).connect()) as connection:
        expected = "postgres"
        actual = answer(connection, "SELECT current_user")

    assert expected == actual


def test_the_engine_of_another_database_system_is_refused() -> None:
    expected = "the engine speaks sqlite, which is not PostgreSQL"
    actual = refusal(lambda: Target.of(create_engine("sqlite://")))

    assert expected == actual


def test_the_password_of_a_client_key_reaches_libpq_and_stays_out_of_the_url() -> None:
    found = resolve("host=h sslpassword=hush", {})
    expected = ("hush", False)
    actual = (found._connect_arguments("")["sslpassword"], "hush" in str(found.url))

    assert expected == actual


# ---- refusals of real servers


def test_a_wrong_password_is_said_once_and_at_once(server: servers.Server, naps: list[float]) -> None:
    found = as_role(server, "keeper", "wr0ng")
    expected = (
        f'cannot use {found}: the password of role "keeper" is wrong, or there is no such role: '
        "correct --dsn, PGPASSWORD or the password file",
        0,
    )
    actual = (refusal(found.connect), len(naps))

    assert expected == actual


def test_a_wrong_password_is_the_same_sentence_through_an_engine(server: servers.Server) -> None:
    found = as_role(server, "keeper", "wr0ng")
    expected = refusal(found.connect)
    actual = refusal(found.engine().connect)

    assert expected == actual


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            ("postgres@", "keeper@"),
            'role "keeper" needs a password, none is given: add it to --dsn, PGPASSWORD',
        ),
        (("postgres@", "ghost@"), 'there is no role "ghost": correct the user name'),
        (("/postgres?", "/atlantis?"), 'there is no database "atlantis": correct the name, or create it'),
        (("postgres@", "outcast@"), "the server takes no connection from this address for this role"),
    ],
)
def test_what_a_real_server_refuses_is_said_in_a_sentence(
    server: servers.Server, change: tuple[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSFILE", "/dev/null")
    found = resolve(server.dsn.replace(*change), {})
    actual = refusal(found.connect).removeprefix(f"cannot use {found}: ")[: len(expected)]

    assert expected == actual


def test_a_server_without_a_free_connection_is_tried_again_until_it_has_one(
    server: servers.Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    found = as_role(server, "keeper", PASSWORD)
    taken = found.connect()

    def leave(_: float) -> None:
        taken.close()
        while asked(server.dsn, "SELECT count(*) FROM pg_stat_activity WHERE usename = 'keeper'") != (0,):
            time.sleep(0.01)

    monkeypatch.setattr(target, "sleep", leave)
    with caplog.at_level(logging.WARNING, "pgmend"), closing(found.connect()) as connection:
        expected = ("keeper", 1)
        actual = (answer(connection, "SELECT current_user"), caplog.text.count("connections are taken"))

    assert expected == actual


def test_trying_again_has_an_end(naps: list[float]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    says = refusal(resolve(f"host=127.0.0.1 port={port}", {}).connect)
    expected = (
        f"cannot use postgresql://127.0.0.1:{port}: the connection was refused, nothing listens there: "
        "start the server, or correct host and port",
        4,
        True,
    )
    actual = (says, len(naps), sum(naps) < 10)

    assert expected == actual


def test_a_socket_that_is_not_there_is_said(tmp_path: Path, naps: list[float]) -> None:
    expected = (
        f"cannot use postgresql:///?host={tmp_path}: no server listens on that socket: "
        "start it, or correct the host (a directory) and port"
    )
    actual = refusal(resolve(f"host={tmp_path}", {}).connect)

    assert expected == actual


def test_an_unknown_host_is_said_and_not_tried_again(naps: list[float]) -> None:
    expected = (
        "cannot use postgresql://db.invalid: there is no such host: "
        "correct the name, or look at the network's name service",
        0,
    )
    actual = (refusal(resolve("host=db.invalid", {}).connect), len(naps))

    assert expected == actual


@pytest.mark.parametrize("mode", ["disable", "prefer", "require"])
def test_a_web_server_is_not_taken_for_postgresql(mode: str) -> None:
    with listener(http) as port:
        found = resolve(f"host=127.0.0.1 port={port} sslmode={mode}", {})
        expected = f"cannot use {found}: what answers there is not a PostgreSQL server: correct host and port"
        actual = refusal(found.connect)

    assert expected == actual


def test_a_server_that_hangs_up_is_said() -> None:
    with listener(lambda client: None) as port:
        found = resolve(f"host=127.0.0.1 port={port} sslmode=disable", {})
        expected = f"cannot use {found}: what answers there broke off: it is not a PostgreSQL server, or it crash"
        actual = refusal(found.connect)[: len(expected)]

    assert expected == actual


def test_a_server_without_tls_is_said() -> None:
    with listener(lambda client: client.sendall(client.recv(8) and b"N")) as port:
        found = resolve(f"host=127.0.0.1 port={port} sslmode=require", {})
        expected = f"cannot use {found}: the server offers no TLS, and sslmode asks for it"
        actual = refusal(found.connect)[: len(expected)]

    assert expected == actual


def test_a_server_that_never_answers_is_said() -> None:
    silence = threading.Event()
    with listener(lambda client: silence.wait(10)) as port:
        found = resolve(f"host=127.0.0.1 port={port} connect_timeout=2", {})
        expected = f"cannot use {found}: nothing answered in time"
        actual = refusal(found.connect)[: len(expected)]
        silence.set()

    assert expected == actual


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("FATAL:  the database system is starting up", "the server is starting up or shutting down"),
        ('no pg_hba.conf entry for host "::", user "a", no encryption', "the server takes no unencrypted"),
        ("FATAL:  sorry, too many clients already", "all of the server's connections are taken"),
        ("FATAL:  unsupported startup parameter: options", "a pooler refuses session options: add pgbouncer"),
        ('FATAL:  role "clerk" is not permitted to log in', 'role "clerk" may not log in'),
        ("SSL error: certificate verify failed", "the server's certificate does not prove who it is"),
        ('definition of service "x" not found', "the service is not defined"),
        ("invalid dsn: whatever", "libpq does not understand the connection parameters: correct --dsn"),
        ("FATAL:  das Orakel schweigt\n", "FATAL: das Orakel schweigt"),
        ('refused\nConnection refused\npassword authentication failed for user "a"', 'the password of role'),
    ],
)  # fmt: skip
def test_what_libpq_says_becomes_a_sentence(said: str, expected: str) -> None:
    error = explain(psycopg2.OperationalError(said), resolve("host=h", {}))
    actual = str(error).removeprefix("cannot use postgresql://h: ")[: len(expected)]

    assert expected == actual


# ---- hiding


def spellings(password: str) -> set[str]:
    return {password, quote(password, safe=""), quote(password), quote_plus(password), repr(password)[1:-1]}


def leaks(printed: str, password: str) -> list[str]:
    return [spelling for spelling in spellings(password) if spelling.lower() in printed.lower()]


# A letter sequence that stands in no message of ours, surrounded by whatever hurts.
PASSWORDS = st.builds(
    lambda before, after: f"{before}Zq7xK{after}",
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=6),
    st.text(st.sampled_from("@:/?#&%='\"\\ \t+[]()ü€😀,;<>$" + "aZ0"), max_size=6),
)
ODD = ["p@ss:w/rd%", "two words", "'quoted'", '"double"', "pass wörd €", "back\\slash", "%41%2f", "a\nb"]


def odd_passwords(test: Callable[..., None]) -> Callable[..., None]:
    for password in ODD:
        test = example(password=password)(test)
    return settings(deadline=None)(given(password=PASSWORDS)(test))  # a busy machine is no failure


@odd_passwords
def test_no_form_of_a_target_shows_its_password(password: str) -> None:
    found = resolve(None, {"DATABASE_HOST": "h", "DATABASE_PASSWORD": password, "DATABASE_USER": "app"})
    forms = [found.redacted, str(found), repr(found), f"{found}", str(found.url), repr(found.engine())]
    expected: list[str] = []
    actual = leaks("\n".join(forms), password)

    assert expected == actual


@odd_passwords
def test_no_error_and_no_traceback_shows_the_password(password: str) -> None:
    found = resolve(None, {"DATABASE_HOST": "h", "DATABASE_PASSWORD": password})
    libpq = psycopg2.OperationalError(f"FATAL: what is {password} and {quote(password)}?")
    try:
        raise explain(libpq, found) from None
    except TargetError as error:
        printed = "".join([str(error), repr(error), *traceback.format_exception(error)])
    expected: list[str] = []
    actual = leaks(printed, password)

    assert expected == actual


@settings(deadline=None)
@given(password=PASSWORDS, mould=st.sampled_from([
    "postgresql://app:{}@h:x/d", "postgresql://app:{}@h/d?bogus=1", "host=h password={} bogus=1",
    "host=h port=x password='{}'", "{}", "mysql://app:{}@h/d", "postgresql://h/d?password={}&x=1",
    "postgresql://app:{}@h/d?sslmode=x", "host=h sslmode={}", "postgresql://app:@{}@h/d",
]))  # fmt: skip
def test_no_refusal_of_a_dsn_quotes_it(password: str, mould: str) -> None:
    try:
        resolve(mould.replace("{}", password), {})
        assume(False)
    except TargetError as error:
        printed = "".join([str(error), repr(error.__context__), *traceback.format_exception(error)])
    expected = False
    actual = "Zq7xK" in printed

    assert expected == actual


def logged(log_it: Callable[[logging.Logger], object], filter_: RedactingFilter) -> str:
    lines: list[str] = []

    class Keeper(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(f"{self.format(record)} {vars(record)}")

    logger = logging.Logger("pgmend.somewhere")
    handler = Keeper()
    handler.addFilter(filter_)
    logger.addHandler(handler)
    log_it(logger)
    return "\n".join(lines)


@odd_passwords
def test_no_log_record_shows_the_password(password: str) -> None:
    found = resolve(None, {"DATABASE_HOST": "h", "DATABASE_PASSWORD": password})

    def log_it(logger: logging.Logger) -> None:
        try:
            raise ValueError(f"no luck with {password}")
        except ValueError:
            logger.exception("with %s and %r", quote(password), {"pw": password}, extra={"dsn": password})
        logger.warning(password.replace("%", "%%") + " %d %d", "too few", stack_info=True)

    expected: list[str] = []
    actual = leaks(logged(log_it, RedactingFilter(found)), password)

    assert expected == actual


def test_the_stack_of_a_log_record_is_redacted() -> None:
    record = logging.makeLogRecord({"msg": "here", "stack_info": 'connect("host=h password=s3cret")'})
    RedactingFilter().filter(record)
    expected = 'connect("host=h password=***")'
    actual = record.stack_info

    assert expected == actual


@odd_passwords
def test_a_text_is_redacted_of_the_targets_password_wherever_it_occurs(password: str) -> None:
    found = resolve(None, {"DATABASE_HOST": "h", "DATABASE_PASSWORD": password})
    expected = "so *** and *** and *** end"
    lower = re.sub(r"%..", lambda code: code[0].lower(), quote_plus(password))
    actual = redact(f"so {password} and {quote(password, safe='')} and {lower} end", found)

    assert expected == actual


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("see postgresql://app:s3cret@h/d now", "see postgresql://app:***@h/d now"),
        ("see postgresql+asyncpg://app:p@ss:w/rd%@h/d", "see postgresql+asyncpg://app:***@h/d"),
        ("see postgresql://app:two words@h/d", "see postgresql://app:***@h/d"),
        ("redis://:s3cret@h", "redis://:***@h"),
        ("postgresql://h/d?password=s3cret&x", "postgresql://h/d?password=***"),
        ("host=h password=s3cret user=app", "host=h password=*** user=app"),
        (r"host=h password='a \' b' user=app", "host=h password=*** user=app"),
        (r"host=h password=a\ b user=app", "host=h password=*** user=app"),
        ("PGPASSWORD=s3cret psql", "PGPASSWORD=*** psql"),
        ('PGPASSWORD="two words" psql', "PGPASSWORD=*** psql"),
        ("DATABASE_PASSWORD = s3cret", "DATABASE_PASSWORD = ***"),
        ("sslpassword=s3cret", "sslpassword=***"),
        ("ALTER ROLE app PASSWORD 's3''cret' LOGIN", "ALTER ROLE app PASSWORD *** LOGIN"),
        ("{'password': 's3cret', 'user': 'app'}", "{'password': '***', 'user': 'app'}"),
        ('{"dsn": "host=h password=s3cret", "ok": true}', '{"dsn": "host=h password=***", "ok": true}'),
        ('{"a":"postgresql://u:p@h/d","b":"x@y"}', '{"a":"postgresql://u:***@h/d","b":"x@y"}'),
    ],
)
def test_passwords_are_redacted_without_a_target(said: str, expected: str) -> None:
    actual = redact(said)

    assert expected == actual


@pytest.mark.parametrize(
    "said",
    [
        "postgresql://app@h:5432/d is down, write to dba@h.example",
        "postgresql://h:5432/d is down, write to dba@h.example",
        'FATAL: password authentication failed for user "app"',
        "users.password_hash should be NOT NULL, is nullable",
        "users.email: a@b.example, c@d.example",
    ],
)
@pytest.mark.parametrize("password", ["sql", "xa"])
def test_what_holds_no_password_stays_as_it_is(said: str, password: str) -> None:
    expected = said
    actual = redact(said, resolve(f"host=h password={password}", {}))

    assert expected == actual
