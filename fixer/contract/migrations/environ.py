"""The environment in which migrations run: every variable that names a database names the throw-away place."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from fixer.contract.migrations.inside.doors import HOST, URL, url_like
from fixer.model.expression.patterns import pattern

# Where applications look for the parts of a URL; a part stands for what the variable should hold.
_OWNERS = ("DATABASE", "DB", "POSTGRES", "POSTGRESQL", "PG")
_PARTS = {
    "host": ("HOST", "HOSTNAME", "SERVER"),
    "port": ("PORT",),
    "user": ("USER", "USERNAME"),
    "password": ("PASSWORD", "PASS"),
    "dbname": ("NAME", "DB", "DATABASE"),
}
_PART_OF = {word: part for part, words in _PARTS.items() for word in words}
_PART = pattern(rf"(?:\w+_)?(?:{'|'.join(_OWNERS)})_?({'|'.join(sorted(_PART_OF, key=len, reverse=True))})", re.I)
_LINE = pattern(r"""^\s*(?:export\s+)?(\w+)\s*=\s*(["']?)(.*?)\2\s*$""", re.MULTILINE)
_NOWHERE = {"PGSERVICEFILE": "/dev/null", "PGSYSCONFDIR": "/dev/null"}


def environment(environ: Mapping[str, str], home: Path, place: Mapping[str, str], scheme: str) -> dict[str, str]:
    """Return an environment in which all that names a database names the place, in whatever driver it did.

    So does what a file .env in the home names, for a variable counts before that. `scheme` is for DATABASE_URL where
    there was none.
    """
    said = {"DATABASE_URL": f"{scheme}:///", **dict(_in_file(home / ".env")), **environ}
    parts = {"host": HOST, "port": "5432", "user": place["user"], "password": "pgmend", "dbname": "pgmend"}
    named = {f"{owner}_{word}": parts[part] for owner in _OWNERS if owner != "PG" for word, part in _PART_OF.items()}
    for name, value in said.items():
        if URL.match(value):
            named[name] = url_like(value, place["user"])
        elif found := _PART.fullmatch(name):
            named[name] = parts[_PART_OF[found[1].upper()]]
    ours = {name: value for name, value in environ.items() if not re.fullmatch("PG[A-Z]+", name)}
    of_libpq = {"PGHOST": "host", "PGPORT": "port", "PGUSER": "user", "PGDATABASE": "dbname", "PGPASSWORD": "password"}
    leading = {name: place[part] for name, part in of_libpq.items() if part in place}
    return {**ours, **named, **_NOWHERE, **leading, "PYTHONIOENCODING": "utf-8"}


def _in_file(file: Path) -> Iterator[tuple[str, str]]:
    """Yield the variables that a file .env sets."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeError):
        return
    for found in _LINE.finditer(text):
        if URL.match(found[3]) or _PART.fullmatch(found[1]):
            yield found[1], found[3]
