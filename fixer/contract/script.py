"""The statements of a file of SQL, as psql would send them one by one (PostgreSQL manual, 4.1 and psql)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from fixer.errors import ContractError
from fixer.model.expression import unquoted
from fixer.model.expression.patterns import pattern

_TOKEN = pattern(
    r"""(?P<space>\s+|--[^\n]*)
      | (?P<comment>/\*)
      | (?P<text>[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*")
      | (?P<body>\$(?:[^\W\d]\w*)?\$)
      | (?P<word>[^\W\d][\w$]*)
      | (?P<meta>\\[^\n]*)
      | (?P<other>\d[\w$]*|.)""",
    re.DOTALL | re.VERBOSE,
)
_COMMENT = pattern(r"/\*|\*/")
_DATA = pattern(r"COPY\b.*\bFROM\s+stdin\b", re.IGNORECASE | re.DOTALL)
_END_OF_DATA = pattern(r"^\\\.[^\S\n]*$", re.MULTILINE)
_ROUTINE = pattern(r"CREATE\s+(?:OR\s+REPLACE\s+)?(?:FUNCTION|PROCEDURE)\b", re.IGNORECASE)
# What a tool for migrations writes before the way back, which makes no part of a schema.
_WAY_BACK = pattern(
    r"^--\s*(?:migrate:down|\+goose\s+down|\+migrate\s+down)\b.*", re.IGNORECASE | re.MULTILINE | re.DOTALL
)
_OPENS, _CLOSES = "([", ")]"


class Statement(NamedTuple):
    """A statement, or a command of psql, and the line where it begins."""

    text: str
    line: int

    @property
    def command(self) -> str:
        """The name of the command, if it is one of psql's; empty otherwise."""
        return self.text[1:].split()[0] if self.text.startswith("\\") and self.text[1:].split() else ""


def statements(text: str) -> Iterator[Statement]:
    """Yield the statements of a script, and the commands of psql between them; rows of COPY are left out.

    Raises ContractError where a quote or a comment has no end.
    """
    text = _WAY_BACK.sub("", text)
    place = 0
    while place < len(text):
        begin, end, after = _next(text, place)
        rows = _DATA.match(text, begin, end)
        if begin < end and not rows:
            yield Statement(text[begin:end], _line(text, begin))
        place = after
        if rows:
            closed = _END_OF_DATA.search(text, place)
            place = closed.end() if closed else len(text)


class Token(NamedTuple):
    """A piece of a statement: its kind, its text, and where it stands."""

    kind: str
    text: str
    begin: int
    end: int

    @property
    def is_comment(self) -> bool:
        """Whether it is a comment of either form."""
        return self.kind == "comment" or self.text.startswith("--")


def tokens(text: str) -> Iterator[Token]:
    """Yield the pieces of a statement; blanks and comments are of the kinds space and comment.

    Raises ContractError where a quote or a comment has no end.
    """
    place = 0
    while place < len(text):
        found = _TOKEN.match(text, place)
        kind, word = (found.lastgroup or "", found[0]) if found else ("other", text[place])
        end = _end(text, place, kind, word)
        yield Token(kind, text[place:end], place, end)
        place = end


def _next(text: str, place: int) -> tuple[int, int, int]:
    """Return where the next statement begins and ends, and where one looks for the one after it."""
    begin, depth, blocks, routine = -1, 0, 0, False
    while place < len(text):
        token = _TOKEN.match(text, place)
        kind, word = (token.lastgroup, token[0]) if token else ("other", text[place])
        end = _end(text, place, kind, word)
        if kind == "meta" and begin < 0:
            return place, place + len(word.rstrip()), end
        if kind == "meta" and word[1:].split():  # as \gset: it ends a statement, and psql does more with it
            raise ContractError(f"line {_line(text, place)}: psql's {word.split()[0]} is not understood here")
        if kind not in ("space", "comment") and begin < 0 and word != ";":
            begin = place
            routine = _ROUTINE.match(text, place) is not None
        if kind == "word" and routine:
            blocks = _blocks(blocks, word.upper())
        depth += (word in _OPENS) - (word in _CLOSES) if kind == "other" else 0
        if word == ";" and depth <= 0 and not blocks:
            return max(begin, 0) if begin >= 0 else place, place, end
        place = end
    return (begin, len(text.rstrip()), len(text)) if begin >= 0 else (len(text), len(text), len(text))


def _blocks(blocks: int, word: str) -> int:
    """Return how many blocks of a body in SQL are open after a word (PostgreSQL manual, CREATE FUNCTION, sql_body)."""
    if word == "BEGIN" or (blocks and word == "CASE"):
        return blocks + 1
    return blocks - 1 if blocks and word == "END" else blocks


def _end(text: str, place: int, kind: str | None, word: str) -> int:
    """Return where a token ends that begins at a place."""
    if kind == "body":
        closed = text.find(word, place + len(word))
        return closed + len(word) if closed >= 0 else _endless(text, place, f"the text in {word}")
    if kind == "comment":
        depth = 0
        for mark in _COMMENT.finditer(text, place):
            depth += 1 if mark[0] == "/*" else -1
            if not depth:
                return mark.end()
        return _endless(text, place, "the comment")
    if kind == "other" and word in "'\"":
        return _endless(text, place, f"the text in {word}")
    return place + len(word)


def _endless(text: str, place: int, what: str) -> int:
    raise ContractError(f"line {_line(text, place)}: {what} has no end")


def _line(text: str, place: int) -> int:
    return text.count("\n", 0, place) + 1


def without_roles(statement: str) -> tuple[str, list[str]]:
    """Return a DO block without what it does to the server, and the names of the roles that it would create.

    The same text and no names where it does nothing of the kind.
    """
    if not _BLOCK.match(statement):
        return statement, []
    names = [unquoted(found) if found.startswith('"') else found.lower() for found in _NEW_ROLE.findall(statement)]
    return _OF_SERVER.sub("NULL;", statement), names


_BLOCK = pattern(r"DO\b", re.IGNORECASE)
_ROLE = r"(?:ROLE|USER(?!\s+MAPPING\b)|GROUP)\b"
_NEW_ROLE = pattern(rf"""\bCREATE\s+{_ROLE}\s+("(?:[^"]|"")+"|[^\W\d][\w$]*)""", re.IGNORECASE)
_DEED = rf"(?:CREATE|ALTER|DROP|COMMENT\s+ON)\s+(?:{_ROLE}|DATABASE\b|TABLESPACE\b)|ALTER\s+SYSTEM\b"
_REST = r"""(?:'(?:[^']|'')*'|"(?:[^"]|"")*"|[^;'"])*;"""
_OF_SERVER = pattern(
    rf"\b(?:{_DEED}){_REST}|\bEXECUTE\s+(?:format\s*\(\s*)?'\s*(?:{_DEED})(?:[^']|'')*'{_REST}"
    r"""|\b(?:GRANT|REVOKE)\b(?:(?!\bON\b)(?:"(?:[^"]|"")*"|[^;'"]))*;""",  # membership of roles
    re.IGNORECASE,
)
