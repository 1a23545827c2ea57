"""A way to a server that goes mute, as behind a firewall that drops packets: nothing is even confirmed."""

from __future__ import annotations

import ctypes
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

import pytest
from psycopg2.extensions import parse_dsn

from lab.database import Database

_ATTACH_FILTER = 26  # SO_ATTACH_FILTER (Linux, socket.h)
_DROP_ALL = struct.pack("HBBI", 6, 0, 0, 0)  # BPF_RET with 0: keep no byte of any packet
_SOCKET = ".s.PGSQL.5432"
BRIEF = "keepalives_idle=1&keepalives_interval=1&keepalives_count=2&tcp_user_timeout=2000"


@contextmanager
def mute_at(database: Database, mark: bytes, *, times: int = 1, heard: bool = True) -> Iterator[str]:
    """Give a DSN by which a server hears all until a message holds the mark for the so many-th time, and is mute then.

    Whether it has `heard` that one, nobody knows who waits for the answer.
    """
    with socket.socket() as tried:
        try:
            _drop_all(tried)
        except PermissionError:
            pytest.skip("the kernel lets this user attach no filter to a socket")
    left = count(times - 1, -1)
    directory = parse_dsn(database.dsn)["host"]
    sockets: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            with suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    server = socket.socket(socket.AF_UNIX)
                    server.connect(str(Path(directory, _SOCKET)))
                    sockets.extend((client, server))
                    muted = threading.Event()
                    threading.Thread(target=_ask, args=(client, server, mark, left, heard, muted), daemon=True).start()
                    threading.Thread(target=_answer, args=(client, server, muted), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield f"postgresql://postgres@127.0.0.1:{listener.getsockname()[1]}/{database.name}"
        listener.shutdown(socket.SHUT_RDWR)
        for each in sockets:
            each.close()


def _ask(
    client: socket.socket, server: socket.socket, mark: bytes, left: Iterator[int], heard: bool, muted: threading.Event
) -> None:
    with suppress(OSError):
        while said := client.recv(1 << 16):
            if mark in said and next(left) == 0:
                muted.set()
                _drop_all(client)
                if heard:
                    server.sendall(said)
                return
            server.sendall(said)
        server.close()


def _answer(client: socket.socket, server: socket.socket, muted: threading.Event) -> None:
    with suppress(OSError):
        while (said := server.recv(1 << 16)) and not muted.is_set():
            client.sendall(said)


def _drop_all(client: socket.socket) -> None:
    """Let the kernel drop each packet that comes for a socket before it confirms that."""
    code = ctypes.create_string_buffer(_DROP_ALL)
    program = struct.pack("HL", 1, ctypes.addressof(code))
    client.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, program)
