"""A pooler in front of a server that lends one connection, for the length of a transaction."""

from __future__ import annotations

import socket
import struct
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

SOCKET = ".s.PGSQL.5432"


@contextmanager
def pool_of_one(directory: str) -> Iterator[str]:
    """Give the directory of a socket that leads to the one in `directory`."""
    turn = threading.Lock()
    with tempfile.TemporaryDirectory() as place, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(Path(place, SOCKET)))
        listener.listen()

        def accept() -> None:
            with suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    _Client(client, directory, turn)

        threading.Thread(target=accept, daemon=True).start()
        yield place
        listener.shutdown(socket.SHUT_RDWR)


class _Client:
    """One client, which waits for its turn with the first message of each transaction."""

    def __init__(self, client: socket.socket, directory: str, turn: threading.Lock) -> None:
        self.client, self.turn, self.has_turn, self.ready = client, turn, False, False
        self.server = socket.socket(socket.AF_UNIX)
        self.server.connect(str(Path(directory, SOCKET)))
        for work in (self._ask, self._answer):
            threading.Thread(target=work, daemon=True).start()

    def _ask(self) -> None:
        with suppress(OSError, EOFError):
            (length,) = struct.unpack("!i", start := _read(self.client, 4))
            self.server.sendall(start + _read(self.client, length - 4))
            while True:
                message = _message(self.client)
                if self.ready and not self.has_turn:
                    self.turn.acquire()
                    self.has_turn = True
                self.server.sendall(message)
        self._leave()
        self.server.close()

    def _answer(self) -> None:
        with suppress(OSError, EOFError):
            while True:
                message = _message(self.server)
                if message[:1] == b"Z":
                    self.ready = True
                    if message[5:] == b"I":
                        self._leave()
                self.client.sendall(message)
        self._leave()
        self.client.close()

    def _leave(self) -> None:
        if self.has_turn:
            self.has_turn = False
            self.turn.release()


def _message(source: socket.socket) -> bytes:
    head = _read(source, 5)
    return head + _read(source, struct.unpack("!i", head[1:])[0] - 4)


def _read(source: socket.socket, length: int) -> bytes:
    parts = b""
    while len(parts) < length:
        part = source.recv(length - len(parts))
        if not part:
            raise EOFError
        parts += part
    return parts
