"""A snapshot: a whole captured database on disk, and what is known of it."""

from __future__ import annotations

import mmap
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812 - it is a class
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer.errors import SnapshotError
from fixer.model.expression.patterns import pattern
from fixer.model.values import dataclass

Text = bytes | mmap.mmap
LARGE = 1 << 23  # bytes of a file that is loaded in pieces
# Where a statement may end, and what a semicolon may stand in (PostgreSQL manual, 4.1).
_MARK = pattern(
    rb"""(?<![\w$])[eE]'(?:[^'\\]|\\.|'')*'|'[^']*'|"[^"]*"|--[^\n]*|/\*.*?\*/|(?<![\w$])(?P<body>\$(?:[^\W\d]\w*)?\$)|;""",
    re.DOTALL,
)
# What has statements within a statement, or other quotes.
_WHOLE = pattern(
    rb"\bBEGIN\s+ATOMIC\b|\bCREATE\s+(?:OR\s+REPLACE\s+)?RULE\b|/\*[^*]*/\*|standard_conforming_strings\W+(?:TO\W+)?off",
    re.IGNORECASE,
)
# In the order of loading; the last carries what a dump cannot, and need not be there.
REQUIRED, OPTIONAL = ["schema.sql", "data.sql"], ["after.sql"]


@dataclass(frozen=True)
class Snapshot:
    """A captured database: where its SQL is, and what the fixer should find and do there."""

    name: str
    path: Path
    description: str
    origin: str
    versions: tuple[int, ...]  # PostgreSQL majors it is for; empty: all
    contract: str
    schema: str
    findings: frozenset[str]
    hazards: frozenset[str]
    quarantined: dict[str, int]  # rows by table
    repairable: bool


def read(path: Path) -> Snapshot:
    """Read what is known of the snapshot in a directory."""
    note = path / "snapshot.toml"
    try:
        values = tomllib.loads(note.read_text("utf-8"))
    except OSError as error:
        raise SnapshotError(f"{note} cannot be read: {error.strerror}") from error
    except ValueError as error:  # not TOML, or not UTF-8
        raise SnapshotError(f"{note} is not TOML: {error}") from error
    _check(note, values)
    return Snapshot(
        name=path.resolve().name,
        path=path,
        **values
        | {"versions": tuple(values["versions"])}
        | {name: frozenset(values[name]) for name in ("findings", "hazards")},
    )


def find(directory: Path | None = None) -> dict[str, Snapshot]:
    """Read every snapshot of a directory, which may be one itself, by name; without one, those that ship."""
    directory = directory or _shipped()
    notes = sorted([*directory.glob("snapshot.toml"), *directory.glob("*/snapshot.toml")])
    if not notes:  # to go on would be to prove nothing and say so in green
        raise SnapshotError(f"{directory} holds no snapshot: no NAME/snapshot.toml is there")
    return {snapshot.name: snapshot for snapshot in (read(note.parent) for note in notes)}


def load(snapshot: Snapshot, connection: Connection) -> None:
    """Build a snapshot in an empty database, all or nothing."""
    autocommit = connection.autocommit
    if autocommit:
        connection.autocommit = False
    try:
        with connection, connection.cursor() as cursor:
            for name, text in _scripts(snapshot):
                _run(cursor, f"{snapshot.name}/{name}", text)
    finally:
        if autocommit and not connection.closed:
            connection.autocommit = True


# ---- reading


def _shipped() -> Path:
    package = Path(__file__).parent.parent
    inside, beside = package / "fixtures", package.parent / "fixtures"
    # First inside, where no checkout has any: in site-packages, `fixtures` is another project's package.
    return inside if inside.is_dir() else beside


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _is_number(value: object) -> bool:
    return type(value) is int and value >= 0  # True is an int too


def _all(kind: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, list) and all(map(kind, value))


def _is_counts(value: object) -> bool:
    return isinstance(value, dict) and all(map(_is_number, value.values()))


SHAPES: dict[str, tuple[str, Callable[[object], bool]]] = {
    "description": ("a text", _is_text),
    "origin": ("a text", _is_text),
    "versions": ("a list of PostgreSQL majors", _all(_is_number)),
    "contract": ("a text like package.module:metadata", _is_text),
    "schema": ("a text", _is_text),
    "findings": ("a list of slugs", _all(_is_text)),
    "hazards": ("a list of hazards", _all(_is_text)),
    "repairable": ("true or false", lambda value: isinstance(value, bool)),
    "quarantined": ("a table of row numbers", _is_counts),
}


def _check(note: Path, values: Mapping[str, object]) -> None:
    """Refuse a key that is missing, unknown, or of another shape."""
    missing, unknown = SHAPES.keys() - values.keys(), values.keys() - SHAPES.keys()
    if missing:
        raise SnapshotError(f"{note} lacks {', '.join(sorted(missing))}")
    if unknown:
        raise SnapshotError(f"{note} has {', '.join(sorted(unknown))}, which no snapshot has")
    for name, (shape, fits) in SHAPES.items():
        if not fits(values[name]):
            raise SnapshotError(f"{note} should have {shape} as {name}, has {values[name]!r}")


# ---- loading


def _scripts(snapshot: Snapshot) -> list[tuple[str, Text]]:
    names = REQUIRED + [name for name in OPTIONAL if (snapshot.path / name).exists()]
    try:
        return [(name, _text(snapshot.path / name)) for name in names]
    except OSError as error:
        raise SnapshotError(f"{error.filename} cannot be read: {error.strerror}") from error


def _text(path: Path) -> Text:
    """Return the text of a file; a large one stays on disk."""
    if path.stat().st_size < LARGE:
        return path.read_bytes()
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _run(cursor: Cursor, name: str, text: Text) -> None:
    try:
        for piece in pieces(text) if len(text) >= LARGE else (text[:],):
            if piece.strip():
                cursor.execute(piece)
        cursor.execute("RESET ALL")  # a file's settings end with it, as they do in a psql of its own
    except psycopg2.Error as error:
        reason = "; ".join(str(error).strip().splitlines())
        raise SnapshotError(f"{name} does not load: {reason} (SQLSTATE {error.pgcode})") from error


def pieces(text: Text, least: int = 1 << 20) -> Iterator[bytes]:
    """Yield a script in pieces of whole statements: the server takes far more memory than text to read one piece."""
    begin = place = 0
    if _WHOLE.search(text):
        place = len(text)
    while found := _MARK.search(text, place):
        place = found.end()
        if found["body"]:
            closed = text.find(found["body"], place)
            place = closed + len(found["body"]) if closed >= 0 else len(text)
        elif found[0] == b";" and place - begin >= least:
            yield text[begin:place]
            begin = place
    yield text[begin:]
