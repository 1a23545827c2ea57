"""Lets a process reach the throw-away place and no other database, whatever opens the connection.

SQLAlchemy's engines, psycopg2 and psycopg are led to the place if they name it or nothing, and refused otherwise; so
are sockets that Python opens. The kernel refuses the network to everything else.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import os
import platform
import struct
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn  # Any: what drivers and SQLAlchemy hand over

from fixer.contract.migrations.inside.line import Line
from fixer.model.expression.patterns import pattern

HOST = "pgmend.invalid"  # stands for the place in every URL: no name service knows it (RFC 2606)
URL = pattern(r"(?P<scheme>postgres(?:ql)?(?:\+\w+)?)://[^/?#]*(?:/(?P<name>[^?#]*))?(?P<query>\?[^#]*)?")
_LEFT_OUT = pattern(
    r"ssl.*|direct_tls|host|hostaddr|port|user|password|passfile|require_auth|channel_binding|gss.*|krbsrvname"
)
_CALLS = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}  # the architecture, and the number of socket()


def url_like(url: str, user: str, scheme: str = "") -> str:
    """Return the URL that stands for the place, with the driver, the database's name and the options of another."""
    found = URL.match(url)
    scheme = scheme or (found["scheme"] if found else "postgresql")
    name = (found["name"] if found else "") or "pgmend"
    words = [each for each in (found["query"] or "?")[1:].split("&") if each] if found else []
    words = [each for each in words if not _LEFT_OUT.fullmatch(each.partition("=")[0])]
    return f"{scheme}://{user}:pgmend@{HOST}:5432/{name}" + ("?" + "&".join(words) if words else "")


class Doors:
    """Leads every connection to the place, or refuses it; keeps in mind which files were read."""

    def __init__(self, place: Mapping[str, str], line: Line) -> None:
        self.place, self.line, self.local = place, line, place["host"].startswith("/")
        self.names, self.files = set[str](), set[str]()

    def lead(self, words: dict[str, Any]) -> None:
        """Make the keywords of a connection those of the place, or refuse it if they name another."""
        named = next((each for each in ("dbname", "database") if each in words), "dbname")
        host, name = words.get("host") or "", str(words.get(named) or "")
        if host not in ("", HOST, self.place["host"]) or words.keys() & {"service", "hostaddr", "dsn"}:
            self.refuse(f"{host or words.get('hostaddr') or words.get('service') or 'a DSN'}/{name}")
        if name not in ("", self.place["dbname"]):
            self.names.add(name)
        if len(self.names) > 1:
            self.end(several=sorted(self.names))
        for word in [each for each in words if _LEFT_OUT.fullmatch(each)]:
            del words[word]
        words |= {word: value for word, value in self.place.items() if word != "dbname"}
        words[named] = self.place["dbname"]

    def refuse(self, where: str) -> NoReturn:
        """End this process before it connects: the user's code might try again, or go on without."""
        self.end(elsewhere=where)

    def end(self, **reason: object) -> NoReturn:
        """End this process at once for a reason."""
        self.line.say(**reason)
        os._exit(0)

    def see(self, event: str, values: tuple[Any, ...]) -> None:
        """Refuse sockets of other databases, and note files, as Python is about to open them."""
        if event == "open" and isinstance(values[0], str | bytes) and not set(values[1] or "") & set("wax+"):
            self.files.add(str(Path(os.fsdecode(values[0])).absolute()))
        elif event == "socket.connect" and isinstance(values[1], str | bytes):
            path = os.fsdecode(values[1])
            ours = f"{self.place['host']}/.s.PGSQL.{self.place['port']}"
            if ".s.PGSQL." in path and path != ours:
                self.refuse(path)
        elif event == "socket.connect" and (self.local or str(values[1][1]) != self.place["port"]):
            raise PermissionError(f"migrations of a contract have no network, and none to {values[1][0]}")

    def close(self) -> None:
        """Close every way that is known."""
        from sqlalchemy import event
        from sqlalchemy.engine import Engine

        sys.addaudithook(self.see)
        event.listen(Engine, "do_connect", self._connect)
        for guard in (self._psycopg2, self._psycopg):
            with contextlib.suppress(ImportError):  # of a driver that is not installed
                guard()
        if self.local:
            without_network()

    def _connect(self, dialect: Any, _: object, arguments: list[Any], words: dict[str, Any]) -> None:
        if dialect.name != "postgresql":
            self.refuse(f"{dialect.name}:{words.get('database') or ''.join(map(str, arguments))}")
        if any(arguments):
            self.refuse("a DSN")
        self.lead(words)
        if dialect.driver == "asyncpg":
            words["port"] = int(words["port"])

    def _psycopg2(self) -> None:
        from psycopg2.extensions import make_dsn, parse_dsn

        module: Any = importlib.import_module("psycopg2")
        connect = module._connect

        def led(dsn: str, *arguments: Any, **words: Any) -> Any:
            found = parse_dsn(dsn)
            self.lead(found)
            return connect(make_dsn(**found), *arguments, **words)

        module._connect = led

    def _psycopg(self) -> None:
        generators: Any = importlib.import_module("psycopg.generators")
        conninfo: Any = importlib.import_module("psycopg.conninfo")
        connect = generators.connect

        def led(said: str, **words: Any) -> Any:
            found = conninfo.conninfo_to_dict(said)
            self.lead(found)
            return connect(conninfo.make_conninfo(**found), **words)

        generators.connect = led


def without_network() -> None:
    """Have the kernel refuse sockets of any network to this process and its children, for whatever opens them.

    Where the machine is of another kind, what Python sees is refused all the same (Linux manual, seccomp(2)).
    """
    architecture, call = _CALLS.get(platform.machine(), (0, 0))
    if not architecture or sys.platform != "linux":
        return
    refuse, allow = 0x00050000 | 13, 0x7FFF0000  # EACCES
    code = [
        (0x20, 0, 0, 4),  # the architecture of the call
        (0x15, 0, 6, architecture),
        (0x20, 0, 0, 0),  # its number
        (0x15, 0, 4, call),
        (0x20, 0, 0, 16),  # the family of the socket
        (0x15, 1, 0, 2),  # AF_INET
        (0x15, 0, 1, 10),  # AF_INET6
        (0x06, 0, 0, refuse),
        (0x06, 0, 0, allow),
    ]
    lines = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *each) for each in code))
    program = ctypes.create_string_buffer(struct.pack("HL", len(code), ctypes.addressof(lines)))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(38, 1, 0, 0, 0) == 0:  # PR_SET_NO_NEW_PRIVS
        libc.prctl(22, 2, program, 0, 0)  # PR_SET_SECCOMP
