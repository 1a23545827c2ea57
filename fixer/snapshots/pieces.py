"""The pieces of a schema as pg_dump writes it: one object each, in the order in which they can be made."""

from __future__ import annotations

import re
from collections.abc import Iterable

from fixer.model.expression.patterns import pattern
from fixer.model.values import dataclass

# How a piece begins (src/bin/pg_dump/pg_backup_archiver.c, _printTocEntry).
_HEAD = pattern(
    r"^--\n-- Name: (?P<name>.*); Type: (?P<kind>[A-Z ]+); Schema: (?P<schema>.*?); Owner: ?(?P<owner>.*)\n--\n\n",
    re.MULTILINE,
)
_END = pattern(r"^--\n-- PostgreSQL database dump complete\n--\n.*\Z", re.MULTILINE | re.DOTALL)
_MODES = pattern(r"^SET default_(?:tablespace|table_access_method) = .*;\n+", re.MULTILINE)
_UNVALIDATED = pattern(r" NOT VALID;\s*\Z")
_STARTLED = pattern(r"ENABLE (?:ALWAYS|REPLICA) (?:TRIGGER|RULE) ")
FOREIGN_KEY, CONSTRAINT, INDEX = "FK CONSTRAINT", "CONSTRAINT", "INDEX"
# Which hold what nobody else may read: passwords of other servers.
SECRET = frozenset({"USER MAPPING", "SUBSCRIPTION"})


@dataclass(frozen=True)
class Piece:
    """One object of a schema: how pg_dump calls it, its kind, and the statements that make it."""

    name: str
    kind: str
    schema: str
    sql: str

    @property
    def own_name(self) -> str:
        """The name without that of its table, which comes first for constraints, triggers and policies."""
        return self.name.rpartition(" ")[2] if self.kind in (CONSTRAINT, FOREIGN_KEY) else self.name

    @property
    def resists(self) -> bool:
        """Whether rows of the target may not go in where it is: it acts although all sleeps, or holds for new rows."""
        startled = self.kind in ("TRIGGER", "RULE") and bool(_STARTLED.search(self.sql))
        unproved = self.kind != FOREIGN_KEY and bool(_UNVALIDATED.search(self.sql))
        return startled or unproved or self.kind == "EVENT TRIGGER"


def split(text: str) -> tuple[Piece, ...]:
    """Return the pieces of a text by pg_dump, without its head, which only sets what it was made under."""
    heads = [*_HEAD.finditer(text)]
    ends = [head.start() for head in heads[1:]] + [len(text)] * bool(heads)
    return tuple(_piece(head, text[head.end() : end]) for head, end in zip(heads, ends, strict=True))


def _piece(head: re.Match[str], body: str) -> Piece:
    return Piece(head["name"], head["kind"], head["schema"], _MODES.sub("", _END.sub("", body)).strip() + "\n")


def text_of(pieces: Iterable[Piece]) -> str:
    """Return the statements of pieces, each under its name."""
    return "\n".join(f"--\n-- {each.kind.capitalize()}: {each.name}\n--\n\n{each.sql}" for each in pieces)
