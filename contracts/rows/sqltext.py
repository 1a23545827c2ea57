"""The SQL of a contract as text and as tokens."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.schema import DefaultClause
from sqlalchemy.sql.elements import ClauseElement

from contracts.rows.tables import AnyColumn

DIALECT = PGDialect(paramstyle="named")  # type: ignore[no-untyped-call]  # the others double every percent sign


def sql_of(clause: ClauseElement | str) -> str:
    """Return a clause as PostgreSQL spells it."""
    if isinstance(clause, str):
        return clause
    try:
        return str(clause.compile(dialect=DIALECT, compile_kwargs={"literal_binds": True, "include_table": False}))
    except SQLAlchemyError:
        return str(clause)


def default_of(column: AnyColumn) -> ClauseElement | str | None:
    """Return the default of a column as the models give it; None where it is not SQL."""
    default = column.server_default
    return default.arg if isinstance(default, DefaultClause) else None


_LEXEME = re.compile(
    r"""\s*(?:(?P<string>'(?:[^']|'')*')|(?P<quoted>"(?:[^"]|"")+")|(?P<number>\d+\.?\d*(?:e[+-]?\d+)?|\.\d+)
    |(?P<word>[^\W\d][\w$]*)|(?P<symbol>::|<=|>=|<>|!=|[<>=(),.\[\]]|[-~!@#%^&|`?*/+:]+))""",
    re.VERBOSE | re.IGNORECASE,
)


class Unread(Exception):
    """A piece of SQL is not one of the simple forms."""


def lex(text: str) -> Iterator[tuple[str, str]]:
    """Yield the kind and the text of each token."""
    at, text = 0, text.rstrip()
    while at < len(text):
        found = _LEXEME.match(text, at)
        if found is None or found.lastgroup is None:
            raise Unread
        kind, word = found.lastgroup, found[found.lastgroup]
        if kind in ("string", "quoted"):
            word = word[1:-1].replace(word[0] * 2, word[0])
        yield kind, word.lower() if kind == "word" else word
        at = found.end()


class Tokens:
    """The tokens of a piece of SQL, taken one after the other."""

    def __init__(self, text: str) -> None:
        self.tokens = list(lex(text))
        self.at = 0

    def peek(self, *words: str) -> str:
        """Return the next token if it is one of these words or symbols."""
        if self.at >= len(self.tokens):
            return ""
        kind, word = self.tokens[self.at]
        return word if kind in ("word", "symbol") and word in words else ""

    def accept(self, *words: str) -> str:
        """Take the next token if it is one of these words or symbols."""
        found = self.peek(*words)
        self.at += bool(found)
        return found

    def expect(self, word: str) -> None:
        """Take this word or symbol, and nothing else."""
        if not self.accept(word):
            raise Unread

    def next(self) -> tuple[str, str]:
        """Take the next token, whatever it is."""
        if self.at >= len(self.tokens):
            raise Unread
        self.at += 1
        return self.tokens[self.at - 1]


def mentioned_in(text: str, columns: Mapping[str, AnyColumn]) -> tuple[str, ...]:
    """Return the columns that a piece of SQL names; none where it cannot be read."""
    try:
        words = {word for kind, word in lex(text) if kind in ("word", "quoted")}
    except Unread:
        return ()
    return tuple(name for name in columns if name in words)
