"""Runs pg_dump on a target: its schema, as of one moment, in pieces; no password is among its arguments."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from psycopg2.extensions import connection as Connection  # noqa: N812
from psycopg2.extensions import make_dsn

from fixer.connect.binaries import dump_tools
from fixer.connect.redact import redact
from fixer.errors import ServerError, TargetError
from fixer.model.expression.patterns import pattern
from fixer.model.values import dataclass
from fixer.snapshots.pieces import Piece, split

_PLAIN = ("--schema-only", "--no-tablespaces", "--no-security-labels", "--no-subscriptions", "--encoding=UTF8")
# Keywords of libpq that an older pg_dump does not know, as they are unless somebody says otherwise (PostgreSQL manual,
# 32.1.2).
_UNSAID = {
    "sslsni": "1", "load_balance_hosts": "disable", "sslcertmode": "allow", "gssdelegation": "0",
    "sslnegotiation": "postgres", "min_protocol_version": "3.0", "max_protocol_version": "3.0", "replication": "false",
}  # fmt: skip
# What a pg_dump without TLS says where the target asks for it, or refuses to do without.
_WITHOUT_TLS = pattern(r"SSL support is not compiled in|no pg_hba\.conf entry.*(?:no encryption|SSL off)")


@dataclass(frozen=True)
class Dumped:
    """The schema of a target: what stands before its rows, and what stands after them."""

    before: tuple[Piece, ...]
    after: tuple[Piece, ...]


def dump(reader: Connection, moment: str, *, options: Sequence[str] = (), lock_timeout: str = "5s") -> Dumped:
    """Return the schema behind a connection, as of the snapshot that it has exported.

    Raises ServerError where no pg_dump is here that can read this server, TargetError where it may not read all.
    """
    words = [*_PLAIN, *options, f"--snapshot={moment}", f"--lock-wait-timeout={lock_timeout}"]
    sections = ("--section=pre-data", "--section=post-data")
    with ThreadPoolExecutor(len(sections)) as pool:
        before, after = pool.map(lambda section: split(dumped(reader, [*words, section])), sections)
    return Dumped(before, after)


def dumped(reader: Connection, words: Sequence[str]) -> str:
    """Return what pg_dump writes of the database behind a connection; raise what `dump` raises."""
    version = reader.server_version // 10000
    said = ""
    for tool in dump_tools(version):
        done = _run(tool, reader, words)
        if not done.returncode:
            return done.stdout
        said = " ".join(done.stderr.split())
        if not _WITHOUT_TLS.search(said):
            raise TargetError(f"pg_dump could not read the target: {redact(_reason(said))}.")
    why = "none here can use TLS" if said else "none is here"
    raise ServerError(
        f"A copy of the target needs pg_dump of PostgreSQL {version} or later, and {why}: install"
        f" postgresql-client-{version}, or name the directory of its programs in PGMEND_BINDIRS."
    )


def _run(tool: Path, reader: Connection, words: Sequence[str]) -> subprocess.CompletedProcess[str]:
    said = reader.get_dsn_parameters().items()
    place = {name: value for name, value in said if value and _UNSAID.get(name) != value}
    command = [str(tool), *words, f"--dbname={make_dsn(**place)}"]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", env=_environment(reader))


def _environment(reader: Connection) -> Mapping[str, str]:
    """Return the environment of pg_dump, in which alone the password stands: others see the arguments of a process."""
    password = reader.info.password
    return {**os.environ, **({"PGPASSWORD": password} if password else {})}


def _reason(said: str) -> str:
    """Return what pg_dump complains of, without its name and its hints."""
    parts: Iterator[str] = (part.strip() for part in said.split("pg_dump: ") if part.strip())
    told = next((part.removeprefix("error: ") for part in parts if part.startswith("error: ")), said)
    return told.partition(" detail: ")[0].rstrip(".")
