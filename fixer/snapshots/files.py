"""The files of a snapshot: schema.sql, data.sql, after.sql, and snapshot.toml."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from psycopg2.extensions import connection as Connection  # noqa: N812

from fixer.model.table import QName
from fixer.model.values import dataclass
from fixer.snapshots.copying import Copy, Original
from fixer.snapshots.moving import MANNERS
from fixer.snapshots.pieces import FOREIGN_KEY, SECRET, Piece, text_of
from fixer.snapshots.planting import planted
from fixer.snapshots.spool import Spool
from fixer.sql.compose import Composable

_HEAD = """\
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SET client_min_messages = warning;
SET check_function_bodies = false;
SET row_security = off;
SET search_path = '';
"""
_ASLEEP = "SET session_replication_role = replica;\n"
_NEWEST = 19


@dataclass(frozen=True)
class Known:
    """What is known of a snapshot, as snapshot.toml says it."""

    description: str
    origin: str
    version: int
    contract: str
    schema: str
    findings: Mapping[str, str]  # by slug, the objects
    hazards: Sequence[str]
    repairable: bool
    quarantined: Mapping[QName, int]

    def text(self) -> str:
        """Return it as TOML."""
        lines = [
            f"description = {_quoted(self.description)}",
            f"origin = {_quoted(self.origin)}",
            f"versions = {list(range(self.version, max(self.version, _NEWEST) + 1))}",
            f"contract = {_quoted(self.contract)}",
            f"schema = {_quoted(self.schema)}",
            "findings = [",
            *(f"  {_quoted(slug)},  # {objects}" for slug, objects in self.findings.items()),
            "]",
            f"hazards = [{', '.join(map(_quoted, self.hazards))}]",
            f"repairable = {'true' if self.repairable else 'false'}",
            "",
            "[quarantined]",
            *(f"{_quoted(str(table))} = {rows}" for table, rows in self.quarantined.items()),
        ]
        return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def write(directory: Path, original: Original, made: Copy, spool: Spool, *, rows: bool) -> None:
    """Write the SQL of a snapshot, as the copy has taught how it loads."""
    late = _late(original.dumped.after, made)
    early = [each for each in original.dumped.after if each not in late]
    before = [each for each in original.dumped.before if each.kind not in SECRET]
    with (directory / "schema.sql").open("w", encoding="utf-8") as file:
        file.write(_HEAD + "\n")
        file.write(_statements(original.beyond.making_roles(), original.reader))
        if not original.has_public:
            file.write("DROP SCHEMA IF EXISTS public;\n\n")
        file.write(text_of([*before, *early]))
    with (directory / "data.sql").open("w", encoding="utf-8") as file:
        file.write(_HEAD + _ASLEEP + _manners() + "\n")
        file.write(_statements(made.guards.off(), original.reader))
        for table in original.tables if rows else ():
            file.writelines(spool.inserts(table))
        file.write(_statements(original.beyond.positions, original.reader))
    last = "".join(_after(late, original, made))
    if last:
        text = f"{_HEAD}{_ASLEEP}\n-- What a dump does not carry, or refuses over these rows.\n\n"
        (directory / "after.sql").write_text(text + last, encoding="utf-8")


def _manners() -> str:
    """Return the settings by which the texts of values mean what they did in the target."""
    told = {k: v for k, v in MANNERS.items() if k not in ("client_encoding", "search_path", "row_security")}
    return "".join(f"SET {name} = '{value}';\n" for name, value in told.items())


def _late(pieces: Iterable[Piece], made: Copy) -> dict[Piece, None]:
    """Return the pieces that come after the rows: what they break, what would act on them, and what needs these."""
    late: dict[Piece, None] = {}
    names: list[str] = []
    for piece in pieces:
        needs = any(re.search(rf'(?<!\w)"?{re.escape(name)}"?(?!\w)', piece.sql) for name in names)
        points = piece.kind == FOREIGN_KEY and any(each.kind != FOREIGN_KEY for each in made.planted)
        if piece.resists or needs or points or (piece in made.planted and piece.kind != FOREIGN_KEY):
            late[piece] = None
            names.append(piece.own_name)
    return late


def _after(late: Iterable[Piece], original: Original, made: Copy) -> Iterator[str]:
    reader = original.reader
    yield _statements(made.guards.on(), reader)
    for piece in late:
        with reader.cursor() as cursor:
            statements = made.planted.get(piece)
            if statements is None and piece.kind == FOREIGN_KEY:
                statements = planted(piece, cursor)
        yield _statements(statements, reader) if statements else text_of([piece]) + "\n"
    yield _statements(original.beyond.indexes, reader)
    yield _statements(original.beyond.states, reader)


def _statements(statements: Iterable[Composable], connection: Connection) -> str:
    return "".join(each.as_string(connection).strip() + ";\n" for each in statements)
