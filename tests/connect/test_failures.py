"""What answers there is no PostgreSQL, or nothing does: it is said in a sentence."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg2
import pytest

from fixer.connect.failures import explain
from fixer.connect.target import resolve
from lab.targets import refusal


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


def test_trying_again_has_an_end(naps: list[float]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    says = refusal(resolve(f"host=127.0.0.1 port={port}", {}).connect)
    expected = (
        f"cannot use postgresql://127.0.0.1:{port}: the connection was refused, nothing listens there: "
        "start the server, or correct host and port",
        4,
    )
    actual = (says, len(naps))

    assert expected == actual
    assert sum(naps) < 10


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
        ('failed: invalid integer value "x" for connection option "keepalives_idle"', "libpq does not understand the "
         "value of keepalives_idle: correct --dsn, or the PG variable that sets it"),
        ('invalid sslmode value: "x"', "libpq does not understand the value of sslmode: correct --dsn"),
        ('invalid port number: "x"', "libpq does not understand the value of port: correct --dsn"),
        ("invalid dsn: whatever", "libpq does not understand the connection parameters: correct --dsn"),
        ("FATAL:  das Orakel schweigt\n", "FATAL: das Orakel schweigt"),
        ('refused\nConnection refused\npassword authentication failed for user "a"', 'the password of role'),
    ],
)  # fmt: skip
def test_what_libpq_says_becomes_a_sentence(said: str, expected: str) -> None:
    error = explain(psycopg2.OperationalError(said), resolve("host=h", {}))
    actual = str(error).removeprefix("cannot use postgresql://h: ")[: len(expected)]

    assert expected == actual
