"""pg_dump: all that a database holds, as text."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from functools import cache
from pathlib import Path

from fixer.connect.binaries import binaries
from fixer.connect.servers import Server


def dump(server: Server, database: str, *options: str) -> str:
    """Return pg_dump's text of a database: schema, rows, sequence positions and its own settings.

    Security labels, which take long to look for, need a provider that no test loads.
    """
    command = [_tool(server), "--create", "--no-security-labels", *options, "--dbname", server.database_dsn(database)]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return re.sub(r"^\\(un)?restrict .*\n", "", text, flags=re.MULTILINE)


def _tool(server: Server) -> Path:
    """Return the server's own pg_dump, or a newer one, which reads older servers as well."""
    assert server.bindir is not None
    own = server.bindir / "pg_dump"
    return own if own.exists() else _newest_tool()


@cache
def _newest_tool() -> Path:
    tools = (bindir / "pg_dump" for _, bindir in sorted(binaries().items(), reverse=True))
    return next(tool for tool in tools if tool.exists())


def everything(server: Server, database: str) -> Counter[tuple[str, str]]:
    """Return the lines of a dump, each with the statement it belongs to, without the fixer's own schemas."""
    return lines(dump(server, database, "--exclude-schema=fixer_*"))


def lines(text: str) -> Counter[tuple[str, str]]:
    """Return the lines of a dump, each with the statement it belongs to."""
    found, statement, among_rows = Counter[tuple[str, str]](), "", False
    for line in text.splitlines():
        if not among_rows and re.match(r"[A-Z]{4,}", line):
            statement = line
        among_rows = line != "\\." and (among_rows or line.startswith("COPY "))
        if not line.startswith("--"):
            found[statement, line.removesuffix(",")] += 1
    return found
